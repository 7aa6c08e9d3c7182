// SPDX-License-Identifier: GPL-2.0-or-later
#include "swiotlb-handoff/range.hpp"

#include <gtest/gtest.h>

#include <type_traits>
#include <utility>

#include "base/number.hpp"

using namespace base;

namespace {

constexpr Address top = ~Address{0};

AddressRange range(Address start, Address end) { return AddressRange::from_bounds(start, end).value(); }

}  // namespace

TEST(AddressRange, FactoriesRefuseWhatIsInvertedOrWraps) {
    EXPECT_FALSE(AddressRange::from_bounds(2, 1));
    EXPECT_TRUE(AddressRange::from_bounds(1, 1)->empty());
    EXPECT_FALSE(AddressRange::from_inclusive(2, 1));
    EXPECT_EQ(AddressRange::from_inclusive(1, 1)->size(), 1U);
    EXPECT_FALSE(AddressRange::from_inclusive(0, top));
    EXPECT_EQ(AddressRange::from_inclusive(0, top - 1)->end(), top);
    EXPECT_FALSE(AddressRange::from_size(1, top));
    EXPECT_FALSE(AddressRange::from_size(top, 1));
    EXPECT_EQ(AddressRange::from_size(0, top)->end(), top);
    EXPECT_TRUE(AddressRange::from_size(top, 0)->empty());
}

TEST(AddressRange, GeometriesOfTwoRanges) {
    const AddressRange base = range(10, 20);
    struct Case {
        const char* name;
        AddressRange other;
        bool overlaps;
        bool contains;
        AddressRange common;
    };
    const Case cases[] = {
        {"exact", range(10, 20), true, true, range(10, 20)},
        {"inside", range(12, 15), true, true, range(12, 15)},
        {"left edge", range(10, 12), true, true, range(10, 12)},
        {"right edge", range(18, 20), true, true, range(18, 20)},
        {"last byte", range(19, 20), true, true, range(19, 20)},
        {"covering", range(5, 25), true, false, range(10, 20)},
        {"over the left edge", range(5, 11), true, false, range(10, 11)},
        {"over the right edge", range(19, 25), true, false, range(19, 20)},
        {"touching below", range(5, 10), false, false, {}},
        {"touching above", range(20, 25), false, false, {}},
        {"disjoint", range(30, 40), false, false, {}},
        {"empty inside", range(15, 15), false, false, {}},
    };
    for (const Case& c : cases) {
        SCOPED_TRACE(c.name);
        EXPECT_EQ(base.overlaps(c.other), c.overlaps);
        EXPECT_EQ(c.other.overlaps(base), c.overlaps);
        EXPECT_EQ(base.contains(c.other), c.contains);
        EXPECT_EQ(base.intersect(c.other), c.common);
        EXPECT_EQ(c.other.intersect(base), c.common);
    }
    EXPECT_TRUE(base.contains(Address{10}));
    EXPECT_TRUE(base.contains(Address{19}));
    EXPECT_FALSE(base.contains(Address{20}));
}

TEST(AddressRange, PrintsHalfOpen) { EXPECT_EQ(to_string(range(0x75000000, 0x79000000)), "[0x75000000-0x79000000)"); }

TEST(RangeSet, SortsMergesAndDropsEmptyRanges) {
    const RangeSet set({range(30, 40), range(10, 20), range(15, 18), range(20, 25), range(50, 50), range(38, 45)});
    EXPECT_EQ(set.ranges(), (std::vector<AddressRange>{range(10, 25), range(30, 45)}));
    EXPECT_EQ(set.size(), 30U);
    EXPECT_TRUE(set.contains(range(12, 25)));
    EXPECT_FALSE(set.contains(range(20, 31)));
    EXPECT_TRUE(set.overlaps(range(24, 26)));
    EXPECT_FALSE(set.overlaps(range(25, 30)));
}

TEST(RangeSet, SubtractsInEveryGeometry) {
    struct Case {
        const char* name;
        AddressRange taken;
        std::vector<AddressRange> left;
    };
    const Case cases[] = {
        {"exact", range(10, 20), {range(30, 40)}},
        {"inside", range(12, 15), {range(10, 12), range(15, 20), range(30, 40)}},
        {"left edge", range(10, 12), {range(12, 20), range(30, 40)}},
        {"right edge", range(15, 20), {range(10, 15), range(30, 40)}},
        {"last byte", range(39, 40), {range(10, 20), range(30, 39)}},
        {"covering", range(0, 50), {}},
        {"across the gap", range(15, 35), {range(10, 15), range(35, 40)}},
        {"disjoint", range(20, 30), {range(10, 20), range(30, 40)}},
        {"empty", range(15, 15), {range(10, 20), range(30, 40)}},
    };
    for (const Case& c : cases) {
        SCOPED_TRACE(c.name);
        RangeSet set({range(10, 20), range(30, 40)});
        set.subtract(c.taken);
        EXPECT_EQ(set.ranges(), c.left);
    }
}

TEST(RangeSet, AddJoinsNeighbours) {
    RangeSet set({range(10, 20), range(30, 40)});
    set.add(range(20, 30));
    EXPECT_EQ(set.ranges(), std::vector<AddressRange>{range(10, 40)});
    set.add(range(5, 5));
    EXPECT_EQ(set.ranges(), std::vector<AddressRange>{range(10, 40)});
}

TEST(RangeSet, GivesNoReferenceIntoATemporary) {
    static_assert(std::is_same_v<decltype(std::declval<const RangeSet&>().ranges()), const std::vector<AddressRange>&>);
    static_assert(std::is_same_v<decltype(std::declval<RangeSet>().ranges()), std::vector<AddressRange>>);
}

TEST(Number, TakesTheWholeTextOrNothing) {
    EXPECT_EQ(parse_number("ff", 16), 255U);
    EXPECT_EQ(parse_number("ffffffffffffffff", 16), top);
    for (const char* text : {"", "-1", "+1", " 1", "1 ", "0x1", "10000000000000000"})
        EXPECT_FALSE(parse_number(text, 16));
    EXPECT_EQ(parse_prefixed("0x10"), 16U);
    EXPECT_EQ(parse_prefixed("10"), 10U);
    EXPECT_FALSE(parse_prefixed("0x"));
}

TEST(Number, ReadsSizesAsTheCommandLineDoes) {
    struct Case {
        std::string_view text;
        std::optional<std::uint64_t> value;
        std::string_view rest;
    };
    const Case cases[] = {
        {"64M@0x1000", 64 * MiB, "@0x1000"},
        {"0x10k", 16 * KiB, ""},
        {"010", 8, ""},
        {"0", 0, ""},
        {"0K", 0, ""},
        {"1G1", GiB, "1"},
        {"08", 0, "8"},
        {"15E", std::uint64_t{15} << 60, ""},
        {"16E", std::nullopt, "16E"},
        {"18446744073709551616", std::nullopt, "18446744073709551616"},
        {"0xg", std::nullopt, "0xg"},
        {"-1", std::nullopt, "-1"},
        {"", std::nullopt, ""},
    };
    for (const Case& c : cases) {
        SCOPED_TRACE(c.text);
        std::string_view rest = c.text;
        EXPECT_EQ(take_memparse(rest), c.value);
        EXPECT_EQ(rest, c.rest);
    }
}
