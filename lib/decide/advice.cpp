// SPDX-License-Identifier: GPL-2.0-or-later
// Advice against a refusal, or against a reservation that is too small. It was tried for this machine before it is
// given.
#include "lib/decide/advice.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "lib/decide/configuration.hpp"
#include "lib/decide/fallback.hpp"
#include "lib/decide/need.hpp"
#include "lib/decide/pool.hpp"
#include "lib/decide/recommend.hpp"
#include "lib/decide/reservation_fit.hpp"

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

Plan judged(const Machine& machine, const PlanRequest& request, std::uint64_t margin) {
    Plan plan = decide(machine, request);
    plan.fallback = fallback_for(machine, request, margin);
    plan.reservation = fit_of_reservation(machine, request, plan, margin);
    return plan;
}

std::string layout_advice(const Machine& machine, const Recommendation& next, const std::string& otherwise) {
    if (next.chosen) {
        const std::string& append = next.chosen->append;
        return fmt::format("Boot with {}{}. {}", next.chosen->reservation.text(),
                           append.empty() ? "" : fmt::format(", and {}", to_add(append)),
                           next.verdict != Verdict::ready ? "The crash kernel then makes no pool."
                           : next.reproduced.layout
                               ? "It was proven for the memory that this machine will have after the next boot."
                               : "It was proven for the memory that the model predicts for the next boot. For this "
                                 "boot the prediction was not right.");
    }
    if (has_offset(machine))
        return "Leave out the @OFFSET of crashkernel=, so that the kernel puts the reservation above the pool.";
    return otherwise.empty() ? "No reservation that this machine can have was proven." : otherwise;
}

}  // namespace

PlanRequest with_own_advice(const Machine& machine, const PlanRequest& request) {
    Findings unsaid(request.accept);
    const Question question = ask(machine, request, unsaid);
    PlanRequest more = request;
    if (!question.readable) return more;
    for (const std::string& word : {words_against_needless_pool(question), words_against_early_areas(question)})
        if (!word.empty()) more.added_words += (more.added_words.empty() ? "" : " ") + word;
    return more;
}

Plan plan_as_reserved(const Machine& machine, const PlanRequest& request, std::uint64_t margin) {
    Plan plan = judged(machine, request, margin);
    const PlanRequest more = with_own_advice(machine, request);
    if (more.added_words == request.added_words) return plan;
    const Plan advised = judged(machine, more, margin);
    if (advised.verdict == Verdict::refused) return plan;
    if (plan.reservation.fits && plan.reservation.fits != Fit::surely && advised.reservation.fits) {
        plan.reservation.append = more.added_words;
        plan.reservation.fits_with_append = *advised.reservation.fits;
    }
    if (advised.verdict == Verdict::ready)
        for (Reason& reason : plan.reasons)
            if (reason.severity == Severity::refusal && reason.advice.starts_with("Add "))
                reason.advice += " The handoff is then ready.";
    return plan;
}

Plan plan(const Machine& machine, const PlanRequest& request) {
    Plan plan = plan_as_reserved(machine, request, Need::default_margin);
    const auto reason = std::find_if(plan.reasons.begin(), plan.reasons.end(), is_about_layout);
    const bool lacks_nothing = plan.reservation.fits.value_or(Fit::surely) == Fit::surely;
    if (reason == plan.reasons.end() && lacks_nothing) return plan;
    const Recommendation next = recommend(machine, request, Need::default_margin, plan);
    plan.reservation = next.present.reservation;
    if (reason != plan.reasons.end()) reason->advice = layout_advice(machine, next, reason->advice);
    return plan;
}

std::string next_without(const Plan& plan) {
    if (plan.fallback) return to_text(*plan.fallback);
    const ReservationFit& fit = plan.reservation;
    if (fit.fits && fit.reserved == 0)
        return "kdump can load no crash kernel, since no memory is reserved for one." +
               (fit.crashkernel.empty() ? std::string() : " Boot with " + fit.crashkernel + ".");
    return "kdump loads the crash kernel without the handoff, if it can. " + shortage_sentence(fit);
}

std::string next_where_not_needed(const Plan& plan) {
    const auto needless = std::find_if(plan.reasons.begin(), plan.reasons.end(), [](const Reason& r) {
        return r.is("pool-needed") && r.severity == Severity::warning;
    });
    if (needless != plan.reasons.end() && plan.reservation.fits != Fit::surely)
        return needless->advice + " " + shortage_sentence(plan.reservation);
    if (plan.fallback && plan.fallback->plain_fits == Fit::no) return to_text(*plan.fallback);
    if (plan.reservation.fits == Fit::surely)
        return "Nothing has to be done. The crash kernel needs no handoff, and the reservation is large enough. "
               "'swiotlb-handoff recommend' says whether a smaller one would be.";
    return "The crash kernel needs no handoff. " + shortage_sentence(plan.reservation);
}

}  // namespace handoff
