// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/audit.hpp"

#include <utility>

#include <nlohmann/json.hpp>

#include "lib/recommend.hpp"

namespace handoff {

Audited audit(std::string name, const Machine& machine, const PlanRequest& request, std::uint64_t margin) {
    Audited audited;
    audited.machine = std::move(name);
    const Plan planned = plan(machine, request, Advice::none);
    audited.verdict = planned.verdict;
    if (planned.verdict == Verdict::refused)
        for (const Reason& reason : planned.reasons)
            if (reason.severity == Severity::refusal) audited.refused_by.emplace_back(reason.rule);
    if (!machine.pool.empty()) audited.pool_bytes = machine.pool.front().range.size();
    for (const AddressRange& c : machine.crash_kernel) audited.crashkernel_bytes += c.size();
    const Recommendation next = recommend(machine, request, margin);
    if (next.verdict == Verdict::ready && next.chosen && next.given_back() > 0) {
        audited.recommended = next.chosen->reservation.text();
        audited.given_back = static_cast<std::uint64_t>(next.given_back());
    }
    return audited;
}

void AuditSummary::add(const Audited& audited) {
    if (audited.error) {
        ++unreadable;
        return;
    }
    switch (audited.verdict) {
        case Verdict::ready: ++ready; break;
        case Verdict::not_needed: ++not_needed; break;
        case Verdict::refused: ++refused; break;
    }
    for (const std::string& rule : audited.refused_by) ++refused_by[rule];
    if (audited.given_back > 0) {
        ++giving;
        given_back += audited.given_back;
    }
}

nlohmann::json to_json(const Audited& audited) {
    if (audited.error) return {{"schema", 1}, {"machine", audited.machine}, {"error", audited.error->message()}};
    nlohmann::json j = {{"schema", 1},
                        {"machine", audited.machine},
                        {"verdict", name(audited.verdict)},
                        {"refused_by", audited.refused_by},
                        {"pool_bytes", audited.pool_bytes},
                        {"crashkernel_bytes", audited.crashkernel_bytes},
                        {"recommended", nullptr},
                        {"given_back_bytes", audited.given_back}};
    if (audited.recommended) j["recommended"] = *audited.recommended;
    return j;
}

}  // namespace handoff
