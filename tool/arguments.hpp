// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <vector>

#include "tool/commands.hpp"

namespace tool {

/// The command line cannot be understood. One or more sentences; the last one names the help that there is.
struct UsageError {
    std::string text;
};

/// What the command line of the tool says, argv[0] left out. Throws UsageError: for each option that the command does
/// not take or would ignore, each value that cannot be read, and a wrong number of operands.
Options read_arguments(const std::vector<std::string>& arguments);

}  // namespace tool
