// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/report/documents.hpp"

#include <algorithm>

#include "lib/decide/crash_advice.hpp"
#include "lib/report/json.hpp"

namespace handoff {
namespace {

using e820::address_json;
using e820::to_json;

Json counterexample_json(const Counterexample& c) {
    return {{"kind", name(c.kind)},
            {"text", to_string(c)},
            {"block", to_json(c.block)},
            {"kernel_address", c.image ? address_json(*c.image) : Json(nullptr)},
            {"pool_address", c.pool ? address_json(*c.pool) : Json(nullptr)}};
}

Json candidate_json(const Candidate& c) {
    return {{"crashkernel", c.reservation.text()}, {"verdict", name(c.verdict)},   {"why", c.why},
            {"reservation", list(c.crash_kernel)}, {"reservation_bytes", c.bytes}, {"pool", pool_json(c.pool)},
            {"place_certain", c.place_certain},    {"append", c.append},           {"fallback", or_null(c.fallback)}};
}

Json last_crash_json(const CrashLog& log) {
    Json shortages = Json::array();
    for (const CrashLog::Shortage& s : log.shortages)
        shortages.push_back(
            {{"shortage", name(s.kind)}, {"text", s.text}, {"evidence", Evidence{log.file, s.line}.text()}});
    return {{"evidence", Evidence{log.file, log.line}.text()},
            {"total_bytes", log.total_bytes != 0 ? Json(log.total_bytes) : Json(nullptr)},
            {"available_bytes", log.total_bytes != 0 ? Json(log.available_bytes) : Json(nullptr)},
            {"reservation_bytes", log.reserved_bytes != 0 ? Json(log.reserved_bytes) : Json(nullptr)},
            {"pool", pool_json(log.pool)},
            {"shortages", shortages},
            {"dump_saved", log.dump_saved},
            {"would_help", what_would_help(log)}};
}

Json crash_record_json(const CrashRecord& r) {
    return {{"evidence", r.file},
            {"time", text_or_null(r.time)},
            {"release", text_or_null(r.release)},
            {"used", r.why_not.empty()},
            {"why", text_or_null(r.why_not)}};
}

Json outlook_json(const LoanOutlook& loan) {
    return loan_json(name(loan.possible ? Verdict::ready : Verdict::refused), loan.gain, loan.smallest, loan.why);
}

// Only a crash kernel that makes no pool can be lent one.
Json loan_of(const MachineAudit& audited) {
    if (audited.verdict != Verdict::not_needed) return nullptr;
    const char* verdict = audited.lendable     ? name(Verdict::ready)
                          : audited.would_lend ? "evidence-missing"
                                               : name(Verdict::refused);
    return loan_json(verdict, audited.lent_bytes, std::nullopt, {});
}

Json record_summary(const Record& record) {
    return {{"outcome", name(record.outcome)}, {"why", record.why},   {"append", record.append},
            {"pool", pool_json(record.pool)},  {"lent", record.loan}, {"time", record.time}};
}

Json test_json(const TestView& view) {
    const auto& [test, result, changed] = view;
    const DumpSeen dump = result.dump.value_or(DumpSeen());
    const auto& memory = dump.memory;
    return {{"time", test.time},
            {"tool", test.tool},
            {"release", test.tested.release},
            {"handoff", name(test.handoff)},
            {"rung", test.tested.rung ? Json(name(*test.tested.rung)) : Json(nullptr)},
            {"pool", pool_json(test.pool)},
            {"dump_target", test.target.text},
            {"outcome", name(result.outcome)},
            {"why", result.why},
            {"dump_directory", text_or_null(dump.directory)},
            {"dump_file_bytes", result.dump ? Json(dump.bytes) : Json(nullptr)},
            {"landing", dump.landing ? Json(name(*dump.landing)) : Json(nullptr)},
            {"total_bytes", memory ? Json(memory->total_bytes) : Json(nullptr)},
            {"lowest_available_bytes", memory ? Json(memory->lowest_available_bytes) : Json(nullptr)},
            {"stale", view.stale()},
            {"changed_since", list(changed)}};
}

const char* verdict_of(const CheckResult& result) {
    if (!result.sound()) return name(Verdict::refused);
    return result.proven ? "proven" : result.compared ? "sound" : "well-formed";
}

}  // namespace

Json show_document(const Machine& machine) {
    const std::vector<PoolSighting>& seen = machine.pool;
    Json j = begin_document("show");
    j["pool"] = pool_json(seen.empty() ? std::nullopt : std::optional(seen.front().range));
    j["pool_torn_down"] = machine.pool_torn_down;
    j["slabs_used"] = or_null(machine.slabs_used);
    j["slabs_hiwater"] = or_null(machine.slabs_hiwater);
    j["sightings"] = list(seen);
    j["agree"] =
        std::all_of(seen.begin(), seen.end(), [&](const PoolSighting& s) { return s.range == seen.front().range; });
    j["device_pools"] = list(machine.device_pools);
    put_reservation(j, machine.crash_kernel);
    j["unread"] = list(machine.unread);
    return j;
}

Json plan_document(const Plan& plan) {
    const Load* load = plan.loads.empty() ? nullptr : &plan.loads.front();
    Json j = begin_document("plan");
    j["verdict"] = name(plan.verdict);
    j["assumptions"] = list(plan.assumptions);
    j["reasons"] = list(plan.reasons);
    j["method"] = name(plan.method);
    j["loader"] = name(plan.loader);
    j["pool"] = pool_json(plan.pool);
    j["expected"] = pool_json(plan.expected);
    j["lent"] = plan.loan;
    j["base"] = plan.base;
    j["append"] = plan.append;
    j["fences"] = list(plan.fences);
    j["segments"] = load ? list(load->segments) : Json::array();
    j["before"] = to_json(load ? load->map : e820::Table());
    j["after"] = to_json(plan.after);
    j["early_bytes"] = plan.early_bytes;
    j["counterexample"] = plan.counterexample ? counterexample_json(*plan.counterexample) : Json(nullptr);
    j["fallback"] = or_null(plan.fallback);
    j["enough"] = to_json(plan.reservation);
    return j;
}

Json cmdline_document(const Plan& plan) {
    Json j = begin_document("cmdline");
    j["verdict"] = name(plan.verdict);
    j["append"] = plan.append;
    return j;
}

Json e820_document(const e820::Table& table) {
    Json j = begin_document("e820");
    j.update(to_json(table));
    return j;
}

Json map_document(const Plan& plan, const Picture& picture) {
    Json j = begin_document("map");
    j["verdict"] = name(plan.verdict);
    j["running_kernel"] = list(picture.before);
    j["crash_kernel"] = list(picture.after);
    return j;
}

Json check_document(const CheckResult& result) {
    Json j = begin_document("check");
    j["verdict"] = verdict_of(result);
    j["assumptions"] = list(result.assumptions);
    j["reasons"] = list(result.reasons);
    j["promised"] = or_null(result.pool);
    j["lent"] = result.loan;
    return j;
}

Json verify_document(const Verification& verification) {
    Json j = begin_document("verify");
    j["verdict"] = name(verification.landing);
    j["promised"] = or_null(verification.promised);
    j["found"] = or_null(verification.found);
    j["device_landings"] = Json::array();
    for (const auto& [landing, promised, found] : verification.devices)
        j["device_landings"].push_back({{"devices", promised.devices},
                                        {"landing", name(landing)},
                                        {"promised", to_json(promised.range)},
                                        {"device_pool", or_null(found)}});
    return j;
}

Json capture_document(const CaptureReport& report) {
    Json j = begin_document("capture");
    j["written"] = list(report.written);
    j["unread"] = list(report.not_read);
    return j;
}

Json recommend_document(const Recommendation& r) {
    Json j = begin_document("recommend");
    j["verdict"] = name(r.verdict);
    j["assumptions"] = list(r.assumptions);
    j["reasons"] = list(r.reasons);
    j["crashkernel"] = r.chosen ? Json(r.chosen->reservation.text()) : Json(nullptr);
    j["append"] = r.chosen ? r.chosen->append : "";
    j["reservation_bytes"] = r.now;
    j["saved_bytes"] = r.given_back();
    j["saved_by_handoff_bytes"] = r.by_handoff();
    j["saved_by_right_sizing_bytes"] = r.by_right_sizing();
    j["need"] = to_json(r.need);
    j["low"] = {{"size_bytes", r.low.bytes},
                {"pool_bytes", r.low.pool},
                {"devices_known", r.low.known},
                {"because", list(r.low.because)}};
    j["loan"] = r.loan ? outlook_json(*r.loan) : Json(nullptr);
    j["on_loan_bytes"] = r.on_loan();
    j["fallback"] = or_null(r.present.fallback);
    j["enough"] = to_json(r.present.reservation);
    j["layout_reproduced"] = r.reproduced.layout;
    j["layout_differs"] = text_or_null(r.reproduced.text);
    j["last_crash"] = r.last_crash ? last_crash_json(*r.last_crash) : Json(nullptr);
    j["crash_records"] = Json::array();
    for (const CrashRecord& record : r.crash_records) j["crash_records"].push_back(crash_record_json(record));
    j["candidates"] = Json::array();
    for (const Candidate& c : r.candidates) j["candidates"].push_back(candidate_json(c));
    return j;
}

Json reserve_document(const ReservationChange& change) {
    Json j = begin_document("reserve");
    j["service"] = change.service;
    j["crashkernel"] = text_or_null(change.words);
    j["on_loan_bytes"] = change.on_loan;
    j["problem"] = text_or_null(change.problem);
    j["undo"] = change.undo;
    j["file"] = text_or_null(change.file);
    j["changed"] = change.changed;
    j["ran"] = text_or_null(change.ran);
    j["boot_entries"] = nullptr;
    if (const auto& entries = change.entries)
        j["boot_entries"] = {{"entries_as_asked", entries->as_asked},
                             {"entries_otherwise", entries->otherwise},
                             {"entries_without", entries->without}};
    j["by_hand"] = list(change.by_hand);
    j["undone_by"] = text_or_null(change.undone_by);
    return j;
}

Json shrink_document(const ShrinkPlan& s, const std::optional<ShrinkResult>& result) {
    Json j = begin_document("shrink");
    j["verdict"] = name(s.possible() ? Verdict::ready : Verdict::refused);
    j["from"] = or_null(s.from);
    j["to"] = s.possible() ? to_json(s.to) : Json(nullptr);
    j["saved_bytes"] = s.given_back();
    j["on_loan_bytes"] = s.possible() ? s.on_loan : 0;
    j["need"] = s.from ? to_json(s.need) : Json(nullptr);
    j["fallback"] = or_null(s.plan.fallback);
    j["write_bytes"] = s.possible() ? Json(s.write) : Json(nullptr);
    j["outcome"] = result ? Json(name(result->outcome)) : Json(nullptr);
    j["steps"] = result ? list(result->steps) : Json::array();
    j["problem"] = text_or_null(result ? result->text : s.problem);
    return j;
}

Json test_document(const std::optional<TestPlan>& plan, const std::optional<TestView>& view) {
    Json j = begin_document("test");
    j["problem"] = text_or_null(plan ? plan->problem : "");
    j["will"] = list(plan ? plan->will : std::vector<std::string>());
    j["warnings"] = list(plan ? plan->warnings : std::vector<std::string>());
    j["test"] = view ? test_json(*view) : Json(nullptr);
    return j;
}

Json audit_document(const MachineAudit& audited) {
    const bool read = !audited.error;
    Json j = begin_document("audit");
    j["machine"] = audited.machine;
    j["error"] = or_null(audited.error);
    j["verdict"] = read ? Json(name(audited.verdict)) : Json(nullptr);
    j["refused_by"] = audited.refused_by;
    j["assumed"] = audited.assumed;
    j["pool_bytes"] = read ? Json(audited.pool_bytes) : Json(nullptr);
    j["reservation_bytes"] = read ? Json(audited.crashkernel_bytes) : Json(nullptr);
    j["crashkernel"] = or_null(audited.recommended);
    j["saved_bytes"] = audited.given_back();
    j["saved_by_handoff_bytes"] = audited.by_handoff;
    j["saved_by_right_sizing_bytes"] = audited.by_right_sizing;
    j["lacking_bytes"] = audited.too_small;
    j["certainly_too_small"] = audited.certainly_too_small;
    j["sizes_assumed"] = audited.guessed;
    j["loan"] = read ? loan_of(audited) : Json(nullptr);
    j["digest"] = audited.digest.empty() ? Json(nullptr) : Json(audited.digest);
    return j;
}

Json status_document(const StatusReport& report) {
    const StatusFacts& f = report.facts;
    Json j = begin_document("status");
    j["service"] = f.service ? Json(f.service->name) : Json(nullptr);
    j["config"] = f.service ? Json("/" + std::string(f.service->config)) : Json(nullptr);
    j["enabled"] = or_null(f.enabled);
    j["loaded"] = or_null(f.loaded);
    j["handoff"] = name(report.state.handoff);
    j["why"] = report.state.why;
    j["rung"] = report.state.rung ? Json(name(*report.state.rung)) : Json(nullptr);
    j["pool"] = pool_json(f.pool);
    j["reservation_bytes"] = or_null(f.crashkernel_bytes);
    j["reserved"] = {{"state", name(report.reservation.reserved)},
                     {"why", text_or_null(report.reservation.why)},
                     {"asked", f.reservation.asked ? Json(f.reservation.asked->words) : Json(nullptr)}};
    j["record"] = f.record ? record_summary(*f.record) : Json(nullptr);
    j["evidence_age_seconds"] = or_null(loan_age(f));
    j["test"] = f.test ? test_json(*f.test) : Json(nullptr);
    j["plan"] = nullptr;
    if (f.plan)
        j["plan"] = {{"verdict", name(f.plan->verdict)},
                     {"assumptions", list(f.plan->assumptions)},
                     {"reasons", list(f.plan->reasons)},
                     {"fallback", or_null(f.plan->fallback)}};
    j["problems"] = list(problems_of(f));
    j["next"] = report.next;
    return j;
}

Json enable_document(std::string_view command, std::string_view service, std::string_view config, bool changed) {
    Json j = begin_document(command);
    j["service"] = service;
    j["config"] = config;
    j["enabled"] = command == "enable";
    j["changed"] = changed;
    return j;
}

Json explain_document(const std::vector<ExplainedRule>& rules) {
    Json j = begin_document("explain");
    j["rules"] = Json::array();
    for (const auto& [rule, means, why, what_to_do] : rules)
        j["rules"].push_back({{"rule", rule.id},
                              {"demands", rule.demands},
                              {"acceptable", rule.acceptable},
                              {"means", means},
                              {"why", why},
                              {"what_to_do", what_to_do}});
    return j;
}

}  // namespace handoff
