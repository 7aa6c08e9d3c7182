// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/decide/verify.hpp"

#include <algorithm>

#include "lib/kernel/command_line.hpp"
#include "lib/kernel/device_pools.hpp"

namespace handoff {
namespace {

DeviceLanding look_for(const DevicePool& promised, const std::vector<DevicePool>& pools) {
    DeviceLanding landing{Landing::no_pool, promised, {}};
    for (const DevicePool& pool : pools) {
        if (pool.devices != promised.devices || landing.landing == Landing::exact) continue;
        landing.landing = pool.range == promised.range ? Landing::exact : Landing::elsewhere;
        landing.found = pool;
    }
    return landing;
}

}  // namespace

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
    for (const DevicePool& pool : inherited_device_pools(*line))
        verification.devices.push_back(look_for(pool, machine.device_pools));
    return verification;
}

Promises promises_of(const Verification& verification) {
    const auto& devices = verification.devices;
    if (std::any_of(devices.begin(), devices.end(), [](const DeviceLanding& d) { return d.landing != Landing::exact; }))
        return Promises::broken;
    switch (verification.landing) {
        case Landing::exact:
        case Landing::lent:
            return Promises::kept;
        case Landing::no_handoff:
            return devices.empty() ? Promises::none : Promises::kept;
        case Landing::not_lent:
        case Landing::elsewhere:
        case Landing::no_pool:
            break;
    }
    return Promises::broken;
}

}  // namespace handoff
