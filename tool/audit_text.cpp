// SPDX-License-Identifier: GPL-2.0-or-later
#include "tool/audit_text.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "tool/print.hpp"
#include "tool/terminal.hpp"
#include "tool/text.hpp"

namespace tool {

using base::MiB;
using base::whole_mib;
using handoff::MachineAudit;

namespace {

constexpr std::string_view columns = "verdict         pool  reserved     saves     lacks  ";

// The most frequent first.
std::vector<std::pair<std::size_t, std::string>> by_count(const std::map<std::string, std::size_t>& count_of) {
    std::vector<std::pair<std::size_t, std::string>> all;
    all.reserve(count_of.size());
    for (const auto& [name, count] : count_of) all.emplace_back(count, name);
    std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
        return a.first != b.first ? a.first > b.first : a.second < b.second;
    });
    return all;
}

std::string_view what_is_assumed(std::string_view part) {
    static constexpr std::pair<std::string_view, std::string_view> names[] = {
        {"image", "the size of the kernel"},
        {"initrd", "the size of the initrd"},
        {"unpacked", "the size of the unpacked initrd"},
        {"early", "the kernel's configuration"},
        {"cpus", "the number of CPUs"},
        {"root-limit", "what the root file system leaves free"},
        {"modules", "the size of the kernel modules"},
        {"page-cache", "the size of the page cache"},
        {"makedumpfile", "the options of makedumpfile"}};
    for (const auto& [name, text] : names)
        if (name == part) return text;
    return part;
}

void count(std::string_view label, std::uint64_t number, std::string_view text) {
    const std::string begin = fmt::format("{:<12}{:>7}  ", label, number);
    if (text.empty())
        print_line(begin.substr(0, begin.size() - 2));
    else
        print(begin + wrapped(printable(text, false), begin.size(), text_width()) + '\n');
}

void counts(std::string_view what, const std::map<std::string, std::size_t>& count_of) {
    for (const auto& [number, name] : by_count(count_of)) count("", number, fmt::format("{} {}", what, name));
}

// A number of MiB; "-" where there is nothing to say.
std::string mib(std::uint64_t bytes) { return bytes == 0 ? "-" : fmt::format("{} MiB", whole_mib(bytes)); }

std::string cells(std::string_view verdict, std::uint64_t pool, std::uint64_t reserved, std::uint64_t saves,
                  std::uint64_t lacks) {
    return fmt::format("{:<10}  {:>8}  {:>8}  {:>8}  {:>8}  ", verdict, mib(pool), mib(reserved), mib(saves),
                       mib(lacks));
}

// Behind the columns, or where it does not fit below them: a path is never cut.
void print_machine(std::string_view cells, std::string_view machine, Tone tone) {
    const bool fits = columns.size() + machine.size() <= text_width();
    toned_line(
        fits ? fmt::format("{}{}", cells, machine) : std::string(cells.substr(0, cells.find_last_not_of(' ') + 1)),
        tone);
    if (!fits) print_line(fmt::format("    {}", machine));
}

void print_below(std::string_view text) {
    constexpr std::string_view indent = "    ";
    print(fmt::format("{}{}\n", indent, wrapped(printable(text, false), indent.size(), text_width())));
}

// Why a machine could not be read: on one line, or with `verbose` all of it. The path is on the line above.
void print_problem(const MachineAudit& a, bool verbose) {
    std::string text = a.error->message();
    if (text.starts_with(a.machine)) text.erase(0, a.machine.size());
    text.erase(0, text.find_first_not_of(": "));
    const std::string lines = wrapped(printable(text, false), 4, text_width() - 4);
    const std::size_t end = verbose ? lines.npos : lines.find('\n');
    print(fmt::format("    {}{}\n", lines.substr(0, end), end == lines.npos ? "" : " ..."));
}

std::string assumed_text(const handoff::AuditSummary& sum) {
    std::string text;
    for (const auto& [number, part] : by_count(sum.guessed))
        text += fmt::format("{}{} ({})", text.empty() ? "" : ", ", what_is_assumed(part), number);
    return text;
}

std::string next_of(const handoff::AuditSummary& sum) {
    const std::string look = "'swiotlb-handoff recommend --root PATH' names the crashkernel= to boot with, and why.";
    if (sum.certainly_undersized != 0)
        return "Look first at the machines in the column 'lacks': a reservation that is too small loses the dump. " +
               look;
    if (sum.undersized != 0) return "Look at the machines in the column 'lacks'. " + look;
    if (sum.giving != 0 || sum.oversized != 0) return "Look at the machines in the column 'saves'. " + look;
    if (sum.unreadable != 0) return "Look at the reports that could not be read.";
    return "Nothing has to be done. No reservation is too small, and none can be made smaller.";
}

}  // namespace

void print_audit_heading() { print(fmt::format("{}machine\n", columns)); }

void print_audited(const MachineAudit& a, bool verbose) {
    if (a.error) {
        print_machine(cells("unreadable", 0, 0, 0, 0), a.machine, Tone::bad);
        print_problem(a, verbose);
        return;
    }
    print_machine(cells(a.assumed.empty() ? name(a.verdict) : "ready if", a.pool_bytes, a.crashkernel_bytes,
                        a.recommended ? a.given_back() : 0, a.too_small),
                  a.machine, tone_of(a.verdict));
    if (!verbose) return;
    if (!a.refused_by.empty()) print_below(fmt::format("requires {}", fmt::join(a.refused_by, ", ")));
    if (!a.assumed.empty()) print_below(fmt::format("assumes {}", fmt::join(a.assumed, ", ")));
}

void print_audit_sums(const handoff::AuditSummary& sum) {
    print("\n");
    count("machines", sum.machines(), {});
    count("ready", sum.ready,
          sum.ready_if == 0 ? std::string()
                            : fmt::format("{} of them only if these assumptions are true:", sum.ready_if));
    if (sum.ready_if != 0) counts("assume", sum.assumed);
    count("not needed", sum.not_needed, {});
    count("refused", sum.refused, sum.refused_by.empty() ? "" : "of which");
    counts("do not meet", sum.refused_by);
    if (sum.unreadable != 0) count("unreadable", sum.unreadable, {});
    if (sum.identical != 0) count("identical", sum.identical, "copies of a report above, which count once");
    count("gives back", sum.by_handoff / MiB,
          fmt::format("MiB on {} machines because of the handoff, with the crashkernel= that 'recommend' names",
                      sum.giving));
    count("oversized", sum.by_right_sizing / MiB,
          fmt::format("MiB on {} machines are reserved without need, with or without a handoff", sum.oversized));
    count("too small", sum.too_small / MiB,
          fmt::format("MiB are missing on {} machines. {} of them certainly lose their dump.", sum.undersized,
                      sum.certainly_undersized));
    count("could lend", sum.lent / MiB,
          fmt::format("MiB to {} crash kernels that make no pool. For {} more only evidence is missing. A loan gives "
                      "memory to the crash kernel, and nothing back.",
                      sum.lendable, sum.would_lend));
    if (!sum.guessed.empty())
        sentence("assumed",
                 fmt::format("Of {} machines that could be read, the sizes rest on what was not read, each on "
                             "so many machines: {}.",
                             sum.machines() - sum.unreadable, assumed_text(sum)));
    next(next_of(sum));
}

}  // namespace tool
