// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>

#include "lib/decide/proof.hpp"

namespace handoff {

// What has to hold of the words as a whole, whatever the region is used for.

/// The crash kernel's map with this command line, which has the region as RAM exactly once, and the longest line that
/// the image takes. nullopt where the words do not make a map. Rules map-once, command-line-fits, command-line-sound.
std::optional<e820::Table> judge_outcome(const Proposal&, const CommandLine&, Findings&);

/// What the region costs the crash kernel (struct pages, fences) is no more than the pool that it would otherwise take
/// out of its reservation. `handed` and `plain` are the command lines with the handoff and without it. Rule
/// memory-kept.
void judge_memory_kept(const Proposal&, const CommandLine& handed, const CommandLine& plain, Findings&);

/// A lent pool is more memory than what it costs: struct pages for the sections of 128 MiB that only it is in. `after`
/// is the map with it. Rule lend-gain.
void judge_loan_gain(const Proposal&, const e820::Table& after, Findings&);

}  // namespace handoff
