// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "swiotlb-handoff/plan.hpp"

namespace handoff {

/// What plan() says before it looks for another reservation: decide(), what a load without the handoff comes to, and
/// whether the reservation is large enough. Where the plan advises words for the crash kernel's command line, the plan
/// with them is made, too, and what comes of it is said.
Plan plan_as_reserved(const Machine&, const PlanRequest&, std::uint64_t margin);

/// The same request with the words for the crash kernel's command line that its plan advises to add ("numa=off"); it
/// has none more where nothing is advised, or the command line cannot be read.
PlanRequest with_own_advice(const Machine&, const PlanRequest&);

/// What kdump does where the handoff is refused, and whether the reservation is large enough for that: sentences.
std::string next_without(const Plan&);

/// What to do where no handoff is needed, a sentence or two behind "Next: ". It is "nothing" only where the reservation
/// is surely large enough.
std::string next_where_not_needed(const Plan&);

}  // namespace handoff
