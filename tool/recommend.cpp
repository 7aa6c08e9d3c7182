// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/decide/recommend.hpp"

#include <fmt/format.h>

#include "lib/decide/advice.hpp"
#include "lib/decide/crash_advice.hpp"
#include "lib/decide/question.hpp"
#include "lib/decide/reservation_fit.hpp"
#include "lib/report/documents.hpp"
#include "lib/service/service.hpp"
#include "lib/sources/crash_log.hpp"
#include "lib/sources/files.hpp"
#include "lib/sources/log_file.hpp"
#include "lib/sources/pool_traces.hpp"
#include "lib/sources/user_file.hpp"
#include "tool/commands.hpp"
#include "tool/print.hpp"

namespace tool {
namespace {

using base::MiB;
using base::whole_mib;
using handoff::Moment;
using handoff::NeedPart;
using handoff::Verdict;

std::string low_text(const handoff::LowPart& low) {
    if (low.bytes == 0) return "none: every device with a driver can address its buffers above 4 GiB";
    std::string text = fmt::format("{} MiB:", whole_mib(low.bytes));
    if (low.pool != 0)
        text += fmt::format(" {} MiB for the pool of a load without the handoff, the rest for other buffers",
                            whole_mib(low.pool));
    if (!low.known)
        text += low.pool != 0 ? " (the devices are not known)" : " the devices are not known, and old ones need some";
    for (const handoff::DmaDevice& d : low.because)
        text += fmt::format("{} {} ({}, {} bits)",
                            &d != &low.because.front() ? ","
                            : low.pool != 0            ? ", and for"
                                                       : " for",
                            d.name, d.driver, d.coherent_bits);
    return text;
}

const char* what_takes(NeedPart part) {
    switch (part) {
        case NeedPart::image:
            return "the kernel";
        case NeedPart::unpacked:
            return "the initrd unpacked";
        case NeedPart::early:
            return "early allocations";
        case NeedPart::cpus:
            return "more CPUs";
        case NeedPart::initrd:
            return "the initrd as loaded";
        case NeedPart::root_limit:
            return "room to unpack";
        case NeedPart::modules:
            return "modules";
        case NeedPart::page_cache:
            return "page cache";
        case NeedPart::makedumpfile:
            return "makedumpfile";
        case NeedPart::measured:
            return "all of it";
        case NeedPart::margin:
            return "a margin for programs and drivers";
    }
    return "";
}

// The initrd as loaded is free again when the dump is saved.
const char* when(NeedPart part) {
    switch (moment_of(part)) {
        case Moment::unpacking:
            return " (while it unpacks)";
        case Moment::saving:
            return " (while it saves)";
        case Moment::in_all:
        case Moment::always:
            break;
    }
    return "";
}

void print_need(const handoff::Need& need) {
    field("needs", fmt::format("{} MiB besides the pool, and certainly more than {} MiB", whole_mib(need.recommended()),
                               need.lower_bound() / MiB));
    for (const handoff::NeedLine& line : need.lines)
        if (line.bytes != 0)
            field("", fmt::format("{:>5} MiB  {:<8}  {}{}: {}", whole_mib(line.bytes), name(line.basis),
                                  what_takes(line.part), when(line.part), line.from));
}

// What crashes showed: the one that counts is in the lines above.
void print_crash_records(const std::vector<handoff::CrashRecord>& records) {
    for (const handoff::CrashRecord& r : records) {
        const std::string when =
            r.time.empty() ? "" : fmt::format(" (crash of {})", r.time.substr(0, r.time.find('T')));
        sentence("crash seen", r.file + when + (r.why_not.empty() ? ": it counts." : ": not used: " + r.why_not + "."));
    }
}

std::string place(const handoff::CrashLog& log, std::size_t line) { return fmt::format("{}:{}", log.file, line); }

void print_last_crash(const handoff::CrashLog& log) {
    std::string had = place(log, log.line) + ": the crash kernel had ";
    had += log.reserved_bytes != 0 && log.total_bytes == 0
               ? fmt::format("the {} MiB that the boot before it had reserved", whole_mib(log.reserved_bytes))
           : log.total_bytes == 0 ? std::string("RAM of a size that the log does not say")
                                  : fmt::format("{} MiB of RAM, {} MiB of them free at its start",
                                                log.total_bytes / MiB, log.available_bytes / MiB);
    had += log.pool
               ? fmt::format(", and a pool of {} MiB at {}", whole_mib(log.pool->size()), base::to_string(*log.pool))
               : std::string(", and no pool");
    sentence("last crash", had);
    for (const handoff::CrashLog::Shortage& s : log.shortages)
        sentence("", fmt::format("{}: {}{}", place(log, s.line), s.text,
                                 s.times == 1 ? "" : fmt::format(" (the first of {} such lines)", s.times)));
    sentence("", log.dump_saved ? "Its dump was saved." : "No line says that its dump was saved.");
    for (const std::string& help : handoff::what_would_help(log)) sentence("helps", help);
}

// " (32 MiB by the handoff, 64 MiB that were reserved without need)"; "" where the handoff gives nothing.
std::string split_text(const handoff::Recommendation& r) {
    const auto mib = [](std::int64_t bytes) { return bytes / static_cast<std::int64_t>(MiB); };
    const std::int64_t handoff = mib(r.by_handoff()), sizing = mib(r.by_right_sizing());
    if (r.given_back() == 0 && handoff == 0) return {};
    if (handoff == 0) return sizing > 0 ? " (reserved without need, with or without a handoff)" : "";
    return fmt::format(" ({} MiB by the handoff, {})", handoff,
                       sizing >= 0 ? fmt::format("{} MiB that were reserved without need", sizing)
                                   : fmt::format("less {} MiB that a load without it would lack", -sizing));
}

// This boot's crashkernel= stays, as far as it is worth anything.
std::string next_where_refused(const handoff::Recommendation& r) {
    const handoff::ReservationFit& fit = r.present.reservation;
    const bool enough = fit.fits == handoff::Fit::surely;
    return (enough ? "leave crashkernel= as it is. " : "") + next_without(r.present);
}

// Why more is reserved than now; the plan for this boot has judged what there is.
std::string why_more(const handoff::Recommendation& r) {
    const handoff::ReservationFit& fit = r.present.reservation;
    if (std::string shortage = shortage_text(fit); !shortage.empty()) return shortage;
    if (!fit.fits) return {};
    if (fit.rung == handoff::Rung::handoff && r.present.fallback && !r.present.fallback->sure)
        return ", so that a load without the handoff has room as well";
    return ", which is enough as it is";
}

// By the installed kdump service; "" where nothing does.
std::string_view what_undoes_it(const handoff::Host& host) {
    const auto service = handoff::find_kdump_service(host);
    return service ? handoff::undoes_crashkernel(host, *service) : "";
}

void print_recommendation(const handoff::Recommendation& r, const handoff::Machine& machine, std::string_view undone) {
    field("verdict", verdict_text(r.verdict, r.assumptions));
    if (r.chosen) field("boot with", r.chosen->reservation.text());
    if (r.chosen && r.counts_on_loan) sentence("note", handoff::counts_on_loan_text);
    if (r.chosen && !undone.empty()) sentence("note", undone);
    if (r.chosen && !r.chosen->append.empty()) field("and", handoff::to_add(r.chosen->append));
    const handoff::ReservationFit& fit = r.present.reservation;
    std::string now = fmt::format("{} MiB", whole_mib(r.now));
    for (const base::AddressRange& c : machine.crash_kernel) now += "  " + base::to_string(c);
    field("now", fit.fits || r.now != 0 ? now : "not known: " + fit.unknown);
    if (r.chosen) {
        std::string next = fmt::format("{} MiB", whole_mib(r.chosen->bytes));
        for (const base::AddressRange& c : r.chosen->crash_kernel) next += "  " + base::to_string(c);
        field("then", next);
        const std::int64_t back = r.given_back() / static_cast<std::int64_t>(MiB);
        if (back >= 0)
            field("gives back", fmt::format("{} MiB{}", back, split_text(r)));
        else
            field("takes", fmt::format("{} MiB more than now{}", -back, why_more(r)));
    }
    field("reservation", to_text(fit));
    print_need(r.need);
    print_crash_records(r.crash_records);
    if (r.last_crash) print_last_crash(*r.last_crash);
    if (r.on_loan() != 0)
        field("on the loan",
              fmt::format("{} MiB of these are counted on the pool that is lent", whole_mib(r.on_loan())));
    field("low part", low_text(r.low));
    if (r.chosen && r.chosen->fallback && r.verdict == Verdict::ready)
        sentence("or else", "If the handoff cannot be loaded then, " + to_text(*r.chosen->fallback));
    if (r.loan && r.loan->possible && !r.counts_on_loan)
        field("lending", fmt::format("{} MiB more in the crash kernel with --lend, or {} MiB reserved, which is too "
                                     "little whenever the loan ends",
                                     r.loan->gain / MiB, whole_mib(r.loan->smallest)));
    else if (r.loan && !r.loan->possible)
        field("lending", "not possible: " + r.loan->why);
    for (const handoff::Candidate& c : r.candidates)
        field("looked at", fmt::format("{}  {}: {}", c.reservation.text(), name(c.verdict), c.why));
    field("layout", r.reproduced.layout ? "the model puts this boot's reservation and pool where they are"
                                        : r.reproduced.text + "; the next boot may differ as well");
    print_assumptions(r.assumptions);
    print_reasons(r.reasons);
    switch (r.verdict) {
        case Verdict::ready:
            print(
                "\nNext: boot with these words in place of the present crashkernel=, and run 'swiotlb-handoff plan': "
                "each load is\n"
                "proven anew. Then let the machine crash once, with the dump written to where it will be: no margin "
                "replaces that.\n");
            break;
        case Verdict::not_needed:
            print(fmt::format(
                "\nNext: boot with these words in place of the present crashkernel={}. The crash kernel then makes no "
                "pool, so\n"
                "nothing is handed over. Then let the machine crash once: no margin replaces that.\n",
                r.chosen->append.empty() ? "" : ", and " + handoff::to_add(r.chosen->append)));
            break;
        case Verdict::refused:
            print("\n");
            print_line("Next: " + (r.counts_on_loan ? "run this without --count-on-loan." : next_where_refused(r)));
            break;
    }
}

base::Result<handoff::CrashLog> crash_log_of(const std::string& path) {
    auto text = handoff::read_user_file(path, handoff::file_limit);
    if (text) text = handoff::log_lines(*std::move(text));
    if (!text) return text.error();
    auto log = handoff::expect_crash_log(*text);
    if (!log) return std::move(log).error().at(path);
    log->file = path;
    return log;
}

}  // namespace

Status recommend(const Options& options) {
    auto of = asked_with_sizes(options);
    if (!of) return fail(of.error());
    handoff::look_into_pool(of->host, of->machine);  // it says what a loan would come to
    if (options.crash_log) {
        auto crash = crash_log_of(*options.crash_log);
        if (!crash) return fail(crash.error());
        of->machine.last_crash = *std::move(crash);
    }
    const handoff::Recommendation r = recommendation_for(options, *of);
    if (options.json)
        print_json(handoff::recommend_document(r));
    else
        print_recommendation(r, of->machine, what_undoes_it(of->host));
    return status_of(r.verdict);
}

}  // namespace tool
