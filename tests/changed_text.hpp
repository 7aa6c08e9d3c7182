// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace handoff {

/// `text` with another text in place of its first `part`, which has to be there.
inline std::string changed_text(std::string text, std::string_view part, std::string_view other) {
    const auto at = text.find(part);
    EXPECT_NE(at, text.npos) << part;
    return text.replace(at, part.size(), other);
}

}  // namespace handoff
