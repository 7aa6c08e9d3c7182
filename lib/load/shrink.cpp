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

// Of a plan that is not ready for a reservation of `size` bytes.
std::string why_not_ready(const Plan& plan, std::uint64_t size) {
    if (const Reason* refusal = first_refusal(plan.reasons))
        return fmt::format("With a reservation of {} MiB the handoff is refused ({}).", whole_mib(size),
                           requirement(*refusal));
    std::string text = "There is nothing to hand over, and only a reservation for a handoff is made smaller here.";
    for (const Reason& r : plan.reasons)
        if (r.is("pool-needed")) text += " " + r.text;
    return text + " 'swiotlb-handoff recommend' says whether a smaller crashkernel= is enough from the next boot on.";
}

std::string too_little(std::uint64_t size, const Fallback& without) {
    if (size >= without.recommended + without.enough)
        return fmt::format(
            "A load without the handoff should have a pool of {} MiB below 4 GiB, and a reservation of {} MiB "
            "may have no room for it there.",
            whole_mib(without.enough), whole_mib(size));
    return fmt::format(
        "A reservation of {} MiB may be too small for a load without the handoff, which should have {} MiB and a pool "
        "of {} MiB below 4 GiB.",
        whole_mib(size), whole_mib(without.recommended), whole_mib(without.enough));
}

}  // namespace

ShrinkPlan plan_shrink(const Machine& machine, const PlanRequest& request, std::optional<std::uint64_t> to,
                       std::uint64_t margin, bool on_loan) {
    ShrinkPlan shrink;
    const auto refuse = [&](std::string why) {
        shrink.problem = std::move(why);
        return shrink;
    };
    if (machine.crash_kernel.empty()) return refuse("No memory is reserved for a crash kernel.");
    const AddressRange main = machine.crash_kernel.back();
    shrink.from = shrink.to = main;
    shrink.need = need_for(machine, request, main.size(), margin);
    // shrink unloads and loads again, and loads a second time if the first load fails. Each load may be two calls.
    if (constexpr std::uint64_t calls = 5; machine.loads_left && *machine.loads_left < calls)
        return refuse(
            fmt::format("The kernel accepts only {} more loads of a crash kernel (kernel.kexec_load_limit_panic), and "
                        "making the reservation smaller may need {}.",
                        *machine.loads_left, calls));
    const auto besides = counted_besides(machine);
    if (!besides)
        return refuse(
            machine.crash_size
                ? fmt::format("/sys/kernel/kexec_crash_size says {} bytes, which is not what /proc/iomem shows.",
                              *machine.crash_size)
                : std::string("/sys/kernel/kexec_crash_size cannot be read, so it is not known what the kernel would "
                              "make smaller."));

    const std::uint64_t gain = on_loan ? loan_gain(machine) : 0, lent = on_loan ? pool_bytes(machine) : 0;
    if (on_loan) {
        if (const LoanOutlook now = loan_outlook(machine, request, 0); !now.possible)
            return refuse(fmt::format("The size cannot count on a loan: {}.", without_full_stop(now.why)));
    } else if (const auto now = fallback_for(machine, request, margin); now && !now->sure) {
        return refuse(too_little(now->reserved, *now));  // what is too small for it now is so when it is smaller
    }

    const auto attempt = [&](std::uint64_t size) {
        shrink.need = need_for(machine, request, size + lent, margin);
        shrink.to = *AddressRange::from_size(main.start(), size);
        shrink.write = size + *besides;
        shrink.on_loan = on_loan ? shrink.need.recommended() - std::min(shrink.need.recommended(), size) : 0;
        if (size + gain < shrink.need.recommended()) {
            shrink.problem = fmt::format("{} MiB is less than the crash kernel should have: {} MiB{}.", whole_mib(size),
                                         whole_mib(shrink.need.recommended() - gain),
                                         on_loan ? " in addition to what the loan gives" : "");
            return false;
        }
        const Machine smaller = with_size(machine, size);
        shrink.plan = decide(smaller, request);
        shrink.plan.fallback = fallback_for(smaller, request, margin);
        if (shrink.plan.verdict != Verdict::ready)
            shrink.problem = why_not_ready(shrink.plan, size);
        else if (const auto& without = shrink.plan.fallback; without && !without->sure && !on_loan)
            shrink.problem = too_little(without->reserved, *without);
        else
            shrink.problem.clear();
        return shrink.possible();
    };
    if (to) {
        const std::uint64_t size = align_up(*to, base::page_size);
        if (size >= main.size())
            return refuse(fmt::format("{} MiB is not smaller than the current reservation of {} MiB.", whole_mib(size),
                                      whole_mib(main.size())));
        attempt(size);
        return shrink;
    }
    const std::uint64_t least = need_for(machine, request, lent, margin).recommended();
    for (std::uint64_t size = align_up(least - std::min(least, gain), step); size < main.size(); size += step)
        if (attempt(size)) return shrink;
    if (shrink.problem.empty())
        return refuse(
            fmt::format("The reservation has {} MiB, and the crash kernel should have {} MiB.", whole_mib(main.size()),
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
    if (!*loaded) return end(Outcome::unchanged, "No crash kernel is loaded. Load one with the handoff first.");
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
            why = failure ? failure->message() : "The command succeeded, but no crash kernel is loaded";
        }
        return why;
    };
    const auto restore = [&](const std::string& what) {
        if (is_loaded()) return end(Outcome::unchanged, what + " Nothing was changed.");
        const auto failure = load();
        return failure ? end(Outcome::not_loaded, fmt::format("{} Loading it again failed too: {}. No crash kernel is "
                                                              "loaded, so a crash leaves no dump.",
                                                              what, *failure))
                       : end(Outcome::restored, what + " The crash kernel was loaded again.");
    };

    result.steps.push_back("unload");
    if (const auto failure = effects.unload())
        return restore(fmt::format("Unloading the crash kernel failed: {}.", failure->message()));
    result.steps.push_back(fmt::format("write {} to /sys/kernel/kexec_crash_size", wanted.write));
    if (const auto failure = effects.resize(wanted.write))
        return restore(fmt::format("Making the reservation smaller failed: {}.", failure->message()));
    if (const auto failure = load())
        return end(Outcome::not_loaded, fmt::format("Loading the crash kernel failed: {}. No crash kernel is loaded, "
                                                    "so a crash leaves no dump.",
                                                    *failure));
    if (!has_handoff()) load();
    if (!has_handoff())
        return end(Outcome::without_handoff,
                   "The crash kernel was loaded without the handoff. Load it with the handoff, or boot again. " +
                       (wanted.plan.fallback ? to_text(*wanted.plan.fallback) : "It may have too little memory."));
    return end(Outcome::done, {});
}

}  // namespace handoff
