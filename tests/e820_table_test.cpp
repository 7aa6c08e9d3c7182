// SPDX-License-Identifier: GPL-2.0-or-later
#include "e820/type.hpp"
#include "e820/update.hpp"
#include "swiotlb-handoff/table.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <ostream>
#include <random>
#include <set>

#include <gtest/gtest.h>

using namespace base;
using namespace e820;

namespace e820 {

using base::Address;
using base::AddressRange;
using base::RangeSet;
void PrintTo(const Table& table, std::ostream* out) {
    for (const Entry& entry : table.entries) *out << to_string(entry.range) << " " << log_label(entry.type) << "; ";
}
}  // namespace e820

namespace {

struct Line {
    Address start;
    Address end;
    Type type;
};

Table table(std::initializer_list<Line> lines) {
    Table result;
    for (const Line& line : lines) result.add(AddressRange::from_bounds(line.start, line.end).value(), line.type);
    return result;
}

constexpr Type ram = Type::ram;
constexpr Type res = Type::reserved;
constexpr Type acpi = Type::acpi;
constexpr Type nvs = Type::nvs;
constexpr Type pram = Type::pram;
constexpr Type soft = Type::soft_reserved;

struct Case {
    const char* name;
    Table before;
    Table after;
};

constexpr Address space = 48;  ///< addresses of the random tables

/// What every byte is, one at a time, and where a range that may not be merged is cut.
Table sanitised_byte_by_byte(const Table& input) {
    std::set<Address> edges;
    for (const Entry& entry : input.entries) {
        if (entry.range.empty()) continue;
        edges.insert(entry.range.start());
        edges.insert(entry.range.end());
    }
    Table result;
    for (Address at = 0; at < space; ++at) {
        std::uint32_t highest = 0;
        for (const Entry& entry : input.entries) {
            if (entry.range.contains(at)) highest = std::max(highest, static_cast<std::uint32_t>(entry.type));
        }
        const auto type = static_cast<Type>(highest);
        if (highest == 0) continue;
        const bool cut = (type == pram || type == soft) && edges.contains(at);
        if (!cut && !result.entries.empty() && result.entries.back().type == type &&
            result.entries.back().range.end() == at) {
            auto& last = result.entries.back().range;
            last = AddressRange::from_bounds(last.start(), at + 1).value();
        } else {
            result.add(AddressRange::from_bounds(at, at + 1).value(), type);
        }
    }
    return result;
}

class RandomTables {
public:
    Table next() {
        static constexpr std::array types = {ram,  res,  acpi, nvs, Type::unusable, Type::pmem,
                                             pram, soft, pram, ram, Type{},         Type{20}};
        Table result;
        for (auto count = number(0, 9); count > 0; --count) {
            const auto [start, end] = std::minmax({number(0, space), number(0, space)});
            result.add(AddressRange::from_bounds(start, end).value(), types[number(0, types.size() - 1)]);
        }
        return result;
    }
    AddressRange next_range() {
        const auto [start, end] = std::minmax({number(0, space), number(0, space)});
        return AddressRange::from_bounds(start, end).value();
    }

private:
    std::uint64_t number(std::uint64_t low, std::uint64_t high) {
        return std::uniform_int_distribution<std::uint64_t>(low, high)(random_);
    }
    std::mt19937_64 random_{20260301};
};

/// The types that cover one byte, in the order of the table.
std::vector<Type> types_at(const Table& input, Address at) {
    std::vector<Type> types;
    for (const Entry& entry : input.entries) {
        if (entry.range.contains(at)) types.push_back(entry.type);
    }
    std::sort(types.begin(), types.end());
    return types;
}

}  // namespace

TEST(Sanitised, GeometriesOfReservedOnRam) {
    const Case cases[] = {
        {"exact", table({{10, 20, ram}, {10, 20, res}}), table({{10, 20, res}})},
        {"inside", table({{10, 20, ram}, {12, 15, res}}), table({{10, 12, ram}, {12, 15, res}, {15, 20, ram}})},
        {"left edge", table({{10, 20, ram}, {10, 15, res}}), table({{10, 15, res}, {15, 20, ram}})},
        {"right edge", table({{10, 20, ram}, {15, 20, res}}), table({{10, 15, ram}, {15, 20, res}})},
        {"covering", table({{10, 20, ram}, {5, 25, res}}), table({{5, 25, res}})},
        {"last byte", table({{10, 20, ram}, {19, 20, res}}), table({{10, 19, ram}, {19, 20, res}})},
        {"disjoint", table({{10, 20, ram}, {30, 40, res}}), table({{10, 20, ram}, {30, 40, res}})},
        {"out of order", table({{30, 40, res}, {10, 20, ram}}), table({{10, 20, ram}, {30, 40, res}})},
        {"touching", table({{10, 20, ram}, {20, 30, res}}), table({{10, 20, ram}, {20, 30, res}})},
        {"empty entry", table({{10, 20, ram}, {15, 15, res}}), table({{10, 20, ram}})},
        {"nothing", {}, {}},
    };
    for (const Case& c : cases) EXPECT_EQ(sanitised(c.before), c.after) << c.name;
}

TEST(Sanitised, TheHighestTypeWinsInAnyOrder) {
    EXPECT_EQ(sanitised(table({{0, 40, nvs}, {0, 40, ram}, {0, 40, acpi}})), table({{0, 40, nvs}}));
    EXPECT_EQ(sanitised(table({{0, 40, Type{20}}, {10, 13, nvs}, {15, 30, soft}})),
              table({{0, 15, Type{20}}, {15, 30, soft}, {30, 40, Type{20}}}));
    EXPECT_EQ(sanitised(table({{0, 40, Type::reserved_kern}, {0, 40, pram}})), table({{0, 40, Type::reserved_kern}}));
}

TEST(Sanitised, NestedTypesComeBackWhenTheInnerOneEnds) {
    EXPECT_EQ(sanitised(table({{0, 100, ram}, {10, 90, res}, {20, 80, acpi}, {30, 70, nvs}})), table({{0, 10, ram},
                                                                                                      {10, 20, res},
                                                                                                      {20, 30, acpi},
                                                                                                      {30, 70, nvs},
                                                                                                      {70, 80, acpi},
                                                                                                      {80, 90, res},
                                                                                                      {90, 100, ram}}));
}

TEST(Sanitised, MergesEqualNeighbours) {
    EXPECT_EQ(sanitised(table({{0, 10, ram}, {10, 20, ram}, {15, 30, ram}})), table({{0, 30, ram}}));
    EXPECT_EQ(sanitised(table({{0, 10, ram}, {11, 20, ram}})), table({{0, 10, ram}, {11, 20, ram}}));
}

TEST(Sanitised, KeepsTheBoundsOfPersistentAndSoftReservedRanges) {
    for (const Type type : {pram, soft}) {
        EXPECT_EQ(sanitised(table({{0, 10, type}, {10, 20, type}})), table({{0, 10, type}, {10, 20, type}}));
        // Also at the bounds of what lies beneath, as the kernel does.
        EXPECT_EQ(sanitised(table({{0, 30, type}, {10, 20, ram}})),
                  table({{0, 10, type}, {10, 20, type}, {20, 30, type}}));
    }
    EXPECT_EQ(sanitised(table({{0, 10, Type::pmem}, {10, 20, Type::pmem}})), table({{0, 20, Type::pmem}}));
}

TEST(Sanitised, TypeZeroIsNoMemory) {
    EXPECT_EQ(sanitised(table({{0, 10, Type{}}, {5, 20, ram}})), table({{5, 20, ram}}));
}

TEST(Sanitised, ReachesTheEndOfTheAddressSpace) {
    constexpr Address top = ~Address{0};
    EXPECT_EQ(sanitised(table({{0, top, ram}, {top - 1, top, res}})), table({{0, top - 1, ram}, {top - 1, top, res}}));
}

TEST(Sanitised, AgreesWithByteByByteOnRandomTables) {
    RandomTables random;
    for (int i = 0; i < 5000; ++i) {
        const Table input = random.next();
        const Table output = sanitised(input);
        ASSERT_EQ(output, sanitised_byte_by_byte(input)) << i << ": " << testing::PrintToString(input);
        ASSERT_EQ(sanitised(output), output) << i;
    }
}

TEST(Sanitised, TakesTenThousandNestedEntriesInItsStride) {
    Table input;
    constexpr Address count = 20000;
    for (Address i = 0; i < count; ++i) {
        input.add(AddressRange::from_bounds(i, 2 * count - i).value(), static_cast<Type>(i + 1000));
    }
    const Table output = sanitised(input);
    EXPECT_EQ(output.entries.size(), 2 * count - 1);
    EXPECT_EQ(output.entries[count - 1].type, static_cast<Type>(count - 1 + 1000));
}

TEST(Update, ChangesOnlyTheBytesOfThatType) {
    const Case cases[] = {
        {"exact", table({{10, 20, ram}}), table({{10, 20, res}})},
        {"other type", table({{10, 20, acpi}}), table({{10, 20, acpi}})},
        {"inside", table({{0, 30, ram}}), table({{0, 10, ram}, {10, 20, res}, {20, 30, ram}})},
        {"head", table({{0, 15, ram}}), table({{0, 10, ram}, {10, 15, res}})},
        {"tail", table({{15, 30, ram}}), table({{15, 20, res}, {20, 30, ram}})},
        {"disjoint", table({{20, 30, ram}}), table({{20, 30, ram}})},
        {"twice", table({{0, 30, ram}, {0, 30, ram}}), table({{0, 10, ram}, {10, 20, res}, {20, 30, ram}})},
        {"two entries", table({{5, 15, ram}, {15, 25, ram}}), table({{5, 10, ram}, {10, 20, res}, {20, 25, ram}})},
    };
    for (const Case& c : cases) {
        Table changed = c.before;
        update(changed, AddressRange::from_bounds(10, 20).value(), ram, res);
        EXPECT_EQ(sanitised(changed), c.after) << c.name;
    }
}

TEST(Remove, TakesOnlyTheBytesOfThatType) {
    const Case cases[] = {
        {"exact", table({{10, 20, ram}}), {}},
        {"other type", table({{10, 20, acpi}}), table({{10, 20, acpi}})},
        {"inside", table({{0, 30, ram}}), table({{0, 10, ram}, {20, 30, ram}})},
        {"head", table({{0, 15, ram}}), table({{0, 10, ram}})},
        {"tail", table({{15, 30, ram}}), table({{20, 30, ram}})},
        {"last byte", table({{19, 30, ram}}), table({{20, 30, ram}})},
        {"what lies beneath stays", table({{0, 30, ram}, {0, 30, res}}), table({{0, 30, res}})},
    };
    for (const Case& c : cases) {
        Table changed = c.before;
        remove(changed, AddressRange::from_bounds(10, 20).value(), ram);
        EXPECT_EQ(sanitised(changed), c.after) << c.name;
    }
    Table any = table({{0, 30, ram}, {12, 18, acpi}});
    remove(any, AddressRange::from_bounds(10, 20).value(), std::nullopt);
    EXPECT_EQ(sanitised(any), table({{0, 10, ram}, {20, 30, ram}}));
}

TEST(UpdateAndRemove, AgreeWithByteByByteOnRandomTables) {
    RandomTables random;
    for (int i = 0; i < 2000; ++i) {
        const Table input = random.next();
        const AddressRange range = random.next_range();
        Table updated = input;
        update(updated, range, ram, res);
        Table removed = input;
        remove(removed, range, ram);
        for (Address at = 0; at < space; ++at) {
            std::vector<Type> expected = types_at(input, at);
            if (range.contains(at)) std::replace(expected.begin(), expected.end(), ram, res);
            std::sort(expected.begin(), expected.end());
            ASSERT_EQ(types_at(updated, at), expected) << i;
            expected = types_at(input, at);
            if (range.contains(at)) std::erase(expected, ram);
            ASSERT_EQ(types_at(removed, at), expected) << i;
        }
    }
}

TEST(TableOf, MergesTheAddressesOfOneType) {
    const RangeSet found = table({{20, 30, ram}, {0, 10, ram}, {10, 20, res}, {30, 35, ram}}).of(ram);
    EXPECT_EQ(found.ranges(), (std::vector<AddressRange>{AddressRange::from_bounds(0, 10).value(),
                                                         AddressRange::from_bounds(20, 35).value()}));
}

TEST(TypeNames, LogLabelsOfBothStylesAreReadBack) {
    struct Name {
        Type type;
        const char* classic;
        const char* v7;
    };
    const Name cases[] = {
        {ram, "usable", "System RAM"},
        {res, "reserved", "device reserved"},
        {acpi, "ACPI data", "ACPI data"},
        {nvs, "ACPI NVS", "ACPI NVS"},
        {Type::unusable, "unusable", "unusable"},
        {Type::pmem, "persistent (type 7)", "persistent RAM (type 7)"},
        {pram, "persistent (type 12)", "persistent RAM (type 12)"},
        {soft, "soft reserved", "soft reserved"},
        {Type{20}, "type 20", "type 20"},
        {Type{6}, "type 6", "type 6"},
    };
    for (const Name& c : cases) {
        EXPECT_EQ(log_label(c.type), c.classic);
        EXPECT_EQ(log_label(c.type, LabelStyle::v7), c.v7);
        EXPECT_EQ(from_log_label(c.classic), c.type);
        EXPECT_EQ(from_log_label(c.v7), c.type);
    }
    EXPECT_EQ(log_label(Type::reserved_kern), "usable");
    for (const char* text : {"", "usable ", "Usable", "type", "type ", "type x", "type 4294967296", "persistent"}) {
        EXPECT_FALSE(from_log_label(text)) << text;
    }
}

TEST(TypeNames, ResourceNamesAreReadBack) {
    for (const Type type : {ram, res, acpi, nvs, Type::unusable, Type::pmem, pram, soft}) {
        EXPECT_EQ(from_firmware_name(resource_name(type)), type);
        EXPECT_EQ(from_iomem_name(resource_name(type)), type);
    }
    EXPECT_EQ(resource_name(Type::reserved_kern), "System RAM");
    EXPECT_EQ(resource_name(Type{20}), "Unknown E820 type");
    EXPECT_EQ(from_firmware_name("Unknown E820 type"), res);
    EXPECT_EQ(from_iomem_name("reserved"), res);
    for (const char* text :
         {"", "RAM buffer", "System RAM (kmem)", "System RAM (virtio_mem)", "system ram", "Kernel code"}) {
        EXPECT_FALSE(from_iomem_name(text)) << text;
    }
}
