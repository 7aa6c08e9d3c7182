// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/load/reserve.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "lib/decide/findings.hpp"
#include "lib/kernel/crashkernel.hpp"

namespace handoff {
namespace {

using base::MiB;
using base::whole_mib;
using nlohmann::json;

constexpr std::array texts{
    std::pair{"words", &ReservationAsked::words},
    std::pair{"boot_id", &ReservationAsked::boot_id},
    std::pair{"time", &ReservationAsked::time},
    std::pair{"tool", &ReservationAsked::tool},
};

// Which of the crash kernel's files was not read: "image" or "initrd"; "" if both were.
std::string not_read(const Need& need) {
    const auto assumed = [&](NeedPart part) {
        const NeedLine* line = need.find(part);
        return line && line->bytes != 0 && line->basis == Basis::assumed;
    };
    if (assumed(NeedPart::image)) return "image";
    return assumed(NeedPart::initrd) || assumed(NeedPart::unpacked) ? "initrd" : "";
}

std::string problem_of(const Recommendation& r, const LoadSettings& settings) {
    if (r.counts_on_loan && !r.loan->possible)
        return fmt::format("The size cannot count on a loan: {}.", without_full_stop(r.loan->why));
    if (r.counts_on_loan && r.chosen)
        if (std::string problem = lends_at_no_load(settings); !problem.empty()) return problem;
    if (!r.chosen || r.verdict == Verdict::refused)
        return "No crashkernel= is recommended for this machine. 'swiotlb-handoff recommend' says why.";
    if (!r.assumptions.empty())
        return fmt::format(
            "The recommendation rests on assumptions about this machine, such as {}. 'swiotlb-handoff recommend' names "
            "all of them.",
            r.assumptions.front().rule);
    if (const std::string file = not_read(r.need); !file.empty())
        return fmt::format(
            "The {} that kdump loads was not found, so its size is only assumed, and the reservation could be too "
            "small. Let kdump load a crash kernel once, and then run this command again.",
            file);
    if (!r.chosen->append.empty())
        return fmt::format(
            "{} is enough only if the crash kernel's command line has {}. Add that to kdump's configuration first.",
            r.chosen->reservation.text(), r.chosen->append);
    if (!r.counts_on_loan && (!r.chosen->fallback || !r.chosen->fallback->sure))
        return fmt::format("{} leaves too little memory for a load without the handoff, which needs a pool of its own.",
                           r.chosen->reservation.text());
    return {};
}

}  // namespace

std::string lends_at_no_load(const LoadSettings& settings) {
    if (settings.lend) return {};
    return "kdump does not lend the pool, so no later load would have the loan. Put SWIOTLB_HANDOFF_LEND=yes into its "
           "configuration first.";
}

ReservePlan plan_reserve(const Recommendation& r, const LoadSettings& settings) {
    ReservePlan plan;
    plan.problem = problem_of(r, settings);
    if (plan.possible()) plan.words = r.chosen->reservation.text();
    return plan;
}

std::string text_of(const ReservationAsked& asked) {
    json document = {{"schema", 1}};
    for (const auto& [name, member] : texts) document[name] = asked.*member;
    return document.dump(1, ' ', false, json::error_handler_t::replace) + "\n";
}

Result<ReservationAsked> parse_reservation_asked(std::string_view text) {
    const json document = json::parse(text, nullptr, false);
    if (!document.is_object()) return base::input_error(0, "expected an object of JSON");
    ReservationAsked asked;
    for (const auto& [name, member] : texts) {
        const auto found = document.find(name);
        if (found == document.end() || !found->is_string())
            return base::input_error(0, fmt::format("expected a text '{}', as reserve writes it", name));
        asked.*member = found->get<std::string>();
    }
    return asked;
}

ReservationFacts reservation_facts(const Machine& machine, std::optional<ReservationAsked> asked_for,
                                   std::string boot_id) {
    ReservationFacts facts;
    facts.asked = std::move(asked_for);
    facts.boot_id = std::move(boot_id);
    facts.failures = machine.reservation_failures;
    // A capture may lack the one or the other.
    if (!machine.iomem.empty() || !machine.crash_kernel.empty()) facts.bytes = reserved_bytes(machine);
    if (!machine.knows_command_line()) return facts;
    const auto words = crashkernel_words(machine.command_line);
    const auto line = CommandLine::parse(machine.command_line);
    if (!words || !line) return facts;
    facts.words = *words;
    const auto asked = reservation_of(*line, machine.ram.size());
    if (asked && *asked) {
        facts.asked_bytes = (*asked)->size;
        if ((*asked)->high) *facts.asked_bytes += (*asked)->low.value_or(0);
    } else if (asked) {
        facts.asked_bytes = 0;
    }
    return facts;
}

const char* name(Reserved reserved) {
    switch (reserved) {
        case Reserved::nothing_asked:
            return "nothing-asked";
        case Reserved::pending:
            return "pending";
        case Reserved::as_asked:
            return "as-asked";
        case Reserved::smaller:
            return "smaller";
        case Reserved::otherwise:
            return "otherwise";
        case Reserved::failed:
            return "failed";
        case Reserved::unknown:
            break;
    }
    return "unknown";
}

ReservationState judge_reserved(const ReservationFacts& facts) {
    const bool told = facts.asked_bytes.value_or(0) != 0;
    if (told && facts.bytes == 0)
        return {
            Reserved::failed,
            fmt::format("The kernel was booted with {} and reserved nothing{}. A crash leaves no dump.", *facts.words,
                        facts.failures.empty() ? "" : fmt::format(": \"{}\"", facts.failures.back().text))};
    if (!facts.asked) return {};
    const std::string& wanted = facts.asked->words;
    if (!facts.boot_id.empty() && facts.boot_id == facts.asked->boot_id)
        return {Reserved::pending, fmt::format("'reserve' asked for {}. The next boot has it.", wanted)};
    if (!facts.words || !facts.bytes)
        return {Reserved::unknown, fmt::format("'reserve' asked for {}. What this boot has cannot be read.", wanted)};
    if (*facts.words != wanted)
        return {
            Reserved::otherwise,
            fmt::format("'reserve' asked for {}, but this boot has {}. Another entry of the boot menu was booted, or "
                        "something changed the words back.",
                        wanted, facts.words->empty() ? "no crashkernel=" : *facts.words)};
    if (*facts.bytes < facts.asked_bytes.value_or(0))
        return {Reserved::smaller, fmt::format("'reserve' asked for {}, but only {} MiB are reserved now, because the "
                                               "reservation was made smaller in this boot.",
                                               wanted, whole_mib(*facts.bytes))};
    return {Reserved::as_asked,
            fmt::format("{} MiB are reserved, as 'reserve' asked for: {}.", whole_mib(*facts.bytes), wanted)};
}

}  // namespace handoff
