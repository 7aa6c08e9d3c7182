// SPDX-License-Identifier: GPL-2.0-or-later
// The old pool becomes ordinary RAM of the crash kernel. So no address has to be proven, but that nobody else uses it.
#include <fmt/format.h>

#include "e820/memmap.hpp"
#include "lib/decide/configuration.hpp"
#include "lib/decide/evidence.hpp"
#include "lib/decide/goals.hpp"
#include "lib/decide/neighbours.hpp"
#include "lib/decide/outcome.hpp"
#include "lib/decide/parts.hpp"
#include "lib/kernel/constants.hpp"

namespace handoff {
namespace {

std::optional<Proposal> judge_proposal(const Question& question, const std::optional<AddressRange>& promised,
                                       Plan& plan, Findings& found) {
    plan.method = Method::ram;
    plan.loan = true;
    const auto pool = find_pool(question, promised, found);
    bool placeable = pool && judge_pool(question.machine, *pool, found);
    if (pool && promised && *promised != pool->range) {
        found.refuse("pool-agrees",
                     fmt::format("The words lend {}, but the running kernel's pool is at {}.",
                                 base::to_string(*promised), base::to_string(pool->range)),
                     pool->where.text(), "Plan again. A pool can be lent only as a whole.");
        placeable = false;
    }
    judge_evidence(question.machine, found);
    judge_translation(question, pool ? &pool->range : nullptr, found);
    judge_dump(question.request, found);
    judge_protection(question.machine, question.request.loader, found);
    judge_map_words(question, promised.has_value(), found);
    judge_shared_words(question, found);
    judge_added_words(question, found);
    Cargo cargo = judge_cargo(question, found);
    auto scenarios = predict_loads(question, cargo, plan.method, found);
    if (pool) plan.pool = pool->range;
    plan.loads = loads_of(scenarios);
    if (!placeable || scenarios.empty()) return std::nullopt;
    return Proposal{question, plan.method, *pool, pool->range, false, false, std::move(cargo), std::move(scenarios)};
}

void judge_line(const Proposal& c, const CommandLine& line, Plan& plan, Findings& found) {
    const auto after = judge_outcome(c, line, found);
    if (!after) return;
    plan.after = *after;
    judge_loan_gain(c, *after, found);
}

// With NUMA nodes the crash kernel counts SRAT's memory as its own, and makes a pool after all.
bool wants_numa_off(const Question& question) {
    return sees_several_nodes(question) || (question.base.last("numa").value_or("") != "off" &&
                                            question.machine.srat_memory_end.value_or(0) > low_memory_end);
}

}  // namespace

Plan lend(const Question& question, Findings& found) {
    Plan plan;
    if (auto c = judge_proposal(question, std::nullopt, plan, found)) {
        c->numa_off = wants_numa_off(question);
        if (c->numa_off) note_numa_off(question, found);
        plan.append = fmt::format("memmap={}{} {}", e820::to_word(e820::AddRange{c->pool.range, e820::Type::ram}),
                                  c->numa_off ? " numa=off" : "", marker(c->pool.range, lent_key));
        const auto line = CommandLine::parse(question.base.with(plan.append));
        if (line)
            judge_line(*c, *line, plan, found);
        else
            found.refuse("command-line-sound", unreadable_line(line.error()));
    }
    if (plan.pool) judge_rivals(question, *plan.pool, {}, found);
    return plan;
}

Plan review_loan(const Question& question, const AddressRange& promised, Findings& found) {
    Plan plan;
    if (const auto c = judge_proposal(question, promised, plan, found)) {
        if (wants_numa_off(question))
            found.refuse("numa-single",
                         "The crash kernel may have several NUMA nodes, or memory above 4 GiB in ACPI's SRAT. Then it "
                         "makes a pool of its own.",
                         {}, "Add numa=off.");
        judge_line(*c, question.base, plan, found);
    }
    if (plan.pool) judge_rivals(question, *plan.pool, {}, found);
    return plan;
}

}  // namespace handoff
