// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "lib/decide/loads.hpp"
#include "lib/decide/pool.hpp"
#include "lib/kernel/placement.hpp"

namespace handoff {

/// What a proof is about: this pool, told to a crash kernel by this method, in each of these loads.
struct Proposal {
    const Question& question;
    Method method = Method::ram;
    Pool pool;              ///< that the crash kernel is to have: `old_pool`, or a part of it
    AddressRange old_pool;  ///< of the running kernel
    bool forced = false;    ///< the crash kernel makes a pool for swiotlb=force only
    bool numa_off = false;  ///< numa=off is among the words
    Cargo cargo;
    std::vector<Scenario> scenarios;    ///< at least one
    std::vector<DevicePool> devices{};  ///< pools of single devices that are handed over as well
};

/// The table in boot_params of this load.
e820::Table boot_map(const Proposal&, const Load&);

/// The crash kernel's memory after this load with this command line. An error where the words do not make a map.
Result<CrashMemory> memory_of(const Proposal&, const Scenario&, const CommandLine&);

/// What the crash kernel takes before its pool, at most. `ram` is all that its map calls RAM.
EarlyDemand demand_of(const Proposal&, const RangeSet& ram);

/// What came of looking for a load in which the pool does not land.
struct Proof {
    std::optional<Counterexample> counterexample;  ///< none: the pool lands in each of them
    std::size_t images = 0;                        ///< places of the kernel that were looked at
    std::uint64_t early_bytes = 0;                 ///< the largest bound on early allocations
};
/// With this command line, in all scenarios. An error where the words do not make a map.
Result<Proof> prove(const Proposal&, const CommandLine&);

}  // namespace handoff
