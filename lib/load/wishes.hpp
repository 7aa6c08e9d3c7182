// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lib/load/record.hpp"
#include "swiotlb-handoff/request.hpp"

namespace handoff {

class Host;

/// What is said about a load: by the options of a command, by a kexec command line, by the record of a load. What is
/// not said, the machine and its kdump service tell (request_for()).
struct Wishes {
    std::optional<std::string> kernel;  ///< path of the image; none: the one that the kdump service loads
    std::optional<std::string> initrd;  ///< path, "" for a load without one; none: the one that the kdump service loads
    std::optional<std::string> command_line;  ///< as PlanRequest has it, and so has the rest
    Loader loader = Loader::automatic;  ///< automatic: of a captured machine, what the service's configuration says
    Method method = Method::automatic;
    std::optional<AddressRange> pool;
    std::vector<std::string> accept;
    bool lend = false;                         ///< false: what the configuration of the kdump service says
    Collector collector = Collector::unknown;  ///< unknown: what the configuration of the kdump service says
    bool leaves_pool_out = false;
};

/// The same, and what nobody said as in the load that left this record: image, initrd, system call and command line
/// without the handoff's words, and the loan.
Wishes as_recorded(Wishes, const Record&);

/// What to plan for on this machine: every command that plans has its request from here. Reads the crash kernel's
/// image and its configuration, the initrd's size and the configuration of the installed kdump service; where there is
/// no such service, or it has no such file, the plan assumes, and says so. Errors: a file that is named, or that the
/// service loads, cannot be read, or is no image of a kernel.
Result<PlanRequest> request_for(const Host&, const Machine&, const Wishes&);

/// Reads what only a loan asks for, where the request asks for one: look_into_pool().
void look_where_asked(const Host&, const PlanRequest&, Machine&);

/// Unpacks the request's initrd for what need_for() wants to know of it, where it has one: initrd_contents, or
/// initrd_contents_problem. That takes a second or more for a large initrd. Who asks for the need does it, so that all
/// of them say the same: plan(), recommend(), plan_shrink(), a load's fallback. decide() has no use for it.
void look_into_initrd(const Host&, PlanRequest&);

/// The same, and what crashes of this machine showed: look_for_crash_records() in crash_records.hpp.
void look_at_sizes(const Host&, const Machine&, PlanRequest&);

}  // namespace handoff
