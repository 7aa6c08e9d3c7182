// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>

namespace tool {

/// How two texts of the file `name` differ, in the unified format of diff(1), with three lines around: one hunk, from
/// the first line that differs to the last. "" where they are the same.
std::string unified_difference(std::string_view name, std::string_view before, std::string_view after);

}  // namespace tool
