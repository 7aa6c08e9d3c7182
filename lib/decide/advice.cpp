// SPDX-License-Identifier: GPL-2.0-or-later
// What would cure a refusal, tried on this very machine.
#include <algorithm>

#include <fmt/format.h>

#include "lib/decide/fallback.hpp"
#include "lib/decide/recommend.hpp"
#include "swiotlb-handoff/plan.hpp"

namespace handoff {
namespace {

bool is_about_layout(const Reason& r) {
    return r.severity == Severity::refusal &&
           (r.is("pool-exact") || r.is("pool-below-crashkernel") || r.is("load-fits"));
}

bool has_offset(const Machine& machine) {
    const auto running = CommandLine::parse(machine.command_line);
    const auto words = running ? running->last("crashkernel") : std::nullopt;
    return words && words->find('@') != words->npos;
}

}  // namespace

Plan plan(const Machine& machine, const PlanRequest& request) {
    Plan plan = decide(machine, request);
    plan.fallback = fallback_for(machine, request, Need::default_margin);
    const auto reason = std::find_if(plan.reasons.begin(), plan.reasons.end(), is_about_layout);
    if (reason == plan.reasons.end()) return plan;
    const Recommendation next = recommend(machine, request);
    if (next.chosen)
        reason->advice =
            fmt::format("boot with {}: {}", next.chosen->reservation.text(),
                        next.verdict != Verdict::ready ? "the crash kernel then makes no pool"
                        : next.reproduced.layout       ? "proven for this machine as the next boot lays it out"
                                                       : "proven if the next boot lays the machine out as the model "
                                                         "does, which this one did not");
    else if (has_offset(machine))
        reason->advice = "drop the @offset of crashkernel=, so that the kernel puts the reservation above the pool";
    else if (reason->advice.empty())
        reason->advice = "no reservation that this machine could have was proven";
    return plan;
}

}  // namespace handoff
