// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace handoff {

/// /proc/modules: the modules that a kernel has loaded, and how many bytes each takes (kernel/module/procfs.c,
/// m_show()). A line that is none is left out.
std::map<std::string, std::uint64_t, std::less<>> parse_loaded_modules(std::string_view text);

}  // namespace handoff
