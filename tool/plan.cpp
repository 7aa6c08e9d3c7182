// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/report/documents.hpp"
#include "lib/sources/host.hpp"
#include "tool/commands.hpp"
#include "tool/print.hpp"

namespace tool {

using handoff::Verdict;

Status plan(const Options& options) {
    const auto plan = plan_from(options, true);
    if (!plan) return fail(plan.error());
    if (options.json)
        print_json(handoff::plan_document(*plan));
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
        print_json(handoff::cmdline_document(*plan));
    else if (plan->verdict == Verdict::ready)
        print_line(plan->append);
    if (plan->verdict == Verdict::ready) return Status::ready;
    report(headline(*plan));
    return options.strict ? status_of(plan->verdict) : Status::ready;
}

}  // namespace tool
