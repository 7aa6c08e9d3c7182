// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/kernel/next_boot.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "e820/log.hpp"
#include "lib/kernel/behaviour.hpp"
#include "lib/kernel/constants.hpp"

namespace handoff {
namespace {

using base::align_down;
using base::align_up;
using base::MiB;
using base::page_size;

// memblock_phys_alloc_range().
std::optional<AddressRange> take(RangeSet& free, std::uint64_t size, Address start, Address end) {
    const RangeSet room = free.within(*AddressRange::from_bounds(start, end));
    const auto taken = room.highest_fit(size, reservation_alignment);
    if (taken) free.subtract(*taken);
    return taken;
}

// What boot loaders and the EFI stub pass on, such as ROMs of PCI devices. The kernel reserves that before all else
// (arch/x86/kernel/setup.c, memblock_x86_reserve_range_setup_data()), and up to 6.19 a source shows where it is.
RangeSet setup_data(const Machine& machine) {
    e820::Table shown;
    for (const IomemEntry& entry : machine.iomem)
        if (entry.kind() == IomemKind::system_ram && !entry.range.empty())
            shown.entries.push_back({entry.range, e820::Type::ram});
    const e820::Table with_data = e820::with_setup_data(std::move(shown));
    RangeSet all = with_data.of(e820::Type::reserved_kern);
    for (const MapSighting& map : machine.other_maps) {
        const RangeSet shown_there = map.table.of(e820::Type::reserved_kern);
        for (const AddressRange& range : shown_there.ranges()) all.add(range);
    }
    return all;
}

// What is free when the kernel places reservation and pool. Reserved by then: the first MiB, the kernel where it runs,
// the initrd where it was put, pools of single devices, setup_data. What else there is (page tables, node data) comes
// from the top of memory or is small; but for the memory of EFI's boot services, which nothing shows
// (arch/x86/platform/efi/quirks.c, efi_reserve_boot_services()).
RangeSet free_at_boot(const Machine& machine) {
    RangeSet free = machine.ram.within(*AddressRange::from_bounds(MiB, high_reservation_end));
    if (machine.kernel_image) free.subtract(*machine.kernel_image);
    if (machine.initrd) free.subtract(*machine.initrd);
    for (const DevicePool& pool : machine.device_pools) free.subtract(pool.range);
    const RangeSet passed_on = setup_data(machine);
    for (const AddressRange& range : passed_on.ranges()) free.subtract(range);
    return free;
}

struct Places {
    std::vector<AddressRange> crash_kernel;  // by address
    std::vector<AddressRange> pools;         // where the pool can be, the kernel's own choice first
};

std::optional<Places> lay_out(const Machine& machine, const Reservation& wanted, std::uint64_t pool_bytes,
                              std::uint64_t shift) {
    RangeSet free = free_at_boot(machine);
    Places layout;
    std::optional<AddressRange> main;
    if (wanted.size == 0) {
        main = AddressRange();
    } else if (wanted.base) {
        const auto exact = AddressRange::from_size(*wanted.base, wanted.size);
        if (!exact || !free.contains(*exact)) return std::nullopt;
        free.subtract(*exact);
        main = *exact;
    } else if (wanted.high) {
        main = take(free, wanted.size, low_memory_end, high_reservation_end);
    } else {
        const Address end = reserves_below_896_mib(machine.release) ? 896 * MiB : low_memory_end;
        main = take(free, wanted.size, reservation_alignment, end);
    }
    if (!main) return std::nullopt;
    if (main->start() >= low_memory_end) {
        const std::uint64_t low = wanted.low.value_or(default_low(pool_bytes));
        if (low != 0) {
            const auto part = take(free, low, 0, low_memory_end);
            if (!part) return std::nullopt;
            layout.crash_kernel.push_back(*part);
        }
    }
    if (!main->empty()) layout.crash_kernel.push_back(*main);
    if (pool_bytes == 0) return layout;

    // swiotlb_memblock_alloc(): what was allocated before it lies above it, in other memory
    // where there is any, else at the top of the same block (`shift`).
    const RangeSet room = free.within(*AddressRange::from_bounds(0, low_memory_end));
    for (auto r = room.ranges().rbegin(); r != room.ranges().rend(); ++r)
        if (r->size() >= pool_bytes + shift)
            layout.pools.push_back(
                *AddressRange::from_size(align_down(r->end() - shift - pool_bytes, page_size), pool_bytes));
    if (layout.pools.empty()) return std::nullopt;
    return layout;
}

// Where something that nothing shows lies in a block, the pool need not touch the low part of the reservation, nor lie
// below it: pools of both kinds, with what is reserved then.
std::vector<Places> unseen_places(const Machine& machine, const Places& layout, std::uint64_t pool_bytes) {
    if (layout.crash_kernel.size() < 2) return {};
    const AddressRange low = layout.crash_kernel.front();
    const RangeSet room = free_at_boot(machine);
    const std::uint64_t down = align_up(pool_bytes, reservation_alignment);
    if (pool_bytes == 0 || low.start() < 2 * down) return {};
    std::vector<Places> unseen;
    const auto add = [&](const AddressRange& part, const AddressRange& pool) {
        if (!room.contains(part) || !room.contains(pool)) return;
        Places places{layout.crash_kernel, {pool}};
        places.crash_kernel.front() = part;
        unseen.push_back(std::move(places));
    };
    add(low, *AddressRange::from_size(low.start() - 2 * down, pool_bytes));
    const AddressRange lower = *AddressRange::from_size(low.start() - down, low.size());
    add(lower, *AddressRange::from_size(lower.end(), pool_bytes));
    return unseen;
}

// Why a layout may be another one than the model's: what it is not told.
std::string not_shown(const Machine& machine) {
    std::string text;
    if (machine.efi) text += " The boot services of EFI hold memory at that time, and no source shows where.";
    if (!machine.kernel_image) text += " No source shows where the kernel itself lies.";
    if (machine.release.empty())
        text += " The release of the kernel is not known: before Linux 5.2 a reservation lies below 896 MiB.";
    return text;
}

Machine with_layout(const Machine& machine, const Reservation& reservation, const Places& layout,
                    std::optional<AddressRange> pool) {
    Machine next = machine;
    next.crash_kernel = layout.crash_kernel;
    next.crash_kernel_from = {reservation.text(), 0};
    next.crash_size.reset();
    // The line of a kernel that lists its pool will be elsewhere, too.
    std::erase_if(next.iomem, [&](const IomemEntry& entry) {
        return std::any_of(machine.pool.begin(), machine.pool.end(), [&](const PoolSighting& s) {
            return s.source == PoolSource::iomem && s.where.line == entry.line;
        });
    });
    next.pool.clear();
    if (pool) next.pool.push_back({*pool, PoolSource::user, {"the next boot's layout", 0}});
    return next;
}

}  // namespace

std::uint64_t pool_bytes(const Machine& machine) {
    return machine.pool.empty() ? 0 : machine.pool.front().range.size();
}

std::vector<Machine> next_boots(const Machine& machine, const Reservation& reservation,
                                const LayoutComparison& reproduced) {
    const auto layout = lay_out(machine, reservation, pool_bytes(machine), reproduced.shift);
    if (!layout) return {};
    if (layout->pools.empty()) return {with_layout(machine, reservation, *layout, std::nullopt)};
    std::vector<Machine> boots;
    for (const AddressRange& pool : layout->pools) {
        boots.push_back(with_layout(machine, reservation, *layout, pool));
        if (reproduced.layout) return boots;
    }
    for (const Places& places : unseen_places(machine, *layout, pool_bytes(machine)))
        boots.push_back(with_layout(machine, reservation, places, places.pools.front()));
    return boots;
}

std::optional<Machine> next_boot(const Machine& machine, const Reservation& reservation, std::uint64_t shift) {
    auto boots = next_boots(machine, reservation, {true, shift, {}});
    if (boots.empty()) return std::nullopt;
    return std::move(boots.front());
}

LayoutComparison reproduce(const Machine& machine) {
    LayoutComparison r;
    const auto line = CommandLine::parse(machine.command_line);
    const auto now = line ? reservation_of(*line, machine.ram.size()) : line.error();
    const bool known = now && now->has_value() == !machine.crash_kernel.empty() && !machine.command_line.empty();
    if (!known) {
        r.text = "The crashkernel= of the running kernel is not known, so the model cannot be compared with this boot.";
        return r;
    }
    Reservation words = now->value_or(Reservation());
    auto next = next_boot(machine, words);
    if (!next && !words.high && !words.base &&
        !reserves_below_896_mib(machine.release)) {  // what reserve_crashkernel() does next
        words.high = true;
        next = next_boot(machine, words);
    }
    if (!next) {
        r.text = fmt::format("The model finds no place for {}, but the kernel found one.{}",
                             words.size == 0 ? "the pool" : words.text(), not_shown(machine));
        return r;
    }
    const auto ranges = [](const std::vector<AddressRange>& all) {
        std::string text;
        for (const AddressRange& one : all) text += (text.empty() ? "" : " ") + base::to_string(one);
        return text;
    };
    // It may have been made smaller since, which takes from its end. Above 4 GiB early boot takes
    // a little from the top before, which the model leaves out: where it lies there changes nothing below.
    const auto same = [](const AddressRange& is, const AddressRange& was) {
        const bool both_high = is.start() >= low_memory_end && was.start() >= low_memory_end;
        return (both_high || is.start() == was.start()) && is.size() <= was.size();
    };
    if (!std::equal(machine.crash_kernel.begin(), machine.crash_kernel.end(), next->crash_kernel.begin(),
                    next->crash_kernel.end(), same)) {
        r.text = fmt::format("The reservation is at {}, but the model puts it at {}.{}", ranges(machine.crash_kernel),
                             ranges(next->crash_kernel), not_shown(machine));
        return r;
    }
    // No pool, or a source that shows one without a byte: the model places none.
    if (next->pool.empty()) {
        r.layout = true;
        return r;
    }
    const AddressRange is = machine.pool.front().range, model = next->pool.front().range;
    // Early allocations of a machine whose RAM is all below 4 GiB lie above the pool, in its block.
    const auto gap = AddressRange::from_bounds(is.end(), std::max(is.end(), model.end()));
    const bool same_block = is.end() <= model.end() && (gap->empty() || machine.ram.contains(*gap));
    if (!same_block) {
        r.text = fmt::format("The pool is at {}, but the model puts it at {}.{}", base::to_string(is),
                             base::to_string(model), not_shown(machine));
        return r;
    }
    r.layout = true;
    r.shift = gap->size();
    return r;
}

}  // namespace handoff
