// SPDX-License-Identifier: GPL-2.0-or-later
#include <random>

#include <gtest/gtest.h>

#include "base/byte_cursor.hpp"
#include "e820/binary.hpp"
#include "e820/firmware_memmap.hpp"
#include "e820/json.hpp"
#include "e820/log.hpp"
#include "e820/memmap.hpp"
#include "e820/render.hpp"
#include "e820/type.hpp"

using namespace base;
using namespace e820;

namespace {

AddressRange range(Address start, Address end) { return AddressRange::from_bounds(start, end).value(); }

const Table sample{{{range(0, 0x9fc00), Type::ram},
                    {range(0x9fc00, 0xa0000), Type::reserved},
                    {range(0x100000, 0xbffe0000), Type::ram},
                    {range(0xbffe0000, 0xbfff0000), Type::acpi},
                    {range(0xbfff0000, 0xc0000000), Type::nvs},
                    {range(0xc0000000, 0xc0001000), Type::unusable},
                    {range(0x100000000, 0x200000000), Type::pram},
                    {range(0x200000000, 0x240000000), Type::pmem},
                    {range(0x240000000, 0x280000000), Type::soft_reserved},
                    {range(0x280000000, 0x280000001), Type{20}}}};

std::vector<std::byte> bytes(std::initializer_list<unsigned> values) {
    std::vector<std::byte> result;
    for (const unsigned value : values) result.push_back(static_cast<std::byte>(value));
    return result;
}

std::string json_error(std::string_view text) {
    const auto parsed = parse_json(text);
    return parsed ? "no error" : parsed.error().message();
}

std::string firmware_error(const FirmwareMapEntry& entry) {
    const FirmwareMapEntry entries[] = {entry};
    const auto parsed = parse_firmware_memmap(entries);
    return parsed ? "no error" : parsed.error().message();
}

}  // namespace

TEST(FirmwareMemmap, ReadsInclusiveEnds) {
    const FirmwareMapEntry entries[] = {
        {"0", "0x0\n", "0x9fbff\n", "System RAM\n"},
        {"1", "0x9fc00\n", "0x9ffff\n", "Reserved\n"},
        {"2", "0xbffe0000", "0xbffeffff", "ACPI Tables"},
        {"3", "0xbfff0000", "0xbfffffff", "ACPI Non-volatile Storage"},
        {"4", "0xc0000000", "0xc0000000", "Unusable memory"},
        {"5", "0x100000000", "0x1ffffffff", "Persistent Memory (legacy)"},
        {"6", "0x200000000", "0x23fffffff", "Persistent Memory"},
        {"7", "0x240000000", "0x27fffffff", "Soft Reserved"},
        {"8", "0x280000000", "0xfffffffffffffffe", "Unknown E820 type"},
    };
    const Table expected{{{range(0, 0x9fc00), Type::ram},
                          {range(0x9fc00, 0xa0000), Type::reserved},
                          {range(0xbffe0000, 0xbfff0000), Type::acpi},
                          {range(0xbfff0000, 0xc0000000), Type::nvs},
                          {range(0xc0000000, 0xc0000001), Type::unusable},
                          {range(0x100000000, 0x200000000), Type::pram},
                          {range(0x200000000, 0x240000000), Type::pmem},
                          {range(0x240000000, 0x280000000), Type::soft_reserved},
                          {range(0x280000000, ~Address{0}), Type::reserved}}};
    const auto parsed = parse_firmware_memmap(entries);
    ASSERT_TRUE(parsed) << parsed.error().message();
    EXPECT_EQ(*parsed, expected);
}

TEST(FirmwareMemmap, ErrorsNameTheFile) {
    EXPECT_EQ(firmware_error({"7", "100000", "0x2", "System RAM"}),
              "7/start: expected a 64-bit address, 0x..., found '100000'");
    EXPECT_EQ(firmware_error({"7", "0x1", "", "System RAM"}), "7/end: expected a 64-bit address, 0x..., found nothing");
    EXPECT_EQ(firmware_error({"7", "0x1", "0x10000000000000000", "System RAM"}),
              "7/end: expected a 64-bit address, 0x..., found '0x10000000000000000'");
    EXPECT_EQ(firmware_error({"7", "0x2", "0x1", "System RAM"}),
              "7/end: expected an address from 0x2 to 2^64-2, found '0x1'");
    EXPECT_EQ(firmware_error({"7", "0x0", "0xffffffffffffffff", "System RAM"}),
              "7/end: expected an address from 0x0 to 2^64-2, found '0xffffffffffffffff'");
    EXPECT_EQ(firmware_error({"7", "0x0", "0x1", "System RAM\n\n"}),
              "7/type: expected the name of a memory type, found 'System RAM?'");
    EXPECT_EQ(parse_firmware_memmap({}).error().message(), "expected at least one entry, found none");
}

TEST(ByteCursor, TakesLittleEndianAndStopsAtTheEnd) {
    const auto input = bytes({1, 2, 3, 4, 5, 6, 7});
    ByteCursor cursor(input);
    EXPECT_EQ(cursor.take<std::uint32_t>(), 0x04030201U);
    EXPECT_EQ(cursor.offset(), 4U);
    EXPECT_FALSE(cursor.take<std::uint32_t>());
    EXPECT_EQ(cursor.remaining(), 3U);
    EXPECT_EQ(cursor.take<std::uint16_t>(), 0x0605U);
    EXPECT_EQ(cursor.take<std::uint8_t>(), 7U);
    EXPECT_FALSE(cursor.take<std::uint8_t>());
}

TEST(Binary, ReadsPackedLittleEndianEntries) {
    const auto input = bytes({0, 0, 0, 0x75, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 1,    0,    0,    0,  //
                              0, 0, 0, 0,    1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xef});
    const auto parsed = parse_binary(input);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(
        *parsed,
        (Table{{{range(0x75000000, 0x79000000), Type::ram}, {range(0x100000000, 0x200000000), Type::soft_reserved}}}));
    EXPECT_TRUE(parse_binary({})->entries.empty());
}

TEST(Binary, ErrorsCarryTheOffset) {
    auto input = render_binary(sample).boot_params;
    for (std::size_t length = 0; length < input.size(); ++length) {
        const auto parsed = parse_binary(std::span(input).first(length));
        EXPECT_EQ(parsed.has_value(), length % boot_entry_size == 0) << length;
    }
    EXPECT_EQ(parse_binary(std::span(input).first(27)).error().message(),
              "offset 0x14: expected an entry of 20 bytes, found 7");
    for (std::size_t i = 20; i < 36; ++i) input[i] = std::byte{0xff};
    EXPECT_EQ(parse_binary(input).error().message(),
              "offset 0x14: expected a range within 64 bits, found 0xffffffffffffffff bytes at 0xffffffffffffffff");
}

TEST(Binary, WhatBootParamsCannotHoldGoesToSetupData) {
    Table table;
    for (Address i = 0; i < boot_params_entries; ++i) table.add(range(i * 0x2000, i * 0x2000 + 0x1000), Type::ram);
    EXPECT_EQ(render_binary(table).boot_params.size(), 128 * 20U);
    EXPECT_TRUE(render_binary(table).setup_data.empty());
    table.add(range(0x1000000, 0x1001000), Type::reserved);
    const BootEntries entries = render_binary(table);
    EXPECT_EQ(entries.boot_params.size(), 128 * 20U);
    EXPECT_EQ(*parse_binary(entries.setup_data), (Table{{{range(0x1000000, 0x1001000), Type::reserved}}}));
}

TEST(RenderLog, LooksAsTheKernelPrints) {
    const Table table{{{range(0x1000, 0x9fc00), Type::ram}, {range(0x9fc00, 0xa0000), Type::reserved}}};
    EXPECT_EQ(render_log(table),
              "BIOS-provided physical RAM map:\n"
              "BIOS-e820: [mem 0x0000000000001000-0x000000000009fbff] usable\n"
              "BIOS-e820: [mem 0x000000000009fc00-0x000000000009ffff] reserved\n");
    EXPECT_EQ(render_log(table, LabelStyle::v7),
              "BIOS-provided physical RAM map:\n"
              "BIOS-e820: [gap 0x0000000000000000-0x0000000000000fff]\n"
              "BIOS-e820: [mem 0x0000000000001000-0x000000000009fbff]  System RAM\n"
              "BIOS-e820: [mem 0x000000000009fc00-0x000000000009ffff]  device reserved\n");
}

TEST(RenderMemmap, StartsFromNothing) {
    const Table table{{{range(0, 0xa0000), Type::ram},
                       {range(0xf0000, 0x100000), Type::reserved},
                       {range(0x75000000, 0x79000000), Type::nvs}}};
    EXPECT_EQ(render_memmap(table), (std::vector<std::string>{"memmap=exactmap", "memmap=640K@0x0",
                                                              "memmap=64K$0xf0000", "memmap=64M%0x75000000+4"}));
}

TEST(Json, ATableIsAnObjectOfEntriesThatAreRangesWithAType) {
    const Table table{{{range(0, 0xa0000), Type::ram}, {range(0xa0000, 0xb0000), Type{20}}}};
    EXPECT_EQ(to_text(to_json(table), -1),
              R"({"entries":[{"start":"0x0","end":"0xa0000","size_bytes":655360,"type":1,"name":"usable"},)"
              R"({"start":"0xa0000","end":"0xb0000","size_bytes":65536,"type":20,"name":"type 20"}]})");
    EXPECT_EQ(to_text(to_json(Table{}), -1), R"({"entries":[]})");
}

std::string entries(const std::string& list) { return R"({"entries":[)" + list + "]}"; }

TEST(ParseJson, NameAndSizeAreOptionalButMustFit) {
    EXPECT_EQ(*parse_json(entries(R"({"type":1,"end":"0x2","start":"0x1"})")), (Table{{{range(1, 2), Type::ram}}}));
    EXPECT_EQ(json_error(entries(R"({"type":1,"end":"0x2","start":"0x1","name":"reserved"})")),
              "entries[0].name: expected 'usable', found '\"reserved\"'");
    EXPECT_EQ(json_error(entries(R"({"type":1,"end":"0x2","start":"0x1","size_bytes":2})")),
              "entries[0].size_bytes: expected 1, found '2'");
}

TEST(ParseJson, ADocumentOfAnotherSchemaIsRefused) {
    EXPECT_EQ(json_error(R"({"schema":2,"command":"e820","entries":[]})"), "no error");
    EXPECT_EQ(json_error(R"({"schema":3,"command":"e820","entries":[]})"), "schema: expected 2, found '3'");
    EXPECT_EQ(json_error("[]"), "expected an object with entries, found array");
}

TEST(ParseJson, ErrorsNameTheLineOrTheMember) {
    EXPECT_EQ(json_error(""), "line 1: expected JSON, found nothing");
    EXPECT_EQ(json_error("[\n{\"start\" 1}]"), "line 2: expected JSON, found '1}]'");
    EXPECT_EQ(json_error("{}"), "entries: expected an array, found nothing");
    EXPECT_EQ(json_error(R"({"entries":1})"), "entries: expected an array, found number");
    EXPECT_EQ(json_error(entries("1")), "entries[0]: expected an object, found number");
    EXPECT_EQ(json_error(entries(R"({"start":1,"end":"0x2","type":1})")),
              "entries[0].start: expected a hexadecimal string, found '1'");
    EXPECT_EQ(json_error(entries(R"({"start":"0x1","end":"2","type":1})")),
              "entries[0].end: expected a hexadecimal string, found '\"2\"'");
    EXPECT_EQ(json_error(entries(R"({"start":"0x1","end":"0x10000000000000000","type":1})")),
              "entries[0].end: expected a hexadecimal string, found '\"0x10000000000000000\"'");
    EXPECT_EQ(json_error(entries(R"({"start":"0x2","end":"0x1","type":1})")),
              "entries[0].end: expected 0x2 or above, found '\"0x1\"'");
    EXPECT_EQ(json_error(entries(R"({"start":"0x1","end":"0x2","type":1},{"start":"0x1","end":"0x2"})")),
              "entries[1].type: expected a 32-bit number, found nothing");
    for (const char* type : {"-1", "4294967296", "1.5", "1e999", "\"usable\"", "null"}) {
        EXPECT_NE(json_error(entries(std::string(R"({"start":"0x1","end":"0x2","type":)") + type + "}")), "no error")
            << type;
    }
    EXPECT_NE(json_error(std::string(100000, '[')), "no error");
    const std::string deep = std::string(1'000'000, '[') + std::string(1'000'000, ']');
    EXPECT_EQ(json_error(entries(deep)), "entries[0]: expected an object, found array");
    EXPECT_EQ(json_error(entries("{\"start\": " + deep + "}")),
              "entries[0].start: expected a hexadecimal string, found 'array'");
    EXPECT_NE(json_error("[\"\xff\"]"), "no error");
    EXPECT_NE(json_error(std::string_view("[\0]", 3)), "no error");
}

TEST(RoundTrip, EveryFormGivesTheTableBack) {
    std::mt19937_64 random(20260302);
    const Type types[] = {Type::ram,  Type::reserved, Type::acpi,          Type::nvs, Type::unusable,
                          Type::pmem, Type::pram,     Type::soft_reserved, Type{20}};
    for (int i = 0; i < 300; ++i) {
        Table table = i == 0 ? sample : Table{};
        Address at = i == 0 ? 0x300000000 : 0;
        for (auto count = random() % 200 + 2; count > 0; --count) {
            const Address start = at + random() % 3 * (random() % 0x100000);
            at = start + 1 + (random() % 0x10000 << random() % 20);
            table.add(range(start, at), types[random() % std::size(types)]);
        }
        table = sanitised(table);
        for (const LabelStyle style : {LabelStyle::classic, LabelStyle::v7}) {
            const auto boots = parse_log_table(render_log(table, style));
            ASSERT_TRUE(boots) << boots.error().message();
            ASSERT_EQ(boots->back().find(MapKind::firmware)->table, table);
        }
        ASSERT_EQ(*parse_json(to_text(to_json(table))), table);
        const BootEntries binary = render_binary(table);
        Table joined = *parse_binary(binary.boot_params);
        const Table rest = *parse_binary(binary.setup_data);
        joined.entries.insert(joined.entries.end(), rest.entries.begin(), rest.entries.end());
        ASSERT_EQ(joined, table);
        std::vector<MemmapOp> ops;
        for (const std::string& word : render_memmap(table)) {
            const auto parsed = parse_memmap(std::string_view(word).substr(7));
            ASSERT_TRUE(parsed) << word;
            ops.insert(ops.end(), parsed->begin(), parsed->end());
        }
        ASSERT_EQ(*with_memmap(sample, ops), table);
    }
}
