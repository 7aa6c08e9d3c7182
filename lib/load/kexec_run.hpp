// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>

namespace handoff {

/// How a run of kexec ended, and what it printed.
struct KexecRun {
    int status = -1;     ///< exit status; -1: killed by a signal, or it could not be run
    std::string how;     ///< "exit status 255", "signal 9": for the user
    std::string output;  ///< of standard output; of both where they are the same file
    std::string errors;  ///< of standard error
    /// It did not run, since what it was not to see cannot be hidden from it.
    bool cannot_hide = false;
};

/// Of a run that failed, as a clause with its last words. `with`: what was tried, "the handoff".
std::string failure_of(const KexecRun&, std::string_view with);

/// Leaves out what kexec printed only because -d was added.
void leave_out_debug(KexecRun&);

}  // namespace handoff
