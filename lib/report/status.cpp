// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/report/status.hpp"

#include <algorithm>
#include <ctime>
#include <iomanip>
#include <sstream>

#include <fmt/format.h>

namespace handoff {
namespace {

std::string first_refusal(const Plan& plan) {
    const auto refusal = std::find_if(plan.reasons.begin(), plan.reasons.end(),
                                      [](const Reason& r) { return r.severity == Severity::refusal; });
    return refusal == plan.reasons.end() ? "" : refusal->rule;
}

Handoff handoff_of(const StatusFacts& facts) {
    if (facts.loaded && !*facts.loaded) return Handoff::not_in_use;
    if (!facts.record || !facts.loaded) return Handoff::unknown;
    if (facts.record->outcome != Record::Outcome::handoff) return Handoff::not_in_use;
    if (facts.pool && facts.record->pool && *facts.pool != *facts.record->pool) return Handoff::stale;
    if (facts.record->loan && facts.plan && !facts.plan->loan) return Handoff::stale;
    return Handoff::in_use;
}

std::string next_of(const StatusFacts& facts, Handoff handoff) {
    if (facts.needs_root) return "run this command as root: without, the machine's memory map cannot be read";
    if (!facts.service && facts.service_problem && facts.service_problem->code == Errc::input)
        return "remove the kdump service that is not used: " + facts.service_problem->message();
    if (!facts.service) return "install the distribution's kdump service (Debian: kdump-tools)";
    const std::string reload(facts.service->reload);
    if (!facts.config_problem.empty()) return "look at the configuration: " + facts.config_problem;
    if (facts.crashkernel_bytes == 0) return "boot with crashkernel=: no memory is reserved for a crash kernel";
    if (handoff == Handoff::stale && facts.record->loan)
        return fmt::format("{}: the pool is lent, and may not be any more ({})", reload,
                           facts.plan ? headline(*facts.plan) : facts.plan_problem);
    if (facts.plan && facts.plan->verdict == Verdict::not_needed)
        return "nothing: the crash kernel makes no pool of its own";
    if (facts.enabled && !*facts.enabled) {
        if (facts.plan && facts.plan->verdict == Verdict::ready) return "swiotlb-handoff enable";
        if (handoff == Handoff::in_use) return "nothing, or swiotlb-handoff enable to keep it over reloads";
    }
    if (handoff == Handoff::in_use && facts.record->loan)
        return "nothing: the pool is lent to the crash kernel as ordinary RAM";
    if (handoff == Handoff::in_use) return "nothing: the crash kernel takes over the pool";
    if (handoff == Handoff::stale) return reload + ": the crash kernel was loaded for another pool";
    if (facts.plan && facts.plan->verdict == Verdict::refused)
        return fmt::format(
            "kdump works without the handoff; swiotlb-handoff plan and swiotlb-handoff explain {} say why",
            first_refusal(*facts.plan));
    if (!facts.plan) return "swiotlb-handoff plan: " + facts.plan_problem;
    if (facts.loaded && !*facts.loaded) return reload + ": no crash kernel is loaded";
    return reload + ": then the crash kernel takes over the pool";
}

// Seconds since 1970 of "2026-11-24T23:05:00Z".
std::optional<std::int64_t> seconds_of(const std::string& utc) {
    std::tm parts{};
    std::istringstream text(utc);
    text >> std::get_time(&parts, "%Y-%m-%dT%H:%M:%SZ");
    if (text.fail()) return std::nullopt;
    return ::timegm(&parts);
}

}  // namespace

const char* name(Handoff handoff) {
    switch (handoff) {
        case Handoff::in_use:
            return "in-use";
        case Handoff::not_in_use:
            return "not-in-use";
        case Handoff::stale:
            return "stale";
        case Handoff::unknown:
            return "unknown";
    }
    return "";
}

std::optional<std::int64_t> loan_age(const StatusFacts& facts) {
    if (!facts.record || facts.record->outcome != Record::Outcome::handoff || !facts.record->loan) return std::nullopt;
    const auto loaded = seconds_of(facts.record->time);
    return loaded ? std::optional(facts.now - *loaded) : std::nullopt;
}

std::vector<std::string> problems_of(const StatusFacts& facts) {
    std::vector<std::string> problems;
    if (facts.service_problem) problems.push_back(facts.service_problem->message());
    for (const std::string* problem : {&facts.config_problem, &facts.record_problem, &facts.plan_problem})
        if (!problem->empty()) problems.push_back(*problem);
    return problems;
}

StatusReport judge_status(StatusFacts facts) {
    StatusReport report;
    report.handoff = handoff_of(facts);
    report.next = next_of(facts, report.handoff);
    report.facts = std::move(facts);
    return report;
}

std::string to_prometheus(const StatusReport& report, std::string_view version) {
    const StatusFacts& f = report.facts;
    std::string text;
    const auto metric = [&](std::string_view name, std::string_view help) {
        text += fmt::format("# HELP swiotlb_handoff_{0} {1}\n# TYPE swiotlb_handoff_{0} gauge\n", name, help);
    };
    const auto value = [&](std::string_view name, std::uint64_t number) {
        text += fmt::format("swiotlb_handoff_{} {}\n", name, number);
    };
    metric("info", "Version of swiotlb-handoff; always 1.");
    text += fmt::format("swiotlb_handoff_info{{version=\"{}\"}} 1\n", version);
    // A metric without a sample says that it is not known: better than a wrong 0.
    metric("enabled", "1 where the kdump configuration hands the pool over.");
    if (f.enabled) value("enabled", *f.enabled);
    metric("loaded", "1 where a crash kernel is loaded.");
    if (f.loaded) value("loaded", *f.loaded);
    metric("ready", "1 where the loaded crash kernel takes over the running kernel's pool.");
    if (report.handoff != Handoff::unknown) value("ready", report.handoff == Handoff::in_use);
    metric("lent",
           "1 where the loaded crash kernel has the pool as ordinary RAM; load_timestamp_seconds is when the evidence "
           "was read.");
    if (report.handoff != Handoff::unknown)
        value("lent", f.record && f.record->loan && report.handoff == Handoff::in_use);
    metric("plan_verdict", "1 for the verdict on the crash kernel that kdump would load now.");
    if (f.plan)
        for (const Verdict verdict : {Verdict::ready, Verdict::not_needed, Verdict::refused})
            text += fmt::format("swiotlb_handoff_plan_verdict{{verdict=\"{}\"}} {}\n", name(verdict),
                                f.plan->verdict == verdict ? 1 : 0);
    metric("pool_bytes", "Size of the running kernel's swiotlb pool; 0 where none is seen.");
    if (f.crashkernel_bytes) value("pool_bytes", f.pool ? f.pool->size() : 0);
    metric("crashkernel_bytes", "Memory reserved for the crash kernel.");
    if (f.crashkernel_bytes) value("crashkernel_bytes", *f.crashkernel_bytes);
    metric("load_timestamp_seconds", "When a crash kernel was last loaded through swiotlb-handoff.");
    const auto time = f.record ? seconds_of(f.record->time) : std::nullopt;
    if (time) text += fmt::format("swiotlb_handoff_load_timestamp_seconds {}\n", *time);
    return text;
}

}  // namespace handoff
