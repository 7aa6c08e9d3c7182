// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <vector>

#include "lib/decide/pool.hpp"

namespace handoff {

// How much of the running kernel's pool the crash kernel can take over as its own.

/// The crash kernel makes a pool of exactly this size, and not a larger one. Rules pool-power-of-two, pool-slabs.
void judge_rounding(const Question&, const Pool&, Method, Findings&);

/// What may be handed over of the pool `old`, in the order in which it is tried: as much as the caller's swiotlb= asks
/// for, where that is less; all of it; then each power of two down to the smallest pool that was seen to be enough for
/// the busiest crash kernel (sufficient_pool). A part lies at the start of the pool, so that the rest of the pool keeps
/// free memory away from the part's end.
std::vector<Pool> shares_of(const Question&, const Pool& old, Method);

/// Somebody else's words promise this part of the old pool: whole segments of it. Rule pool-slabs.
void judge_promised_part(const AddressRange& part, const AddressRange& old, Findings&);

/// What is said of a part: "32 MiB of the pool's 64 MiB".
std::string share_text(const AddressRange& part, const AddressRange& old);

}  // namespace handoff
