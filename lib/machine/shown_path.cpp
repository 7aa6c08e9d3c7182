// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/machine/shown_path.hpp"

#include <algorithm>
#include <iterator>

namespace handoff {

std::string shown_path(std::string_view text) {
    constexpr std::string_view directories[] = {"boot/", "etc/", "lib/", "proc/", "run/", "sys/", "usr/", "var/"};
    const bool path = std::any_of(std::begin(directories), std::end(directories),
                                  [&](std::string_view directory) { return text.starts_with(directory); });
    return (path ? "/" : "") + std::string(text);
}

}  // namespace handoff
