// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>

#include "swiotlb-handoff/range.hpp"

namespace base {

/// "64 MiB", or where that is no whole number "4 KiB", rounded down.
inline std::string size_text(std::uint64_t bytes) {
    const bool whole = bytes % MiB == 0;
    return std::to_string(bytes / (whole ? MiB : KiB)) + (whole ? " MiB" : " KiB");
}

}  // namespace base
