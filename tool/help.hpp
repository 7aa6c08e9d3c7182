// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "tool/options.hpp"

namespace tool {

/// The commands, as 'swiotlb-handoff help' prints them.
std::string help_text();
/// A command with all its options.
std::string help_text(const CommandInfo&);

}  // namespace tool
