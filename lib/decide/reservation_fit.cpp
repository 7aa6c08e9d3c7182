// SPDX-License-Identifier: GPL-2.0-or-later
// Whether the reservation is large enough. plan() and recommend() both take the answer from here.
#include "lib/decide/reservation_fit.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/wording.hpp"
#include "lib/decide/need.hpp"
#include "lib/decide/question.hpp"
#include "lib/decide/reservation.hpp"
#include "lib/kernel/crashkernel.hpp"

namespace handoff {
namespace {

using base::whole_mib;

// What is assumed, as an administrator could look it up; "" if it only follows from another assumption.
std::string what_is_assumed(const Need& need, const NeedLine& line) {
    const auto assumed = [&](NeedPart part) {
        const NeedLine* other = need.find(part);
        return other && other->basis == Basis::assumed;
    };
    switch (line.part) {
        case NeedPart::image:
            return "the size of the kernel";
        case NeedPart::initrd:
            return "the size of the initrd";
        case NeedPart::unpacked:
            return assumed(NeedPart::initrd) ? "" : "the size of the unpacked initrd";
        case NeedPart::early:
            return "the kernel's configuration";
        case NeedPart::cpus:
            return "the number of CPUs";
        case NeedPart::modules:
            return assumed(NeedPart::unpacked) ? "" : "the size of the kernel modules";
        case NeedPart::page_cache:
            return "the memory for what is read of the packed root file system";
        case NeedPart::makedumpfile:
            return "the options of makedumpfile";
        case NeedPart::root_limit:
        case NeedPart::measured:
        case NeedPart::margin:
            break;
    }
    return {};
}

Fit fit_of_handoff(const ReservationFit& fit) {
    if (fit.reserved >= fit.recommended) return Fit::surely;
    return fit.reserved >= fit.lower_bound ? Fit::perhaps : Fit::no;
}

const char* answer(const ReservationFit& fit) {
    return fit.fits == Fit::surely ? "is enough" : fit.fits == Fit::perhaps ? "may be too small" : "is too small";
}

std::string assumed_text(const ReservationFit& fit) {
    if (fit.assumed.empty()) return {};
    const bool plural = fit.assumed.size() > 1 || fit.assumed.front().find("options") != std::string::npos;
    return fmt::format(" ({} {} assumed)", base::listed(fit.assumed, " and "), plural ? "are" : "is");
}

// Besides what the crash kernel needs.
std::string pool_text(const ReservationFit& fit) {
    if (fit.rung == Rung::handoff) return " in addition to the pool that it takes over";
    return fit.pool == 0 ? "" : fmt::format(" and a pool of {} MiB below 4 GiB", whole_mib(fit.pool));
}

std::string need_text(const ReservationFit& fit) {
    const std::string pool = pool_text(fit), assumed = assumed_text(fit);
    // The need grows a little with the reservation, so recommend() has another number for another size.
    constexpr std::string_view size = "in a reservation of this size ";
    if (fit.fits == Fit::surely || fit.reserved == 0)
        return fmt::format("{}the crash kernel should have {} MiB{}{}", fit.reserved == 0 ? "" : size,
                           whole_mib(fit.recommended), pool, assumed);
    if (fit.fits == Fit::perhaps)
        return fmt::format("{}the crash kernel needs {} to {} MiB{}{}", size, whole_mib(fit.lower_bound),
                           whole_mib(fit.recommended), pool, assumed);
    if (fit.lower_bound + fit.pool > fit.reserved)
        return fmt::format("the crash kernel needs at least {} MiB{}", whole_mib(fit.lower_bound), pool);
    return fmt::format("kernel and initrd{} do not fit into it{}",
                       fit.pool == 0 ? "" : fmt::format(" and a pool of {} MiB below 4 GiB", whole_mib(fit.pool)),
                       assumed);
}

// What would help, to be put after what is said of the reservation.
std::string cure_text(const ReservationFit& fit) {
    std::string text;
    if (fit.ran_out_with != 0 && fit.reserved != 0)
        text += fmt::format(" A crash kernel ran out of memory with {} MiB of it.", fit.ran_out_with / base::MiB);
    if (!fit.append.empty() && fit.fits_with_append != Fit::no)
        text += fmt::format(" With {} on its command line it {} enough.", fit.append,
                            fit.fits_with_append == Fit::surely ? "is" : "may be");
    if (!fit.crashkernel.empty()) text += fmt::format(" Boot with {}.", fit.crashkernel);
    return text;
}

}  // namespace

std::vector<std::string> what_is_assumed(const Need& need) {
    std::vector<std::string> assumed;
    for (const NeedLine& line : need.lines) {
        if (line.basis != Basis::assumed || line.bytes == 0) continue;
        if (std::string what = what_is_assumed(need, line); !what.empty()) assumed.push_back(std::move(what));
    }
    return assumed;
}

ReservationFit fit_of_reservation(const Machine& machine, const PlanRequest& request, const Plan& plan,
                                  std::uint64_t margin) {
    ReservationFit fit;
    Findings unsaid(request.accept);
    const Question question = ask(machine, request, unsaid);
    fit.unknown = why_size_unknown(question);
    if (!fit.unknown.empty()) return fit;
    fit.reserved = reserved_bytes(machine);
    const Need need = need_for(machine, request, fit.reserved, margin);
    fit.lower_bound = need.lower_bound();
    fit.recommended = need.recommended();
    fit.assumed = what_is_assumed(need);
    if (fit.reserved == 0) {
        fit.fits = Fit::no;
        return fit;
    }
    if (plan.verdict == Verdict::ready && !plan.loan) {
        fit.rung = Rung::handoff;
        fit.fits = fit_of_handoff(fit);
    } else if (const auto& without = plan.fallback) {
        fit.fits = without->plain_fits;
        fit.pool = without->plain_pool;
        fit.append = without->append;
        fit.fits_with_append = without->fits;
        if (fit.fits != Fit::surely) fit.crashkernel = without->crashkernel;
    }
    if (fit.reserved - std::min(fit.reserved, fit.pool) <= need.ran_out_with) fit.ran_out_with = need.ran_out_with;
    return fit;
}

std::string shortage_sentence(const ReservationFit& fit) {
    if (!fit.fits)
        return fmt::format("Whether the reservation is large enough is not known{}{}.", fit.unknown.empty() ? "" : ": ",
                           fit.unknown);
    if (fit.reserved == 0) return "No memory is reserved for a crash kernel.";
    return fmt::format("The reservation of {} MiB {}{}.", whole_mib(fit.reserved), answer(fit),
                       fit.crashkernel.empty() ? "" : fmt::format(": {} would be large enough", fit.crashkernel));
}

std::string to_text(const ReservationFit& fit) {
    if (!fit.fits) return fmt::format("It is not known whether it is large enough: {}.", fit.unknown);
    if (fit.reserved == 0) return fmt::format("No memory is reserved: {}.{}", need_text(fit), cure_text(fit));
    return fmt::format("{} MiB {}{}: {}.{}", whole_mib(fit.reserved), answer(fit),
                       fit.rung == Rung::handoff ? " with the handoff" : "", need_text(fit), cure_text(fit));
}

}  // namespace handoff
