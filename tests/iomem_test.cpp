// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/iomem.hpp"

#include <gtest/gtest.h>

#include "tests/temp_tree.hpp"

namespace handoff {
namespace {

using base::AddressRange;
using base::Errc;

std::string error_of(std::string_view text) {
    const auto entries = parse_iomem(text);
    return entries ? "no error" : entries.error().message();
}

TEST(Iomem, ReadsRangesNamesAndNesting) {
    const auto entries = parse_iomem(
        "00001000-0009ffff : System RAM\n"
        "100000000-13fffffff : System RAM\n"
        "  100400000-1013fffff : Kernel code\n"
        "e000000000-e7ffffffff : PCI Bus 0000:00\n"
        "  e000000000-e000003fff : 0000:00:03.0\n"
        "    e000000000-e000003fff : virtio-pci-modern\n");
    ASSERT_TRUE(entries);
    ASSERT_EQ(entries->size(), 6u);
    const IomemEntry& code = (*entries)[2];
    EXPECT_EQ(code.range, AddressRange::from_bounds(0x100400000, 0x101400000));
    EXPECT_EQ(code.depth, 1u);
    EXPECT_EQ(code.name, "Kernel code");
    EXPECT_EQ(code.line, 3u);
    EXPECT_EQ((*entries)[5].depth, 2u);
}

TEST(Iomem, NeedsNoNewlineAtTheEndAndTakesCrLf) {
    EXPECT_EQ(parse_iomem("0-fff : Reserved\r\n1000-1fff : System RAM")->size(), 2u);
    EXPECT_EQ((*parse_iomem("0-fff : Reserved\r\n"))[0].name, "Reserved");
}

TEST(Iomem, ZeroRangesAmongRealOnesAreEmpty) {
    const auto entries = parse_iomem(
        "00000000-00000000 : PCI Bus 0000:00\n"
        "00001000-0009ffff : System RAM\n"
        "00000000-00000000 : Crash kernel\n");
    ASSERT_TRUE(entries);
    EXPECT_TRUE((*entries)[0].range.empty());
    EXPECT_TRUE((*entries)[2].range.empty());
    EXPECT_FALSE((*entries)[1].range.empty());
}

TEST(Iomem, AllZeroMeansNotPermitted) {
    const auto entries = parse_iomem("00000000-00000000 : Reserved\n  00000000-00000000 : Crash kernel\n");
    ASSERT_FALSE(entries);
    EXPECT_EQ(entries.error().code, Errc::not_permitted);
    EXPECT_EQ(entries.error().what, "every address is zero, because it was read without root (CAP_SYS_ADMIN)");
}

TEST(Iomem, MailMayAddABlankOrTurnBlanksIntoNoBreakSpaces) {
    const auto entries = parse_iomem(
        "000a0000-000fffff : Reserved\n"
        "   000a0000-000bffff : PCI Bus 0000:00\n"
        "\xc2\xa0 000f0000-000fffff : System ROM\n");
    ASSERT_TRUE(entries);
    EXPECT_EQ((*entries)[1].depth, 1u);
    EXPECT_EQ((*entries)[2].depth, 1u);
}

TEST(Iomem, NamesMayHoldAnything) {
    EXPECT_EQ((*parse_iomem("0-fff : pnp 00:05 - 1 : x\n"))[0].name, "pnp 00:05 - 1 : x");
}

TEST(Iomem, MalformedTextIsAnErrorWithItsLine) {
    EXPECT_EQ(error_of(""), "expected lines of 'start-end : name', found nothing");
    EXPECT_EQ(error_of("0-fff : a\nfoo\n"), "line 2: expected 'start-end : name' in hexadecimal, found 'foo'");
    EXPECT_EQ(error_of("0-fff\n"), "line 1: expected 'start-end : name' in hexadecimal, found '0-fff'");
    EXPECT_EQ(error_of("0-fff : \n"), "line 1: expected 'start-end : name' in hexadecimal, found '0-fff : '");
    EXPECT_EQ(error_of("0x0-fff : a\n"), "line 1: expected 'start-end : name' in hexadecimal, found '0x0-fff : a'");
    EXPECT_EQ(error_of("0-10000000000000000 : a\n"),
              "line 1: expected 'start-end : name' in hexadecimal, found '0-10000000000000000 : a'");
    EXPECT_EQ(error_of("2000-1fff : a\n"),
              "line 1: expected an end that is not below the start, found '2000-1fff : a'");
    EXPECT_EQ(error_of("0-ffffffffffffffff : a\n"),
              "line 1: expected an end below the last 64-bit address, found '0-ffffffffffffffff : a'");
    EXPECT_EQ(error_of("0-fff : a\n    0-f : b\n"), "line 2: expected a nesting of at most 1, found 2: '    0-f : b'");
    EXPECT_EQ(error_of("  0-fff : a\n"), "line 1: expected a nesting of at most 0, found 1: '  0-fff : a'");
    EXPECT_EQ(error_of(std::string_view("0-fff : a\0b\n", 12)), "line 1: expected text, found a NUL byte");
    EXPECT_EQ(
        error_of(std::string(1000, 'x')),
        "line 1: expected 'start-end : name' in hexadecimal, found 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...'");
}

TEST(Iomem, NestingOfAnyDepthAndManyLines) {
    std::string text;
    for (unsigned depth = 0; depth < 100; ++depth) text += std::string(2 * depth, ' ') + "1000-1fff : x\n";
    for (unsigned line = 0; line < 10000; ++line) text += "1000-1fff : x\n";
    const auto entries = parse_iomem(text);
    ASSERT_TRUE(entries);
    EXPECT_EQ((*entries)[99].depth, 99u);
    EXPECT_EQ(entries->size(), 10100u);
}

TEST(Iomem, ReadsCapturedMachines) {
    for (const char* machine : {"debian-6.12-ovmf-128M-pool", "debian-7.2-high-320M-default-low"}) {
        const auto entries = parse_iomem(read_file(std::string(FIXTURES_DIR "/sources/") + machine + "/proc/iomem"));
        EXPECT_TRUE(entries) << machine;
    }
}

}  // namespace
}  // namespace handoff
