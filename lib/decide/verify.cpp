// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/decide/verify.hpp"

#include "lib/kernel/command_line.hpp"

namespace handoff {

const char* name(Landing landing) {
    switch (landing) {
        case Landing::exact:
            return "exact";
        case Landing::elsewhere:
            return "elsewhere";
        case Landing::no_pool:
            return "no-pool";
        case Landing::no_handoff:
            return "no-handoff";
        case Landing::lent:
            return "lent";
        case Landing::not_lent:
            return "not-lent";
    }
    return "unknown";
}

std::optional<Landing> landing_from(std::string_view text) {
    for (const Landing landing :
         {Landing::exact, Landing::elsewhere, Landing::no_pool, Landing::no_handoff, Landing::lent, Landing::not_lent})
        if (text == name(landing)) return landing;
    return std::nullopt;
}

Result<Verification> verify(const Machine& machine, const std::optional<AddressRange>& asked) {
    Verification verification;
    const auto line = CommandLine::parse(machine.command_line);
    if (!line) return line.error();
    const auto promised = read_marker(*line);
    if (!promised) return promised.error();
    const auto lent = read_marker(*line, lent_key);
    if (!lent) return lent.error();
    verification.promised = *lent ? *lent : *promised ? *promised : asked;
    if (*lent && machine.ram.ranges().empty())
        return Error{Errc::not_found, "proc/iomem", 0,
                     "expected System RAM, found none, so that nothing shows whether the old pool is RAM"};
    if (!machine.pool.empty()) verification.found = machine.pool.front();
    if (*lent)
        verification.landing = machine.ram.contains(**lent) && !verification.found ? Landing::lent : Landing::not_lent;
    else if (!verification.promised)
        verification.landing = Landing::no_handoff;
    else if (!verification.found)
        verification.landing = Landing::no_pool;
    else
        verification.landing =
            verification.found->range == *verification.promised ? Landing::exact : Landing::elsewhere;
    return verification;
}

}  // namespace handoff
