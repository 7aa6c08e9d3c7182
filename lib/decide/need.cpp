// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/decide/need.hpp"
#include "lib/machine/device.hpp"

#include <algorithm>

#include "lib/kernel/constants.hpp"
#include "lib/kernel/next_boot.hpp"
#include "lib/kernel/placement.hpp"

namespace handoff {
namespace {

using base::align_up;
using base::GiB;
using base::MiB;
using base::page_size;

// For coherent buffers of old controllers. So small that no pool of ordinary size fits
// into it, whatever touches it.
constexpr std::uint64_t ordinary_low = 32 * MiB;

}  // namespace

Need need_for(const Machine& machine, const PlanRequest& request, std::uint64_t reservation_bytes,
              std::uint64_t margin) {
    const auto bounded = [](std::uint64_t bytes) { return std::min(bytes, largest_reservation); };
    const std::uint64_t initrd = bounded(assumed_initrd_bytes(request));
    // Anywhere: the bound goes by sizes, and by sections of 128 MiB.
    RangeSet memory;
    memory.add(*AddressRange::from_size(0, bounded(reservation_bytes)));
    memory.add(*AddressRange::from_size(64 * GiB, pool_bytes(machine)));
    Need need;
    need.image = align_up(bounded(assumed_image(machine, request).init_size), 2 * MiB);
    need.initrd = initrd;
    need.unpacked = Need::unpack_factor * initrd;
    need.early = early_demand({memory, pool_bytes(machine) / slab_size, 1, 0, 0, 0}).total();
    need.bitmaps = machine.ram.size() / page_size / 4;
    need.margin = bounded(margin);
    return need;
}

LowPart low_part(const Machine& machine, std::uint64_t pool_bytes) {
    LowPart part;
    part.known = machine.devices.has_value();
    if (machine.devices)
        for (const DmaDevice& d : *machine.devices)
            if (needs_low_memory(d)) part.because.push_back(d);
    if (part.known && part.because.empty()) return part;
    // Where the pool itself is as small, something smaller.
    part.bytes = pool_bytes != 0 && pool_bytes <= ordinary_low ? pool_bytes / 2 : ordinary_low;
    return part;
}

}  // namespace handoff
