// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "e820/type.hpp"
#include "lib/json.hpp"
#include "lib/plan.hpp"

#include <algorithm>

namespace handoff {
namespace {

using nlohmann::json;

std::string hex(Address a) { return fmt::format("{:#x}", a); }

}  // namespace

json to_json(const AddressRange& range) {
    return {{"start", hex(range.start())}, {"end", hex(range.end())}, {"size", range.size()}};
}

json to_json(const e820::Table& table) {
    json entries = json::array();
    for (const e820::Entry& entry : table.entries)
        entries.push_back({{"start", hex(entry.range.start())},
                           {"end", hex(entry.range.end())},
                           {"type", static_cast<std::uint32_t>(entry.type)},
                           {"name", e820::log_label(entry.type)}});
    return entries;
}

json to_json(const Reason& reason) {
    json j = {{"rule", reason.rule}, {"severity", name(reason.severity)}, {"text", reason.text}};
    if (!reason.evidence.empty()) j["evidence"] = reason.evidence;
    if (!reason.advice.empty()) j["advice"] = reason.advice;
    return j;
}

json to_json(const Plan& plan) {
    json j;
    j["schema"] = 1;
    j["verdict"] = name(plan.verdict);
    j["method"] = name(plan.method);
    j["loader"] = name(plan.loader);
    j["loan"] = plan.loan;
    j["pool"] = nullptr;
    if (plan.pool) {
        j["pool"] = to_json(*plan.pool);
        j["pool"]["slabs"] = plan.pool->size() / 2048;
    }
    j["expected"] = plan.expected ? to_json(*plan.expected) : json(nullptr);
    j["base"] = plan.base;
    j["append"] = plan.append;
    j["fences"] = json::array();
    for (const AddressRange& fence : plan.fences) j["fences"].push_back(to_json(fence));
    j["segments"] = json::array();
    const Load* load = plan.loads.empty() ? nullptr : &plan.loads.front();
    for (const Segment& segment : load ? load->segments : std::vector<Segment>()) {
        json s = to_json(segment.range);
        s["name"] = segment.name;
        j["segments"].push_back(std::move(s));
    }
    j["before"] = to_json(load ? load->map : e820::Table());
    j["after"] = to_json(plan.after);
    j["early_bytes"] = plan.early_bytes;
    j["counterexample"] = nullptr;
    if (plan.counterexample) {
        const Counterexample& c = *plan.counterexample;
        j["counterexample"] = {{"kind", name(c.kind)}, {"text", to_string(c)}, {"block", to_json(c.block)}};
        if (c.image) j["counterexample"]["kernel"] = hex(*c.image);
        if (c.pool) j["counterexample"]["pool"] = hex(*c.pool);
    }
    j["reasons"] = json::array();
    for (const Reason& reason : plan.reasons) j["reasons"].push_back(to_json(reason));
    return j;
}

std::string headline(const Plan& plan) {
    // What decided: a refusal, or the rule that the verdict rests on.
    const std::string_view rule = plan.verdict == Verdict::not_needed ? "pool-needed" : plan.loan ? "lend-gain" : "pool-exact";
    const auto refusal = std::find_if(plan.reasons.begin(), plan.reasons.end(),
                                      [](const Reason& r) { return r.severity == Severity::refusal; });
    const auto reason = refusal != plan.reasons.end()
                            ? refusal
                            : std::find_if(plan.reasons.begin(), plan.reasons.end(), [&](const Reason& r) { return r.rule == rule; });
    if (reason == plan.reasons.end()) return name(plan.verdict);
    return fmt::format("{}: {}: {}", name(plan.verdict), reason->rule, reason->text);
}

}  // namespace handoff
