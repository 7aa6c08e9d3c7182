// SPDX-License-Identifier: GPL-2.0-or-later
#include "tool/print.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

#include <fmt/format.h>
#include <syslog.h>
#include <unistd.h>

#include "base/wording.hpp"
#include "lib/kernel/constants.hpp"
#include "lib/machine/shown_path.hpp"
#include "tool/terminal.hpp"
#include "tool/text.hpp"

namespace tool {
namespace {

using base::AddressRange;

constexpr std::string_view program = "swiotlb-handoff";

constexpr std::size_t label_width = 12;

// The sequences of ECMA-48 that nearly every terminal knows.
std::string coloured(std::string_view text, Tone tone) {
    if (tone == Tone::plain || !colour_wanted()) return std::string(text);
    return fmt::format("\x1b[1;{}m{}\x1b[0m", tone == Tone::good ? 32 : 31, text);
}

int write_error = 0;  // the first one of standard output

void put(std::string_view text) {
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() && write_error == 0) write_error = errno;
}

void put_error(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stderr); }

}  // namespace

std::string row(const AddressRange& r) {
    return fmt::format("{:#014x}-{:#014x}  {:>9}", r.start(), r.end(), base::size_text(r.size()));
}

void print(std::string_view text) { put(printable(text, true)); }

void print_line(std::string_view text) { put(printable(text, false) + '\n'); }

std::string field_text(std::string_view label, std::string_view value) {
    return printable(fmt::format("{:<12}{}", label, value), false) + '\n';
}

void field(std::string_view label, std::string_view value) { put(field_text(label, value)); }

std::string sentence_text(std::string_view label, std::string_view text) {
    return fmt::format("{:<12}{}\n", label, wrapped(printable(text, false), label_width, text_width()));
}

void sentence(std::string_view label, std::string_view text) { print(sentence_text(label, text)); }

void print_json(const e820::Json& document) { print(e820::to_text(document) + '\n'); }

void print_bytes(std::string_view bytes) { put(bytes); }

std::optional<base::Error> flush() {
    if (std::fflush(stdout) != 0 && write_error == 0) write_error = errno;
    if (write_error == 0) return std::nullopt;
    return base::Error{base::Errc::io, "standard output", 0, std::strerror(write_error)};
}

void complain(std::string_view text) { put_error(fmt::format("{}: {}\n", program, printable(text, false))); }

void complain_of_memory() noexcept { put_error("swiotlb-handoff: There is not enough memory.\n"); }

void report(std::string_view text) {
    complain(text);
    note(text);
}

void progress(std::string_view text) {
    if (::isatty(STDERR_FILENO) != 1 || ::isatty(STDOUT_FILENO) == 1) return;
    put_error(fmt::format("\r{}\x1b[K", printable(text, false)));
}

void note(std::string_view text) {
    const std::string line = printable(text, false);
    openlog(program.data(), LOG_PID, LOG_DAEMON);
    syslog(LOG_NOTICE, "%.*s", static_cast<int>(line.size()), line.data());
    closelog();
}

void verdict_line(std::string_view label, std::string_view text, Tone tone) {
    const std::string shown = wrapped(printable(text, false), label_width, text_width());
    const std::size_t word = shown.find_first_of(" \n");  // the first one, which is what is to be seen
    put(fmt::format("{:<12}{}{}\n", label, coloured(shown.substr(0, word), tone),
                    word == shown.npos ? "" : shown.substr(word)));
}

Tone tone_of(handoff::Verdict verdict) {
    using handoff::Verdict;
    return verdict == Verdict::ready ? Tone::good : verdict == Verdict::refused ? Tone::bad : Tone::plain;
}

void toned_line(std::string_view text, Tone tone) {
    const std::string shown = printable(text, false);
    const std::size_t word = std::min(shown.find(' '), shown.size());
    put(coloured(shown.substr(0, word), tone) + shown.substr(word) + '\n');
}

void size_row(std::uint64_t mib, std::string_view kind, std::string_view text) {
    const std::string begin = fmt::format("{:<12}{:>4} MiB  {:<8}  ", "", mib, kind);
    print(begin + wrapped(printable(text, false), begin.size(), text_width()) + '\n');
}

void next(std::string_view text) {
    print("\n");
    print(wrapped("Next: " + printable(text, false), 0, text_width()) + '\n');
}

void print_pool(const handoff::Machine& machine) {
    if (machine.pool.empty()) {
        sentence("pool", machine.pool_torn_down ? "There is none: the kernel freed it." : "No source shows a pool.");
    } else {
        const AddressRange pool = machine.pool.front().range;
        std::string use;
        if (machine.slabs_used) use += fmt::format(", {} in use", *machine.slabs_used);
        if (machine.slabs_hiwater) use += fmt::format(", never more than {} in use", *machine.slabs_hiwater);
        sentence("pool", fmt::format("{}, {} slabs{}", row(pool), pool.size() / handoff::slab_size, use));
        bool agree = true;
        for (const handoff::PoolSighting& s : machine.pool) {
            agree = agree && s.range == pool;
            field("seen by", fmt::format("{}  {} ({})", row(s.range), handoff::name(s.source),
                                         handoff::shown_path(s.where.text())));
        }
        if (machine.pool.size() == 1)
            sentence("sources", "Only this one shows the pool.");
        else
            verdict_line("sources", agree ? "agree" : "DISAGREE", agree ? Tone::good : Tone::bad);
    }
    for (const handoff::DevicePool& d : machine.device_pools)
        sentence("device pool",
                 fmt::format("{}, {} slabs, of {} ({})", row(d.range), d.range.size() / handoff::slab_size, d.devices,
                             handoff::shown_path(d.where.text())));
    for (const AddressRange& c : machine.crash_kernel)
        field("crashkernel",
              fmt::format("{}  {} 4 GiB ({})", row(c), c.start() < handoff::low_memory_end ? "below" : "above",
                          handoff::shown_path(machine.crash_kernel_from.text())));
    for (const handoff::Error& e : machine.unread) sentence("unread", handoff::shown_path(e.message()));
}

void print_reason(const handoff::Reason& reason) {
    const bool refusal = reason.severity == handoff::Severity::refusal;
    const std::string where = reason.evidence.empty() ? "" : fmt::format(" ({})", handoff::shown_path(reason.evidence));
    const std::string text = fmt::format("{}: {}{}", reason.rule, reason.text, where);
    if (refusal)
        verdict_line("requires", text, Tone::bad);
    else
        sentence(handoff::name(reason.severity), text);
    if (!reason.advice.empty()) sentence("", "-> " + reason.advice);
}

void print_reasons(const std::vector<handoff::Reason>& reasons) {
    for (const auto severity : {handoff::Severity::refusal, handoff::Severity::warning, handoff::Severity::info})
        for (const handoff::Reason& r : reasons)
            if (r.severity == severity) print_reason(r);
}

void print_verdict(handoff::Verdict verdict, const std::vector<handoff::Assumption>& assumptions,
                   std::string_view meaning) {
    const std::size_t many = verdict == handoff::Verdict::ready ? assumptions.size() : 0;
    verdict_line("verdict",
                 many == 0   ? fmt::format("{}{}{}", name(verdict), meaning.empty() ? "" : ": ", meaning)
                 : many == 1 ? "ready if this is true:"
                             : fmt::format("ready if these {} assumptions are true:", many),
                 tone_of(verdict));
    constexpr std::size_t most = 4;
    for (std::size_t i = 0; i < std::min(many, most); ++i) sentence("", fmt::format("- {}", assumptions[i].text));
    if (many > most) sentence("", fmt::format("- and {} more, which --verbose prints", many - most));
}

void print_first(const std::vector<handoff::Reason>& reasons, handoff::Severity severity) {
    constexpr std::size_t most = 2;
    std::size_t seen = 0;
    for (const handoff::Reason& reason : reasons)
        if (reason.severity == severity && ++seen <= most) print_reason(reason);
    if (seen > most) sentence("", fmt::format("--verbose prints {} more.", seen - most));
}

void print_assumptions(const std::vector<handoff::Assumption>& assumptions) {
    for (const handoff::Assumption& a : assumptions) {
        sentence("assumed", fmt::format("{}: {} (on the machine: {})", a.rule, a.text, handoff::shown_path(a.where)));
        if (!a.advice.empty()) sentence("", "-> " + a.advice);
    }
}

namespace {

Tone tone_of(handoff::Handoff handoff) {
    return handoff == handoff::Handoff::in_use  ? Tone::good
           : handoff == handoff::Handoff::stale ? Tone::bad
                                                : Tone::plain;
}

}  // namespace

void print_status(const handoff::StatusReport& report) {
    const handoff::StatusFacts& f = report.facts;
    const auto yes = [](const std::optional<bool>& b) { return !b ? "unknown" : *b ? "yes" : "no"; };
    field("service", f.service ? fmt::format("{}  (/{})", f.service->name, f.service->config) : "none");
    field("enabled", yes(f.enabled));
    field("loaded", yes(f.loaded));
    verdict_line("handoff", handoff::name(report.state.handoff), tone_of(report.state.handoff));
    sentence("", report.state.why);
    if (report.state.rung) field("rung", handoff::name(*report.state.rung));
    if (f.record && f.record->pool) field("loaded for", row(*f.record->pool));
    if (const auto age = handoff::loan_age(f))
        sentence("lent", fmt::format("The pool is lent as ordinary RAM. The evidence is {} min old ({}).",
                                     (*age + 59) / 60, f.record->time));
    field("pool", f.pool ? row(*f.pool) : f.crashkernel_bytes ? "none seen" : "unknown");
    field("crashkernel", f.crashkernel_bytes ? base::size_text(*f.crashkernel_bytes) : "unknown");
    if (report.reservation.reserved != handoff::Reserved::nothing_asked)
        sentence("reserved", fmt::format("{}. {}", handoff::name(report.reservation.reserved), report.reservation.why));
    if (f.test) {
        const bool good = f.test->result.outcome == handoff::TestOutcome::dump_written && !f.test->stale();
        verdict_line("test", handoff::text_of(*f.test), good ? Tone::good : Tone::plain);
    }
    if (f.plan) {
        sentence("plan", handoff::verdict_text(f.plan->verdict, f.plan->assumptions));
        for (const handoff::Reason& reason : f.plan->reasons)
            if (reason.severity == handoff::Severity::refusal)
                sentence("", fmt::format("requires {}: {}", reason.rule, reason.text));
    }
    for (const std::string& problem : handoff::problems_of(f)) sentence("problem", problem);
    next(report.next);
}

void print_verification(const handoff::Verification& v) {
    field("landing", handoff::name(v.landing));
    if (v.promised) field("promised", row(*v.promised));
    if (v.found)
        field("found", fmt::format("{}  {} ({})", row(v.found->range), handoff::name(v.found->source),
                                   handoff::shown_path(v.found->where.text())));
    for (const auto& [landing, promised, found] : v.devices)
        sentence("device pool",
                 fmt::format(
                     "{}  {}: {}{}", row(promised.range), promised.devices, handoff::name(landing),
                     found && landing != handoff::Landing::exact ? ", found at " + base::to_string(found->range) : ""));
}

}  // namespace tool
