// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "swiotlb-handoff/facts.hpp"

namespace handoff {

/// Bytes besides its pool, at most, with which this crash kernel ran out of memory; 0 where it did not, or where the
/// log does not say how much it had.
std::uint64_t ran_out_with(const CrashLog&);

/// What would have helped it: a sentence each, the most likely first. Empty where nothing is known to have been short.
std::vector<std::string> what_would_help(const CrashLog&);

}  // namespace handoff
