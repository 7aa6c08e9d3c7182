// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/load/shrink.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "lib/decide/fallback.hpp"
#include "lib/decide/findings.hpp"
#include "lib/kernel/crashkernel.hpp"

namespace handoff {
namespace {

using base::align_up;
using base::MiB;
using base::whole_mib;

constexpr std::uint64_t step = 4 * MiB;

Machine with_size(const Machine& machine, std::uint64_t size) {
    Machine smaller = machine;
    AddressRange& main = smaller.crash_kernel.back();
    main = *AddressRange::from_size(main.start(), size);
    return smaller;
}

// What kexec_crash_size counts besides the reservation that is made smaller: before 6.5
// nothing, since then a part below 4 GiB (crash_get_memory_size()). The file itself tells.
std::optional<std::uint64_t> counted_besides(const Machine& machine) {
    const std::uint64_t main = machine.crash_kernel.back().size();
    const std::uint64_t all = reserved_bytes(machine);
    if (!machine.crash_size) return std::nullopt;
    if (*machine.crash_size == main) return 0;
    if (*machine.crash_size == all) return all - main;
    return std::nullopt;
}

std::string what_decided(const Plan& plan) {
    if (const Reason* refusal = first_refusal(plan.reasons)) return requirement(*refusal);
    for (const Reason& r : plan.reasons)
        if (r.is("pool-needed")) return without_full_stop(r.text);
    return name(plan.verdict);
}

std::string too_little(const Fallback& without) {
    return fmt::format(
        "a load without the handoff could have too little memory: it should have {} MiB and a pool of {} MiB below 4 "
        "GiB",
        whole_mib(without.recommended), whole_mib(without.enough));
}

}  // namespace

ShrinkPlan plan_shrink(const Machine& machine, const PlanRequest& request, std::optional<std::uint64_t> to,
                       std::uint64_t margin, bool on_loan) {
    ShrinkPlan shrink;
    const auto refuse = [&](std::string why) {
        shrink.problem = std::move(why);
        return shrink;
    };
    if (machine.crash_kernel.empty()) return refuse("no memory is reserved for a crash kernel");
    const AddressRange main = machine.crash_kernel.back();
    shrink.from = shrink.to = main;
    shrink.need = need_for(machine, request, main.size(), margin);
    // shrink unloads and loads again, and loads a second time if the first load fails. Each load may be two calls.
    if (constexpr std::uint64_t calls = 5; machine.loads_left && *machine.loads_left < calls)
        return refuse(
            fmt::format("the kernel accepts only {} more loads of a crash kernel (kernel.kexec_load_limit_panic), and "
                        "this may need {}",
                        *machine.loads_left, calls));
    const auto besides = counted_besides(machine);
    if (!besides)
        return refuse(
            machine.crash_size
                ? fmt::format("/sys/kernel/kexec_crash_size says {} bytes, which is not what /proc/iomem shows",
                              *machine.crash_size)
                : std::string("/sys/kernel/kexec_crash_size cannot be read"));

    const std::uint64_t gain = on_loan ? loan_gain(machine) : 0, lent = on_loan ? pool_bytes(machine) : 0;
    if (on_loan) {
        if (const LoanOutlook now = loan_outlook(machine, request, 0); !now.possible)
            return refuse("the size cannot count on a loan: " + now.why);
    } else if (const auto now = fallback_for(machine, request, margin); now && !now->sure) {
        return refuse(too_little(*now));  // what is too small for it now is so when it is smaller
    }

    const auto attempt = [&](std::uint64_t size) {
        shrink.need = need_for(machine, request, size + lent, margin);
        shrink.to = *AddressRange::from_size(main.start(), size);
        shrink.write = size + *besides;
        shrink.on_loan = on_loan ? shrink.need.recommended() - std::min(shrink.need.recommended(), size) : 0;
        if (size + gain < shrink.need.recommended()) {
            shrink.problem =
                fmt::format("{} MiB is less than the crash kernel needs, which is {} MiB{}", whole_mib(size),
                            whole_mib(shrink.need.recommended() - gain), on_loan ? " besides what the loan gives" : "");
            return false;
        }
        const Machine smaller = with_size(machine, size);
        shrink.plan = decide(smaller, request);
        shrink.plan.fallback = fallback_for(smaller, request, margin);
        if (shrink.plan.verdict != Verdict::ready)
            shrink.problem = fmt::format("with {} MiB: {}", whole_mib(size), what_decided(shrink.plan));
        else if (const auto& without = shrink.plan.fallback; without && !without->sure && !on_loan)
            shrink.problem = fmt::format("with {} MiB {}", whole_mib(size), too_little(*without));
        else
            shrink.problem.clear();
        return shrink.possible();
    };
    if (to) {
        const std::uint64_t size = align_up(*to, base::page_size);
        if (size >= main.size())
            return refuse(fmt::format("{} MiB is not smaller than the current reservation of {} MiB", whole_mib(size),
                                      whole_mib(main.size())));
        attempt(size);
        return shrink;
    }
    const std::uint64_t least = need_for(machine, request, lent, margin).recommended();
    for (std::uint64_t size = align_up(least - std::min(least, gain), step); size < main.size(); size += step)
        if (attempt(size)) return shrink;
    if (shrink.problem.empty())
        return refuse(
            fmt::format("the reservation has {} MiB, but the crash kernel needs {} MiB", whole_mib(main.size()),
                        whole_mib(need_for(machine, request, main.size() + lent, margin).recommended() - gain)));
    return shrink;
}

const char* name(ShrinkResult::Outcome outcome) {
    switch (outcome) {
        case ShrinkResult::Outcome::done:
            return "done";
        case ShrinkResult::Outcome::unchanged:
            return "unchanged";
        case ShrinkResult::Outcome::restored:
            return "restored";
        case ShrinkResult::Outcome::without_handoff:
            return "without-handoff";
        case ShrinkResult::Outcome::not_loaded:
            return "not-loaded";
    }
    return "unknown";
}

std::string objection_to_shrinking(const HandoffState& state) {
    if (state.handoff == Handoff::in_use) return {};
    return state.why +
           " The reservation is made smaller only while a crash kernel with the handoff is loaded, because another one "
           "may need all of it.";
}

ShrinkResult shrink(ShrinkEffects& effects, const ShrinkPlan& wanted) {
    using Outcome = ShrinkResult::Outcome;
    ShrinkResult result;
    const auto end = [&](Outcome outcome, std::string text) {
        result.outcome = outcome;
        result.text = std::move(text);
        return result;
    };
    if (!wanted.possible()) return end(Outcome::unchanged, wanted.problem);
    const auto loaded = effects.loaded();
    if (!loaded) return end(Outcome::unchanged, loaded.error().message());
    if (!*loaded) return end(Outcome::unchanged, "no crash kernel is loaded; load one with the handoff first");
    const auto has_handoff = [&] { return effects.state().handoff == Handoff::in_use; };
    if (const std::string objection = objection_to_shrinking(effects.state()); !objection.empty())
        return end(Outcome::unchanged, objection);

    const auto is_loaded = [&] { return effects.loaded().value_or(false); };
    // Twice, because some causes pass: another load may hold the lock, or memory may be short for a moment.
    const auto load = [&]() -> std::optional<std::string> {
        std::string why;
        for (int attempt = 0; attempt < 2; ++attempt) {
            result.steps.push_back("load");
            const auto failure = effects.reload();
            if (is_loaded()) return std::nullopt;  // whatever the command's status was
            why = failure ? failure->message() : "the command succeeded, but no crash kernel is loaded";
        }
        return why;
    };
    const auto restore = [&](const std::string& what) {
        if (is_loaded()) return end(Outcome::unchanged, what);
        const auto failure = load();
        return failure ? end(Outcome::not_loaded, what + "; loading it again failed too: " + *failure)
                       : end(Outcome::restored, what);
    };

    result.steps.push_back("unload");
    if (const auto failure = effects.unload())
        return restore("unloading the crash kernel failed: " + failure->message());
    result.steps.push_back(fmt::format("write {} to /sys/kernel/kexec_crash_size", wanted.write));
    if (const auto failure = effects.resize(wanted.write))
        return restore("making the reservation smaller failed: " + failure->message());
    if (const auto failure = load()) return end(Outcome::not_loaded, "loading the crash kernel failed: " + *failure);
    if (!has_handoff()) load();
    if (!has_handoff())
        return end(Outcome::without_handoff,
                   "the crash kernel was loaded without the handoff. Load it with the handoff, or boot again. " +
                       (wanted.plan.fallback ? to_text(*wanted.plan.fallback) : "It may have too little memory."));
    return end(Outcome::done, {});
}

}  // namespace handoff
