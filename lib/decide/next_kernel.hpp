// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "swiotlb-handoff/plan.hpp"

namespace handoff {

/// How the kernel is loaded that an ordinary kexec starts, in the place of the running one.
struct NextPlan {
    /// As for a crash kernel. `ready`: it gets the pool at its address, by the words to append, of which there are none
    /// where the caller's command line has them. `not_needed`: its image does not know addr=, it makes no pool, or the
    /// caller says himself where the pool is.
    Plan plan;
    /// The option of kexec that keeps what kexec_load loads out of the pool: "--mem-min=0x70000000". "" for
    /// kexec_file_load, where the running kernel chooses the places.
    std::string keep_out;
};

/// Decides whether the next kernel gets the pool at its address. It never fails: what is wrong becomes a reason. The
/// command line of the request is the next kernel's. Rules next-pool, next-map, next-words, next-crashkernel,
/// next-handover, next-segments, and those of the pool and of encryption.
NextPlan decide_next(const Machine&, const PlanRequest&);

/// Why these segments, loaded for a plan that is ready, must not be started, as rule next-segments says it; "" where
/// nothing speaks against it. The running kernel copies them to their places at the very end, when devices may still
/// write to the pool (kernel/kexec_core.c, machine_kexec()).
std::string objection_to_next(const Plan&, const Image&, const std::vector<AddressRange>& segments);

/// Where the word swiotlb=<slabs>,addr= on the machine's command line puts the pool; nullopt where it has none.
std::optional<AddressRange> asked_by_addr(const Machine&);

}  // namespace handoff
