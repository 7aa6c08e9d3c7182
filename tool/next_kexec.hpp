// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "lib/load/kexec_arguments.hpp"
#include "lib/sources/host.hpp"
#include "tool/commands.hpp"

namespace tool {

/// Loads what a reboot by kexec starts, in a process of its own. True where it is loaded with the pool of the running
/// kernel. Otherwise the caller's own command is left to be run.
bool load_next_in_child(const Options&, const handoff::Host&, const std::string& program,
                        const handoff::KexecArguments&);

}  // namespace tool
