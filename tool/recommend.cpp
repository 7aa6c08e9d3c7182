// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/decide/recommend.hpp"

#include <fmt/format.h>

#include "lib/report/documents.hpp"
#include "lib/sources/files.hpp"
#include "lib/sources/host.hpp"
#include "lib/sources/layout.hpp"
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
        case NeedPart::own_pool:
            return "a pool that it does not need; numa=off on its command line saves that";
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
            field("", fmt::format("{:>5} MiB  {:<7}  {}{}: {}", whole_mib(line.bytes), name(line.basis),
                                  what_takes(line.part), when(line.part), line.from));
}

std::string place(const handoff::CrashLog& log, std::size_t line) { return fmt::format("{}:{}", log.file, line); }

void print_last_crash(const handoff::CrashLog& log) {
    std::string had = place(log, log.line) + ": the crash kernel had ";
    had += log.total_bytes == 0 ? std::string("RAM of a size that the log does not say")
                                : fmt::format("{} MiB of RAM, {} MiB of them free at its start", log.total_bytes / MiB,
                                              log.available_bytes / MiB);
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

void print_recommendation(const handoff::Recommendation& r, const handoff::Machine& machine) {
    field("verdict", verdict_text(r.verdict, r.assumptions));
    if (r.chosen) field("boot with", r.chosen->reservation.text());
    std::string now = fmt::format("{} MiB", whole_mib(r.now));
    for (const base::AddressRange& c : machine.crash_kernel) now += "  " + base::to_string(c);
    field("now", now);
    if (r.chosen) {
        std::string next = fmt::format("{} MiB", whole_mib(r.chosen->bytes));
        for (const base::AddressRange& c : r.chosen->crash_kernel) next += "  " + base::to_string(c);
        field("then", next);
        const std::int64_t back = r.given_back() / static_cast<std::int64_t>(MiB);
        if (back >= 0)
            field("gives back", fmt::format("{} MiB", back));
        else
            field("takes", fmt::format("{} MiB more than now: less than it needs is reserved", -back));
    }
    print_need(r.need);
    if (r.last_crash) print_last_crash(*r.last_crash);
    field("low part", low_text(r.low));
    if (r.chosen && r.chosen->fallback && r.verdict == Verdict::ready)
        sentence("or else", "If the handoff cannot be loaded then, " + to_text(*r.chosen->fallback));
    if (r.loan && r.loan->possible)
        field("lending", fmt::format("{} MiB more in the crash kernel with --lend, or {} MiB reserved, which is too "
                                     "little whenever the loan ends",
                                     r.loan->gain / MiB, whole_mib(r.loan->smallest)));
    else if (r.loan)
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
            print(
                "\nNext: boot with these words in place of the present crashkernel=. The crash kernel then makes no "
                "pool, so nothing\n"
                "is handed over. Then let the machine crash once: no margin replaces that.\n");
            break;
        case Verdict::refused:
            print("\n");
            print_line("Next: " + (!r.fallback ? "leave crashkernel= as it is."
                                   : r.fallback->plain_fits == handoff::Fit::surely
                                       ? "leave crashkernel= as it is. " + to_text(*r.fallback)
                                       : to_text(*r.fallback)));
            break;
    }
}

// That the user names; else of the machine's own log, which is more than one boot where a serial console recorded it;
// else what kdump kept beside the last dump.
base::Result<std::optional<handoff::CrashLog>> last_crash(const Options& options, const handoff::Host& host) {
    const auto crash_in = [](std::string text, const std::string& file) {
        auto log = handoff::read_crash_log(text);
        if (log) log->file = file;
        return log;
    };
    if (options.crash_log) {
        auto text = handoff::read_user_file(*options.crash_log, handoff::file_limit);
        if (text) text = handoff::log_lines(*std::move(text));
        if (!text) return text.error();
        auto log = crash_in(*std::move(text), *options.crash_log);
        if (!log)
            return base::Error{
                base::Errc::input, *options.crash_log, 0,
                "expected the log of a crash kernel, found no boot with elfcorehdr= on its command line"};
        return log;
    }
    std::optional<handoff::CrashLog> log;
    auto own = host.kernel_log();
    if (own && !host.live()) own = handoff::log_lines(*std::move(own));
    if (own) log = crash_in(*std::move(own), std::string(host.path(handoff::Source::kernel_log)));
    if (log || host.live()) return log;
    auto kept = host.read(handoff::crash_kernel_log);
    if (kept) kept = handoff::log_lines(*std::move(kept));
    if (kept) log = crash_in(*std::move(kept), "kexec-dmesg.log");
    return log;
}

}  // namespace

Status recommend(const Options& options) {
    auto of = asked(options);
    if (!of) return fail(of.error());
    handoff::look_into_initrd(of->host, of->request);
    handoff::look_into_pool(of->host, of->machine);  // it says what a loan would come to
    auto crash = last_crash(options, of->host);
    if (!crash) return fail(crash.error());
    const handoff::Recommendation r = handoff::recommend(of->machine, of->request, options.margin, std::move(*crash));
    if (options.json)
        print_json(handoff::recommend_document(r));
    else
        print_recommendation(r, of->machine);
    return status_of(r.verdict);
}

}  // namespace tool
