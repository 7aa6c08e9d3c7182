// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/decide/recommend.hpp"

#include <fmt/format.h>

#include "lib/report/documents.hpp"
#include "lib/sources/host.hpp"
#include "tool/commands.hpp"
#include "tool/print.hpp"

namespace tool {
namespace {

using base::MiB;
using handoff::NeedPart;
using handoff::Verdict;

std::uint64_t mib(std::uint64_t bytes) { return (bytes + MiB - 1) / MiB; }

std::string low_text(const handoff::LowPart& low) {
    if (low.bytes == 0) return "none: every device with a driver can address its buffers above 4 GiB";
    if (!low.known) return fmt::format("{} MiB: the devices are not known, and old ones need some", mib(low.bytes));
    std::string text = fmt::format("{} MiB, for", mib(low.bytes));
    for (const handoff::DmaDevice& d : low.because)
        text += fmt::format("{} {} ({}, {} bits)", &d == &low.because.front() ? "" : ",", d.name, d.driver,
                            d.coherent_bits);
    return text;
}

const char* what_takes(NeedPart part) {
    switch (part) {
        case NeedPart::image:
            return "the kernel";
        case NeedPart::initrd:
            return "the initrd as loaded";
        case NeedPart::unpacked:
            return "the initrd unpacked";
        case NeedPart::early:
            return "early allocations";
        case NeedPart::bitmaps:
            return "makedumpfile's bitmaps";
        case NeedPart::own_pool:
            return "a pool that it does not need; numa=off on its command line saves that";
        case NeedPart::margin:
            return "a margin for programs and drivers";
    }
    return "";
}

void print_need(const handoff::Need& need) {
    field("needs", fmt::format("{} MiB besides the pool, and certainly more than {} MiB", mib(need.recommended()),
                               need.lower_bound() / MiB));
    for (const handoff::NeedLine& line : need.lines)
        if (line.bytes != 0)
            field("", fmt::format("{:>5} MiB  {:<7}  {}: {}", mib(line.bytes), name(line.basis), what_takes(line.part),
                                  line.from));
}

void print_recommendation(const handoff::Recommendation& r, const handoff::Machine& machine) {
    field("verdict", verdict_text(r.verdict, r.assumptions));
    if (r.chosen) field("boot with", r.chosen->reservation.text());
    std::string now = fmt::format("{} MiB", mib(r.now));
    for (const base::AddressRange& c : machine.crash_kernel) now += "  " + base::to_string(c);
    field("now", now);
    if (r.chosen) {
        std::string next = fmt::format("{} MiB", mib(r.chosen->bytes));
        for (const base::AddressRange& c : r.chosen->crash_kernel) next += "  " + base::to_string(c);
        field("then", next);
        const std::int64_t back = r.given_back() / static_cast<std::int64_t>(MiB);
        if (back >= 0)
            field("gives back", fmt::format("{} MiB", back));
        else
            field("takes", fmt::format("{} MiB more than now: less than it needs is reserved", -back));
    }
    print_need(r.need);
    field("low part", low_text(r.low));
    if (r.loan && r.loan->possible)
        field("lending", fmt::format("{} MiB more in the crash kernel with --lend, or {} MiB reserved, which is too "
                                     "little whenever the loan ends",
                                     r.loan->gain / MiB, mib(r.loan->smallest)));
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
            print("\nNext: leave crashkernel= as it is.\n");
            break;
    }
}

}  // namespace

Status recommend(const Options& options) {
    const handoff::Host host(options.root);
    const auto machine = machine_of(host);
    if (!machine) return fail(machine.error());
    const auto request = request_from(options, host, *machine);
    if (!request) return fail(request.error());
    const handoff::Recommendation r = handoff::recommend(*machine, *request, options.margin);
    if (options.json)
        print_json(handoff::recommend_document(r));
    else
        print_recommendation(r, *machine);
    return status_of(r.verdict);
}

}  // namespace tool
