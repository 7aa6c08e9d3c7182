// SPDX-License-Identifier: GPL-2.0-or-later
// A recommendation: on one screen what to boot with and why, or all of it.
#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "lib/decide/advice.hpp"
#include "lib/decide/crash_advice.hpp"
#include "lib/decide/question.hpp"
#include "lib/decide/reservation_fit.hpp"
#include "tool/print.hpp"

namespace tool {
namespace {

using base::MiB;
using base::whole_mib;
using handoff::Fit;
using handoff::Moment;
using handoff::NeedPart;
using handoff::Recommendation;
using handoff::ReservationFit;
using handoff::Verdict;

const char* what_takes(NeedPart part) {
    switch (part) {
        case NeedPart::image:
            return "the kernel";
        case NeedPart::unpacked:
            return "the unpacked initrd";
        case NeedPart::early:
            return "what the kernel allocates early";
        case NeedPart::cpus:
            return "more CPUs";
        case NeedPart::initrd:
            return "the initrd as it is loaded";
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
            return " (only while the initrd is unpacked)";
        case Moment::saving:
            return " (only while the dump is saved)";
        case Moment::in_all:
        case Moment::always:
            break;
    }
    return "";
}

// What the crash kernel should have of the reservation that is recommended.
std::string should_have(const Recommendation& r) {
    return fmt::format("{} crash kernel should have {} MiB{}.", r.chosen ? "In a reservation of this size the" : "The",
                       whole_mib(r.need.recommended()),
                       r.verdict == Verdict::not_needed ? "" : " in addition to its pool");
}

void print_need(const Recommendation& r) {
    const handoff::Need& need = r.need;
    sentence("needs",
             fmt::format("{} With less than {} MiB no dump can be written. In a larger reservation it needs a little "
                         "more, because the kernel keeps a description of each page.",
                         should_have(r), whole_mib(need.lower_bound())));
    for (const handoff::NeedLine& line : need.lines)
        if (line.bytes != 0)
            size_row(whole_mib(line.bytes), name(line.basis),
                     fmt::format("{}{}: {}", what_takes(line.part), when(line.part), line.from));
}

void print_low_part(const handoff::LowPart& low) {
    if (low.bytes == 0) {
        sentence("low part", "None is needed: every device with a driver can address its buffers above 4 GiB.");
        return;
    }
    std::string devices;
    for (const handoff::DmaDevice& d : low.because)
        devices += fmt::format("{}{} ({}, {} bits)", devices.empty() ? "" : ", ", d.name, d.driver, d.coherent_bits);
    std::string what;
    if (low.pool != 0)
        what += fmt::format(" {} MiB are for the pool of a load without the handoff.", whole_mib(low.pool));
    if (!devices.empty()) what += fmt::format(" These devices need buffers there: {}.", devices);
    if (!low.known) what += " The devices of this machine are not known, and old ones need buffers there.";
    sentence("low part",
             fmt::format("A reservation above 4 GiB should have {} MiB below 4 GiB.{}", whole_mib(low.bytes), what));
}

// What crashes showed: the one that counts is in the lines of the need.
void print_crash_records(const std::vector<handoff::CrashRecord>& records, bool verbose) {
    std::size_t unused = 0;
    for (const handoff::CrashRecord& r : records) {
        const bool counts = r.why_not.empty();
        unused += counts ? 0 : 1;
        if (!counts && !verbose) continue;
        const std::string when =
            r.time.empty() ? "" : fmt::format(" (crash of {})", r.time.substr(0, r.time.find('T')));
        sentence("crash seen",
                 fmt::format("{}{} {}", r.file, when, counts ? "counts." : fmt::format("is not used: {}.", r.why_not)));
    }
    if (unused != 0 && !verbose)
        sentence("crash seen", fmt::format("{} records of crashes are not used. --verbose says why.", unused));
}

std::string place(const handoff::CrashLog& log, std::size_t line) { return fmt::format("{}:{}", log.file, line); }

void print_last_crash(const handoff::CrashLog& log, bool verbose) {
    std::string had = place(log, log.line) + ": the crash kernel had ";
    had += log.reserved_bytes != 0 && log.total_bytes == 0
               ? fmt::format("the {} MiB that the boot before it had reserved", whole_mib(log.reserved_bytes))
           : log.total_bytes == 0 ? std::string("RAM of a size that the log does not say")
                                  : fmt::format("{} MiB of RAM, {} MiB of them free at its start",
                                                log.total_bytes / MiB, log.available_bytes / MiB);
    had += log.pool
               ? fmt::format(", and a pool of {} MiB at {}", whole_mib(log.pool->size()), base::to_string(*log.pool))
               : std::string(", and no pool");
    sentence("last crash", had + ".");
    const std::size_t shown = verbose ? log.shortages.size() : std::min<std::size_t>(log.shortages.size(), 2);
    for (std::size_t i = 0; i < shown; ++i) {
        const handoff::CrashLog::Shortage& s = log.shortages[i];
        sentence("", fmt::format("{}: {}{}", place(log, s.line), s.text,
                                 s.times == 1 ? "" : fmt::format(" (the first of {} such lines)", s.times)));
    }
    if (shown < log.shortages.size())
        sentence("", fmt::format("--verbose prints {} more.", log.shortages.size() - shown));
    sentence("", log.dump_saved ? "Its dump was saved." : "No line says that its dump was saved.");
    for (const std::string& help : handoff::what_would_help(log)) sentence("helps", help);
}

void print_ranges(const std::vector<base::AddressRange>& ranges) {
    for (const base::AddressRange& range : ranges) field("", row(range));
}

// What is reserved in this boot, and whether that is enough. What to boot with instead has a line of its own.
std::string present_text(const Recommendation& r) {
    ReservationFit fit = r.present.reservation;
    fit.assumed.clear();
    fit.crashkernel.clear();
    if (!fit.fits) return (r.now != 0 ? fmt::format("{} MiB. ", whole_mib(r.now)) : "") + to_text(fit);
    if (*fit.fits == Fit::surely)
        return fmt::format("{} MiB, which is enough{}", whole_mib(fit.reserved),
                           fit.rung == handoff::Rung::handoff ? " with the handoff." : ".");
    return to_text(fit);
}

// How much less or more that is, and what of it is owed to the handoff.
std::string chosen_text(const Recommendation& r) {
    const auto mib = [](std::int64_t bytes) { return bytes / static_cast<std::int64_t>(MiB); };
    const std::int64_t back = mib(r.given_back());
    std::string text = fmt::format("{} MiB", whole_mib(r.chosen->bytes));
    if (r.now != 0)
        text += back == 0 ? ", as much as now"
                          : fmt::format(", {} MiB {} than now", std::abs(back), back > 0 ? "less" : "more");
    if (r.counts_on_loan)
        return text + fmt::format(". The crash kernel should have {} MiB, and {} MiB of these are in the lent pool.",
                                  whole_mib(r.need.recommended()), whole_mib(r.on_loan()));
    text += ". " + should_have(r);
    if (r.by_handoff() != 0)
        text += fmt::format(" Without the handoff {} MiB would have to be reserved.", whole_mib(r.without_handoff));
    else if (back > 0 && r.present.reservation.fits == Fit::surely)
        text += " The rest is reserved without need, with or without a handoff.";
    return text;
}

// The plan for this boot may say something else, because this is about the next one.
std::string meaning_of(const Recommendation& r) {
    if (r.verdict == Verdict::refused) return "No crashkernel= was found that can be proven for this machine.";
    std::string meaning = r.verdict == Verdict::ready ? "With this reservation the crash kernel takes over the pool."
                                                      : "With this reservation the crash kernel makes no pool.";
    if (r.present.verdict == r.verdict) return meaning;
    return fmt::format(
        "{} That holds from the next boot on. For the reservation of this boot 'swiotlb-handoff plan' says {}.",
        meaning, name(r.present.verdict));
}

// Nothing is gained by the next boot, and nothing is lacking in this one.
bool stays_as_it_is(const Recommendation& r) {
    const bool lacks_fallback = r.verdict == Verdict::ready && r.present.fallback && !r.present.fallback->sure;
    return r.present.reservation.fits == Fit::surely && r.given_back() <= 0 && !lacks_fallback;
}

// What tells about the next boot. Where its layout is not certain, nothing before it does.
std::string what_decides(const Recommendation& r) {
    const bool ready = r.verdict == Verdict::ready;
    if (r.chosen->place_certain) return ready ? " Each load is then proven anew, as 'swiotlb-handoff plan' shows." : "";
    return ready ? " Then run 'swiotlb-handoff plan': only that boot shows whether its pool can be handed over."
                 : " Then run 'swiotlb-handoff plan', which shows whether there was room for it.";
}

std::string next_of(const Recommendation& r, const RecommendNews& news) {
    if (r.verdict == Verdict::refused && r.counts_on_loan) return "Run this command without --count-on-loan.";
    if (r.verdict == Verdict::refused)
        return (r.present.reservation.fits == Fit::surely ? "Leave crashkernel= as it is. " : "") +
               next_without(r.present);
    if (stays_as_it_is(r)) return "Leave crashkernel= as it is. The present reservation is large enough.";
    const std::string append = r.chosen->append.empty() ? "" : handoff::to_add(r.chosen->append);
    const std::string how =
        news.reserve ? fmt::format(
                           "Run 'swiotlb-handoff reserve{}', which sets this crashkernel= for the next boot or "
                           "prints the commands that do it, and reboot.",
                           r.counts_on_loan ? " --count-on-loan" : "")
                     : fmt::format("Boot with this crashkernel= in place of the present one{}{}.",
                                   append.empty() ? "" : ", and ", append);
    return how + what_decides(r) +
           " Let the machine crash once after that, at a good time: no calculation replaces a dump that was written.";
}

void print_candidates(const Recommendation& r) {
    for (const handoff::Candidate& c : r.candidates)
        sentence("looked at", fmt::format("{} ({}): {}", c.reservation.text(), name(c.verdict), c.why));
}

void print_loan(const handoff::LoanOutlook& loan) {
    sentence("loan", loan.possible
                         ? fmt::format("With --lend the crash kernel has {} MiB more memory, as long as no device uses "
                                       "the pool. While that lasts, {} MiB would be enough.",
                                       loan.gain / MiB, whole_mib(loan.smallest))
                         : fmt::format("The pool cannot be lent: {}.", loan.why));
}

void print_details(const Recommendation& r) {
    print_need(r);
    if (!r.chosen || r.chosen->reservation.high) print_low_part(r.low);
    if (r.loan && !r.counts_on_loan) print_loan(*r.loan);
    if (r.verdict != Verdict::refused) print_candidates(r);
    if (r.reproduced.layout)
        sentence("layout", "The model predicts correctly where this boot put its reservation and its pool.");
}

}  // namespace

void print_recommendation(const Recommendation& r, const handoff::Machine& machine, const RecommendNews& news,
                          bool verbose) {
    print_verdict(r.verdict, r.assumptions, meaning_of(r));
    if (r.chosen) {
        field("boot with", r.chosen->reservation.text());
        if (r.counts_on_loan) sentence("note", handoff::counts_on_loan_text);
        if (!r.chosen->append.empty()) sentence("and", handoff::to_add(r.chosen->append) + ".");
        if (!news.undone.empty()) sentence("note", news.undone);
    }
    sentence("now", present_text(r));
    if (verbose) print_ranges(machine.crash_kernel);
    if (r.chosen) {
        sentence("then", chosen_text(r));
        if (verbose && r.chosen->place_certain) print_ranges(r.chosen->crash_kernel);
    } else {
        if (r.loan && !r.loan->possible) print_loan(*r.loan);
        print_candidates(r);
    }
    const auto& fallback = r.chosen ? r.chosen->fallback : std::optional<handoff::Fallback>();
    if (fallback && r.verdict == Verdict::ready && (verbose || fallback->fits != Fit::surely))
        sentence("or else", "If the handoff cannot be loaded then, " + to_text(*fallback));
    if (r.last_crash) print_last_crash(*r.last_crash, verbose);
    print_crash_records(r.crash_records, verbose);
    if (verbose) {
        print_details(r);
        print_assumptions(r.assumptions);
        print_reasons(r.reasons);
    } else {
        print_first(r.reasons, handoff::Severity::warning);
    }
    if (!r.reproduced.layout)
        sentence("warning", (verbose ? r.reproduced.text + " So it" : "It") +
                                " is not certain where the next boot puts the reservation and the pool.");
    next(next_of(r, news));
}

}  // namespace tool
