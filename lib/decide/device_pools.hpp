// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <vector>

#include "lib/decide/proof.hpp"

namespace handoff {

// Pools of single devices (swiotlb_dev=) beside the pool of all others. All of it is rule device-pools.

/// Those of the running kernel that a crash kernel can have as well.
struct DeviceChoice {
    std::vector<DevicePool> pools;  ///< all of them, in the order of the running kernel's command line, or none
    std::string why_not;            ///< where there are none: a clause
};
DeviceChoice choose_device_pools(const Question&, Method);

/// Refuses swiotlb_dev= on the crash kernel's command line that is not understood, or that may take memory of which a
/// proof without addr= knows nothing.
void judge_device_words(const Question&, Method, Findings&);

/// Refuses where the crash kernel would not have each pool that this line hands over: what the line adds as RAM for it
/// would be ordinary memory, and devices may still write to it.
void judge_device_pools(const Proposal&, const CommandLine&, Findings&);

/// Says which ones are handed over, and of those that are not, why.
void report_device_pools(const Machine&, const std::vector<DevicePool>& handed_over, const std::string& why_not,
                         Findings&);

}  // namespace handoff
