// SPDX-License-Identifier: GPL-2.0-or-later
#include <optional>

#include "lib/report/documents.hpp"
#include "lib/service/service.hpp"
#include "lib/sources/host.hpp"
#include "tool/commands.hpp"
#include "tool/print.hpp"

namespace tool {

using handoff::Verdict;

namespace {

// Where nothing has to be handed over: what lending the pool by 'kexec' would come to.
std::optional<handoff::LoanOutlook> outlook_of(Asked& of, const handoff::Plan& plan) {
    if (plan.verdict != Verdict::not_needed || of.machine.pool.empty()) return std::nullopt;
    handoff::PlanRequest lending = of.request;
    lending.lend = lending.leaves_pool_out = true;
    handoff::look_where_asked(of.host, lending, of.machine);
    return handoff::loan_outlook(of.machine, lending, 0);
}

PlanNews news_of(Asked& of, const handoff::Plan& plan) {
    PlanNews news;
    news.loan = outlook_of(of, plan);
    if (!of.machine.pool.empty()) news.pool = of.machine.pool.front().range;
    const auto service = handoff::find_kdump_service(of.host);
    if (!service) return news;
    news.reload = service->reload;
    const auto config = of.host.read(service->config);
    const auto state = config ? handoff::handoff_in(*config, *service, HANDOFF_HELPERS) : config.error();
    news.enabled = state && *state == handoff::ConfigState::present;
    return news;
}

}  // namespace

Status plan(const Options& options) {
    auto of = asked_with_sizes(options);
    if (!of) return fail(of.error());
    const handoff::Plan plan = handoff::plan(of->machine, of->request);
    if (options.json)
        print_json(handoff::plan_document(plan));
    else
        print_plan(plan, news_of(*of, plan), options.verbose);
    return status_of(plan.verdict);
}

// For $(…) in a kdump configuration: whatever happens, standard output has
// words that are safe to append, and without --strict the script goes on.
Status cmdline(const Options& options) {
    const auto of = asked(options);
    if (!of) {
        report(of.error().message());
        return options.strict ? status_of(of.error()) : Status::ready;
    }
    const handoff::Plan plan = handoff::decide(of->machine, of->request);
    if (options.json)
        print_json(handoff::cmdline_document(plan));
    else if (plan.verdict == Verdict::ready)
        print_line(plan.append);
    if (plan.verdict == Verdict::ready) return Status::ready;
    report(headline(plan));
    return options.strict ? status_of(plan.verdict) : Status::ready;
}

}  // namespace tool
