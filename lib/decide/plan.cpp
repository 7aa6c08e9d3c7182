// SPDX-License-Identifier: GPL-2.0-or-later
// Chooses the goal (handover, loan or none), and makes a plan of what it finds.
#include "swiotlb-handoff/plan.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "lib/decide/device_pools.hpp"
#include "lib/decide/goals.hpp"
#include "lib/decide/loads.hpp"
#include "lib/decide/need.hpp"
#include "lib/decide/reservation.hpp"
#include "lib/machine/shown_path.hpp"

namespace handoff {
namespace {

Plan not_needed() {
    Plan plan;
    plan.verdict = Verdict::not_needed;
    return plan;
}

// The goal of a question, and what came of it. `promised`: the region of somebody else's words, which are judged as
// they are.
Plan pursue(const Question& question, const std::optional<AddressRange>& promised, Findings& found) {
    Plan plan;
    plan.method = question.request.method;
    if (!question.readable || !judge_architecture(question.machine, found)) return plan;
    if (!judge_sources(question.machine, found)) return plan;
    plan.method = judge_method(question, promised, found);
    const bool own_memory = judge_hypervisor(question.machine, found);
    if (!own_memory && question.machine.crash_kernel.empty()) return plan;
    if (!judge_reservation(question, found)) return plan;
    const PoolNeed need = judge_need(question, found);
    if (need.needed)
        return promised ? review_handover(question, plan.method, need, *promised, found)
                        : hand_over(question, plan.method, need, found);
    if (question.request.lend) return promised ? review_loan(question, *promised, found) : lend(question, found);
    if (promised) {
        find_pool(question, promised, found);
        found.refuse("command-line-agrees",
                     "The words promise a pool, but the crash kernel makes none. The region would be ordinary memory, "
                     "and devices of the running kernel may still write to it.",
                     {}, "Load the crash kernel without the words of the handoff.");
    }
    if (!own_memory) return plan;
    const Method method = plan.method;
    plan = not_needed();
    plan.method = method;
    return plan;
}

Plan answer(const Machine& machine, const PlanRequest& request, const std::optional<AddressRange>& promised) {
    Findings found(request.accept);
    const Question question = ask(machine, request, found);
    Plan plan = pursue(question, promised, found);
    plan.loader = request.loader;
    plan.base = question.given;
    if (plan.verdict != Verdict::not_needed) plan.verdict = found.refused() ? Verdict::refused : Verdict::ready;
    const auto& reasons = found.reasons();
    const bool said =
        std::any_of(reasons.begin(), reasons.end(), [](const Reason& reason) { return reason.is("device-pools"); });
    if (!said) report_device_pools(machine, {}, "the pool of all other devices is not", found);
    if (!question.assumed.empty() && !plan.append.empty()) plan.append = question.assumed + ' ' + plan.append;
    if (plan.verdict != Verdict::ready) {
        plan.loan = false;
        plan.append.clear();
        plan.expected.reset();
        plan.after = {};
    }
    for (const Error& error : machine.unread)
        found.note("source-unread", shown_path(error.message()) + ".", error.source);
    plan.reasons = found.take();
    plan.assumptions = found.take_assumptions();
    return plan;
}

}  // namespace

const char* name(Verdict verdict) {
    switch (verdict) {
        case Verdict::ready:
            return "ready";
        case Verdict::not_needed:
            return "not-needed";
        case Verdict::refused:
            return "refused";
    }
    return "unknown";
}

Plan decide(const Machine& machine, const PlanRequest& request) { return answer(machine, request, std::nullopt); }

Plan review(const Machine& machine, const PlanRequest& request, const AddressRange& promised) {
    return answer(machine, request, promised);
}

std::string verdict_text(Verdict verdict, const std::vector<Assumption>& assumptions) {
    std::string text = name(verdict);
    if (verdict != Verdict::ready) return text;
    for (const Assumption& assumption : assumptions) {
        text += &assumption == &assumptions.front() ? " if " : "; ";
        text += assumption.text;
    }
    return text;
}

std::string headline(const Plan& plan) {
    // The reason to show: the first refusal, or else the rule that the verdict rests on.
    const Rule rests_on = plan.verdict == Verdict::not_needed ? Rule("pool-needed")
                          : plan.loan                         ? Rule("lend-gain")
                                                              : Rule("pool-exact");
    const Reason* reason = first_refusal(plan.reasons);
    if (!reason) {
        const auto it = std::find_if(plan.reasons.begin(), plan.reasons.end(),
                                     [&](const Reason& r) { return r.is(rests_on) || r.is("next-pool"); });
        if (it == plan.reasons.end()) return verdict_text(plan.verdict, plan.assumptions);
        reason = &*it;
    }
    const std::string text = without_full_stop(reason->text);
    if (plan.verdict == Verdict::refused) return fmt::format("refused (requires {}): {}", reason->rule, text);
    return fmt::format("{}: {}", verdict_text(plan.verdict, plan.assumptions), text);
}

}  // namespace handoff
