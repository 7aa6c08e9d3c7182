// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/decide/recommend.hpp"

#include "lib/kernel/loader.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/wording.hpp"
#include "lib/decide/advice.hpp"
#include "lib/decide/assumed.hpp"
#include "lib/decide/fallback.hpp"
#include "lib/decide/findings.hpp"
#include "lib/decide/loads.hpp"
#include "lib/decide/reservation_fit.hpp"
#include "lib/kernel/constants.hpp"

namespace handoff {
namespace {

using base::align_down;
using base::align_up;
using base::GiB;
using base::MiB;
using base::whole_mib;

constexpr std::uint64_t most_steps = 64;

// What is recommended for: the machine with the pool that the user gave by hand, and a load without a loan.
struct Search {
    Machine machine;
    PlanRequest request;
    std::uint64_t margin = 0;
    LayoutComparison reproduced;
    bool on_loan = false;  ///< what a loan gives counts as memory
};

Search search_for(const Machine& machine, const PlanRequest& request, std::uint64_t margin) {
    Search search{machine, request, margin, {}, false};
    if (request.pool) {  // it is where this boot has it, and the next one may not
        search.machine.pool = {{*request.pool, PoolSource::user, {"--pool", 0}}};
        search.request.pool.reset();
    }
    search.request.lend = false;
    search.reproduced = reproduce(search.machine);
    return search;
}

Need need_for(const Search& search, std::uint64_t size) {
    const std::uint64_t lent = search.on_loan ? pool_bytes(search.machine) : 0;
    return need_for(search.machine, search.request, size + lent, search.margin);
}

// What has to be reserved for that: the rest is in the pool that is lent.
std::uint64_t to_reserve(const Search& search, std::uint64_t size) {
    const std::uint64_t need = need_for(search, size).recommended();
    return need - std::min(need, search.on_loan ? loan_gain(search.machine) : 0);
}

// What a reservation above 4 GiB should have below it, for devices and for a pool of the crash kernel's own.
LowPart low_part(const Search& search) {
    LowPart low = low_part(search.machine, pool_bytes(search.machine));
    Machine high = search.machine;
    high.crash_kernel = {*AddressRange::from_size(64 * GiB, GiB)};
    const auto fallback = fallback_for(high, search.request, search.margin);
    low.pool = fallback ? fallback->enough : 0;
    if (low.pool != 0) low.bytes = std::max(low.bytes, align_up(low.pool + low_besides_pool, 8 * MiB));
    return low;
}

struct Tried {
    Candidate candidate;
    Need need;
    std::vector<Reason> reasons;
    std::vector<Assumption> assumptions;
    bool final = false;  // no other size changes it
};

// True if every refusal is about the layout, so that another size could help.
bool about_layout(const std::vector<Reason>& reasons) {
    return std::none_of(reasons.begin(), reasons.end(), [](const Reason& r) {
        return r.severity == Severity::refusal && !r.is("pool-exact") && !r.is("load-fits") && !r.is("memory-kept");
    });
}

// True if the kernel and the initrd fit into the reservation with either system call.
bool load_fits(const Search& search, const Machine& machine) {
    const Cargo cargo{assumed_image(search.machine, search.request), assumed_initrd_bytes(search.request), 0, {}};
    for (const Loader loader : {Loader::kexec_load, Loader::kexec_file_load})
        if (!predict_load(machine, load_input(cargo, loader, 2048, 128 * base::KiB))) return false;
    return true;
}

// The reason for the verdict on a candidate, in one line.
std::string why(const Plan& plan) {
    if (const Reason* refusal = first_refusal(plan.reasons))
        return fmt::format("requires {}: {}", refusal->rule, refusal->text);
    const Rule rests_on = plan.verdict == Verdict::not_needed ? Rule("pool-needed") : Rule("pool-exact");
    for (const Reason& r : plan.reasons)
        if (r.is(rests_on)) return r.text;
    return {};
}

// Plans for each place where the next boot may put the pool. Returns the first plan that refuses, or else the plan for
// the first place.
Plan decide_everywhere(const std::vector<Machine>& boots, const PlanRequest& request, Candidate& candidate) {
    Plan first = decide(boots.front(), request);
    for (std::size_t i = 1; i < boots.size() && first.verdict == Verdict::ready; ++i) {
        Plan other = decide(boots[i], request);
        if (other.verdict != Verdict::refused) continue;
        candidate.pool = boots[i].pool.front().range;
        return other;
    }
    return first;
}

// The same, also with the words that the plan itself advises. If these help, they are put into the request.
Plan decide_with_advice(const std::vector<Machine>& boots, PlanRequest& request, Candidate& candidate) {
    Plan plan = decide_everywhere(boots, request, candidate);
    const PlanRequest more = with_own_advice(boots.front(), request);
    if (more.added_words == request.added_words) return plan;
    Candidate with_words = candidate;
    Plan advised = decide_everywhere(boots, more, with_words);
    if (advised.verdict == Verdict::refused) return plan;
    candidate = with_words;
    candidate.append = more.added_words;
    request = more;
    return advised;
}

// Who counts on a loan counts on the next boot's pool being as unused as this one's.
std::vector<Machine> as_unused(std::vector<Machine> boots) {
    for (Machine& boot : boots)
        if (boot.pool_traces && !boot.pool.empty()) boot.pool_traces->pool = boot.pool.front().range;
    return boots;
}

// A size that counts on the loan is good only if the crash kernel makes no pool in that reservation and the plan lends
// it the old one.
void judge_loan(const std::vector<Machine>& boots, PlanRequest request, Tried& tried) {
    Candidate& c = tried.candidate;
    const bool makes_none = c.verdict == Verdict::not_needed;
    c.verdict = Verdict::refused;
    if (!makes_none) {
        c.why = "The crash kernel makes a pool of its own there, so that nothing can be lent to it.";
        tried.final = true;
        return;
    }
    request.lend = true;
    const Plan lent = decide_everywhere(as_unused(boots), request, c);
    tried.assumptions = lent.assumptions;
    if (lent.verdict == Verdict::ready && lent.loan) {
        c.verdict = Verdict::not_needed;
        return;
    }
    c.why = why(lent);
    for (const Reason& r : lent.reasons)
        if (r.severity != Severity::info) tried.reasons.push_back(r);
}

Tried attempt(const Search& search, const Reservation& reservation) {
    Tried tried;
    Candidate& c = tried.candidate;
    c.reservation = reservation;
    c.place_certain = search.reproduced.layout;
    c.bytes = reservation.size;
    if (reservation.high) c.bytes += reservation.low.value_or(default_low(pool_bytes(search.machine)));
    tried.need = need_for(search, reservation.size);
    const std::vector<Machine> boots = next_boots(search.machine, reservation, search.reproduced);
    if (boots.empty()) {
        c.why = reservation.high
                    ? fmt::format("There are no {} MiB free above 4 GiB, or there is no room below 4 GiB for the rest.",
                                  whole_mib(reservation.size))
                    : fmt::format("There is no free block of {} MiB below 4 GiB that leaves room for the pool.",
                                  whole_mib(reservation.size));
        return tried;
    }
    c.crash_kernel = boots.front().crash_kernel;
    if (!boots.front().pool.empty()) c.pool = boots.front().pool.front().range;
    PlanRequest request = search.request;
    const Plan next = decide_with_advice(boots, request, c);
    c.fallback = fallback_for(boots.front(), request, search.margin);
    c.verdict = next.verdict;
    c.why = why(next);
    for (const Reason& r : next.reasons)
        if (r.severity != Severity::info) tried.reasons.push_back(r);
    tried.assumptions = next.assumptions;
    if (c.verdict == Verdict::ready && boots.size() > 1)
        c.why = fmt::format(
            "The handoff is proven for each of the {} places where the pool may be. Where the model puts it: {}",
            boots.size(), c.why);
    // The place of a reservation below 4 GiB can be predicted only if the model was right for this boot.
    if (c.verdict == Verdict::ready && !reservation.high && !search.reproduced.layout) {
        c.verdict = Verdict::refused;
        c.why =
            "The model does not predict correctly where this boot put the reservation and the pool, so it cannot "
            "predict the next boot.";
        tried.final = true;
    }
    // A plan that needs no pool did not look at the load.
    if (c.verdict == Verdict::not_needed && !load_fits(search, boots.front())) {
        c.verdict = Verdict::refused;
        c.why = "requires load-fits: The kernel and the initrd do not fit.";
    }
    if (search.on_loan && c.verdict != Verdict::refused) judge_loan(boots, request, tried);
    if (c.verdict == Verdict::ready && c.fallback && !c.fallback->sure) {
        c.verdict = Verdict::refused;
        c.why = fmt::format("A load without the handoff needs {} MiB and a pool of {} MiB below 4 GiB.",
                            whole_mib(c.fallback->recommended), whole_mib(c.fallback->enough));
    }
    return tried;
}

// The smallest size of this form that works. If none works, the smallest that was tried.
Tried smallest(const Search& search, Reservation form) {
    // Early demand grows with the size, by far less than the size does.
    std::uint64_t size = align_up(to_reserve(search, 0), reservation_step);
    while (size <= largest_reservation && size < to_reserve(search, size)) size += reservation_step;
    Tried tried;
    if (size > largest_reservation) {
        tried.candidate.reservation = form;
        tried.need = need_for(search, 0);
        tried.candidate.why =
            fmt::format("The kernel and the initrd need more than {} GiB.", largest_reservation / GiB);
        return tried;
    }
    for (std::uint64_t n = 0; n < most_steps; ++n, size += reservation_step) {
        form.size = size;
        Tried one = attempt(search, form);
        const Candidate& c = one.candidate;
        const bool last =
            c.crash_kernel.empty() || c.verdict != Verdict::refused || one.final || !about_layout(one.reasons);
        if (n == 0 || c.verdict != Verdict::refused) tried = std::move(one);
        if (last) break;
    }
    return tried;
}

// The smallest reservation, bytes in all, in which a load without the handoff has enough; 0 if it is not known.
std::uint64_t least_without_handoff(const Search& search, const std::vector<Candidate>& candidates) {
    std::uint64_t least = 0;
    for (const Candidate& c : candidates) {
        const auto line = c.fallback ? CommandLine::parse(c.fallback->crashkernel) : Result<CommandLine>(CommandLine());
        const auto words = line ? reservation_of(*line, search.machine.ram.size()) : line.error();
        if (!words || !*words) continue;
        const std::uint64_t low = (*words)->high ? (*words)->low.value_or(default_low(pool_bytes(search.machine))) : 0;
        const std::uint64_t bytes = (*words)->size + low;
        least = least == 0 ? bytes : std::min(least, bytes);
    }
    return least;
}

// Warns that sizes are assumed, so that nobody takes them for sizes that were read.
void warn_of_assumptions(const Need& need, Findings& found) {
    if (!need.rests_on_assumptions()) return;
    found.warn("image-known",
               fmt::format("What the crash kernel needs is partly assumed, because this was not read: {}.",
                           base::listed(what_is_assumed(need), " and ")),
               {}, "Give --kernel and --initrd, or run this command on the machine itself.");
}

LoanOutlook outlook_of(const Search& search, std::uint64_t needed) {
    PlanRequest lending = search.request;
    lending.lend = true;
    return loan_outlook(search.machine, lending, needed);
}

Recommendation found_by(const Search& search, Plan present) {
    Recommendation result;
    result.present = std::move(present);
    result.last_crash = search.machine.last_crash;
    result.crash_records = search.request.crash_records;
    result.reproduced = search.reproduced;
    result.low = low_part(search);
    result.now = reserved_bytes(search.machine);
    Reservation high;
    high.high = true;
    high.low = result.low.bytes;
    const Tried tried[] = {smallest(search, {}), smallest(search, high)};
    // The form that takes less memory. If both take the same, the one below 4 GiB, which depends on less.
    const Tried* best = nullptr;
    for (const Tried& one : tried) {
        result.candidates.push_back(one.candidate);
        if (one.candidate.verdict != Verdict::refused && (!best || one.candidate.bytes < best->candidate.bytes))
            best = &one;
    }
    result.without_handoff = least_without_handoff(search, result.candidates);
    const Tried& shown = best ? *best : tried[search.on_loan ? 0 : 1];
    result.need = shown.need;
    result.reasons = shown.reasons;
    Findings found;
    warn_of_assumptions(result.need, found);
    for (Reason& reason : found.take()) result.reasons.push_back(std::move(reason));
    result.assumptions = shown.assumptions;
    if (!best) return result;
    result.chosen = best->candidate;
    result.verdict = best->candidate.verdict;
    if (search.on_loan) return result;
    if (ReservationFit& now = result.present.reservation; now.fits && now.fits != Fit::surely)
        now.crashkernel = best->candidate.reservation.text();
    // A loan is for the kernel that this reservation has made not to need a pool.
    if (result.verdict == Verdict::not_needed) result.loan = outlook_of(search, best->candidate.bytes);
    return result;
}

}  // namespace

std::uint64_t loan_gain(const Machine& machine) {
    // 2 MiB of struct pages for each section of 128 MiB that only the pool is in, which may begin and end in the middle
    // of one.
    constexpr std::uint64_t section = 128 * MiB, map = 2 * MiB;
    const std::uint64_t bytes = pool_bytes(machine);
    return bytes - std::min(bytes, (bytes / section + 2) * map);
}

LoanOutlook loan_outlook(const Machine& machine, const PlanRequest& request, std::uint64_t needed) {
    LoanOutlook outlook;
    if (machine.pool.empty()) {
        outlook.why = "refused (requires pool-found): No source shows a pool of the running kernel.";
        return outlook;
    }
    const Plan lent = decide(machine, request);
    outlook.possible = lent.verdict == Verdict::ready && lent.loan;
    outlook.gain = loan_gain(machine);
    outlook.smallest = needed - std::min(needed, align_down(outlook.gain, reservation_step));
    if (lent.verdict == Verdict::refused)
        outlook.why = headline(lent);
    else if (!outlook.possible)
        outlook.why = "with this boot's reservation the crash kernel makes a pool, and takes the old one over";
    return outlook;
}

std::uint64_t Recommendation::on_loan() const {
    if (!counts_on_loan || !chosen) return 0;
    return need.recommended() - std::min(need.recommended(), chosen->reservation.size);
}

std::int64_t Recommendation::given_back() const {
    return chosen ? static_cast<std::int64_t>(now) - static_cast<std::int64_t>(chosen->bytes) : 0;
}

std::int64_t Recommendation::by_handoff() const {
    if (!chosen || chosen->verdict != Verdict::ready || without_handoff <= chosen->bytes) return 0;
    return static_cast<std::int64_t>(without_handoff - chosen->bytes);
}

Recommendation recommend(const Machine& machine, const PlanRequest& request, std::uint64_t margin) {
    return recommend(machine, request, margin, plan_as_reserved(machine, request, margin));
}

Recommendation recommend(const Machine& machine, const PlanRequest& request, std::uint64_t margin, Plan present) {
    return found_by(search_for(machine, request, margin), std::move(present));
}

Recommendation recommend_on_loan(const Machine& machine, const PlanRequest& request, std::uint64_t margin) {
    Search search = search_for(machine, request, margin);
    const LoanOutlook now = outlook_of(search, 0);
    search.on_loan = now.possible;
    Recommendation result = found_by(search, plan_as_reserved(machine, request, margin));
    result.counts_on_loan = true;
    result.loan = now;
    if (!now.possible) {
        result.verdict = Verdict::refused;
        result.chosen.reset();
    } else if (result.chosen) {
        result.loan->smallest = result.chosen->bytes;
    }
    return result;
}

}  // namespace handoff
