// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>

namespace handoff {

/// Of RFC 4648: adds the bytes that one line stands for. False where it is no base64.
bool add_base64(std::string_view line, std::string& bytes);

}  // namespace handoff
