// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib/decide/next_kernel.hpp"
#include "lib/load/crash_load.hpp"
#include "lib/load/kexec_arguments.hpp"
#include "lib/load/kexec_run.hpp"

namespace handoff {

class Host;

/// A load of the kernel that a reboot by kexec starts, and what is decided about it.
struct PlannedNext {
    NextPlan next;
    PlanRequest request;
    std::string release;  ///< of the running kernel, uname -r
};

/// Everything that loading the next kernel reads and does; none of these functions decides anything.
class NextEffects {
public:
    virtual ~NextEffects() = default;
    /// Reads the machine and the files, and plans.
    virtual Result<PlannedNext> plan(const KexecArguments&) = 0;
    /// Runs kexec and waits for it.
    virtual KexecRun run(const std::vector<std::string>& arguments) = 0;
    /// Of what is loaded now, by the memory of the running kernel.
    virtual Result<std::vector<AddressRange>> loaded_segments() = 0;
    /// The lines of the kernel log since the last run() began; "" where nobody can say.
    virtual std::string kernel_log() = 0;
};

/// Loads the next kernel with the words that give it the pool at its address, if the plan is ready, kexec succeeds, and
/// every segment is seen to lie outside of the pool. Otherwise the caller's own command is left to be run, and what was
/// loaded with the words is unloaded before. `handoff` and `plain` are the rungs that it comes to. The reason is ""
/// where nothing is to be said: the next kernel does not know addr=, or needs no pool.
LoadResult load_next(NextEffects&, const KexecArguments& arguments);

/// The arguments with which kexec loads as planned.
std::vector<std::string> next_arguments(const KexecArguments&, const PlannedNext&);

/// The plan for what these arguments load, from the machine and the named files. If the image does not announce addr=,
/// nothing else is read.
Result<PlannedNext> plan_next(const Host&, const KexecArguments&, Wishes);

}  // namespace handoff
