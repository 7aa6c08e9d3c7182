// SPDX-License-Identifier: GPL-2.0-or-later
// A plan: on one screen what somebody decides by, or all of it.
#include <algorithm>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "e820/render.hpp"
#include "lib/decide/advice.hpp"
#include "lib/decide/findings.hpp"
#include "lib/machine/shown_path.hpp"
#include "tool/print.hpp"

namespace tool {
namespace {

using handoff::Reason;
using handoff::Rule;
using handoff::Severity;
using handoff::Verdict;

const Reason* find(const handoff::Plan& plan, Rule rule, Severity severity) {
    const auto it = std::find_if(plan.reasons.begin(), plan.reasons.end(),
                                 [&](const Reason& r) { return r.is(rule) && r.severity == severity; });
    return it == plan.reasons.end() ? nullptr : &*it;
}

// Whether an idle pool can be lent, what that gives, and what speaks against it.
std::string text_of(const handoff::LoanOutlook& loan) {
    const std::uint64_t gain = loan.gain / base::MiB;
    return loan.possible
               ? fmt::format(
                     "With --lend the crash kernel has {} MiB more memory, as long as no device uses the pool. "
                     "swiotlb-handoff-lending(7) says what speaks against it.",
                     gain)
               : fmt::format("Lending the pool would give the crash kernel {} MiB more memory, but {}{}.", gain,
                             loan.why.starts_with("refused") ? "the loan is " : "", loan.why);
}

// What the handoff is good for, or why there is none to make.
void print_gain(const handoff::Plan& plan) {
    if (plan.verdict == Verdict::ready) {
        for (const Rule rule : {Rule("memory-kept"), Rule("lend-gain")})
            if (const Reason* gain = find(plan, rule, Severity::info)) sentence("saves", gain->text);
    } else if (plan.verdict == Verdict::not_needed) {
        if (const Reason* cause = find(plan, "pool-needed", Severity::info)) sentence("because", cause->text);
    }
}

void print_layout(const handoff::Plan& plan) {
    if (plan.expected) field("expected", row(*plan.expected));
    if (!plan.append.empty()) field("append", plan.append);
    if (plan.loads.empty()) return;
    for (const handoff::Segment& s : plan.loads.front().segments)
        field("loads", fmt::format("{}  {}", row(s.range), s.name));
    for (const base::AddressRange& f : plan.fences) field("fence", row(f));
}

void print_maps(const handoff::Plan& plan) {
    if (!plan.loads.empty())
        print("\nThe crash kernel's memory map without the handoff:\n" + e820::render_log(plan.loads.front().map));
    if (!plan.after.entries.empty()) print("\nWith the handoff:\n" + e820::render_log(plan.after));
}

// A load without the handoff that is not surely as good as the one with it.
bool falls_deep(const handoff::Plan& plan) {
    return plan.verdict == Verdict::ready && plan.fallback &&
           (plan.fallback->rung == handoff::Rung::own_pool || plan.fallback->fits != handoff::Fit::surely);
}

std::string next_where_ready(const PlanNews& news) {
    if (news.reload.empty())
        return "Append the words that 'swiotlb-handoff cmdline' prints to the crash kernel's command line and load it. "
               "In the crash kernel, 'swiotlb-handoff verify' says whether the pool is there.";
    if (news.enabled)
        return fmt::format(
            "The handoff is enabled. 'swiotlb-handoff status' says whether it is in use. If it is not, '{}' loads the "
            "crash "
            "kernel with it.",
            news.reload);
    return fmt::format("Run 'swiotlb-handoff enable', and then '{}' to load the crash kernel with the handoff.",
                       news.reload);
}

// Of a refusal: what would be large enough, where the reservation is too small.
std::string to_boot_with(const handoff::Plan& plan) {
    const bool too_small = plan.reservation.fits && plan.reservation.reserved != 0;
    return plan.verdict == Verdict::refused && too_small ? plan.reservation.crashkernel : "";
}

// The last lines say what to boot with.
void print_reservation(const handoff::Plan& plan) {
    handoff::ReservationFit fit = plan.reservation;
    if (!to_boot_with(plan).empty()) fit.crashkernel.clear();
    sentence("reservation", to_text(fit));
}

std::string next_of(const handoff::Plan& plan, const PlanNews& news) {
    switch (plan.verdict) {
        case Verdict::ready:
            return next_where_ready(news);
        case Verdict::not_needed:
            return next_where_not_needed(plan);
        case Verdict::refused:
            break;
    }
    const Reason* refusal = first_refusal(plan.reasons);
    const std::string words = to_boot_with(plan);
    return fmt::format("{}{}{}",
                       !words.empty()                                  ? fmt::format("Boot with {}. Until then ", words)
                       : plan.reservation.fits == handoff::Fit::surely ? "Nothing has to be done. "
                                                                       : "",
                       next_without(plan),
                       refusal ? fmt::format(" 'swiotlb-handoff explain {}' says more.", refusal->rule) : "");
}

}  // namespace

void print_plan(const handoff::Plan& plan, const PlanNews& news, bool verbose) {
    if (verbose)
        verdict_line("verdict", handoff::verdict_text(plan.verdict, plan.assumptions), tone_of(plan.verdict));
    else
        print_verdict(plan.verdict, plan.assumptions,
                      plan.verdict != Verdict::ready ? ""
                      : plan.loan                    ? "With the reservation of this boot the pool can be lent."
                                                     : "With the reservation of this boot the handoff is proven.");
    if (const auto& pool = plan.pool ? plan.pool : news.pool) field("pool", row(*pool));
    if (plan.part) field("part", row(*plan.part) + ", which is not all of the pool");
    if (verbose) print_layout(plan);
    print_gain(plan);
    if (!verbose) print_first(plan.reasons, Severity::refusal);
    print_reservation(plan);
    if (verbose ? plan.verdict == Verdict::ready && plan.fallback.has_value() : falls_deep(plan))
        sentence("or else", "If the handoff cannot be loaded, " + to_text(*plan.fallback));
    if (news.loan) sentence("loan", text_of(*news.loan));
    if (verbose) {
        print_assumptions(plan.assumptions);
        print_reasons(plan.reasons);
        print_maps(plan);
    } else {
        print_first(plan.reasons, Severity::warning);
    }
    next(next_of(plan, news));
}

}  // namespace tool
