// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/kernel/placement.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <ostream>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "lib/kernel/boot_words.hpp"
#include "tests/memblock_reference.hpp"

namespace handoff {
namespace {

using base::Address;
using base::AddressRange;
using base::GiB;
using base::KiB;
using base::MiB;
using base::page_size;
using base::RangeSet;
using Kind = Counterexample::Kind;

AddressRange range(Address start, std::uint64_t size) { return AddressRange::from_size(start, size).value(); }

// --- drawings: one character is 16 MiB, the pool is 'R' -----------------------------------------------------------
//
//   R  the pool        -  free RAM       K  the kernel's image (its first K is where it starts)
//   .  not RAM         i  initrd         |  one page that is not RAM, at the start of what follows

constexpr std::uint64_t unit = 16 * MiB;

struct Drawing {
    CrashMemory memory;
    AddressRange pool;
};

void draw(Drawing& drawing, std::string_view picture, Address base) {
    std::vector<AddressRange> ram = drawing.memory.ram.ranges(), pages;
    Address at = base;
    std::optional<Address> image;
    std::uint64_t image_bytes = 0;
    for (const char c : picture) {
        if (c == '|') {
            pages.push_back(range(at, page_size));
            continue;
        }
        const AddressRange here = range(at, unit);
        if (c != '.') ram.push_back(here);
        if (c == 'R')
            drawing.pool = drawing.pool.empty() ? here : range(drawing.pool.start(), drawing.pool.size() + unit);
        if (c == 'i') drawing.memory.reserved.push_back(here);
        if (c == 'K') {
            if (!image) image = at;
            image_bytes += unit;
        }
        at += unit;
    }
    drawing.memory.ram = RangeSet(std::move(ram));
    for (const AddressRange& page : pages) drawing.memory.ram.subtract(page);
    if (image) {
        drawing.memory.images.push_back(*image);
        drawing.memory.image_at_least = drawing.memory.image_at_most = image_bytes;
    }
}

constexpr Address base = 0x50000000;

Drawing drawn(std::string_view low, std::string_view high = "") {
    Drawing drawing;
    draw(drawing, low, base);
    draw(drawing, high, 4 * GiB + 512 * MiB);
    return drawing;
}

// What a crash kernel of some hundred MiB takes, in round numbers: 10 MiB in all.
constexpr EarlyDemand little{3 * MiB, 4 * MiB, 3 * MiB};

std::optional<Counterexample> judge(const Drawing& drawing, const EarlyDemand& demand = little) {
    return find_counterexample(drawing.memory, drawing.pool, demand);
}

struct Geometry {
    const char* what;
    const char* low;   ///< from 0x50000000 up
    const char* high;  ///< from 4.5 GiB up
    std::optional<Kind> counterexample;
    int pool_at = 0;  ///< of the counterexample, in units above `low`'s start
};
std::ostream& operator<<(std::ostream& out, const Geometry& g) {
    return out << g.what << ": " << g.low << " / " << g.high;
}

class Placement : public testing::TestWithParam<Geometry> {};

TEST_P(Placement, IsProvenOrHasACounterexample) {
    const Geometry& g = GetParam();
    const auto found = judge(drawn(g.low, g.high));
    ASSERT_EQ(found.has_value(), g.counterexample.has_value()) << (found ? to_string(*found) : "proven");
    if (!found) return;
    EXPECT_STREQ(name(found->kind), name(*g.counterexample)) << to_string(*found);
    if (found->pool) {
        EXPECT_EQ(*found->pool, base + static_cast<unsigned>(g.pool_at) * unit);
    }
}

INSTANTIATE_TEST_SUITE_P(
    OneReservation, Placement,
    testing::Values(
        Geometry{"directly above, with a barrier", "RRRR|KKKK--", "", {}},
        Geometry{"directly above, without one: the free block is the pool and more", "RRRR--KKKK--", "",
                 Kind::slides_up, 2},
        Geometry{"the kernel itself is the barrier", "RRRRKKKK--", "", {}},
        Geometry{"the initrd is the barrier", "RRRRi-KKKK--", "", {}},
        Geometry{"above with a gap", "RRRR..--KKKK--", "", {}},
        Geometry{"RAM below the pool touches it, which is harmless", "--RRRR|KKKK--", "", {}},
        Geometry{"a free block below the kernel holds the pool", "RRRR|-----KKKK--", "", Kind::other_block, 5},
        Geometry{"a free block above the kernel holds the pool", "RRRR|KKKK-----", "", Kind::other_block, 9},
        Geometry{"exactly as large as the pool is large enough", "RRRR|KKKK----", "", Kind::other_block, 8},
        Geometry{"two such blocks: the pool takes the higher one", "RRRR|----KKKK-----", "", Kind::other_block, 13},
        Geometry{"the pool slides up, but not where a higher block is found first", "RRRR-KKKK-----", "",
                 Kind::other_block, 10},
        Geometry{"fenced", "RRRR|---|KKKK---|---", "", {}},
        Geometry{"fenced, one block too many", "RRRR|---|KKKK---|-----", "", Kind::other_block, 15},
        Geometry{"the pool lies above the reservation", "KKKK--RRRR", "", Kind::eaten},
        Geometry{"above with a gap", "KKKK---..RRRR", "", Kind::eaten},
        Geometry{"above, with a little more RAM above, but too little", "KKKK--RRRR.-", "", {}},
        Geometry{"above, and nothing but a reserved block higher up", "KKKK--RRRR.i", "", Kind::eaten},
        Geometry{"no room above: kernel and initrd fill the reservation", "RRRR|KKKKii", "", Kind::eaten},
        Geometry{"the pool is larger than the reservation", "RRRRRRRRRRRRRRRR|KKKK--", "", {}},
        Geometry{"a pool of 32 MiB, blocks of 16 MiB", "RR|-KKKK-", "", {}},
        Geometry{"a pool of 32 MiB, a block of 32 MiB", "RR|-KKKK--", "", Kind::other_block, 7},
        Geometry{"a pool of 48 MiB, as 5.10 makes it", "RRR|--KKKK--", "", {}}));

INSTANTIATE_TEST_SUITE_P(
    HighReservation, Placement,
    testing::Values(Geometry{"no low part: the pool is the only RAM below 4 GiB", "RRRR", "------KKKK------", {}},
                    Geometry{"low part below the pool", "--..RRRR", "------KKKK------", {}},
                    Geometry{
                        "low part below the pool, large: it is not reached", "--------RRRR", "------KKKK------", {}},
                    Geometry{"low part directly above, with a barrier", "RRRR|--", "------KKKK------", {}},
                    Geometry{"low part directly above, without: seen on 6.12 with 32 MiB", "RRRR--", "------KKKK------",
                             Kind::slides_up, 2},
                    Geometry{"low part above with a gap", "RRRR..---", "------KKKK------", {}},
                    Geometry{"low part that holds the pool", "RRRR..----", "------KKKK------", Kind::other_block, 6},
                    Geometry{"the kernel's default low part of 256 MiB", "RRRR|----------------", "------KKKK------",
                             Kind::other_block, 16},
                    Geometry{"the same, fenced", "RRRR|---|---|---|---|---|-", "------KKKK------", {}},
                    Geometry{"low part above, room only there", "RRRR|---", "KKKK", {}},
                    Geometry{"nothing but the image above the pool", "RRRR", "KKKK", Kind::eaten}));

TEST(PlacementProof, OnePageLessThanThePoolIsTooSmall) {
    Drawing drawing = drawn("RRRR|KKKK----");
    const Address end = base + 12 * unit;
    drawing.memory.ram.subtract(range(end - page_size, page_size));
    EXPECT_FALSE(judge(drawing));
}

TEST(PlacementProof, BytesThatDoNotMakeAPageDoNotCount) {
    Drawing drawing = drawn("RRRR|KKKK---");
    // Half a page below and half a page above make no page each, and the block is one page short of the pool.
    const Address end = base + 11 * unit;
    drawing.memory.ram.add(*AddressRange::from_bounds(end, end + unit - page_size + page_size / 2));
    EXPECT_FALSE(judge(drawing));
    drawing.memory.ram.add(*AddressRange::from_bounds(end, end + unit - 1));
    EXPECT_FALSE(judge(drawing));
    drawing.memory.ram.add(*AddressRange::from_bounds(end, end + unit));
    ASSERT_TRUE(judge(drawing));
    EXPECT_EQ(judge(drawing)->kind, Kind::other_block);
}

TEST(PlacementProof, ABarrierNeedsNotBeAWholePage) {
    // setup_data reserves 48 bytes at the start of the reservation: the pool's alignment does the rest.
    Drawing drawing = drawn("RRRR--KKKK--");
    drawing.memory.reserved.push_back(range(drawing.pool.end(), 48));
    EXPECT_FALSE(judge(drawing));
}

TEST(PlacementProof, WhatIsPerhapsReservedIsNoBarrier) {
    Drawing drawing = drawn("RRRR--KKKK--");
    drawing.memory.maybe_reserved.push_back(range(drawing.pool.end(), page_size));
    ASSERT_TRUE(judge(drawing));
    EXPECT_EQ(judge(drawing)->kind, Kind::slides_up);
}

TEST(PlacementProof, WhatIsPerhapsReservedIsNoRoomEither) {
    Drawing drawing = drawn("RRRR|KKKK-");
    EXPECT_FALSE(judge(drawing));
    drawing.memory.maybe_reserved.push_back(range(base + 8 * unit, 12 * MiB));
    ASSERT_TRUE(judge(drawing));
    EXPECT_EQ(judge(drawing)->kind, Kind::eaten);
}

TEST(PlacementProof, ThePoolMustBeFreeRam) {
    Drawing hole = drawn("RRRR|KKKK--");
    hole.memory.ram.subtract(range(hole.pool.start() + unit, page_size));
    ASSERT_TRUE(judge(hole));
    EXPECT_EQ(judge(hole)->kind, Kind::not_ram);

    Drawing reserved = drawn("RRRR|KKKK--");
    reserved.memory.reserved.push_back(range(reserved.pool.start() + unit, 1));
    ASSERT_TRUE(judge(reserved));
    EXPECT_EQ(judge(reserved)->kind, Kind::not_ram);

    Drawing kernel = drawn("RRRR|KKKK--");
    kernel.memory.images.push_back(kernel.pool.start() - unit);
    ASSERT_TRUE(judge(kernel));
    EXPECT_EQ(judge(kernel)->kind, Kind::not_ram);
    EXPECT_EQ(judge(kernel)->image, kernel.pool.start() - unit);
}

TEST(PlacementProof, EveryPlaceOfTheKernelIsTried) {
    //   RRRR|---KKKK---   is fine, and so is each other place but the last: KASLR at the top leaves 96 MiB below.
    Drawing drawing = drawn("RRRR|---KKKK---");
    const Address first = drawing.memory.images.front();
    EXPECT_FALSE(judge(drawing));
    drawing.memory.images = {first, first + 3 * unit};
    const auto found = judge(drawing);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->kind, Kind::other_block);
    EXPECT_EQ(found->image, first + 3 * unit);
    EXPECT_EQ(found->pool, base + 6 * unit);
    EXPECT_EQ(to_string(*found),
              "If the kernel image is at 0x5a000000, the crash kernel puts its pool at 0x56000000, in the free block "
              "[0x54001000-0x5a000000).");
}

TEST(PlacementProof, TheImageCountsAsLittleAsItMayReserveAndAsMuchAsItMayOccupy) {
    //   RRRR|KKKK---: the image reserves 64 MiB or only 32, and then 80 MiB are free behind it.
    Drawing drawing = drawn("RRRR|KKKK---");
    drawing.memory.image_at_least = 2 * unit;
    ASSERT_TRUE(judge(drawing));
    EXPECT_EQ(judge(drawing)->kind, Kind::other_block);

    drawing = drawn("RRRR|KKKK-");
    drawing.memory.image_at_most = 5 * unit;
    ASSERT_TRUE(judge(drawing));
    EXPECT_EQ(judge(drawing)->kind, Kind::eaten);
}

TEST(ReservedPool, ItsPlaceAmongFreeBlocksDoesNotMatter) {
    for (const char* low : {"RRRR|KKKK--------", "KKKK----.RRRR", "----RRRR----KKKK", "KKKKRRRR--------"}) {
        const Drawing drawing = drawn(low);
        EXPECT_FALSE(find_refused_addr(drawing.memory, drawing.pool)) << low;
    }
}

TEST(ReservedPool, ItIsRefusedWhereItIsNotFreeRam) {
    const Drawing good = drawn("KKKK----.RRRR");
    const AddressRange pool = good.pool;
    const auto refused = [&](const CrashMemory& memory) {
        const auto found = find_refused_addr(memory, pool);
        return found && found->kind == Kind::not_ram;
    };
    const AddressRange first = *AddressRange::from_size(pool.start(), 4096);
    const AddressRange last = *AddressRange::from_bounds(pool.end() - 4096, pool.end());
    for (const AddressRange& page : {first, last}) {
        CrashMemory memory = good.memory;
        memory.ram.subtract(page);
        EXPECT_TRUE(refused(memory)) << "not RAM";
        memory = good.memory;
        memory.reserved.push_back(page);
        EXPECT_TRUE(refused(memory)) << "reserved";
        memory = good.memory;
        memory.maybe_reserved.push_back(page);
        EXPECT_TRUE(refused(memory)) << "perhaps reserved";
    }
    CrashMemory memory = good.memory;
    memory.images.push_back(pool.start() - memory.image_at_most + 4096);
    EXPECT_TRUE(refused(memory)) << "the kernel is there";
    memory.images.back() -= 4096;
    EXPECT_FALSE(refused(memory)) << "the kernel ends where the pool starts";
}

TEST(PlacementProof, ABlockThatCrosses4GiBIsCutThere) {
    CrashMemory memory;
    const AddressRange pool = range(0xe0000000, 64 * MiB);
    memory.ram = RangeSet({pool, *AddressRange::from_bounds(4 * GiB - 32 * MiB, 4 * GiB + 512 * MiB)});
    memory.images = {4 * GiB + 64 * MiB};
    memory.image_at_least = memory.image_at_most = 64 * MiB;
    EXPECT_FALSE(find_counterexample(memory, pool, little));

    memory.ram.add(*AddressRange::from_bounds(4 * GiB - 64 * MiB, 4 * GiB));
    const auto found = find_counterexample(memory, pool, little);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->kind, Kind::other_block);
    EXPECT_EQ(found->pool, 4 * GiB - 64 * MiB);
}

TEST(PlacementProof, EarlyAllocationsMustFitAboveThePool) {
    const Drawing drawing = drawn("RRRR|KKKK--");  // 32 MiB in one block
    EXPECT_FALSE(judge(drawing, {3 * MiB, 10 * MiB, 10 * MiB}));
    const auto found = judge(drawing, {3 * MiB, 10 * MiB, 20 * MiB});
    ASSERT_TRUE(found);
    EXPECT_EQ(found->kind, Kind::eaten);
    EXPECT_EQ(found->room, 28 * MiB);
    EXPECT_EQ(found->wanted, 35 * MiB);
}

TEST(PlacementProof, TheMemoryMapMustFitInOnePiece) {
    //   RRRR|-KKKK-i-i-: 64 MiB in four blocks of 16
    const Drawing drawing = drawn("RRRR|-KKKK-i-i-");
    EXPECT_FALSE(judge(drawing, {3 * MiB, 8 * MiB, 10 * MiB}));
    const auto found = judge(drawing, {3 * MiB, 12 * MiB, 6 * MiB});
    ASSERT_TRUE(found);
    EXPECT_EQ(found->kind, Kind::eaten);
    EXPECT_EQ(found->wanted, 17 * MiB);
    EXPECT_EQ(found->room, 16 * MiB);
}

// What 5.10 to 6.12 take for the sections' use maps must lie below the end of the section that holds the node's data.
// The node's data goes to the highest block that holds it. So if that is a small one in R's section, and nothing else
// above R is free up to the section's end, they go into R.
TEST(PlacementProof, OneBlockAboveThePoolHoldsAllThatComesBeforeTheMemoryMap) {
    const AddressRange pool = range(0x10000000, 64 * MiB);
    CrashMemory memory;
    memory.ram = RangeSet({pool, range(pool.end(), 40 * MiB)});
    memory.reserved = {range(pool.end(), page_size)};
    memory.images = {pool.end() + 4 * MiB};
    memory.image_at_least = memory.image_at_most = 32 * MiB;
    // Two blocks of 4 MiB: that is too little even without any memory map.
    const EarlyDemand demand{3 * MiB, 0, 0};
    const auto found = find_counterexample(memory, pool, demand);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->kind, Kind::eaten);
    EXPECT_EQ(found->wanted, 5 * MiB);
    memory.ram.add(range(pool.end() + 40 * MiB, 8 * MiB));
    EXPECT_FALSE(find_counterexample(memory, pool, demand));
}

TEST(PlacementProof, TheUseMapsOfTheSectionsFollowTheNodesData) {
    const std::uint64_t bytes = reference::node_data_bytes;
    reference::Memblock memory;  // the pool, and a block that the node's data fills
    memory.add(0x10000000, 0x14000000);
    memory.add(0x14001000, 0x14001000 + bytes);
    reference::Memblock larger = memory;
    const auto node = memory.take(bytes, 4096);
    ASSERT_EQ(node, 0x14001000u);
    EXPECT_EQ(reference::take_usemaps(memory, *node, 4096), 0x14000000u - 4096) << "they take the pool's top";
    larger.add(0x20000000, 0x20000000 + 2 * bytes);
    EXPECT_GT(reference::take_usemaps(larger, *larger.take(bytes, 4096), 4096), 0x20000000u);
}

TEST(PlacementProof, AnyOtherLargeRequestMustFitInOnePieceToo) {
    //   The per-CPU areas of 32 CPUs, or log_buf_len=32M, come in one request each.
    const Drawing drawing = drawn("RRRR|-KKKK-i-i-");
    EarlyDemand demand{3 * MiB, 4 * MiB, 20 * MiB};
    EXPECT_FALSE(judge(drawing, demand));
    demand.largest_other = 18 * MiB;
    ASSERT_TRUE(judge(drawing, demand));
    EXPECT_EQ(judge(drawing, demand)->kind, Kind::eaten);
    EXPECT_FALSE(judge(drawn("RRRR|-KKKK--i-"), demand));
}

TEST(PlacementProof, HoldsForPoolsOf32MiBTo1GiB) {
    for (const std::uint64_t pool_bytes : {32 * MiB, 64 * MiB, 128 * MiB, 256 * MiB, 512 * MiB, 1 * GiB})
        for (const std::uint64_t reservation : {96 * MiB, 160 * MiB, 256 * MiB, 512 * MiB, 1 * GiB}) {
            const AddressRange pool = range(0x10000000, pool_bytes);
            const AddressRange c = range(pool.end(), reservation);
            CrashMemory memory;
            memory.ram = RangeSet({pool, c});
            memory.reserved = {range(c.start(), page_size)};
            memory.images = {c.end() - 64 * MiB};
            memory.image_at_least = memory.image_at_most = 64 * MiB;
            const std::uint64_t free = reservation - 64 * MiB - page_size;
            EXPECT_EQ(find_counterexample(memory, pool, little).has_value(), free >= pool_bytes)
                << pool_bytes / MiB << " MiB, reservation of " << reservation / MiB << " MiB";
        }
}

// --- fences -------------------------------------------------------------------------------------------------------

CrashMemory with_fences(CrashMemory memory, const std::vector<AddressRange>& pages) {
    for (const AddressRange& page : pages) memory.ram.subtract(page);
    return memory;
}

TEST(Fences, NoneWhereNoneAreNeeded) {
    const Drawing drawing = drawn("RRRR..KKKK--");
    Drawing without_kernel = drawing;
    without_kernel.memory.reserved.push_back(range(base + 6 * unit, 4 * unit));
    EXPECT_EQ(fences(without_kernel.memory, drawing.pool, {}), std::vector<AddressRange>{});
    // A reservation above 4 GiB is never looked at.
    EXPECT_EQ(fences(drawn("RRRR", "--------------------").memory, drawing.pool, {}), std::vector<AddressRange>{});
}

TEST(Fences, ABarrierWhereFreeMemoryTouchesThePool) {
    const Drawing drawing = drawn("RRRR---");
    EXPECT_EQ(fences(drawing.memory, drawing.pool, {}), std::vector{range(drawing.pool.end(), page_size)});
}

TEST(Fences, NoBarrierInsideALoadedSegment) {
    const Drawing drawing = drawn("RRRR---");
    EXPECT_EQ(fences(drawing.memory, drawing.pool, {range(drawing.pool.end(), 48)}), std::nullopt);
}

TEST(Fences, AreAsFewAsPossible) {
    // Any n pages cut a block into n + 1 pieces; the largest holds the pool unless n is at least this.
    const auto fewest = [](std::uint64_t free, std::uint64_t pool) {
        std::uint64_t n = 0;
        while (free >= (n + 1) * (pool - page_size) + n * page_size + 1) ++n;
        return n;
    };
    for (const std::uint64_t pool_bytes : {32 * MiB, 48 * MiB, 64 * MiB, 256 * MiB})
        for (const std::uint64_t free :
             {64 * MiB - page_size, 64 * MiB, 64 * MiB + page_size, 192 * MiB, 256 * MiB, 500 * MiB, 1024 * MiB}) {
            const AddressRange pool = range(0x10000000, pool_bytes);
            CrashMemory memory;
            memory.ram = RangeSet({pool, range(0x40000000, free)});
            const auto pages = fences(memory, pool, {});
            ASSERT_TRUE(pages);
            EXPECT_EQ(pages->size(), fewest(free, pool_bytes))
                << free / KiB << " KiB free, pool of " << pool_bytes / MiB << " MiB";
            const CrashMemory fenced = with_fences(memory, *pages);
            for (const AddressRange& block : fenced.ram.ranges())
                EXPECT_TRUE(block == pool || block.size() < pool_bytes);
        }
}

TEST(Fences, KeepOutOfLoadedSegments) {
    //   RRRR..------------   with a segment wherever the first choice of a fence would be
    const Drawing drawing = drawn("RRRR..------------");
    const auto free_choice = fences(drawing.memory, drawing.pool, {});
    ASSERT_TRUE(free_choice);
    ASSERT_EQ(free_choice->size(), 3u);
    for (const AddressRange& first_choice : *free_choice) {
        const AddressRange segment = range(first_choice.start() - 2 * MiB, 5 * MiB + 17);
        const auto pages = fences(drawing.memory, drawing.pool, {segment});
        ASSERT_TRUE(pages);
        for (const AddressRange& page : *pages) EXPECT_FALSE(page.overlaps(segment));
        EXPECT_FALSE(find_counterexample(with_fences(drawing.memory, *pages), drawing.pool, little));
    }
}

TEST(Fences, NoneCanHelpWhereASegmentIsAsLargeAsThePool) {
    // What is not surely reserved may be free, and no fence may stand in it: an initrd that the kernel would have to
    // move.
    const Drawing drawing = drawn("RRRR..--------");
    EXPECT_EQ(fences(drawing.memory, drawing.pool, {range(base + 8 * unit, 80 * MiB)}), std::nullopt);
}

TEST(Fences, ReservedMemoryNeedsNone) {
    const Drawing drawing = drawn("RRRR..--iiiiii--");
    EXPECT_EQ(fences(drawing.memory, drawing.pool, {}), std::vector<AddressRange>{});
}

// --- the pool that the kernel makes by itself ---------------------------------------------------------------------

TEST(NaturalPool, TakesTheUpperEndOfTheHighestBlockThatFits) {
    const RangeSet free({range(0x10000000, 128 * MiB), range(0x20000000, 96 * MiB), range(0x30000000, 32 * MiB)});
    EXPECT_EQ(natural_pool(free, 64 * MiB), range(0x20000000 + 32 * MiB, 64 * MiB));
    EXPECT_EQ(natural_pool(free, 128 * MiB), range(0x10000000, 128 * MiB));
    EXPECT_EQ(natural_pool(free, 256 * MiB), range(0x10000000, 128 * MiB));  // halved
    EXPECT_EQ(natural_pool(RangeSet({range(0x10000000, 512 * KiB)}), 64 * MiB), std::nullopt);
    EXPECT_EQ(natural_pool(RangeSet({range(4 * GiB, GiB)}), 64 * MiB), std::nullopt);
    EXPECT_EQ(natural_pool(RangeSet({*AddressRange::from_bounds(4 * GiB - 128 * MiB, 5 * GiB)}), 64 * MiB),
              range(4 * GiB - 64 * MiB, 64 * MiB));
}

// --- the proof against a simulated memblock -----------------------------------------------------------------------
//
// Random machines, and boots in random order on each that is said to be safe. That these tests can fail was tried
// with broken variants of lib/placement.cpp, each of which they catch:
//   - no barrier demanded: a free block that touches the pool's end is passed over
//   - sure_room() with nothing left over per block, or a page only, instead of largest_request
//   - no bound on early allocations at all; the memory map allowed to come in pieces
//   - a block one page larger than the pool counts as too small; fences one page too far apart, or anywhere
//   - only the first of `images` is tried
//   - what the image occupies at most is taken for what it reserves; maybe_reserved counts as reserved
//   - blocks are not cut at 4 GiB
//   - what must lie below 4 GiB is not looked at, or counts only with the rest
//   - room for it is looked for above 4 GiB, or in all low blocks together

struct Machine {
    CrashMemory memory;
    AddressRange pool;
    EarlyDemand demand;
    std::vector<AddressRange> segments;
};

class MachineMaker {
public:
    explicit MachineMaker(std::uint64_t seed) : dice_(seed) {}

    Machine make() {
        Machine m;
        const std::uint64_t pool_bytes =
            pick({32 * MiB, 48 * MiB, 64 * MiB, 64 * MiB, 64 * MiB, 128 * MiB, 256 * MiB, 61 * MiB + 256 * KiB});
        const std::uint64_t c_bytes = number(4, 34) * unit;
        const Address start = 0x40000000 + number(0, 4000) * page_size;
        m.pool = range(start, pool_bytes);
        std::vector<AddressRange> ram{m.pool};
        AddressRange c;
        switch (number(0, 4)) {
            case 0:  // the reservation above the pool, touching it or not
            case 1:
                c = range(m.pool.end() + gap(), c_bytes);
                break;
            case 2:  // and with more RAM above
                c = range(m.pool.end() + gap(), c_bytes);
                ram.push_back(range(c.end() + number(1, 64) * MiB, number(1, 60) * MiB));
                break;
            case 3:  // below the pool
                c = range(m.pool.start() - c_bytes - gap(), c_bytes);
                if (number(0, 1) != 0) ram.push_back(range(m.pool.end() + number(1, 64) * MiB, number(1, 60) * MiB));
                break;
            default:  // above 4 GiB
                c = range(4 * GiB + number(0, 8) * GiB, c_bytes);
                if (number(0, 2) != 0) ram.push_back(range(m.pool.end() + gap(), number(1, 20) * unit));
                if (number(0, 3) == 0) ram.push_back(range(m.pool.start() - 2 * GiB / 8 - gap(), number(1, 15) * unit));
        }
        ram.push_back(c);
        m.memory.ram = RangeSet(std::move(ram));
        load(m, c);
        const std::uint64_t slabs = pool_bytes / 2048;
        m.demand = early_demand({m.memory.ram, slabs, 1, 0});
        for (std::uint64_t cuts = number(0, 3); cuts-- != 0;) cut(m, c);
        if (number(0, 2) == 0)
            if (const auto pages = fences(m.memory, m.pool, m.segments))
                for (const AddressRange& page : *pages) m.memory.ram.subtract(page);
        if (number(0, 1) != 0)
            m.demand = {number(1, 40) * 100 * KiB, number(1, 8) * 2 * MiB, number(1, 80) * 100 * KiB};
        if (number(0, 2) == 0) fill_up(m);
        if (number(0, 2) == 0) ask_for_low(m);
        return m;
    }

    /// One boot of it: with the kernel anywhere, and memory taken in any order.
    reference::Boot boot(const Machine& m) {
        reference::Memblock memblock;
        for (const AddressRange& r : m.memory.ram.ranges()) memblock.add(r.start(), r.end());
        memblock.reserve(0, MiB);
        for (const AddressRange& r : m.memory.reserved) memblock.reserve(r.start(), r.end());
        for (const AddressRange& r : m.memory.maybe_reserved)
            if (number(0, 1) != 0) memblock.reserve(r.start(), r.end());
        const Address image = m.memory.images[number(0, m.memory.images.size() - 1)];
        const std::uint64_t least = m.memory.image_at_least, most = m.memory.image_at_most;
        memblock.reserve(image, image + pick({least, most, number(least, most)}));
        const auto at_most = [&](std::uint64_t bytes) { return pick({number(0, bytes), bytes, bytes, bytes}); };
        const reference::Demand demand{at_most(m.demand.before_memory_map),
                                       at_most(m.demand.memory_map) / (2 * MiB) * 2 * MiB,
                                       at_most(m.demand.after_memory_map), at_most(m.demand.low)};
        return reference::boot(std::move(memblock), demand, m.pool.size(), number(0, 1) != 0, dice_);
    }

    std::uint64_t number(std::uint64_t least, std::uint64_t most) {
        return std::uniform_int_distribution<std::uint64_t>(least, most)(dice_);
    }

private:
    std::uint64_t pick(std::vector<std::uint64_t> values) { return values[number(0, values.size() - 1)]; }
    std::uint64_t gap() { return number(0, 1) == 0 ? 0 : number(1, 20000) * page_size; }

    void load(Machine& m, const AddressRange& c) {
        const std::uint64_t image = std::min<std::uint64_t>(number(10, 32) * 2 * MiB, c.size() / 2);
        m.memory.image_at_most = image;
        m.memory.image_at_least = pick({image, image - number(0, image / page_size) * page_size, 0});
        // Small segments at the top: removed from the map, perhaps reserved, or nothing of both.
        Address top = c.end();
        for (std::uint64_t n = number(0, 4); n-- != 0;) {
            const AddressRange segment = range(top - number(1, 200) * page_size, 0);
            const AddressRange whole = *AddressRange::from_bounds(segment.start(), top);
            if (number(0, 1) != 0)
                m.memory.ram.subtract(whole);
            else
                m.memory.maybe_reserved.push_back(whole);
            m.segments.push_back(whole);
            top = whole.start();
        }
        if (number(0, 1) != 0) {
            m.memory.reserved.push_back(range(c.start(), pick({48, page_size})));
            m.segments.push_back(range(c.start(), page_size));
        }
        AddressRange initrd;
        if (number(0, 2) != 0) {
            const std::uint64_t bytes = std::min<std::uint64_t>(number(1, 60) * MiB, c.size() / 4);
            initrd =
                range((number(0, 1) != 0 ? top - bytes : c.start() + number(1, (c.size() - bytes) / MiB - 1) * MiB) /
                          page_size * page_size,
                      bytes);
            m.memory.reserved.push_back(initrd);
            m.segments.push_back(initrd);
        }
        std::vector<Address> places;
        for (Address a = (c.start() + 2 * MiB - 1) / (2 * MiB) * (2 * MiB); a + image <= top; a += 2 * MiB)
            if (!range(a, image).overlaps(initrd)) places.push_back(a);
        if (places.empty()) places.push_back(c.start());
        if (number(0, 1) != 0) places = {places[number(0, places.size() - 1)]};
        std::shuffle(places.begin(), places.end(), dice_);
        m.memory.images = std::move(places);
    }

    // What is free above the pool for certain.
    static RangeSet free_above(const Machine& m) {
        RangeSet free = m.memory.ram;
        free.subtract(range(0, m.pool.end()));
        for (const AddressRange& r : m.memory.reserved) free.subtract(r);
        for (const AddressRange& r : m.memory.maybe_reserved) free.subtract(r);
        free.subtract(range(m.memory.images.front(), m.memory.image_at_most));
        return free;
    }

    // A demand close to what is free above the pool, where the last MiB decide.
    void fill_up(Machine& m) {
        const RangeSet free = free_above(m);
        const std::uint64_t spare = number(0, 5 * MiB * free.ranges().size()) + number(0, 2 * MiB);
        const std::uint64_t all = free.size() > spare ? free.size() - spare : 0;
        m.demand.before_memory_map = number(0, all / 2);
        m.demand.memory_map = number(0, (all - m.demand.before_memory_map) / (4 * MiB)) * 2 * MiB;
        m.demand.after_memory_map = all - m.demand.before_memory_map - m.demand.memory_map;
    }

    // Tables of a few pages, as an initrd brings them, or about as much as is free below 4 GiB.
    void ask_for_low(Machine& m) {
        const std::uint64_t free = free_above(m).within(range(0, 4 * GiB)).size() / page_size;
        const std::uint64_t spare = std::min(free, number(0, 8 * MiB / page_size));
        m.demand.low = pick({number(1, 64), number(1, 16) * 256, number(0, free), free - spare}) * page_size;
    }

    // One page or more out of the reservation, as a fence or a firmware's range.
    void cut(Machine& m, const AddressRange& c) {
        const AddressRange hole =
            range(c.start() + number(0, c.size() / page_size - 1) * page_size, pick({page_size, page_size, MiB}));
        if (!hole.overlaps(m.pool)) m.memory.ram.subtract(hole);
    }

    std::mt19937_64 dice_;
};

std::string describe(const Machine& m) {
    std::ostringstream out;
    out << "pool " << to_string(m.pool) << " ram";
    for (const AddressRange& r : m.memory.ram.ranges()) out << ' ' << to_string(r);
    out << " reserved";
    for (const AddressRange& r : m.memory.reserved) out << ' ' << to_string(r);
    out << " maybe";
    for (const AddressRange& r : m.memory.maybe_reserved) out << ' ' << to_string(r);
    out << " images " << m.memory.images.size() << " from " << std::hex << m.memory.images.front() << " of "
        << m.memory.image_at_least << ".." << m.memory.image_at_most << " demand " << m.demand.before_memory_map << '+'
        << m.demand.memory_map << '+' << m.demand.after_memory_map << ", low " << m.demand.low;
    return out.str();
}

TEST(PlacementProperty, WhatIsProvenHappensInEveryBoot) {
    constexpr int machines = 12000, boots_each = 6;
    int proven = 0;
    for (int i = 0; i < machines; ++i) {
        MachineMaker maker(static_cast<std::uint64_t>(i));
        const Machine m = maker.make();
        if (find_counterexample(m.memory, m.pool, m.demand)) continue;
        ++proven;
        for (int n = 0; n < boots_each; ++n) {
            const reference::Boot boot = maker.boot(m);
            ASSERT_TRUE(boot.pool) << "machine " << i << ": " << describe(m);
            ASSERT_FALSE(boot.out_of_memory) << "machine " << i << ": " << describe(m);
            ASSERT_EQ(boot.pool->first, m.pool.start()) << "machine " << i << ": " << describe(m);
            ASSERT_EQ(boot.pool->second, m.pool.end()) << "machine " << i << ": " << describe(m);
        }
    }
    EXPECT_GT(proven, machines / 10) << "too few cases to mean anything";
    RecordProperty("proven", proven);
}

TEST(PlacementProperty, ACounterexampleIsWhereThePoolGoesWhenNothingElseIsTaken) {
    int misses = 0;
    for (std::uint64_t seed = 0; seed < 4000; ++seed) {
        MachineMaker maker(seed);
        Machine m = maker.make();
        const auto found = find_counterexample(m.memory, m.pool, m.demand);
        if (!found || !found->pool) continue;
        ++misses;
        ASSERT_TRUE(found->image);
        reference::Memblock memblock;
        for (const AddressRange& r : m.memory.ram.ranges()) memblock.add(r.start(), r.end());
        memblock.reserve(0, MiB);
        for (const AddressRange& r : m.memory.reserved) memblock.reserve(r.start(), r.end());
        memblock.reserve(*found->image, *found->image + m.memory.image_at_least);
        std::mt19937_64 dice(seed);
        const auto boot = reference::boot(std::move(memblock), {}, m.pool.size(), true, dice);
        ASSERT_TRUE(boot.pool);
        ASSERT_EQ(boot.pool->first, *found->pool)
            << "seed " << seed << ": " << to_string(*found) << "; " << describe(m);
        ASSERT_NE(boot.pool->first, m.pool.start());
    }
    EXPECT_GT(misses, 300);
}

TEST(PlacementProperty, FencesLeaveNoBlockForThePoolAndKeepOut) {
    int fenced = 0;
    for (std::uint64_t seed = 0; seed < 4000; ++seed) {
        MachineMaker maker(seed ^ 0xfe0ce);
        Machine m = maker.make();
        for (std::uint64_t n = maker.number(0, 3); n-- != 0;)  // segments of any bounds, not whole pages
            m.segments.push_back(range(m.pool.end() + maker.number(0, 300 * MiB), maker.number(1, 20 * MiB)));
        const auto pages = fences(m.memory, m.pool, m.segments);
        if (!pages) continue;
        fenced += pages->empty() ? 0 : 1;
        m.memory.ram = with_fences(m.memory, *pages).ram;
        m.memory.images = {1 * MiB};  // of no size: no help from it
        m.memory.image_at_least = m.memory.image_at_most = 0;
        const auto found = find_counterexample(m.memory, m.pool, {});
        if (found) {
            ASSERT_TRUE(found->kind == Kind::eaten || found->kind == Kind::not_ram)
                << "seed " << seed << ": " << to_string(*found) << "; " << describe(m);
        }
        for (const AddressRange& page : *pages) {
            ASSERT_EQ(page.size(), page_size);
            ASSERT_EQ(page.start() % page_size, 0u);
            for (const AddressRange& segment : m.segments) ASSERT_FALSE(page.overlaps(segment)) << "seed " << seed;
        }
    }
    EXPECT_GT(fenced, 500);
}

// --- what real boots took, against the bounds ---------------------------------------------------------------------

struct EarlyLog {
    std::string file;
    RangeSet ram;
    std::uint64_t slabs = 0;
    // Most that was taken at once by what came before the memory map, by the map, and after it.
    std::uint64_t before = 0, map = 0, after = 0, largest = 0;
    std::string words;       ///< of fixtures/early/words
    std::uint64_t acpi = 0;  ///< bytes of tables from the initrd
};

// fixtures/early/README.md says what the lines are.
EarlyLog read_early_log(const std::filesystem::path& path) {
    EarlyLog log;
    log.file = path.filename();
    std::ifstream in(path);
    std::uint64_t now = 0, peak = 0;
    bool after_map = false;
    for (std::string line; std::getline(in, line);) {
        std::istringstream words(line);
        std::string what, align, caller;
        std::uint64_t bytes = 0;
        words >> what;
        if (what == "slabs") words >> log.slabs;
        if (what == "words") log.words = line.substr(6);
        if (what == "ram") {
            std::string range_text;
            words >> range_text;
            const auto dash = range_text.find('-');
            log.ram.add(AddressRange::from_bounds(std::stoull(range_text, nullptr, 16),
                                                  std::stoull(range_text.substr(dash + 1), nullptr, 16))
                            .value());
        }
        if (what == "free") {
            words >> bytes;
            now -= std::min(now, bytes);
        }
        if (what != "take") continue;
        words >> bytes >> align >> caller;
        if (caller == "acpi_table_upgrade") log.acpi += bytes;
        const bool is_map =
            (caller == "sparse_init_nid" || caller == "vmemmap_populate_hugepages") && align == "0x200000";
        if (is_map) {
            if (!after_map) log.before = peak;
            after_map = true;
            now = peak = 0;
            log.map += bytes;
            continue;
        }
        now += bytes;
        peak = std::max(peak, now);
        log.largest = std::max(log.largest, bytes + (std::stoull(align, nullptr, 16) >= 2 * MiB ? 2 * MiB : 0));
    }
    log.after = peak;
    return log;
}

std::vector<EarlyLog> early_logs(const char* directory = "early") {
    std::vector<EarlyLog> logs;
    for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(FIXTURES_DIR) / directory))
        if (entry.path().extension() == ".txt") logs.push_back(read_early_log(entry.path()));
    return logs;
}

TEST(EarlyDemandBounds, CoverWhatRealBootsTook) {
    const auto logs = early_logs();
    ASSERT_GE(logs.size(), 24u);
    for (const EarlyLog& log : logs) {
        SCOPED_TRACE(log.file);
        ASSERT_GT(log.before, 0u);
        ASSERT_GT(log.map, 0u);
        ASSERT_GT(log.after, 0u);
        const EarlyDemand demand = early_demand({log.ram, log.slabs, 1, 0});
        EXPECT_LE(log.before, demand.before_memory_map);
        EXPECT_LE(log.map, demand.memory_map);
        EXPECT_LE(log.after, demand.after_memory_map);
        EXPECT_LE(log.largest, EarlyDemand::largest_request);
    }
}

TEST(EarlyDemandBounds, CoverWhatRealBootsTookWithWordsThatTakeMemory) {
    const auto logs = early_logs("early/words");
    ASSERT_GE(logs.size(), 70u);
    for (const EarlyLog& log : logs) {
        SCOPED_TRACE(log.file);
        const auto line = CommandLine::parse(log.words);
        ASSERT_TRUE(line);
        const WordsJudged judged = judge_boot_words(*line, series_of(log.file.substr(0, log.file.find('-')) + '.'));
        EXPECT_TRUE(judged.findings.empty()) << judged.findings.front().word.text;
        const EarlyTake words = early_take(judged, log.ram.size());
        const auto cpus = static_cast<unsigned>(std::stoul(line->last("nr_cpus").value()));
        const std::uint64_t low = (log.acpi + page_size - 1) / page_size * page_size;
        const EarlyDemand demand = early_demand({log.ram, log.slabs, cpus, words.bytes, words.largest, low});
        // The map has to fit behind all that comes before it; what words take after it counts with that.
        EXPECT_LE(log.before, demand.before_memory_map + demand.low);
        EXPECT_LE(log.map, demand.memory_map);
        EXPECT_LE(log.before + log.after, demand.before_memory_map + demand.low + demand.after_memory_map);
        EXPECT_LE(log.largest, std::max(EarlyDemand::largest_request, demand.largest_other + 2 * MiB));
    }
}

TEST(EarlyDemandBounds, AreNotWastefulEither) {
    // A bound of several times what is taken would refuse small reservations for nothing.
    for (const EarlyLog& log : early_logs())
        EXPECT_LE(early_demand({log.ram, log.slabs, 1, 0}).total(), 2 * (log.before + log.map + log.after) + 4 * MiB)
            << log.file;
}

TEST(EarlyDemandBounds, CountEachSectionWithMemoryOnce) {
    const auto map_of = [](std::vector<AddressRange> ram) {
        return early_demand({RangeSet(std::move(ram)), 32768, 1, 0}).memory_map;
    };
    EXPECT_EQ(map_of({range(0, 128 * MiB)}), 2 * MiB);
    EXPECT_EQ(map_of({range(0x1000, 4096), range(0x2000000, 4096)}), 2 * MiB);
    EXPECT_EQ(map_of({range(128 * MiB - 4096, 8192)}), 4 * MiB);
    EXPECT_EQ(map_of({range(0, 4096), range(64 * MiB, 256 * MiB)}), 6 * MiB);
}

TEST(EarlyDemandBounds, TakePerCpuAreasInUnitsOf2MiBAndOneMoreForSeveral) {
    const RangeSet ram({range(0x10000000, 64 * MiB)});
    const auto areas = [&](unsigned cpus) { return early_demand({ram, 32768, cpus, 0}).largest_other; };
    EXPECT_EQ(areas(1), 2 * MiB);
    EXPECT_EQ(areas(2), 4 * MiB);
    EXPECT_EQ(areas(4), 4 * MiB);
    EXPECT_EQ(areas(5), 6 * MiB);
}

TEST(EarlyDemandBounds, CountWhatWordsAskForBeforeTheMemoryMap) {
    // setup_arch() takes the log's buffer first, and the map must fit in one piece behind it.
    const RangeSet ram({range(0x10000000, 256 * MiB)});
    const EarlyDemand plain = early_demand({ram, 32768, 1, 0});
    const EarlyDemand demand = early_demand({ram, 32768, 1, 5 * MiB, 3 * MiB});
    EXPECT_EQ(demand.before_memory_map, plain.before_memory_map + 5 * MiB);
    EXPECT_EQ(demand.total(), plain.total() + 5 * MiB);
}

TEST(EarlyDemandBounds, GrowWithWhatTheCommandLineAsksFor) {
    const RangeSet ram({range(0x10000000, 256 * MiB)});
    const EarlyDemand plain = early_demand({ram, 32768, 1, 0});
    EXPECT_GE(early_demand({ram, 32768, 64, 0}).total(), plain.total() + 64 * 256 * KiB);
    EXPECT_GE(early_demand({ram, 32768, 64, 0}).largest_other,
              64 * 256 * KiB);  // one request (mm/percpu.c, pcpu_fc_alloc())
    EXPECT_GE(early_demand({ram, 32768, 1, 64 * MiB}).total(), plain.total() + 64 * MiB);
    EXPECT_GE(early_demand({ram, 32768, 1, 64 * MiB, 16 * MiB}).largest_other, 64 * MiB / 4);
    EXPECT_LE(plain.largest_other, EarlyDemand::largest_request);
}

}  // namespace
}  // namespace handoff
