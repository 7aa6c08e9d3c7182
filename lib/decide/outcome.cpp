// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/decide/outcome.hpp"

#include "lib/kernel/placement.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "lib/kernel/constants.hpp"
#include "lib/kernel/device_pools.hpp"

namespace handoff {
namespace {

using base::KiB;
using base::MiB;
using base::whole_mib;
using e820::Type;

std::uint64_t memory_map_bytes(const RangeSet& ram) { return early_demand({ram, 0, 1, 0, 0, 0}).memory_map; }

// Each segment that was RAM for the loader is RAM for the kernel. A word that takes a page of the kernel's own image
// does no harm: the kernel adds it again (arch/x86/kernel/setup.c, e820_add_kernel_range()).
void judge_segments(const Proposal& c, const CommandLine& line, Findings& found) {
    for (const Scenario& s : c.scenarios) {
        const RangeSet before = boot_map(c, s.load).of(Type::ram);
        const auto map = apply_memory_words(boot_map(c, s.load), line);
        if (!map) return;  // said elsewhere
        const RangeSet after = map->of(Type::ram);
        for (const Segment& segment : s.load.segments)
            if (segment.name != "kernel" && before.contains(segment.range) && !after.contains(segment.range))
                return found.refuse("segments-in-ram",
                                    fmt::format("A word on the command line takes memory of the {} at {}.",
                                                segment.name, base::to_string(segment.range)),
                                    {}, "Remove the memmap= or mem= word that covers it.");
    }
}

// Devices may still write to all of the old pool. So the part that the crash kernel does not take over must not be
// memory of it.
void judge_rest(const Proposal& c, const CommandLine& line, Findings& found) {
    RangeSet rest({c.old_pool});
    rest.subtract(c.pool.range);
    for (const Scenario& s : c.scenarios) {
        const auto map = apply_memory_words(boot_map(c, s.load), line);
        if (!map) return;  // said elsewhere
        for (const e820::Entry& entry : map->entries)
            if (entry.type != Type::reserved && rest.overlaps(entry.range))
                return found.refuse(
                    "pool-part",
                    fmt::format("In the memory map of the crash kernel, {} is '{}'. It has a part of the old pool that "
                                "is not handed over, and devices may still write to it.",
                                base::to_string(entry.range), e820::log_label(entry.type)),
                    {}, "Remove the memmap= word that covers it.");
    }
}

}  // namespace

std::optional<e820::Table> judge_outcome(const Proposal& c, const CommandLine& line, Findings& found) {
    const Load& load = c.scenarios.front().load;
    auto map = apply_memory_words(boot_map(c, load), line);
    if (!map) {
        found.refuse("command-line-sound", unreadable_line(map.error()));
        return std::nullopt;
    }
    if (!map->of(Type::ram).contains(c.pool.range))
        found.refuse("map-once", "In the memory map of the crash kernel the pool is not RAM.");
    if (boot_map(c, load).of(Type::ram).overlaps(c.pool.range) && adds_ram(line, c.pool.range))
        found.refuse("map-once",
                     "In the memory map of the crash kernel the pool is RAM already, before the words add it.");

    judge_segments(c, line, found);
    judge_rest(c, line, found);
    std::uint64_t added = 0;
    for (const Scenario& s : c.scenarios) added = std::max(added, s.load.added_words);
    if (const std::string& own = c.question.config.command_line; !own.empty()) added += own.size() + 1;
    const std::uint64_t length = line.text().size() + added;
    if (length > c.cargo.image.cmdline_size)
        found.refuse(
            "command-line-fits",
            fmt::format(
                "With what the loader and the image add, the command line has {} bytes. The image accepts only {}.",
                length, c.cargo.image.cmdline_size),
            {}, "Make the crash kernel's command line shorter.");
    return *std::move(map);
}

void judge_memory_kept(const Proposal& c, const CommandLine& handed_line, const CommandLine& plain_line,
                       Findings& found) {
    const Scenario& s = c.scenarios.front();
    const auto handed = memory_of(c, s, handed_line);
    const auto plain = memory_of(c, s, plain_line);
    if (!handed || !plain || plain->images.empty()) return;
    RangeSet free = plain->ram;
    for (const AddressRange& r : plain->reserved) free.subtract(r);
    free.subtract(*AddressRange::from_size(plain->images.front(), plain->image_at_most));
    const auto option = swiotlb_option(plain_line, crash_release(c.question));
    const std::uint64_t own = option && option->slabs ? *option->slabs * slab_size : c.question.config.pool_bytes;
    const auto natural = natural_pool(free, own);
    RangeSet before = plain->ram, after = handed->ram;  // of the reservation: a table in boot_params may have the pool
    before.subtract(c.pool.range);
    after.subtract(c.pool.range);
    // If the pool is larger than its own would be, the crash kernel also needs memory for more slots.
    std::uint64_t slots = c.pool.slabs * slot_size;
    for (const DevicePool& pool : inherited_device_pools(handed_line)) {
        after.subtract(pool.range);
        slots += pool.range.size() / slab_size * slot_size;
    }
    const std::uint64_t own_slots = natural ? natural->size() / slab_size * slot_size : 0;
    const std::uint64_t cost = memory_map_bytes(handed->ram) - memory_map_bytes(before) + before.size() - after.size() +
                               slots - std::min(slots, own_slots);
    if (!natural)
        found.note("memory-kept", fmt::format("Without the handoff the crash kernel would have no pool. With it, the "
                                              "pool costs up to {} KiB of the reservation, for struct pages and slots.",
                                              cost / KiB));
    else if (cost > natural->size())
        found.refuse(
            "memory-kept",
            fmt::format("The handoff costs {} KiB for struct pages, slots and fences, and gives back only {} KiB.",
                        cost / KiB, natural->size() / KiB));
    else
        found.note(
            "memory-kept",
            fmt::format(
                "The crash kernel has {} MiB more of its reservation for itself, because it makes no pool there.",
                (natural->size() - cost) / MiB));
}

void judge_loan_gain(const Proposal& c, const e820::Table& after, Findings& found) {
    const e820::Table& before = c.scenarios.front().load.map;
    const std::uint64_t cost = memory_map_bytes(after.of(Type::ram)) - memory_map_bytes(before.of(Type::ram));
    const std::uint64_t size = c.pool.range.size();
    if (cost >= size)
        found.refuse("lend-gain", fmt::format("The pool has {} MiB, and its struct pages would take {} MiB.",
                                              whole_mib(size), whole_mib(cost)));
    else
        found.note(
            "lend-gain",
            fmt::format("The crash kernel has {} MiB more memory, because the pool is lent to it as ordinary RAM.",
                        (size - cost) / MiB));
}

}  // namespace handoff
