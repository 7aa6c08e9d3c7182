// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace handoff {

/// The regular files of what `ls -lR` printed, also with -a, -n, -Z and --time-style=long-iso, by their full paths
/// without the leading slash, and their sizes in bytes. Lines that are not understood are left out.
std::map<std::string, std::uint64_t> listed_files(std::string_view listing);

}  // namespace handoff
