// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "lib/decide/pool.hpp"
#include "swiotlb-handoff/plan.hpp"

namespace handoff {

// What the old pool can be to a crash kernel. Each goal adds what it finds to the findings, whose refusals decide; the
// plan that it returns has the words and the proof, as far as they were found.

/// The crash kernel's own pool, at the same address.
Plan hand_over(const Question&, Method, const PoolNeed&, Findings&);

/// Ordinary RAM of a crash kernel that makes no pool.
Plan lend(const Question&, Findings&);

/// The pool that somebody else's command line promises.
Plan review_handover(const Question&, Method, const PoolNeed&, const AddressRange& promised, Findings&);

/// The loan that somebody else's command line promises.
Plan review_loan(const Question&, const AddressRange& promised, Findings&);

}  // namespace handoff
