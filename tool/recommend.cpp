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
    const handoff::Need& n = r.need;
    field("needs", fmt::format("{} MiB besides the pool", mib(n.total())));
    for (const auto& [bytes, what] :
         {std::pair<std::uint64_t, std::string>{n.image, "the kernel, as its image says (init_size)"},
          {n.initrd, "the initrd as loaded"},
          {n.unpacked, fmt::format("the initrd unpacked, taken as {} times as much", handoff::Need::unpack_factor)},
          {n.early, "early allocations, a bound"},
          {n.own_pool, "a pool that it does not need; numa=off on its command line saves that"},
          {n.bitmaps, "makedumpfile's bitmaps, two bits a page of this machine"},
          {n.margin, "programs and drivers, a margin (--margin)"}})
        if (bytes != 0) field("", fmt::format("{:>5} MiB  {}", mib(bytes), what));
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
