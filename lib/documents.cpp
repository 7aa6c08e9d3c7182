// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/documents.hpp"

#include <algorithm>

#include "lib/json.hpp"

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

json show_document(const Machine& machine) {
    const std::vector<PoolSighting>& seen = machine.pool;
    json j = {{"schema", 1}, {"pool", nullptr}, {"torn_down", machine.pool_torn_down}};
    j["agree"] =
        std::all_of(seen.begin(), seen.end(), [&](const PoolSighting& s) { return s.range == seen.front().range; });
    if (!seen.empty()) {
        j["pool"] = pool_json(seen.front().range);
        j["pool"]["source"] = name(seen.front().source);
    }
    if (machine.slabs_used) j["slabs_used"] = *machine.slabs_used;
    if (machine.slabs_hiwater) j["slabs_hiwater"] = *machine.slabs_hiwater;
    j["sightings"] = list(seen);
    j["crash_kernel"] = list(machine.crash_kernel);
    j["unread"] = list(machine.unread);
    return j;
}

json plan_document(const Plan& plan) {
    const Load* load = plan.loads.empty() ? nullptr : &plan.loads.front();
    json j = {{"schema", 1},
              {"verdict", name(plan.verdict)},
              {"method", name(plan.method)},
              {"loader", name(plan.loader)},
              {"loan", plan.loan}};
    j["pool"] = plan.pool ? pool_json(*plan.pool) : json(nullptr);
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

json cmdline_document(const Plan& plan) {
    return {{"schema", 1}, {"verdict", name(plan.verdict)}, {"append", plan.append}};
}

json map_document(const Plan& plan, const Picture& picture) {
    return {{"schema", 1},
            {"verdict", name(plan.verdict)},
            {"before", list(picture.before)},
            {"after", list(picture.after)}};
}

json check_document(const CheckResult& result) {
    json j = {{"schema", 1},
              {"sound", result.sound()},
              {"proven", result.proven},
              {"pool", nullptr},
              {"reasons", list(result.reasons)}};
    if (result.pool)
        j["pool"] = {{"start", address_json(result.pool->start())}, {"end", address_json(result.pool->end())}};
    return j;
}

json verify_document(const Verification& verification) {
    const auto range = [](const AddressRange& r) {
        return json{{"start", address_json(r.start())}, {"end", address_json(r.end())}};
    };
    json j = {{"schema", 1}, {"landing", name(verification.landing)}, {"promised", nullptr}, {"found", nullptr}};
    if (verification.promised) j["promised"] = range(*verification.promised);
    if (verification.found) {
        j["found"] = range(verification.found->range);
        j["found"]["source"] = name(verification.found->source);
    }
    return j;
}

json capture_document(const CaptureReport& report) {
    return {{"schema", 1}, {"written", report.written}, {"not_read", list(report.not_read)}};
}

json recommend_document(const Recommendation& r) {
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

json shrink_document(const ShrinkPlan& s, const std::optional<ShrinkResult>& result) {
    json j = {{"schema", 1}, {"possible", s.possible()}, {"given_back", s.given_back()}, {"need", s.need.total()}};
    j["from"] = or_null(s.from);
    j["to"] = s.possible() ? to_json(s.to) : json(nullptr);
    j["write"] = s.possible() ? json(s.write) : json(nullptr);
    if (!s.possible()) j["problem"] = s.problem;
    if (!result) return j;
    j["outcome"] = name(result->outcome);
    j["steps"] = result->steps;
    if (!result->text.empty()) j["problem"] = result->text;
    return j;
}

json audit_document(const Audited& audited) {
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

json status_document(const StatusReport& report) {
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
    j["crashkernel_bytes"] = or_null(f.crashkernel_bytes);
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

json enable_document(std::string_view service, std::string_view config, bool enabled, bool changed) {
    return {{"schema", 1}, {"service", service}, {"config", config}, {"enabled", enabled}, {"changed", changed}};
}

json rules_document(std::span<const RuleInfo> rules) {
    json list = json::array();
    for (const RuleInfo& rule : rules)
        list.push_back({{"rule", rule.id}, {"demands", rule.demands}, {"acceptable", rule.acceptable}});
    return {{"schema", 1}, {"rules", list}};
}

json explain_document(const ExplainedRule& explained) {
    const RuleInfo& rule = explained.rule;
    return {{"rule", rule.id},          {"demands", rule.demands}, {"acceptable", rule.acceptable},
            {"means", explained.means}, {"why", explained.why},    {"what_to_do", explained.what_to_do}};
}

}  // namespace handoff
