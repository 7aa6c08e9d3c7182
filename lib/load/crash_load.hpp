// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/load/kexec_arguments.hpp"
#include "lib/load/kexec_run.hpp"
#include "lib/load/record.hpp"
#include "lib/load/wishes.hpp"
#include "swiotlb-handoff/check.hpp"
#include "swiotlb-handoff/plan.hpp"

namespace handoff {

class Host;

/// A load that the running machine was given, and what it says about it.
struct PlannedLoad {
    Plan plan;  ///< by decide()
    Machine machine;
    PlanRequest request;
};

/// Everything that loading a crash kernel reads and does. What to do is decided elsewhere;
/// none of these functions decides anything.
class LoadEffects {
public:
    virtual ~LoadEffects() = default;
    /// Reads the machine and the files, and plans.
    virtual Result<PlannedLoad> plan(const KexecArguments&) = 0;
    /// Of the image or the initrd; nullopt where it cannot be read.
    virtual std::optional<FileSum> sum_of(const std::string& file) = 0;
    /// What that load comes to without the handoff: fallback_of().
    virtual std::optional<Fallback> fallback(const PlannedLoad&) = 0;
    /// Runs kexec and waits for it. `left_out`: memory that kexec must not see as System RAM in /proc/iomem.
    virtual KexecRun run(const std::vector<std::string>& arguments, const std::optional<AddressRange>& left_out) = 0;
    /// The ELF headers that are loaded there now, as the crash kernel will read them.
    virtual Result<ElfCore> loaded_headers(const AddressRange& elfcorehdr) = 0;
    /// The lines of the kernel log since the last run() began; "" where nobody can say.
    virtual std::string kernel_log() = 0;
    /// Writes the record, if it can: a record that cannot be written does not stop the load.
    virtual void record(const Record&) = 0;
    /// No other load went past the lock of this one since it began, as far as anybody can see.
    virtual bool alone() = 0;
};

/// What was done, and what is left to do.
struct LoadResult {
    /// handoff, own_pool: so it is loaded. plain: the caller's own kexec command is to be run now.
    Rung rung = Rung::plain;
    std::string why;  ///< for the log, one line
    /// What kexec printed, for the caller: without what -d made it print, unless he asked for that.
    std::string output, errors;
};

/// Loads a crash kernel with the handoff, if everything about it holds: `arguments`
/// are modelled, the plan is ready, kexec succeeds, and the segments that it or the kernel
/// reports are the planned ones. Otherwise as the plan's fallback says: with a smaller pool of the crash kernel's own,
/// or not at all, which leaves it to the caller. Where the pool is lent, the plan is made anew after the last record,
/// and the load is replaced where the pool may not be lent any more. A record is written before kexec runs, and at the
/// end; it has kexec's own words where kexec failed.
LoadResult load_with_handoff(LoadEffects&, const KexecArguments& arguments);

/// The same where a handoff is out of the question, for the reason `why`, such as a lock that is not had.
LoadResult load_without_handoff(LoadEffects&, const KexecArguments& arguments, const std::string& why);

/// The plan for what these arguments load, from the machine and the named files. `wishes`: what the arguments do not
/// say, which is what to accept, and to lend.
Result<PlannedLoad> plan_load(const Host&, const KexecArguments&, Wishes);

/// What the load comes to without the handoff, as plan() says it. Looks into the initrd, which may take seconds: only a
/// load that does not have the handoff is worth that.
std::optional<Fallback> fallback_of(const Host&, const PlannedLoad&);

}  // namespace handoff
