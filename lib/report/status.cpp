// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/report/status.hpp"

#include <algorithm>
#include <ctime>
#include <functional>
#include <iomanip>
#include <sstream>
#include <utility>

#include <fmt/format.h>

#include "base/wording.hpp"
#include "lib/decide/advice.hpp"
#include "lib/decide/findings.hpp"

namespace handoff {
namespace {

HandoffState state_of(const StatusFacts& facts) {
    HandoffState state = judge_handoff(facts);
    const bool judged_anew = state.handoff == Handoff::in_use && facts.record->loan && facts.plan;
    if (!judged_anew || facts.plan->loan) return state;
    // Another plan than that of the load: it may not know which image the service would load.
    const auto& reasons = facts.plan->reasons;
    if (std::all_of(reasons.begin(), reasons.end(),
                    [](const Reason& r) { return r.severity != Severity::refusal || r.is("image-known"); }))
        return {Handoff::unknown,
                "The pool is lent. It is not known whether it may still be lent: " + headline(*facts.plan) + ".",
                Unknown::no_image, state.rung};
    return {Handoff::stale, "The pool is lent, but it may no longer be lent: " + headline(*facts.plan) + ".",
            Unknown::none, state.rung};
}

// Some problems end with an advice, which is a sentence of its own.
std::string full_sentence(std::string text) { return without_full_stop(std::move(text)) + "."; }

// The last load had a plan that was ready, and came to nothing: another one would come to the same.
bool load_failed(const StatusFacts& facts) {
    return facts.record && facts.record->outcome != Rung::handoff && facts.record->verdict == Verdict::ready;
}

// Only where the record is of what is loaded does it say from which files that came.
bool is_outdated(const StatusFacts& facts, const HandoffState& state) {
    return !facts.changed_files.empty() && (state.rung == Rung::handoff || state.rung == Rung::own_pool);
}

std::string next_of(const StatusFacts& facts, const StatusReport& report) {
    const HandoffState& state = report.state;
    const Handoff handoff = state.handoff;
    if (facts.needs_root) return "Run this command as root. Only root can read the memory map of the machine.";
    if (!facts.service && facts.service_problem && facts.service_problem->code == Errc::input)
        return "Remove the kdump service that is not used: " + full_sentence(facts.service_problem->message());
    if (!facts.service) return "Install the kdump service of the distribution (Debian: kdump-tools).";
    const std::string reload(facts.service->reload), run_reload = "Run '" + reload + "'.";
    if (!facts.config_problem.empty()) return "Look at the configuration: " + full_sentence(facts.config_problem);
    if (!facts.not_installed.empty() && facts.enabled == true)
        return "Install swiotlb-handoff. It is enabled, but some of its files are missing.";
    if (report.reservation.reserved == Reserved::failed)
        return "Run 'swiotlb-handoff plan', which says what to boot with. " + report.reservation.why;
    if (report.reservation.reserved == Reserved::otherwise) return "Look at the boot menu. " + report.reservation.why;
    if (facts.crashkernel_bytes == 0) return "Boot with crashkernel=. No memory is reserved for a crash kernel.";
    if (handoff == Handoff::stale || state.unknown == Unknown::no_image) return run_reload + " " + state.why;
    if (facts.enabled == false && state.unknown == Unknown::no_record)
        return run_reload + " The handoff is disabled, but the crash kernel that is loaded may still have it.";
    if (report.reservation.reserved == Reserved::pending)
        return "Reboot, so that this machine has the reservation that 'swiotlb-handoff reserve' asked for.";
    if (is_outdated(facts, state))
        return fmt::format("{} {} changed after the crash kernel was loaded. What is loaded is older.", run_reload,
                           base::listed(facts.changed_files, " and "));
    if (facts.plan && facts.plan->verdict == Verdict::not_needed) return next_where_not_needed(*facts.plan);
    if (facts.enabled && !*facts.enabled) {
        if (facts.plan && facts.plan->verdict == Verdict::ready)
            return facts.not_installed.empty() ? "Run 'swiotlb-handoff enable'."
                                               : "Install swiotlb-handoff, and then run 'swiotlb-handoff enable'.";
        if (handoff == Handoff::in_use)
            return "Nothing has to be done now. Run 'swiotlb-handoff enable' to keep the handoff when the crash kernel "
                   "is loaded again.";
    }
    if (handoff == Handoff::in_use && facts.record->loan)
        return "Nothing has to be done. The pool is lent to the crash kernel as ordinary RAM.";
    if (handoff == Handoff::in_use) return "Nothing has to be done. The crash kernel takes over the pool.";
    if (facts.plan && facts.plan->verdict == Verdict::refused) {
        const Reason* refusal = first_refusal(facts.plan->reasons);
        return fmt::format("{} 'swiotlb-handoff plan' and 'swiotlb-handoff explain {}' say why.",
                           next_without(*facts.plan), refusal ? refusal->rule : "");
    }
    if (!facts.plan) return "Run 'swiotlb-handoff plan': " + full_sentence(facts.plan_problem);
    if (load_failed(facts))
        return fmt::format("The last load was without the handoff: {1}. Remove the cause, and then run '{0}'.", reload,
                           facts.record->why);
    if (facts.loaded && !*facts.loaded) return "Run '" + reload + "' to load a crash kernel. None is loaded.";
    if (state.unknown == Unknown::unread && facts.record && facts.record->outcome == Record::Outcome::handoff)
        return "Nothing has to be done. The last load had the handoff, but what is loaded cannot be read here.";
    return run_reload + " Then the crash kernel takes over the pool.";
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

std::optional<std::int64_t> loan_age(const StatusFacts& facts) {
    if (!facts.record || facts.record->outcome != Record::Outcome::handoff || !facts.record->loan) return std::nullopt;
    const auto loaded = seconds_of(facts.record->time);
    return loaded ? std::optional(facts.now - *loaded) : std::nullopt;
}

std::vector<std::string> problems_of(const StatusFacts& facts) {
    std::vector<std::string> problems;
    if (facts.service_problem) problems.push_back(facts.service_problem->message());
    for (const std::string* problem : {&facts.config_problem, &facts.record_problem, &facts.reservation_problem,
                                       &facts.test_problem, &facts.plan_problem})
        if (!problem->empty()) problems.push_back(*problem);
    for (const std::string& path : facts.not_installed)
        problems.push_back(path + ": this file is missing, and kdump needs it to load with the handoff");
    return problems;
}

StatusReport judge_status(StatusFacts facts) {
    StatusReport report;
    report.state = state_of(facts);
    report.reservation = judge_reserved(facts.reservation);
    report.next = next_of(facts, report);
    report.facts = std::move(facts);
    return report;
}

namespace {

using Metric = std::function<void(std::string_view name, std::string_view help)>;

void put_test(std::string& text, const Metric& metric, const std::optional<TestView>& view) {
    metric("test_timestamp_seconds", "When this machine was last crashed on purpose, by swiotlb-handoff test.");
    if (const auto time = view ? seconds_of(view->test.time) : std::nullopt)
        text += fmt::format("swiotlb_handoff_test_timestamp_seconds {}\n", *time);
    metric("test_outcome", "1 for what came of that test; unknown: this machine cannot look where the dump went.");
    if (view)
        for (const TestOutcome outcome : {TestOutcome::dump_written, TestOutcome::pool_elsewhere, TestOutcome::no_dump,
                                          TestOutcome::not_crashed, TestOutcome::unknown})
            text += fmt::format("swiotlb_handoff_test_outcome{{outcome=\"{}\"}} {}\n", name(outcome),
                                view->result.outcome == outcome ? 1 : 0);
    metric("test_stale", "1 where what is loaded is not what was tested.");
    if (view) text += fmt::format("swiotlb_handoff_test_stale {}\n", view->stale() ? 1 : 0);
    metric("test_available_bytes", "The least memory that was available to the crash kernel in that test.");
    if (view && view->result.dump && view->result.dump->memory)
        text +=
            fmt::format("swiotlb_handoff_test_available_bytes {}\n", view->result.dump->memory->lowest_available_bytes);
}

std::uint64_t handed_over_bytes(const StatusReport& report) {
    const auto& record = report.facts.record;
    const bool handed = report.state.handoff == Handoff::in_use && record && !record->loan && record->marker;
    return handed ? record->marker->size() : 0;
}

}  // namespace

std::string to_prometheus(const StatusReport& report, std::string_view version) {
    const StatusFacts& f = report.facts;
    const Handoff handoff = report.state.handoff;
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
    if (handoff != Handoff::unknown) value("ready", handoff == Handoff::in_use);
    metric("unknown", "1 for the reason why it is not known whether the loaded crash kernel takes over the pool.");
    for (const Unknown reason :
         {Unknown::unread, Unknown::no_pool, Unknown::no_record, Unknown::other_load, Unknown::no_image})
        text += fmt::format("swiotlb_handoff_unknown{{reason=\"{}\"}} {}\n", name(reason),
                            report.state.unknown == reason ? 1 : 0);
    metric("rung", "1 for how the loaded crash kernel was loaded; without a sample it is not known, or none is.");
    if (report.state.rung)
        for (const Rung rung : {Rung::handoff, Rung::own_pool, Rung::plain})
            text +=
                fmt::format("swiotlb_handoff_rung{{rung=\"{}\"}} {}\n", name(rung), *report.state.rung == rung ? 1 : 0);
    metric("fallback_fits", "1 for whether the reservation is large enough for a load without the handoff.");
    if (f.plan && f.plan->fallback)
        for (const Fit fit : {Fit::surely, Fit::perhaps, Fit::no})
            text += fmt::format("swiotlb_handoff_fallback_fits{{fits=\"{}\"}} {}\n", name(fit),
                                f.plan->fallback->fits == fit ? 1 : 0);
    metric("lent",
           "1 where the loaded crash kernel has the pool as ordinary RAM; load_timestamp_seconds is when the evidence "
           "was read.");
    if (handoff != Handoff::unknown) value("lent", f.record && f.record->loan && handoff == Handoff::in_use);
    metric("plan_verdict", "1 for the verdict on the crash kernel that kdump would load now.");
    if (f.plan)
        for (const Verdict verdict : {Verdict::ready, Verdict::not_needed, Verdict::refused})
            text += fmt::format("swiotlb_handoff_plan_verdict{{verdict=\"{}\"}} {}\n", name(verdict),
                                f.plan->verdict == verdict ? 1 : 0);
    metric("pool_bytes", "Size of the running kernel's swiotlb pool; 0 where none is seen.");
    if (f.crashkernel_bytes) value("pool_bytes", f.pool ? f.pool->size() : 0);
    metric("handed_over_bytes",
           "How much of that pool the loaded crash kernel takes over as its own: all of it, or a part.");
    if (handoff != Handoff::unknown) value("handed_over_bytes", handed_over_bytes(report));
    metric("crashkernel_bytes", "Memory reserved for the crash kernel.");
    if (f.crashkernel_bytes) value("crashkernel_bytes", *f.crashkernel_bytes);
    metric("reservation", "1 for whether this boot has the reservation that reserve asked for; failed: none at all.");
    const Reserved reserved = report.reservation.reserved;
    if (reserved != Reserved::nothing_asked)
        for (const Reserved state : {Reserved::pending, Reserved::as_asked, Reserved::smaller, Reserved::otherwise,
                                     Reserved::failed, Reserved::unknown})
            text +=
                fmt::format("swiotlb_handoff_reservation{{state=\"{}\"}} {}\n", name(state), reserved == state ? 1 : 0);
    put_test(text, metric, f.test);
    metric("load_timestamp_seconds", "When a crash kernel was last loaded through swiotlb-handoff.");
    const auto time = f.record ? seconds_of(f.record->time) : std::nullopt;
    if (time) text += fmt::format("swiotlb_handoff_load_timestamp_seconds {}\n", *time);
    return text;
}

}  // namespace handoff
