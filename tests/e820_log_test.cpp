// SPDX-License-Identifier: GPL-2.0-or-later
#include "e820/log.hpp"

#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "e820/log_line.hpp"

using namespace base;
using namespace e820;

namespace {

AddressRange last(Address start, Address last_byte) { return AddressRange::from_inclusive(start, last_byte).value(); }

std::string read_fixture(const std::string& name) {
    std::ifstream file(std::string(FIXTURES_DIR "/logs/") + name, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

/// The only boot's map of this kind.
Table only_table(const std::string& text, MapKind kind = MapKind::firmware) {
    const auto boots = parse_log_table(text);
    EXPECT_TRUE(boots) << boots.error().message();
    if (!boots || boots->size() != 1) {
        ADD_FAILURE() << "not one boot";
        return {};
    }
    const LogMap* map = boots->front().find(kind);
    EXPECT_NE(map, nullptr);
    return map ? map->table : Table{};
}

std::string error_of(const std::string& text) {
    const auto boots = parse_log_table(text);
    return boots ? "no error" : boots.error().message();
}

const std::string low = "[mem 0x0000000000000000-0x000000000009fbff]";
const std::string high = "[mem 0x0000000000100000-0x00000000bffdffff]";
const Table low_usable{{{last(0, 0x9fbff), Type::ram}}};

}  // namespace

TEST(LogLine, StripsWhatWasPutInFront) {
    const char* const dressed[] = {
        "user: x",
        "  user: x  ",
        "[    0.000000] user: x",
        "[12345.678901] user: x",
        "[    0.000000][    T0] user: x",
        "[    0.000000] [      T0] user: x",
        "[    0.000000][    C1] user: x",
        "[    0.000000<    0.000000>] user: x",
        "[  +0.000000] user: x",
        "<6>[    0.000000] user: x",
        "<6>[    0.000000][    T0] user: x",
        "kern  :info  : [    0.000000] user: x",
        "kern  :debug : [    0.000000] [T0] user: x",
        "[Thu May 14 10:21:07 2024] user: x",
        "[Nov13 14:11] user: x",
        "[Do Mai 14 10:21:07 2024] user: x",
        "[Do M\xc3\xa4r 14 10:21:07 2024] user: x",
        "2024-05-14T10:21:07,123456+02:00 user: x",
        "2024-05-14T10:21:07 [    0.000000] user: x",
        "2024-05-14T10:21:07.123456+02:00 host kernel: [    0.000000] user: x",
        "2024-05-14T10:21:07.123456Z INFO kernel: [    0.000000] user: x",
        "May 14 10:21:07 host kernel: user: x",
        "May  4 10:21:07 host.example kernel: [    0.000000]  user: x",
        "Dez 14 10:21:07 host kernel: user: x",
        "Oct 23 15:47:34 kernel: [    0.000000]  user: x",
        "Thu 2024-05-14 10:21:07 CEST host kernel: user: x",
        "10:21:07 host kernel: user: x",
        "[    0.000000] host kernel: user: x",
        "[    0.000000] kernel: user: x",
        "kernel: user: x",
        "6,0,0,-;user: x",
        "6,1234,567890,c,caller=T0;user: x",
        "\"msg\": \"user: x\"",
        "> [    0.000000] user: x",
        ">> > [    0.000000] user: x",
        "[\xc2\xa0\xc2\xa0 0.000000]\xc2\xa0user: x",
        "\x1b[32m[    0.000000] \x1b[0m\x1b[33muser: \x1b[0mx",
        "[    0.000000] user: x\r",
        "\tuser: x",
    };
    for (const char* line : dressed) {
        LogLines lines(line);
        const auto read = lines.next();
        ASSERT_TRUE(read);
        EXPECT_EQ(read->text, "user: x") << line;
    }
}

TEST(LogLine, LeavesWhatTheKernelSaid) {
    const char* const plain[] = {
        "[mem 0x1-0x2] x",
        "[Firmware Bug]: x",
        "software IO TLB: mapped [mem 0x1-0x2]",
        "PM: RTC time: 10:21:07, date: 2024-05-14",
        "rtc_cmos 00:01: setting system clock to 2024-05-14T10:21:07 UTC",
        "host dracut[12]: user: x",
        "Secure kernel: x",
        "e820: BIOS-provided physical RAM map:",
    };
    for (const char* line : plain) EXPECT_EQ(strip_prefix(line).text, line);
    EXPECT_EQ(strip_prefix("May 14 10:21:07 host kdump[12]: Linux version 6").text, "host kdump[12]: Linux version 6");
}

TEST(LogLine, KnowsWhetherAnythingWasInFront) {
    for (const char* line : {"[    0.000000] x", "<6>x", "kernel: x", "6,1,2,-;x", "\"msg\": \"x\"", "10:21:07 x"})
        EXPECT_TRUE(strip_prefix(line).prefixed) << line;
    for (const char* line : {"x", "", "> x", "[13/11 14:11] x", "[mem 0x1-0x2] x"})
        EXPECT_FALSE(strip_prefix(line).prefixed) << line;
    EXPECT_EQ(strip_prefix("  x").indent, 2u);
    EXPECT_EQ(strip_prefix("[    0.000000]   x").indent, 0u);
}

TEST(LogLine, NumbersLinesAndReadsTimeStamps) {
    LogLines lines("[    0.000000] a\n\n[   12.345678][    T1] b\nc\n5,9,77,-;d");
    struct Case {
        std::size_t number;
        std::optional<std::uint64_t> time_us;
        const char* text;
    };
    const Case cases[] = {{1, 0, "a"}, {2, std::nullopt, ""}, {3, 12345678, "b"}, {4, std::nullopt, "c"}, {5, 77, "d"}};
    for (const Case& c : cases) {
        const auto line = lines.next();
        ASSERT_TRUE(line);
        EXPECT_EQ(line->number, c.number);
        EXPECT_EQ(line->time_us, c.time_us);
        EXPECT_EQ(line->text, c.text);
    }
    EXPECT_FALSE(lines.next());
}

TEST(LogLine, RemovesNulsAndColoursInsideTheMessage) {
    const std::string text("[    0.000000] soft\0ware \x1b[1;33mIO TLB\x1b[0m: x\x1b", 46);
    EXPECT_EQ(LogLines(text).next()->text, "software IO TLB: x");
    EXPECT_EQ(LogLines("a\x1b[").next()->text, "a");
    EXPECT_EQ(LogLines("a\x1b[12").next()->text, "a");
}

TEST(LogLine, HostileLinesAreNotQuadratic) {
    for (const char* part : {">", "[", "<6>", "[    0.000000]", "kernel: ", "a ", "1,", ":", "\x1b["}) {
        std::string text;
        while (text.size() < 4'000'000) text += part;
        LogLines lines(text);
        EXPECT_TRUE(lines.next());
        EXPECT_FALSE(lines.next());
    }
}

TEST(LogTable, ReadsInclusiveEntriesOfEveryLabel) {
    const std::string text =
        "BIOS-provided physical RAM map:\n"
        "BIOS-e820: [mem 0x0000000000000000-0x0000000000000fff] usable\n"
        "BIOS-e820: [mem 0x0000000000001000-0x0000000000001fff] reserved\n"
        "BIOS-e820: [mem 0x0000000000002000-0x0000000000002fff] ACPI data\n"
        "BIOS-e820: [mem 0x0000000000003000-0x0000000000003fff] ACPI NVS\n"
        "BIOS-e820: [mem 0x0000000000004000-0x0000000000004fff] unusable\n"
        "BIOS-e820: [mem 0x0000000000005000-0x0000000000005fff] persistent (type 7)\n"
        "BIOS-e820: [mem 0x0000000000006000-0x0000000000006fff] persistent (type 12)\n"
        "BIOS-e820: [mem 0x0000000000007000-0x0000000000007fff] soft reserved\n"
        "BIOS-e820: [mem 0x0000000000008000-0x0000000000008fff] type 20\n";
    const Type types[] = {Type::ram,  Type::reserved, Type::acpi,          Type::nvs, Type::unusable,
                          Type::pmem, Type::pram,     Type::soft_reserved, Type{20}};
    Table expected;
    for (const Type type : types) {
        const Address start = 0x1000 * expected.entries.size();
        expected.add(last(start, start + 0xfff), type);
    }
    EXPECT_EQ(only_table(text), expected);
}

TEST(LogTable, EndsAreExclusiveUpTo33) {
    EXPECT_EQ(only_table(" BIOS-e820: 0000000000000000 - 000000000009fc00 (usable)\n"
                         " BIOS-e820: 000000000009fc00 - 00000000000a0000 (reserved)\n"
                         " BIOS-e820: 00000000000a0000 - 00000000000b0000 type 9\n"),
              (Table{{{last(0, 0x9fbff), Type::ram},
                      {last(0x9fc00, 0x9ffff), Type::reserved},
                      {last(0xa0000, 0xaffff), Type{9}}}}));
}

TEST(LogTable, GapsOf70AreNoEntries) {
    EXPECT_EQ(only_table("BIOS-e820: [mem 0x0000000000000000-0x000000000009fbff]  System RAM\n"
                         "BIOS-e820: [gap 0x000000000009fc00-0x00000000000effff]\n"
                         "BIOS-e820: [mem 0x00000000000f0000-0x00000000000fffff]  device reserved\n"
                         "BIOS-e820: [mem 0x0000000000100000-0x00000000001fffff]  persistent RAM (type 12)\n"),
              (Table{{{last(0, 0x9fbff), Type::ram},
                      {last(0xf0000, 0xfffff), Type::reserved},
                      {last(0x100000, 0x1fffff), Type::pram}}}));
}

TEST(LogTable, XenSaysItsOwnMap) {
    EXPECT_EQ(only_table("Xen: using vcpuop timer interface\nXen: " + low + " usable\n"), low_usable);
}

TEST(LogTable, EveryMapOfABootIsKept) {
    const std::string text = "Linux version 6.12\nBIOS-provided physical RAM map:\nBIOS-e820: " + low +
                             " usable\nuser-defined physical RAM map:\nuser: " + low +
                             " reserved\nextended physical RAM map:\nreserve setup_data: " + low + " type 9\n" +
                             "extended: " + low + " ACPI data\nmodified physical RAM map:\nmodified: " + low +
                             " ACPI NVS\nmodified physical RAM map:\nmodified: " + low + " unusable\n" +
                             "user: logged in\n";
    const auto boots = parse_log_table(text);
    ASSERT_TRUE(boots);
    ASSERT_EQ(boots->size(), 1U);
    const LogBoot& boot = boots->front();
    EXPECT_EQ(boot.line, 1U);
    EXPECT_EQ(boot.maps.size(), 6U);
    struct Case {
        MapKind kind;
        Type type;
        std::size_t line;
        bool headed;
    };
    const Case cases[] = {
        {MapKind::firmware, Type::ram, 3, true},       {MapKind::user, Type::reserved, 5, true},
        {MapKind::setup_data, Type{9}, 7, true},       {MapKind::extended, Type::acpi, 8, false},
        {MapKind::modified, Type::unusable, 12, true},
    };
    for (const Case& c : cases) {
        const LogMap* map = boot.find(c.kind);
        ASSERT_NE(map, nullptr);
        EXPECT_EQ(map->table, (Table{{{last(0, 0x9fbff), c.type}}}));
        EXPECT_EQ(map->line, c.line);
        EXPECT_EQ(map->headed, c.headed);
    }
}

TEST(LogTable, ABootBeginsAtTheBannerAtTheHeadingOrWhereTheMapStartsOver) {
    const std::string entries = "BIOS-e820: " + low + " usable\nBIOS-e820: " + high + " usable\n";
    const std::string heading = "BIOS-provided physical RAM map:\n";
    for (const std::string& again : {"Linux version 6.1\n" + heading, heading, std::string()}) {
        const auto boots = parse_log_table(heading + entries + again + entries);
        ASSERT_TRUE(boots) << boots.error().message();
        ASSERT_EQ(boots->size(), 2U) << again;
        EXPECT_EQ(boots->front().line, 1U);
        EXPECT_EQ(boots->back().line, 4U);
        EXPECT_EQ(boots->back().find(MapKind::firmware)->table.entries.size(), 2U);
    }
}

TEST(LogTable, TheLastBootCountsEvenWhereItsMapIsLost) {
    const auto boots = parse_log_table("BIOS-e820: " + low + " usable\nLinux version 6.1\nCommand line: x\n");
    ASSERT_TRUE(boots);
    ASSERT_EQ(boots->size(), 2U);
    EXPECT_TRUE(boots->back().maps.empty());
    EXPECT_EQ(boots->back().find(MapKind::firmware), nullptr);
    const auto cut = parse_log_table("BIOS-e820: " + low + " usable\nBIOS-provided physical RAM map:\n");
    EXPECT_TRUE(cut->back().maps.empty());
}

TEST(LogTable, AMapWithoutItsHeadingSaysSo) {
    EXPECT_FALSE(parse_log_table("BIOS-e820: " + high + " usable\n")->front().maps.front().headed);
}

TEST(LogTable, NothingIsNoBoot) {
    for (const char* text : {"", "\n\n", "hello\n", "e820: update [mem 0x00000000-0x00000fff] usable ==> reserved\n"}) {
        const auto boots = parse_log_table(text);
        ASSERT_TRUE(boots);
        EXPECT_TRUE(boots->empty());
    }
}

TEST(LogTable, JoinsWhatAMailerCutAtABlank) {
    EXPECT_EQ(only_table("[    0.000000] BIOS-e820: " + low + "\nusable\n"), low_usable);
    EXPECT_EQ(only_table("> [    0.000000] BIOS-e820: [mem\n> 0x0000000000000000-0x000000000009fbff] usable\n"),
              low_usable);
    EXPECT_EQ(only_table("BIOS-e820: " + low + " ACPI\ndata\n"), (Table{{{last(0, 0x9fbff), Type::acpi}}}));
}

TEST(LogTable, AnEntryThatDoesNotParseIsAnErrorAndNeverDropped) {
    EXPECT_EQ(error_of("x\nBIOS-e820: " + low + "\nBIOS-e820: " + high + " usable\n"),
              "line 2: expected a memory type after the range, found nothing");
    EXPECT_EQ(error_of("BIOS-e820: " + low + " usabel\n"),
              "line 1: expected a memory type after the range, found 'usabel'");
    EXPECT_EQ(error_of("BIOS-e820: [mem 0x0000\n"), "line 1: expected '[mem 0x...-0x...] type', found '[mem 0x0000'");
    EXPECT_EQ(error_of("reserve setup_data: [mem"), "line 1: expected '[mem 0x...-0x...] type', found '[mem'");
    EXPECT_EQ(error_of("user: [mem 0xzz-0x1] usable"),
              "line 1: expected '[mem 0x...-0x...] type', found '[mem 0xzz-0x1] usable'");
    EXPECT_EQ(error_of("BIOS-e820: [mem 0x10000000000000000-0x1] usable"),
              "line 1: expected '[mem 0x...-0x...] type', found '[mem 0x10000000000000000-0x1] usable'");
    EXPECT_EQ(error_of("BIOS-e820: [mem 0x2-0x1] usable"),
              "line 1: expected a range whose end is above its start, found '[mem 0x2-0x1] usable'");
    EXPECT_EQ(error_of("BIOS-e820: [mem 0x0-0xffffffffffffffff] usable"),
              "line 1: expected a range whose end is above its start, found '[mem 0x0-0xffffffffffffffff] usable'");
    EXPECT_EQ(
        error_of("BIOS-e820: 0000000000000002 - 0000000000000001 (usable)"),
        "line 1: expected a range whose end is above its start, found '0000000000000002 - 0000000000000001 (usa...'");
    EXPECT_EQ(error_of("BIOS-e820: [gap 0x0-0x1] usable"), "line 1: expected nothing after a gap, found 'usable'");
    EXPECT_EQ(
        error_of("BIOS-e820: [mem 0x0-0x1] usable\nBIOS-e820: [mem 0x5-0x6] usable\nBIOS-e820: [mem 0x3-0x4] usable"),
        "line 3: expected a range above 0x7, found one at 0x3: these may be the lines of two machines or of two boots "
        "in "
        "turn, which nothing tells apart. Keep those of one");
}

TEST(LogTable, RealLogsInEveryDressGiveTheSameMap) {
    const Table plain = only_table(read_fixture("colours.log"));
    EXPECT_EQ(plain.entries.size(), 8U);
    EXPECT_EQ(only_table(read_fixture("json.log")), plain);
    EXPECT_EQ(only_table(read_fixture("kmsg-records.log")), plain);
}

TEST(LogTable, RealLogsOfEveryForm) {
    struct Case {
        const char* file;
        std::vector<std::size_t> firmware_entries;  ///< one a boot
    };
    const Case cases[] = {
        {"exclusive-ends.log", {28}},        {"gaps-7.0.log", {19}},      {"gaps-7.1-crash-kernel.log", {11}},
        {"crash-and-reboot.log", {8, 8, 8}}, {"two-boots.log", {14, 14}}, {"modified.log", {28}},
    };
    for (const Case& c : cases) {
        const auto boots = parse_log_table(read_fixture(c.file));
        ASSERT_TRUE(boots) << c.file << ": " << boots.error().message();
        std::vector<std::size_t> found;
        for (const LogBoot& boot : *boots) {
            const LogMap* map = boot.find(MapKind::firmware);
            ASSERT_NE(map, nullptr) << c.file;
            found.push_back(map->table.entries.size());
            EXPECT_EQ(sanitised(map->table), map->table) << c.file;
        }
        EXPECT_EQ(found, c.firmware_entries) << c.file;
    }
    EXPECT_EQ(only_table(read_fixture("gaps-7.1-crash-kernel.log")).of(Type::ram).ranges().back().start() & 0xfffff,
              0xe00b0U);
    EXPECT_EQ(only_table(read_fixture("modified-after-setup-data.log"), MapKind::modified).entries.size(), 29U);
}

TEST(LogTable, RealDamageIsNamed) {
    EXPECT_EQ(error_of(read_fixture("damaged-no-break-spaces.log")),
              "line 4: expected a memory type after the range, found nothing");
    EXPECT_EQ(error_of(read_fixture("damaged-setup-data.log")).substr(0, 50),
              "line 23: expected '[mem 0x...-0x...] type', found ");
}

TEST(SetupData, IsEverySecondOneOfTheEntriesOfRamThatTouchEachOther) {
    const Table printed{{{last(0x1000, 0x9ffff), Type::ram},
                         {last(0x100000, 0x7d5ce017), Type::ram},
                         {last(0x7d5ce018, 0x7d5f8857), Type::ram},
                         {last(0x7d5f8858, 0x7d5f9017), Type::ram},
                         {last(0x7d5f9018, 0x7d602a57), Type::ram},
                         {last(0x7d602a58, 0x7e8edfff), Type::ram},
                         {last(0x7e8ee000, 0x7eb6dfff), Type::reserved},
                         {last(0x7eb6e000, 0x7eb6f0ff), Type::ram},  // one at the start of a block
                         {last(0x7eb6f100, 0x7effffff), Type::ram}}};
    const Table marked = with_setup_data(printed);
    EXPECT_EQ(marked.of(Type::reserved_kern).ranges(),
              (std::vector{last(0x7d5ce018, 0x7d5f8857), last(0x7d5f9018, 0x7d602a57), last(0x7eb6e000, 0x7eb6f0ff)}));
    EXPECT_EQ(marked.entries.size(), printed.entries.size());
    EXPECT_EQ(with_setup_data(low_usable), low_usable);
    const Table plugged{{{last(0x100000000, 0x107ffffff), Type::ram}, {last(0x108000000, 0x10fffffff), Type::ram}}};
    EXPECT_EQ(with_setup_data(plugged), plugged) << "memory that was added later";
    EXPECT_EQ(with_setup_data({}), Table{});
}
