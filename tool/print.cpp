// SPDX-License-Identifier: GPL-2.0-or-later
#include "tool/print.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

#include <fmt/format.h>
#include <syslog.h>
#include <unistd.h>

#include "e820/render.hpp"
#include "lib/decide/advice.hpp"
#include "lib/kernel/constants.hpp"
#include "tool/text.hpp"

namespace tool {
namespace {

using base::AddressRange;

constexpr std::string_view program = "swiotlb-handoff";

std::string bytes(std::uint64_t n) {
    if (n % base::MiB == 0) return fmt::format("{} MiB", n / base::MiB);
    return fmt::format("{} KiB", n / base::KiB);
}

std::string row(const AddressRange& r) {
    return fmt::format("{:#014x}-{:#014x}  {:>9}", r.start(), r.end(), bytes(r.size()));
}

int write_error = 0;  // the first one of standard output

void put(std::string_view text) {
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() && write_error == 0) write_error = errno;
}

void put_error(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stderr); }

}  // namespace

void print(std::string_view text) { put(printable(text, true)); }

void print_line(std::string_view text) { put(printable(text, false) + '\n'); }

std::string field_text(std::string_view label, std::string_view value) {
    return printable(fmt::format("{:<12}{}", label, value), false) + '\n';
}

void field(std::string_view label, std::string_view value) { put(field_text(label, value)); }

void sentence(std::string_view label, std::string_view text) {
    print(fmt::format("{:<12}{}\n", label, wrapped(printable(text, false), 12, 100)));
}

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

void print_pool(const handoff::Machine& machine) {
    if (machine.pool.empty()) {
        field("pool", machine.pool_torn_down ? "none: the kernel gave it back" : "none seen");
    } else {
        const AddressRange pool = machine.pool.front().range;
        std::string use;
        if (machine.slabs_used) use += fmt::format(", {} in use", *machine.slabs_used);
        if (machine.slabs_hiwater) use += fmt::format(", at most {} ever", *machine.slabs_hiwater);
        field("pool", fmt::format("{}, {} slabs{}", row(pool), pool.size() / handoff::slab_size, use));
        bool agree = true;
        for (const handoff::PoolSighting& s : machine.pool) {
            agree = agree && s.range == pool;
            field("seen by", fmt::format("{}  {} ({})", row(s.range), handoff::name(s.source), s.where.text()));
        }
        if (machine.pool.size() == 1)
            field("sources", "only this one, which nothing confirms");
        else
            field("sources", agree ? "agree" : "DISAGREE");
    }
    for (const AddressRange& c : machine.crash_kernel)
        field("crashkernel", fmt::format("{}  ({})", row(c), machine.crash_kernel_from.text()));
    for (const handoff::Error& e : machine.unread) field("unread", e.message());
}

void print_reasons(const std::vector<handoff::Reason>& reasons) {
    for (const auto severity : {handoff::Severity::refusal, handoff::Severity::warning, handoff::Severity::info})
        for (const handoff::Reason& r : reasons) {
            if (r.severity != severity) continue;
            field(handoff::name(r.severity),
                  fmt::format("{}: {}{}", r.rule, r.text, r.evidence.empty() ? "" : fmt::format(" ({})", r.evidence)));
            if (!r.advice.empty()) field("", "-> " + r.advice);
        }
}

void print_assumptions(const std::vector<handoff::Assumption>& assumptions) {
    for (const handoff::Assumption& a : assumptions) {
        sentence("assumed", fmt::format("{}: {} (on the machine: {})", a.rule, a.text, a.where));
        if (!a.advice.empty()) sentence("", "-> " + a.advice);
    }
}

namespace {

// Whether an idle pool can be lent, what that gives, and what speaks against it.
std::string text_of(const handoff::LoanOutlook& loan) {
    const std::string gain = fmt::format("{} MiB", loan.gain / base::MiB);
    return loan.possible
               ? fmt::format(
                     "With --lend the crash kernel would have {} more, which helps where dumps run out of "
                     "memory. It lasts as long as no device uses the pool; swiotlb-handoff-lending(7) says "
                     "what speaks against it.",
                     gain)
               : fmt::format("The idle pool would give the crash kernel {} more, and cannot be lent to it: {}.", gain,
                             loan.why);
}

}  // namespace

void print_plan(const handoff::Plan& plan, const std::optional<handoff::LoanOutlook>& loan) {
    sentence("verdict", handoff::verdict_text(plan.verdict, plan.assumptions));
    if (plan.pool) field("pool", row(*plan.pool));
    if (plan.part) field("part", row(*plan.part) + ": not all of the pool");
    if (plan.expected) field("expected", row(*plan.expected));
    if (!plan.append.empty()) field("append", plan.append);
    const handoff::Load* load = plan.loads.empty() ? nullptr : &plan.loads.front();
    for (const handoff::Segment& s : load ? load->segments : std::vector<handoff::Segment>())
        field("loads", fmt::format("{}  {}", row(s.range), s.name));
    for (const AddressRange& f : plan.fences) field("fence", row(f));
    if (plan.verdict == handoff::Verdict::ready && plan.fallback)
        sentence("or else", "If the handoff cannot be loaded, " + to_text(*plan.fallback));
    field("reservation", to_text(plan.reservation));
    if (loan) sentence("loan", text_of(*loan));
    print_assumptions(plan.assumptions);
    print_reasons(plan.reasons);
    if (load) print("\ncrash kernel's e820 before:\n" + e820::render_log(load->map));
    if (!plan.after.entries.empty()) print("\nafter:\n" + e820::render_log(plan.after));
    switch (plan.verdict) {
        case handoff::Verdict::ready:
            print(
                "\nNext: append these words to the crash kernel's command line and load it; in the crash kernel\n"
                "'swiotlb-handoff verify' says whether the pool is there.\n");
            break;
        case handoff::Verdict::not_needed:
            print("\n");
            print_line("Next: " + next_where_not_needed(plan));
            break;
        case handoff::Verdict::refused:
            print("\n");
            print_line("Next: " + next_without(plan) + " 'swiotlb-handoff explain RULE' says more.");
            break;
    }
}

void print_status(const handoff::StatusReport& report) {
    const handoff::StatusFacts& f = report.facts;
    const auto yes = [](const std::optional<bool>& b) { return !b ? "unknown" : *b ? "yes" : "no"; };
    field("service", f.service ? fmt::format("{}  (/{})", f.service->name, f.service->config) : "none");
    field("enabled", yes(f.enabled));
    field("loaded", yes(f.loaded));
    field("handoff", handoff::name(report.state.handoff));
    field("", report.state.why);
    if (report.state.rung) field("rung", handoff::name(*report.state.rung));
    if (f.record && f.record->pool) field("loaded for", row(*f.record->pool));
    if (const auto age = handoff::loan_age(f))
        field("lent",
              fmt::format("as ordinary RAM, on evidence that is {} min old ({})", (*age + 59) / 60, f.record->time));
    field("pool", f.pool ? row(*f.pool) : f.crashkernel_bytes ? "none seen" : "unknown");
    field("crashkernel", f.crashkernel_bytes ? bytes(*f.crashkernel_bytes) : "unknown");
    if (report.reservation.reserved != handoff::Reserved::nothing_asked)
        sentence("reserved", fmt::format("{}. {}", handoff::name(report.reservation.reserved), report.reservation.why));
    if (f.plan) {
        sentence("plan", handoff::verdict_text(f.plan->verdict, f.plan->assumptions));
        for (const handoff::Reason& reason : f.plan->reasons)
            if (reason.severity == handoff::Severity::refusal)
                field("", fmt::format("{}: {}", reason.rule, reason.text));
    }
    for (const std::string& problem : handoff::problems_of(f)) field("problem", problem);
    print("\n");
    print_line("Next: " + report.next);
}

void print_verification(const handoff::Verification& v) {
    field("landing", handoff::name(v.landing));
    if (v.promised) field("promised", row(*v.promised));
    if (v.found)
        field("found",
              fmt::format("{}  {} ({})", row(v.found->range), handoff::name(v.found->source), v.found->where.text()));
}

}  // namespace tool
