// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "tool/options.hpp"

namespace tool {

/// The commands, as 'swiotlb-handoff help' prints them.
std::string help_text();
/// A command with all its options.
std::string help_text(const CommandInfo&);
/// Where an error sends the user: "See 'swiotlb-handoff plan --help'.", of nullptr the commands.
std::string see_help(const CommandInfo*);

}  // namespace tool
