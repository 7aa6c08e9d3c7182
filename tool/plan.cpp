// SPDX-License-Identifier: GPL-2.0-or-later
#include <nlohmann/json.hpp>

#include "lib/host.hpp"
#include "tool/commands.hpp"
#include "tool/print.hpp"

namespace tool {

using handoff::Verdict;
using nlohmann::json;

Status plan(const Options& options) {
    const auto plan = plan_from(options);
    if (!plan) return fail(plan.error());
    if (options.json)
        print_json(handoff::to_json(*plan));
    else
        print_plan(*plan);
    return status_of(plan->verdict);
}

// For $(…) in a kdump configuration: whatever happens, standard output has
// words that are safe to append, and without --strict the script goes on.
Status cmdline(const Options& options) {
    const auto plan = plan_from(options);
    if (!plan) {
        report(plan.error().message());
        return options.strict ? status_of(plan.error()) : Status::ready;
    }
    if (options.json)
        print_json(json{{"schema", 1}, {"verdict", handoff::name(plan->verdict)}, {"append", plan->append}});
    else if (plan->verdict == Verdict::ready)
        print_line(plan->append);
    if (plan->verdict == Verdict::ready) return Status::ready;
    report(headline(*plan));
    return options.strict ? status_of(plan->verdict) : Status::ready;
}

}  // namespace tool
