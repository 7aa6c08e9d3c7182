// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>

namespace handoff {

/// A text for people: a path of the machine at its beginning, such as the "proc/iomem" of "proc/iomem:12", with the
/// slash that it has on the machine. What is no such path, as "dmesg:30", stays as it is.
std::string shown_path(std::string_view text);

}  // namespace handoff
