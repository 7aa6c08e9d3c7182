// SPDX-License-Identifier: GPL-2.0-or-later
// What the commands print with --json: one function for each document, all in one place, so that the same thing is
// called the same in all of them. swiotlb-handoff(8), "JSON".
#include "lib/audit.hpp"
#include "lib/json.hpp"
#include "lib/plan.hpp"
#include "lib/recommend.hpp"
#include "lib/shrink.hpp"
#include "lib/status.hpp"

namespace handoff {
namespace {

using nlohmann::json;

json counterexample_json(const Counterexample& c) {
    json j = {{"kind", name(c.kind)}, {"text", to_string(c)}, {"block", to_json(c.block)}};
    if (c.image) j["kernel"] = address_json(*c.image);
    if (c.pool) j["pool"] = address_json(*c.pool);
    return j;
}

json candidate_json(const Candidate& c) {
    return {{"crashkernel", c.reservation.text()},  {"verdict", name(c.verdict)}, {"bytes", c.bytes}, {"why", c.why},
            {"crash_kernel", list(c.crash_kernel)}, {"pool", or_null(c.pool)}};
}

json record_summary(const Record& record) {
    return {{"outcome", name(record.outcome)}, {"why", record.why},   {"append", record.append},
            {"pool", or_null(record.pool)},    {"loan", record.loan}, {"time", record.time}};
}

}  // namespace

json to_json(const Plan& plan) {
    const Load* load = plan.loads.empty() ? nullptr : &plan.loads.front();
    json j = {{"schema", 1},
              {"verdict", name(plan.verdict)},
              {"method", name(plan.method)},
              {"loader", name(plan.loader)},
              {"loan", plan.loan}};
    j["pool"] = or_null(plan.pool);
    if (plan.pool) j["pool"]["slabs"] = plan.pool->size() / 2048;
    j["expected"] = or_null(plan.expected);
    j["base"] = plan.base;
    j["append"] = plan.append;
    j["fences"] = list(plan.fences);
    j["segments"] = load ? list(load->segments) : json::array();
    j["before"] = to_json(load ? load->map : e820::Table());
    j["after"] = to_json(plan.after);
    j["early_bytes"] = plan.early_bytes;
    j["counterexample"] = plan.counterexample ? counterexample_json(*plan.counterexample) : json(nullptr);
    j["reasons"] = list(plan.reasons);
    return j;
}

json to_json(const Recommendation& r) {
    json j = {{"schema", 1}, {"verdict", name(r.verdict)}, {"now", r.now}, {"given_back", r.given_back()}};
    j["crashkernel"] = r.chosen ? json(r.chosen->reservation.text()) : json(nullptr);
    j["candidates"] = json::array();
    for (const Candidate& c : r.candidates) j["candidates"].push_back(candidate_json(c));
    j["need"] = to_json(r.need);
    j["low"] = {{"bytes", r.low.bytes}, {"devices_known", r.low.known}, {"because", list(r.low.because)}};
    j["loan"] = or_null(r.loan);
    j["layout_reproduced"] = r.reproduced.layout;
    if (!r.reproduced.text.empty()) j["layout_differs"] = r.reproduced.text;
    j["reasons"] = list(r.reasons);
    return j;
}

json to_json(const ShrinkPlan& s) {
    json j = {{"schema", 1}, {"possible", s.possible()}, {"given_back", s.given_back()}, {"need", s.need.total()}};
    j["from"] = or_null(s.from);
    j["to"] = s.possible() ? to_json(s.to) : json(nullptr);
    j["write"] = s.possible() ? json(s.write) : json(nullptr);
    if (!s.possible()) j["problem"] = s.problem;
    return j;
}

json to_json(const Audited& audited) {
    if (audited.error) return {{"schema", 1}, {"machine", audited.machine}, {"error", audited.error->message()}};
    return {{"schema", 1},
            {"machine", audited.machine},
            {"verdict", name(audited.verdict)},
            {"refused_by", audited.refused_by},
            {"pool_bytes", audited.pool_bytes},
            {"crashkernel_bytes", audited.crashkernel_bytes},
            {"recommended", or_null(audited.recommended)},
            {"given_back_bytes", audited.given_back},
            {"lending", audited.lendable     ? "possible"
                        : audited.would_lend ? "evidence-missing"
                                             : "no"},
            {"lent_bytes", audited.lendable || audited.would_lend ? audited.lent_bytes : 0}};
}

json to_json(const StatusReport& report) {
    const StatusFacts& f = report.facts;
    json j = {{"schema", 1}, {"service", nullptr}, {"config", nullptr}};
    if (f.service) {
        j["service"] = f.service->name;
        j["config"] = "/" + std::string(f.service->config);
    }
    j["enabled"] = or_null(f.enabled);
    j["loaded"] = or_null(f.loaded);
    j["handoff"] = name(report.handoff);
    j["pool"] = or_null(f.pool);
    j["crashkernel_bytes"] = f.crashkernel_bytes;
    j["record"] = f.record ? record_summary(*f.record) : json(nullptr);
    j["evidence_age_seconds"] = or_null(loan_age(f));
    j["plan"] = nullptr;
    if (f.plan) j["plan"] = {{"verdict", name(f.plan->verdict)}, {"reasons", list(f.plan->reasons)}};
    j["problems"] = json::array();
    if (f.service_problem) j["problems"].push_back(f.service_problem->message());
    for (const std::string* problem : {&f.config_problem, &f.plan_problem})
        if (!problem->empty()) j["problems"].push_back(*problem);
    j["next"] = report.next;
    return j;
}

}  // namespace handoff
