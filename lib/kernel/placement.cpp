// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/kernel/placement.hpp"

#include <algorithm>
#include <bit>

#include <fmt/format.h>

#include "lib/kernel/constants.hpp"

namespace handoff {
namespace {

using base::Address;
using base::AddressRange;
using base::align_down;
using base::align_up;
using base::KiB;
using base::MiB;
using base::page_size;
using base::RangeSet;

std::uint64_t sections_with_memory(const RangeSet& ram) {
    std::uint64_t sections = 0;
    Address next = 0;  // first section not counted yet
    for (const AddressRange& r : ram.ranges()) {
        const Address first = std::max(next, r.start() / section_size);
        const Address last = (r.end() - 1) / section_size;
        if (last + 1 > first) sections += last + 1 - first;
        next = std::max(next, last + 1);
    }
    return sections;
}

// The low 1 MiB is reserved as a whole before anything is allocated
// (arch/x86/realmode/init.c, reserve_real_mode()); 5.10 reserves it in parts, of
// which none can hold a pool. Pages that are only partly RAM are dropped
// (mm/memblock.c, memblock_trim_memory()).
RangeSet usable(const RangeSet& ram) {
    std::vector<AddressRange> pages;
    for (const AddressRange& r : ram.ranges()) {
        const Address start = std::max<Address>(align_up(r.start(), page_size), MiB);
        const Address end = align_down(r.end(), page_size);
        if (start < end) pages.push_back(*AddressRange::from_bounds(start, end));
    }
    return RangeSet(std::move(pages));
}

AddressRange image_at(Address start, std::uint64_t size) { return *AddressRange::from_size(start, size); }

// Bytes that requests of at most `largest` are sure to get from these blocks,
// in whatever order they come: a block refuses such a request only when less
// than `largest` is left of it.
std::uint64_t sure_room(const std::vector<AddressRange>& blocks, std::uint64_t largest) {
    std::uint64_t room = 0;
    for (const AddressRange& b : blocks)
        if (b.size() > largest) room += b.size() - largest;
    return room;
}

std::vector<AddressRange> above(const RangeSet& free, Address end) {
    std::vector<AddressRange> blocks;
    for (const AddressRange& b : free.ranges())
        if (b.end() > end) blocks.push_back(*AddressRange::from_bounds(std::max(b.start(), end), b.end()));
    return blocks;
}

std::uint64_t largest_of(const std::vector<AddressRange>& blocks) {
    std::uint64_t largest = 0;
    for (const AddressRange& b : blocks) largest = std::max(largest, b.size());
    return largest;
}

// What may not fit into these blocks above the pool, whatever the order of requests. `image` and `block` are the
// caller's.
std::optional<Counterexample> find_shortage(const std::vector<AddressRange>& blocks, const EarlyDemand& demand) {
    using Kind = Counterexample::Kind;
    const auto shortage = [](Kind kind, std::uint64_t wanted, std::uint64_t room) {
        return Counterexample{kind, {}, {}, {}, wanted, room};
    };
    // The memory map is one large request. It fits where a block holds it
    // after all that came before was taken from that very block; so does any
    // other large one where a block holds everything. Such a block is asked for
    // even where the memory map is small: what 5.10 to 6.12 want near the node's
    // data (mm/sparse.c, sparse_early_usemaps_alloc_pgdat_section()) finds room
    // in it, before it would be taken from the pool.
    const std::uint64_t up_to_map = demand.before_memory_map + demand.memory_map + demand.low + 2 * MiB;
    const bool other_large = std::max(demand.largest_other, demand.low) > EarlyDemand::largest_request;
    const std::uint64_t in_one_piece = other_large ? demand.total() + EarlyDemand::largest_request : up_to_map;
    const std::uint64_t largest_block = largest_of(blocks);
    const std::uint64_t wanted = demand.total() + 2 * MiB;
    const std::uint64_t room = sure_room(blocks, EarlyDemand::largest_request);
    if (largest_block < in_one_piece) return shortage(Kind::eaten, in_one_piece, largest_block);
    if (room < wanted) return shortage(Kind::eaten, wanted, room);
    if (demand.low == 0) return std::nullopt;

    // What must lie below 4 GiB fits where a low block holds it after all others took from that block. They do not
    // where memory above 4 GiB, at which memblock looks first, surely holds them.
    std::vector<AddressRange> low_blocks, high_blocks;
    for (const AddressRange& b : blocks) {
        low_blocks.push_back(b.intersect(*AddressRange::from_bounds(0, low_memory_end)));
        high_blocks.push_back(b.intersect(*AddressRange::from_bounds(low_memory_end, ~Address{0})));
    }
    const bool high_holds_others =
        sure_room(high_blocks, EarlyDemand::largest_request) >= wanted && largest_of(high_blocks) >= in_one_piece;
    const std::uint64_t low_wanted = demand.low + 2 * MiB + (high_holds_others ? 0 : wanted);
    const std::uint64_t low_room = largest_of(low_blocks);
    if (low_room < low_wanted) return shortage(Kind::eaten_low, low_wanted, low_room);
    return std::nullopt;
}

}  // namespace

const char* name(Counterexample::Kind kind) {
    switch (kind) {
        case Counterexample::Kind::not_ram:
            return "not-ram";
        case Counterexample::Kind::slides_up:
            return "slides-up";
        case Counterexample::Kind::other_block:
            return "other-block";
        case Counterexample::Kind::eaten:
            return "eaten";
        case Counterexample::Kind::eaten_low:
            return "eaten-low";
    }
    return "unknown";
}

std::string to_string(const Counterexample& c) {
    const Address pool = c.pool.value_or(0);
    std::string text;
    switch (c.kind) {
        case Counterexample::Kind::not_ram:
            text = "the old pool is not free RAM of the crash kernel as a whole.";
            break;
        case Counterexample::Kind::slides_up:
            text = fmt::format(
                "the crash kernel puts its pool higher, at {:#x}, because the free memory {} follows the old pool "
                "without a gap.",
                pool, base::to_string(c.block));
            break;
        case Counterexample::Kind::other_block:
            text = fmt::format("the crash kernel puts its pool at {:#x}, in the free block {}.", pool,
                               base::to_string(c.block));
            break;
        case Counterexample::Kind::eaten:
            text = fmt::format(
                "early allocations need up to {} MiB, and only {} MiB above the old pool are certainly free. They "
                "would "
                "take a part of the old pool.",
                base::whole_mib(c.wanted), c.room / MiB);
            break;
        case Counterexample::Kind::eaten_low:
            text = fmt::format(
                "early allocations below 4 GiB need up to {} KiB, and only {} KiB between the old pool and 4 GiB are "
                "certainly free. They would take a part of the old pool.",
                (c.wanted + KiB - 1) / KiB, c.room / KiB);
            break;
    }
    if (!c.image) return static_cast<char>(text.front() - 'a' + 'A') + text.substr(1);
    const std::string end = c.smaller_image ? fmt::format(" and ends below {:#x}", pool) : std::string();
    return fmt::format("If the kernel image is at {:#x}{}, {}", *c.image, end, text);
}

EarlyDemand early_demand(const DemandInput& input) {
    const std::uint64_t ram = input.ram.size();
    EarlyDemand demand;
    // Section roots: 8 bytes for each 256 sections of the 52-bit address space,
    // 2 MiB where CONFIG_X86_5LEVEL is set (mm/sparse.c, memory_present()).
    // Node data: 172 KiB. Page tables: with 2 MiB pages a handful; with 4 KiB
    // pages only (debug_pagealloc) 1/512 of RAM. What words and configuration ask for: the buffer of log_buf_len= is
    // taken here (arch/x86/kernel/setup.c, setup_log_buf(1)); the rest comes later, and may as well come here.
    demand.before_memory_map = 2 * MiB + 1 * MiB + ram / 512 + input.extra;
    demand.memory_map = sections_with_memory(input.ram) * section_memory_map_size;
    // Per-CPU areas come in units of 2 MiB that hold several CPUs
    // (mm/percpu.c, pcpu_embed_first_chunk()); 512 KiB is more than any CPU's.
    // In one request; up to a third may be waste (pcpu_build_alloc_info()).
    const std::uint64_t per_cpu =
        align_up(std::uint64_t{input.cpus} * 512 * KiB, 2 * MiB) + (input.cpus > 1 ? 2 * MiB : 0);
    // Dentry and inode hashes: 8 bytes per 8 and 16 KiB of RAM, rounded up to a
    // power of two (fs/dcache.c, fs/inode.c).
    const std::uint64_t dentry_hash = std::bit_ceil(ram / 1024 + 1);
    const std::uint64_t hashes = dentry_hash * 3 / 2;
    // A third more than today's, for what a later kernel may add.
    const std::uint64_t slots = input.slabs * slot_size * 4 / 3;
    demand.after_memory_map = per_cpu + hashes + slots + kfence_bytes + 1 * MiB;
    demand.low = input.low;
    demand.largest_other = std::max({2 * MiB, per_cpu, dentry_hash, input.extra_largest});
    return demand;
}

// swiotlb_reserve_addr() of the patches in kernel/.
std::optional<Counterexample> find_refused_addr(const CrashMemory& memory, const AddressRange& pool) {
    RangeSet free = memory.ram;
    for (const AddressRange& r : memory.reserved) free.subtract(r);
    for (const AddressRange& r : memory.maybe_reserved) free.subtract(r);
    if (!free.contains(pool)) return Counterexample{Counterexample::Kind::not_ram, {}, pool, {}};
    for (const Address image : memory.images)
        if (image_at(image, memory.image_at_most).overlaps(pool))
            return Counterexample{Counterexample::Kind::not_ram, image, pool, {}};
    return std::nullopt;
}

std::optional<Counterexample> find_counterexample(const CrashMemory& memory, const AddressRange& pool,
                                                  const EarlyDemand& demand) {
    using Kind = Counterexample::Kind;
    RangeSet most = usable(memory.ram);  // everything that could be free
    for (const AddressRange& r : memory.reserved) most.subtract(r);
    if (!most.contains(pool)) return Counterexample{Kind::not_ram, {}, pool, {}};

    RangeSet least = most;  // what is free for certain
    for (const AddressRange& r : memory.maybe_reserved)
        if (!r.overlaps(pool)) least.subtract(r);

    for (const Address image : memory.images) {
        if (image_at(image, memory.image_at_most).overlaps(pool)) return Counterexample{Kind::not_ram, image, pool, {}};

        RangeSet could_be_free = most;
        if (memory.image_at_least != 0) could_be_free.subtract(image_at(image, memory.image_at_least));
        // From the top, as memblock looks: the first block that fits is taken.
        for (auto b = could_be_free.ranges().rbegin(); b != could_be_free.ranges().rend() && b->end() > pool.end();
             ++b) {
            const Address end = std::min<Address>(b->end(), low_memory_end);
            if (b->start() >= end) continue;
            const bool slides_up = b->start() < pool.end();
            if (!slides_up && end - b->start() < pool.size()) continue;
            Counterexample other{slides_up ? Kind::slides_up : Kind::other_block, image, *b, end - pool.size()};
            other.smaller_image = image_at(image, memory.image_at_most).overlaps(image_at(*other.pool, pool.size()));
            return other;
        }

        RangeSet surely_free = least;
        surely_free.subtract(image_at(image, memory.image_at_most));
        if (auto eaten = find_shortage(above(surely_free, pool.end()), demand)) {
            eaten->image = image;
            eaten->block = pool;
            return eaten;
        }
    }
    return std::nullopt;
}

std::optional<std::vector<AddressRange>> fences(const CrashMemory& memory, const AddressRange& pool,
                                                const std::vector<AddressRange>& keep_out) {
    RangeSet free = usable(memory.ram);
    for (const AddressRange& r : memory.reserved) free.subtract(r);
    const RangeSet forbidden(keep_out);
    std::vector<AddressRange> placed;

    // A barrier where free memory touches the pool's end, then from the top of
    // each block down: a fence as low as it may be, so that what stays above it
    // is just too small for the pool.
    const auto page_at = [](Address a) { return image_at(a, page_size); };
    for (const AddressRange& b : free.ranges()) {
        const Address start = std::max(b.start(), pool.end());
        Address end = std::min<Address>(b.end(), low_memory_end);
        if (start >= end) continue;
        if (b.start() < pool.end()) {
            if (forbidden.overlaps(page_at(start))) return std::nullopt;
            placed.push_back(page_at(start));
        }
        while (end - start >= pool.size()) {
            Address fence = end - pool.size();
            while (fence < end && forbidden.overlaps(page_at(fence))) {
                const auto blocker = std::find_if(forbidden.ranges().begin(), forbidden.ranges().end(),
                                                  [&](const AddressRange& r) { return r.overlaps(page_at(fence)); });
                fence = align_up(blocker->end(), page_size);
            }
            if (fence + page_size > end) return std::nullopt;
            placed.push_back(page_at(fence));
            end = fence;
        }
    }
    std::sort(placed.begin(), placed.end());
    placed.erase(std::unique(placed.begin(), placed.end()), placed.end());
    return placed;
}

std::optional<AddressRange> natural_pool(const RangeSet& free, std::uint64_t bytes) {
    const RangeSet low = free.within(*AddressRange::from_bounds(0, low_memory_end));
    for (; bytes >= smallest_pool_size; bytes /= 2)
        if (const auto place = low.highest_fit(bytes, 1)) return place;
    return std::nullopt;
}

}  // namespace handoff
