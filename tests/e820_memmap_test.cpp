// SPDX-License-Identifier: GPL-2.0-or-later
#include "e820/memmap.hpp"

#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "e820/log.hpp"
#include "e820/log_line.hpp"

using namespace base;
using namespace e820;

namespace {

AddressRange at(Address start, std::uint64_t size) { return AddressRange::from_size(start, size).value(); }
AddressRange above(Address start) { return AddressRange::from_bounds(start, ~Address{0}).value(); }

Table table(std::vector<Entry> entries) { return Table{std::move(entries)}; }

std::string read_fixture(const std::string& name) {
    std::ifstream file(std::string(FIXTURES_DIR "/logs/") + name, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

/// The operations that the log's own command line asks for, in its order.
std::vector<MemmapOp> ops_of_log(std::string_view text) {
    constexpr std::string_view key = "Kernel command line: ";
    std::vector<MemmapOp> ops;
    LogLines lines(text);
    while (const auto line = lines.next()) {
        if (!line->text.starts_with(key)) continue;
        std::istringstream words{std::string(line->text.substr(key.size()))};
        for (std::string word; words >> word;) {
            const bool memmap = word.starts_with("memmap=");
            if (!memmap && !word.starts_with("mem=")) continue;
            const auto value = word.substr(word.find('=') + 1);
            const auto parsed = memmap ? parse_memmap(value) : parse_mem(value);
            EXPECT_TRUE(parsed) << word << ": " << parsed.error().message();
            if (parsed) ops.insert(ops.end(), parsed->begin(), parsed->end());
        }
    }
    return ops;
}

}  // namespace

TEST(Memmap, ReadsEveryForm) {
    struct Case {
        const char* value;
        std::vector<MemmapOp> ops;
    };
    const Case cases[] = {
        {"exactmap", {ExactMap{}}},
        {"64M@0x75000000", {AddRange{at(0x75000000, 64 * MiB), Type::ram}}},
        {"64M@1872m", {AddRange{at(0x75000000, 64 * MiB), Type::ram}}},
        {"4K$0x1000", {AddRange{at(0x1000, 4 * KiB), Type::reserved}}},
        {"128K#0xbf000000", {AddRange{at(0xbf000000, 128 * KiB), Type::acpi}}},
        {"8G!15G,8G!24G", {AddRange{at(15 * GiB, 8 * GiB), Type::pram}, AddRange{at(24 * GiB, 8 * GiB), Type::pram}}},
        {"exactmap,640K@0,010$8",
         {ExactMap{}, AddRange{at(0, 640 * KiB), Type::ram}, AddRange{at(8, 8), Type::reserved}}},
        {"0@0", {AddRange{at(0, 0), Type::ram}}},
        {"1G", {RemoveRange{above(GiB), Type::ram}}},
        {"0", {RemoveRange{above(0), Type::ram}}},
        {"1M%2M-1+2", {UpdateRange{at(2 * MiB, MiB), Type::ram, Type::reserved}}},
        {"1M%2M-0x1+0xefffffff", {UpdateRange{at(2 * MiB, MiB), Type::ram, Type::soft_reserved}}},
        {"1M%2M-010", {RemoveRange{at(2 * MiB, MiB), Type{8}}}},
        {"1M%2M+4", {AddRange{at(2 * MiB, MiB), Type::nvs}}},
        {"1M%2M-0+4", {AddRange{at(2 * MiB, MiB), Type::nvs}}},
        {"1M%2M", {RemoveRange{at(2 * MiB, MiB), std::nullopt}}},
        {"1M%2M-0+0", {RemoveRange{at(2 * MiB, MiB), std::nullopt}}},
        // Conversions are cut at the end of the address space, not refused.
        {"15E%15E-1", {RemoveRange{above(std::uint64_t{15} << 60), Type::ram}}},
    };
    for (const Case& c : cases) {
        const auto parsed = parse_memmap(c.value);
        ASSERT_TRUE(parsed) << c.value << ": " << parsed.error().message();
        EXPECT_EQ(*parsed, c.ops) << c.value;
    }
}

TEST(Memmap, RefusesWhatTheKernelWouldIgnoreMisreadOrStopOn) {
    struct Case {
        const char* value;
        const char* message;
    };
    const Case cases[] = {
        {"", "expected exactmap or nn[KMG][@#$!%]ss[KMG], found nothing"},
        {"@1M", "expected exactmap or nn[KMG][@#$!%]ss[KMG], found '@1M'"},
        {"-1M@0", "expected exactmap or nn[KMG][@#$!%]ss[KMG], found '-1M@0'"},
        {"64M@1M,", "expected exactmap or nn[KMG][@#$!%]ss[KMG], found nothing"},
        {"64M@", "expected a 64-bit address after '@', found '64M@'"},
        {"64M$x", "expected a 64-bit address after '$', found '64M$x'"},
        {"64M@0x10000000000000000", "expected a 64-bit address after '@', found '64M@0x10000000000000000'"},
        {"16E@0", "expected exactmap or nn[KMG][@#$!%]ss[KMG], found '16E@0'"},
        {"64M@0xffffffffff000000", "expected a range within 64 bits, found '64M@0xffffffffff000000'"},
        {"1M%0xffffffffffffffff+2", "expected a range within 64 bits, found '1M%0xffffffffffffffff+2'"},
        {"64M@1Mx", "expected nothing after the address, found '64M@1Mx'"},
        {"64M@1M@2M", "expected nothing after the address, found '64M@1M@2M'"},
        {"64MB@1M", "expected one of @ # $ ! % after the size, found '64MB@1M'"},
        {"64M 1M", "expected one of @ # $ ! % after the size, found '64M 1M'"},
        {"1M%2M-", "expected nn%ss-old+new with 32-bit types, found '1M%2M-'"},
        {"1M%2M-1+", "expected nn%ss-old+new with 32-bit types, found '1M%2M-1+'"},
        {"1M%2M+4294967296", "expected nn%ss-old+new with 32-bit types, found '1M%2M+4294967296'"},
        {"1M%2M-1K", "expected nn%ss-old+new, found '1M%2M-1K'"},
        {"1M%2M+2-1", "expected nn%ss-old+new, found '1M%2M+2-1'"},
        {"1M%2M-2+2", "expected two different types in nn%ss-old+new, found '1M%2M-2+2'"},
        {"\x01\xff", "expected exactmap or nn[KMG][@#$!%]ss[KMG], found '?\?'"},
    };
    for (const Case& c : cases) {
        const auto parsed = parse_memmap(c.value);
        ASSERT_FALSE(parsed) << c.value;
        EXPECT_EQ(parsed.error().message(), c.message);
    }
}

TEST(Mem, IsALimitOnRam) {
    EXPECT_EQ(*parse_mem("7G"), std::vector<MemmapOp>({RemoveRange{above(7 * GiB), Type::ram}}));
    EXPECT_TRUE(parse_mem("nopentium")->empty());
    for (const char* value : {"", "0", "x", "7Gx", "16E"}) EXPECT_FALSE(parse_mem(value)) << value;
}

TEST(Memmap, OptionsWorkInTheOrderGiven) {
    const Table firmware = table({{at(0, GiB), Type::ram}, {at(GiB, MiB), Type::acpi}});
    struct Case {
        const char* value;
        Table after;
    };
    const Case cases[] = {
        {"exactmap,4K@0,1M@1M", table({{at(0, 4 * KiB), Type::ram}, {at(MiB, MiB), Type::ram}})},
        {"4K@8G,exactmap,4K@0,1M@1M", table({{at(0, 4 * KiB), Type::ram}, {at(MiB, MiB), Type::ram}})},
        {"512M,1M@768M",
         table({{at(0, 512 * MiB), Type::ram}, {at(768 * MiB, MiB), Type::ram}, {at(GiB, MiB), Type::acpi}})},
        {"1M@768M,512M", table({{at(0, 512 * MiB), Type::ram}, {at(GiB, MiB), Type::acpi}})},
        // What is there already wins over RAM that is added: no memmap=@ makes reserved memory usable,
        {"1M@1G", firmware},
        // a conversion does.
        {"1M%1G-3+1", table({{at(0, GiB + MiB), Type::ram}})},
        {"0", table({{at(GiB, MiB), Type::acpi}})},
    };
    for (const Case& c : cases) {
        const auto after = with_memmap(firmware, *parse_memmap(c.value));
        ASSERT_TRUE(after) << c.value;
        EXPECT_EQ(*after, c.after) << c.value;
    }
    EXPECT_EQ(*with_memmap(firmware, {}), firmware);
}

TEST(Memmap, AMapOfOneEntryStopsTheKernel) {
    const Table firmware = table({{at(0, GiB), Type::ram}, {at(GiB, MiB), Type::acpi}});
    const auto one = with_memmap(firmware, *parse_memmap("exactmap,1G@0"));
    ASSERT_FALSE(one);
    EXPECT_EQ(one.error().message(),
              "expected a map of at least two ranges, found 1: the kernel would panic (\"Invalid user supplied memory "
              "map\")");
    EXPECT_FALSE(with_memmap(firmware, *parse_memmap("exactmap")));
    EXPECT_FALSE(with_memmap(table({{at(0, GiB), Type::ram}}), *parse_memmap("2G")));
    // Two that touch are two, and an entry that was removed still counts.
    EXPECT_TRUE(with_memmap(firmware, *parse_memmap("exactmap,512M@0,512M@512M")));
    EXPECT_TRUE(with_memmap(firmware, *parse_memmap("exactmap,512M@0,512M@1G,512M")));
    EXPECT_TRUE(with_memmap(table({{at(0, GiB), Type::ram}}), {}));
}

TEST(Memmap, WordsAreReadBack) {
    struct Case {
        MemmapOp op;
        const char* word;
    };
    const Case cases[] = {
        {ExactMap{}, "exactmap"},
        {AddRange{at(0x75000000, 64 * MiB), Type::ram}, "64M@0x75000000"},
        {AddRange{at(0x9fc00, KiB), Type::reserved}, "1K$0x9fc00"},
        {AddRange{at(0, 655359), Type::ram}, "655359@0x0"},
        {AddRange{at(0, 0), Type::acpi}, "0#0x0"},
        {AddRange{at(4 * GiB, 48 * GiB), Type::pram}, "49152M!0x100000000"},
        {AddRange{at(0x1000, 4 * KiB), Type::nvs}, "4K%0x1000+4"},
        {AddRange{at(0x1000, 4 * KiB), Type::soft_reserved}, "4K%0x1000+4026531839"},
        {UpdateRange{at(0x1000, 4 * KiB), Type::ram, Type{20}}, "4K%0x1000-1+20"},
        {RemoveRange{at(0x1000, 4 * KiB), Type::ram}, "4K%0x1000-1"},
        {RemoveRange{at(0x1000, 4 * KiB), std::nullopt}, "4K%0x1000"},
        {RemoveRange{above(GiB), Type::ram}, "1024M"},
    };
    for (const Case& c : cases) {
        EXPECT_EQ(to_word(c.op), c.word);
        const auto parsed = parse_memmap(c.word);
        ASSERT_TRUE(parsed) << c.word;
        EXPECT_EQ(*parsed, std::vector<MemmapOp>{c.op}) << c.word;
    }
}

class MemmapOnRealKernels : public testing::TestWithParam<const char*> {};

TEST_P(MemmapOnRealKernels, GivesTheMapTheyPrinted) {
    const std::string text = read_fixture(GetParam());
    const auto boots = parse_log_table(text);
    ASSERT_TRUE(boots) << boots.error().message();
    ASSERT_EQ(boots->size(), 1U);
    const LogMap* firmware = boots->front().find(MapKind::firmware);
    const LogMap* user = boots->front().find(MapKind::user);
    ASSERT_NE(firmware, nullptr);
    ASSERT_NE(user, nullptr);
    const auto ops = ops_of_log(text);
    ASSERT_FALSE(ops.empty());
    const auto predicted = with_memmap(firmware->table, ops);
    ASSERT_TRUE(predicted);
    EXPECT_EQ(*predicted, user->table);
    EXPECT_NE(firmware->table, user->table);
    EXPECT_EQ(sanitised(user->table), user->table);
}

INSTANTIATE_TEST_SUITE_P(Logs, MemmapOnRealKernels,
                         testing::Values("mem-limit-5.5.log", "memmap-reserve-5.9.log", "memmap-persistent-6.1.log",
                                         "memmap-reserve-6.11.log", "memmap-reserve-6.12.log",
                                         "memmap-persistent-6.19.log"));
