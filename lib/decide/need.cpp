// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/decide/need.hpp"
#include "lib/machine/device.hpp"

#include <algorithm>

#include <fmt/format.h>

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

// Of an initrd that was not looked into.
constexpr std::uint64_t unpack_factor = 4;

std::uint64_t bounded(std::uint64_t bytes) { return std::min(bytes, largest_reservation); }

// The running kernel's image lies in memory from its code to the end of its bss, and so does the crash kernel's where
// it is the same.
NeedLine image_line(const Machine& machine, const PlanRequest& request) {
    const Image image = assumed_image(machine, request);
    NeedLine line{NeedPart::image, align_up(bounded(image.init_size), 2 * MiB), 0, Basis::assumed, "no image was read"};
    if (!request.image) return line;
    line.basis = Basis::read;
    line.from = "init_size in the image's header";
    if (machine.kernel_image && image.release == machine.release && !image.release.empty())
        line.at_least = std::min(line.bytes, machine.kernel_image->size());
    return line;
}

NeedLine early_line(const Machine& machine, std::uint64_t reservation_bytes) {
    // Anywhere: the bound goes by sizes, and by sections of 128 MiB.
    RangeSet memory;
    memory.add(*AddressRange::from_size(0, bounded(reservation_bytes)));
    const std::uint64_t certain = early_demand({memory, 0, 1, 0, 0, 0}).memory_map;
    memory.add(*AddressRange::from_size(64 * GiB, pool_bytes(machine)));
    return {NeedPart::early, early_demand({memory, pool_bytes(machine) / slab_size, 1, 0, 0, 0}).total(), certain,
            Basis::read, "a bound for kernels of 5.10 to 7.3"};
}

}  // namespace

const char* name(Basis basis) { return basis == Basis::read ? "read" : "assumed"; }

const char* name(NeedPart part) {
    switch (part) {
        case NeedPart::image:
            return "image";
        case NeedPart::initrd:
            return "initrd";
        case NeedPart::unpacked:
            return "unpacked";
        case NeedPart::early:
            return "early";
        case NeedPart::bitmaps:
            return "bitmaps";
        case NeedPart::own_pool:
            return "own-pool";
        case NeedPart::margin:
            return "margin";
    }
    return "unknown";
}

std::uint64_t Need::lower_bound() const {
    std::uint64_t always = 0, packed = 0, later = 0;
    for (const NeedLine& line : lines) {
        // populate_rootfs() frees the initrd when it is unpacked; makedumpfile runs after that (init/initramfs.c).
        std::uint64_t& sum = line.part == NeedPart::initrd ? packed : line.part == NeedPart::bitmaps ? later : always;
        sum += line.at_least;
    }
    return always + std::max(packed, later);
}

std::uint64_t Need::recommended() const {
    std::uint64_t sum = 0;
    for (const NeedLine& line : lines) sum += line.bytes;
    return sum;
}

bool Need::rests_on_assumptions() const {
    return std::any_of(lines.begin(), lines.end(), [](const NeedLine& line) {
        return line.basis == Basis::assumed && line.part != NeedPart::margin;
    });
}

const NeedLine* Need::find(NeedPart part) const {
    const auto line = std::find_if(lines.begin(), lines.end(), [part](const NeedLine& l) { return l.part == part; });
    return line == lines.end() ? nullptr : &*line;
}

Need need_for(const Machine& machine, const PlanRequest& request, std::uint64_t reservation_bytes,
              std::uint64_t margin) {
    const std::uint64_t initrd = bounded(assumed_initrd_bytes(request));
    Need need;
    need.lines.push_back(image_line(machine, request));
    need.lines.push_back(request.initrd_bytes
                             ? NeedLine{NeedPart::initrd, initrd, initrd, Basis::read, "the size of the file"}
                             : NeedLine{NeedPart::initrd, initrd, 0, Basis::assumed, "no initrd was read"});
    need.lines.push_back({NeedPart::unpacked, unpack_factor * initrd, 0, Basis::assumed,
                          fmt::format("{} times as much as the packed one", unpack_factor)});
    need.lines.push_back(early_line(machine, reservation_bytes));
    need.lines.push_back({NeedPart::bitmaps, machine.ram.size() / page_size / 4, 0, Basis::read,
                          "two bits for each page of the machine's memory"});
    need.lines.push_back({NeedPart::margin, bounded(margin), 0, Basis::assumed, "--margin"});
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
