// SPDX-License-Identifier: GPL-2.0-or-later
// The old pool becomes the crash kernel's own. Either words are looked for and proven, or words that are there already
// are judged.
#include <fmt/format.h>

#include "lib/decide/configuration.hpp"
#include "lib/decide/device_pools.hpp"
#include "lib/decide/goals.hpp"
#include "lib/decide/layout.hpp"
#include "lib/decide/neighbours.hpp"
#include "lib/decide/outcome.hpp"
#include "lib/decide/parts.hpp"
#include "lib/decide/pool_size.hpp"
#include "lib/kernel/constants.hpp"
#include "lib/kernel/device_pools.hpp"

namespace handoff {
namespace {

// Up to the loads. Nothing where there is no pool of which a placement can be asked, or a load does not fit.
std::optional<Proposal> judge_proposal(const Question& question, Method method, const PoolNeed& need,
                                       const std::optional<AddressRange>& promised, Plan& plan, Findings& found) {
    const auto pool = find_pool(question, promised, found);
    const bool placeable = pool && judge_pool(question.machine, *pool, found);
    judge_protection(question.machine, question.request.loader, found);
    judge_map_words(question, promised.has_value(), found);
    judge_words(question, found);
    judge_device_words(question, method, found);
    judge_configuration(question, found);
    judge_added_words(question, found);
    Cargo cargo = judge_cargo(question, found);
    auto scenarios = predict_loads(question, cargo, method, found);
    if (pool) plan.pool = pool->range;
    plan.loads = loads_of(scenarios);
    if (!placeable || scenarios.empty()) return std::nullopt;
    return Proposal{question, method, *pool, pool->range, need.forced, false, std::move(cargo), std::move(scenarios)};
}

void report_proof(const Proposal& c, std::size_t images, std::size_t fences, Findings& found) {
    const std::string places = images == 1 ? "the one address" : fmt::format("all {} addresses", images);
    std::string text = fmt::format(
        "Proven: the crash kernel's pool will be at {}, for {} where the loader and KASLR can put the kernel",
        base::to_string(c.pool.range), places);
    if (c.method == Method::addr) text += ", because addr= reserves it before any other memory is taken";
    if (fences != 0) text += fmt::format(", with {} fence page{}", fences, fences == 1 ? "" : "s");
    found.note("pool-exact", text + ".");
}

void refuse_layout(const Proposal& c, const Counterexample& naive, const Counterexample& last, Findings& found) {
    const Machine& machine = c.question.machine;
    const AddressRange& reservation = machine.crash_kernel.back();
    const std::string evidence = machine.crash_kernel_from.text();
    if (last.kind == Counterexample::Kind::eaten && c.pool.range.start() >= reservation.end()) {
        found.refuse("pool-below-crashkernel",
                     fmt::format("The pool is above the reservation {}. A kernel allocates from the highest memory, so "
                                 "its early allocations would take a part of the pool.",
                                 base::to_string(reservation)),
                     evidence);
        return;
    }
    found.refuse("pool-exact", to_string(last), evidence);
    if (naive.kind != last.kind) found.note("pool-exact", "Without fences: " + to_string(naive));
}

void report_layout(const Proposal& c, const Layout& layout, Findings& found) {
    report_proof(c, layout.proof.images, layout.fences.size(), found);
    found.note("kaslr-blind",
               c.method == Method::addr
                   ? "KASLR does not put the kernel at addr=, and does not see memory that only a memmap= word adds."
               : layout.nokaslr ? "The word nokaslr is added, so that the kernel stays where the loader puts it."
                                : "KASLR does not see memory that only a memmap= word adds.");
    if (!c.cargo.setup_data && c.question.request.loader != Loader::kexec_file_load)
        found.note("loader-setup-data",
                   "The proof holds with and without setup_data of kexec-tools at the start of the reservation.");
}

void place(const Proposal& c, Plan& plan, Findings& found) {
    auto search = find_layout(c);
    if (!search) {
        found.refuse("command-line-sound", unreadable_line(search.error()));
        return;
    }
    plan.early_bytes = search->early_bytes;
    if (!search->found) {
        plan.counterexample = search->last;
        refuse_layout(c, *search->naive, *search->last, found);
        return;
    }
    const Layout& layout = *search->found;
    report_layout(c, layout, found);
    plan.fences = layout.fences;
    plan.append = layout.words;
    plan.expected = c.pool.range;
    const CommandLine& base = c.question.base;
    const auto line = CommandLine::parse(base.with(layout.words));
    if (!line) return;
    judge_device_pools(c, *line, found);
    if (auto after = judge_outcome(c, *line, found)) plan.after = *std::move(after);
    judge_memory_kept(c, *line, base, found);
}

// What came of one share of the old pool, and what speaks against it.
constexpr int proven = 4;
struct Attempt {
    Plan plan;
    Findings found;
    int worth = 0;  // proven, or how much its refusals tell
    std::vector<DevicePool> devices{};
    std::string against_devices{};  // a clause
};

Attempt attempt(const Proposal& c, const Plan& so_far) {
    Attempt tried{so_far, Findings(c.question.request.accept)};
    const bool whole = c.pool.range == c.old_pool;
    if (!whole) tried.plan.part = c.pool.range;
    judge_rounding(c.question, c.pool, c.method, tried.found);
    const bool exact = !tried.found.refused();  // the crash kernel makes a pool of just this size
    if (exact) place(c, tried.plan, tried.found);
    tried.worth = !tried.found.refused() ? proven : (exact ? 2 : 0) + (whole ? 1 : 0);
    tried.devices = c.devices;
    return tried;
}

// With the pools of single devices where that is proven, and otherwise without them: they must not cost the pool.
Attempt attempt_with_devices(const Proposal& c, const Plan& so_far) {
    Attempt with = attempt(c, so_far);
    if (with.worth == proven || c.devices.empty()) return with;
    Proposal bare = c;
    bare.devices.clear();
    Attempt without = attempt(bare, so_far);
    without.against_devices = "the handoff would be refused with them: " +
                              without_full_stop(requirement(*first_refusal(with.found.reasons())));
    return without;
}

void note_part(const Attempt& chosen, const AddressRange& old, const std::string& against_all, Findings& found) {
    if (!chosen.plan.part) return;
    const std::string share = share_text(*chosen.plan.part, old);
    const std::string why = against_all.empty() ? std::string("as swiotlb= on the crash kernel's command line asks for")
                                                : "because the whole pool cannot be: " + against_all;
    found.note("pool-part",
               fmt::format("{} {} handed over, {}.", share, chosen.worth == proven ? "are" : "would have to be", why));
}

// The first share that is proven. Where none is, that one says why which the crash kernel could have with another
// layout.
void place_largest(Proposal& c, const DeviceChoice& devices, Plan& plan, Findings& found) {
    std::optional<Attempt> best;
    std::string against_all;  // of the pool
    for (const Pool& share : shares_of(c.question, c.pool, c.method)) {
        c.pool = share;
        Attempt tried = attempt_with_devices(c, plan);
        if (!tried.plan.part && tried.found.refused()) {
            const Reason& reason = *first_refusal(tried.found.reasons());
            against_all = requirement(reason);
        }
        if (!best || tried.worth > best->worth) best = std::move(tried);
        if (best->worth == proven) break;
    }
    note_part(*best, c.old_pool, against_all, found);
    if (best->worth == proven)
        report_device_pools(c.question.machine, best->devices,
                            devices.why_not.empty() ? best->against_devices : devices.why_not, found);
    plan = std::move(best->plan);
    found.add(std::move(best->found));
}

void place_promised(const Proposal& c, Plan& plan, Findings& found) {
    const CommandLine& line = c.question.base;
    const auto proof = prove(c, line);
    if (!proof) {
        found.refuse("command-line-sound", unreadable_line(proof.error()));
        return;
    }
    plan.early_bytes = proof->early_bytes;
    plan.counterexample = proof->counterexample;
    if (proof->counterexample)
        refuse_layout(c, *proof->counterexample, *proof->counterexample, found);
    else
        report_proof(c, proof->images, 0, found);
    if (sees_several_nodes(c.question))
        found.refuse("numa-single", "The crash kernel may have several NUMA nodes.", {}, "Add numa=off.");
    if (proof->counterexample) return;
    plan.expected = c.pool.range;
    if (auto after = judge_outcome(c, line, found)) plan.after = *std::move(after);
    judge_memory_kept(c, line, without_handoff(line, c.pool.range), found);
    judge_device_pools(c, line, found);
    if (!found.refused())
        report_device_pools(c.question.machine, inherited_device_pools(line), "the words do not name them", found);
}

}  // namespace

Plan hand_over(const Question& question, Method method, const PoolNeed& need, Findings& found) {
    Plan plan;
    plan.method = method;
    if (auto c = judge_proposal(question, method, need, std::nullopt, plan, found)) {
        c->numa_off = sees_several_nodes(question);
        if (c->numa_off) note_numa_off(question, found);
        const DeviceChoice devices = choose_device_pools(question, method);
        c->devices = devices.pools;
        place_largest(*c, devices, plan, found);
    }
    if (plan.pool) judge_rivals(question, *plan.pool, plan.fences, found);
    return plan;
}

Plan review_handover(const Question& question, Method method, const PoolNeed& need, const AddressRange& promised,
                     Findings& found) {
    Plan plan;
    plan.method = method;
    if (auto c = judge_proposal(question, method, need, promised, plan, found)) {
        c->pool = {promised, promised.size() / slab_size, c->pool.where};
        judge_promised_part(promised, c->old_pool, found);
        judge_rounding(question, c->pool, method, found);
        if (promised != c->old_pool) plan.part = promised;
        place_promised(*c, plan, found);
    }
    if (plan.pool) judge_rivals(question, *plan.pool, plan.fences, found);
    return plan;
}

}  // namespace handoff
