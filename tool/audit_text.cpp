// SPDX-License-Identifier: GPL-2.0-or-later
#include "tool/audit_text.hpp"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace tool {

using base::MiB;
using handoff::MachineAudit;

namespace {

// A line for each rule, the most frequent first.
std::string lines_of(std::string_view what, const std::map<std::string, std::size_t>& count_of) {
    std::vector<std::pair<std::size_t, std::string>> rules;
    rules.reserve(count_of.size());
    for (const auto& [rule, count] : count_of) rules.emplace_back(count, rule);
    std::sort(rules.begin(), rules.end(), [](const auto& a, const auto& b) {
        return a.first != b.first ? a.first > b.first : a.second < b.second;
    });
    std::string text;
    for (const auto& [count, rule] : rules) text += fmt::format("{:<12}{:>7}  {} {}\n", "", count, what, rule);
    return text;
}

std::string_view what_is_assumed(std::string_view part) {
    static constexpr std::pair<std::string_view, std::string_view> names[] = {
        {"image", "the size of the kernel"},
        {"initrd", "the size of the initrd"},
        {"unpacked", "the size of the initrd when it is unpacked"},
        {"early", "what the kernel takes while it boots"},
        {"cpus", "what further CPUs take"},
        {"root-limit", "what the root file system leaves free"},
        {"modules", "the size of drivers"},
        {"page-cache", "the size of a page cache"},
        {"makedumpfile", "the memory of makedumpfile"}};
    for (const auto& [name, text] : names)
        if (name == part) return text;
    return part;
}

}  // namespace

std::string audit_line(const MachineAudit& a) {
    if (a.error) {
        const std::string message = a.error->message();
        return fmt::format("{:<43}  {}{}", "unreadable", message.starts_with(a.machine) ? "" : a.machine + ": ",
                           message);
    }
    const std::string gives = a.recommended ? fmt::format("{}", a.given_back() / MiB) : "-";
    std::string line =
        fmt::format("{:<10}  {:>8}  {:>11}  {:>10}  {}", a.assumed.empty() ? name(a.verdict) : "ready if",
                    a.pool_bytes / MiB, a.crashkernel_bytes / MiB, gives, a.machine);
    for (const std::vector<std::string>* rules : {&a.refused_by, &a.assumed})
        if (!rules->empty()) line += fmt::format(": {}", fmt::join(*rules, ", "));
    if (a.too_small != 0)
        line += fmt::format("{} too small by {} MiB", a.refused_by.empty() && a.assumed.empty() ? ":" : ";",
                            base::whole_mib(a.too_small));
    return line;
}

std::string audit_text(const handoff::AuditSummary& sum) {
    std::string text = fmt::format("\n{:<12}{:>7}\n{:<12}{:>7}\n", "machines", sum.machines(), "ready", sum.ready);
    if (sum.ready_if != 0)
        text += fmt::format("{:<12}{:>7}  of them if what their captures lack is as assumed\n", "", sum.ready_if) +
                lines_of("if", sum.assumed);
    text += fmt::format("{:<12}{:>7}\n{:<12}{:>7}\n", "not needed", sum.not_needed, "refused", sum.refused);
    text += lines_of("by", sum.refused_by);
    if (sum.unreadable != 0) text += fmt::format("{:<12}{:>7}\n", "unreadable", sum.unreadable);
    if (sum.identical != 0)
        text += fmt::format("{:<12}{:>7}  copies of a report above, which count once\n", "identical", sum.identical);
    text += fmt::format(
        "{:<12}{:>7} MiB, by {} of them through the handoff, with the crashkernel= that 'recommend' names\n",
        "gives back", sum.by_handoff / MiB, sum.giving);
    text += fmt::format("{:<12}{:>7} MiB reserved without need, with or without a handoff, by {} of them\n",
                        "oversized", sum.by_right_sizing / MiB, sum.oversized);
    text +=
        fmt::format("{:<12}{:>7} MiB lack in the reservations of {} of them; {} of these lose their dump for certain\n",
                    "too small", sum.too_small / MiB, sum.undersized, sum.certainly_undersized);
    text += fmt::format(
        "{:<12}{:>7} MiB, to {} crash kernels that make no pool; {} more but for evidence that their captures lack.\n"
        "{:<12}         A loan gives memory to the crash kernel, and nothing back.\n",
        "could lend", sum.lent / MiB, sum.lendable, sum.would_lend, "");
    for (const auto& [part, count] : sum.guessed)
        text += fmt::format("{:<12}{:>7}  of {} for which {} is assumed\n", "assumed", count,
                            sum.machines() - sum.unreadable, what_is_assumed(part));
    return text;
}

}  // namespace tool
