// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/early_cpio.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "lib/sources/initrd.hpp"
#include "swiotlb-handoff/range.hpp"
#include "tests/cpio_archive.hpp"
#include "tests/temp_tree.hpp"

namespace handoff {
namespace {

using cpio::directory;
using cpio::end;
using cpio::file;
using cpio::padded;

// An ACPI table of this size; `length` is what its header says.
std::string table(const std::string& signature, std::size_t bytes, std::size_t length) {
    std::string data(bytes, 'x');
    data.replace(0, 4, signature);
    for (std::size_t i = 0; i < 4; ++i) data[4 + i] = static_cast<char>(length >> 8 * i & 0xff);
    return data;
}
std::string table(const std::string& signature, std::size_t bytes) { return table(signature, bytes, bytes); }

const std::string acpi = "kernel/firmware/acpi/";
const std::string compressed = std::string("\x1f\x8b\x08\0", 4) + file(acpi + "hidden.aml", table("SSDT", 100));
const std::string microcode = directory("kernel") + directory("kernel/x86") +
                              file("kernel/x86/microcode/GenuineIntel.bin", std::string(5000, 'm'));

base::Result<EarlyCpio> read(std::string_view initrd) {
    return read_early_cpio(std::as_bytes(std::span(initrd.data(), initrd.size())));
}

std::vector<EarlyAcpiTable> tables(std::string_view initrd) {
    const auto found = read(initrd);
    if (!found) return {EarlyAcpiTable{found.error().message(), 0}};
    return found->acpi_tables;
}
using Tables = std::vector<EarlyAcpiTable>;

std::string error(std::string_view initrd) {
    const auto found = read(initrd);
    return found ? "none" : found.error().message();
}

// --- forms of real initrds

TEST(EarlyCpio, OfMicrocodeAloneHasNoTables) {
    const std::string front = padded(microcode + end(), 512);
    const auto found = read(front + compressed);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->acpi_tables, Tables{});
    EXPECT_EQ(found->acpi_bytes(), 0u);
    EXPECT_EQ(found->end, front.size());
}

TEST(EarlyCpio, OfDracutIsOneArchiveWithEverything) {
    const std::string initrd = directory(".") + file("early_cpio", "1") + microcode + directory("kernel/firmware") +
                               directory("kernel/firmware/acpi") + file(acpi + "dsdt.aml", table("DSDT", 0x5001)) +
                               file(acpi + "ssdt.aml", table("SSDT", 36)) + end();
    const auto found = read(padded(initrd, 512) + compressed);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->acpi_tables, (Tables{{acpi + "dsdt.aml", 0x5001}, {acpi + "ssdt.aml", 36}}));
    EXPECT_EQ(found->acpi_bytes(), 0x6000u);
}

TEST(EarlyCpio, OfInitramfsToolsIsSeveralArchivesWithZerosBetween) {
    const std::string initrd = padded(microcode + end(), 512) + std::string(200 * 1024, '\0') +
                               padded(file(acpi + "a.aml", table("FACP", 300)) + end(), 1024) +
                               file(acpi + "b.aml", table("APIC", 4096)) + end();
    EXPECT_EQ(tables(padded(initrd, 512) + compressed), (Tables{{acpi + "a.aml", 300}, {acpi + "b.aml", 4096}}));
}

TEST(EarlyCpio, CanBeAWholeInitrdThatIsNotCompressed) {
    std::string initrd = directory("bin");
    for (int i = 0; i < 300; ++i)
        initrd += file(fmt::format("bin/{}", i), std::string(static_cast<std::size_t>(i) * 7, 'p'));
    initrd += file(acpi + "late.aml", table("SSDT", 50)) + end();
    EXPECT_EQ(tables(initrd), (Tables{{acpi + "late.aml", 50}}));
    EXPECT_EQ(read(initrd)->end, initrd.size());
}

TEST(EarlyCpio, EndsAtTheFirstByteOfAnythingElse) {
    for (const char* begin : {"\x1f\x8b", "\x28\xb5\x2f\xfd",
                              "\xfd"
                              "7zXZ",
                              "070707", "BZh9", "x"})
        EXPECT_EQ(tables(begin + file(acpi + "a.aml", table("SSDT", 50))), Tables{}) << begin;
    EXPECT_EQ(tables(""), Tables{});
    EXPECT_EQ(tables(std::string(100000, '\0')), Tables{});
}

TEST(EarlyCpio, IsSkippedFourBytesAtATimeWhereTheFirstIsZero) {
    const std::string ssdt = file(acpi + "a", table("SSDT", 50));
    EXPECT_EQ(tables(std::string("\0abc\0\0\0\0", 8) + ssdt), (Tables{{acpi + "a", 50}}));
    EXPECT_EQ(tables(std::string("\0\0\0\0abc\0", 8) + ssdt), Tables{});
    EXPECT_EQ(tables(std::string(2, '\0') + ssdt), Tables{});
}

// What is read comes in pieces; where a file begins does not matter.
TEST(EarlyCpio, IsFoundAtAnyPlace) {
    for (std::size_t zeros = 64 * 1024 - 400; zeros <= 64 * 1024 + 8; zeros += 4)
        for (const char* name : {"a", "ab", "abc", "abcd"})
            ASSERT_EQ(tables(std::string(zeros, '\0') + file(acpi + name, table("SSDT", 50)) + end()),
                      (Tables{{acpi + name, 50}}))
                << zeros;
}

// --- which files acpi_table_upgrade() takes

TEST(EarlyCpio, TablesHaveAKnownSignatureAndTheLengthOfTheirFile) {
    EXPECT_EQ(tables(file(acpi + "a", table("SSDT", 35)) + end()), Tables{});
    EXPECT_EQ(tables(file(acpi + "a", table("SSDT", 36)) + end()), (Tables{{acpi + "a", 36}}));
    EXPECT_EQ(tables(file(acpi + "a", table("SSDT", 100, 99)) + end()), Tables{});
    EXPECT_EQ(tables(file(acpi + "a", table("FACS", 100)) + end()), Tables{});
    EXPECT_EQ(tables(file(acpi + "a", table("ssdt", 100)) + end()), Tables{});
    EXPECT_EQ(tables(file(acpi + "a", "") + file(acpi + "b", table("SRAT", 64)) + end()), (Tables{{acpi + "b", 64}}));
}

TEST(EarlyCpio, TablesAreRegularFilesUnderTheirFolder) {
    const std::string ssdt = table("SSDT", 100);
    EXPECT_EQ(tables(file(acpi + "deep/er", ssdt)), (Tables{{acpi + "deep/er", 100}}));
    EXPECT_EQ(tables(file(acpi + "a", ssdt, {.mode = 0100600, .magic = "070702"})), (Tables{{acpi + "a", 100}}));
    EXPECT_EQ(tables(file("./" + acpi + "a", ssdt)), Tables{});
    EXPECT_EQ(tables(file("kernel/firmware/acpi", ssdt)), Tables{});
    EXPECT_EQ(tables(file("Kernel/firmware/acpi/a", ssdt)), Tables{});
    EXPECT_EQ(tables(file(acpi + "a", ssdt, {.mode = 0120777})), Tables{});
    EXPECT_EQ(tables(file(acpi + "a", ssdt, {.mode = 040755})), Tables{});
}

TEST(EarlyCpio, TheKernelLooksAtSixtyFourFiles) {
    std::string initrd = file(acpi + "small", "");
    for (int i = 0; i < 70; ++i) initrd += file(fmt::format("{}{}", acpi, i), table("SSDT", 40));
    EXPECT_EQ(tables(initrd + end()).size(), 63u);
}

// --- what is damaged

TEST(EarlyCpio, DamageIsAnErrorThatSaysWhere) {
    const std::string first = file("a", "");  // 112 bytes
    ASSERT_EQ(first.size(), 112u);
    EXPECT_EQ(error(first + "070701"), "expected a cpio header at offset 112, found the end");
    EXPECT_EQ(error(first + std::string(first).replace(20, 1, "g")),
              "expected a cpio header at offset 112, found a field that is no number");
    EXPECT_EQ(error(first + std::string(first).replace(20, 1, "-")),
              "expected a cpio header at offset 112, found a field that is no number");
    EXPECT_EQ(error(std::string(first).replace(54, 8, "ffffffff")),
              "expected a cpio header at offset 0, found a file that is longer than the rest");
    EXPECT_EQ(error(std::string(first).replace(94, 8, "00000000")),
              "expected a cpio header at offset 0, found a name of 0 bytes");
    EXPECT_EQ(error(std::string(first).replace(94, 8, "ffffffff")),
              "expected a cpio header at offset 0, found a name of 4294967295 bytes");
    EXPECT_EQ(error(std::string(first).replace(94, 8, "00000100")),
              "expected a cpio header at offset 0, found a file that is longer than the rest");
}

TEST(EarlyCpio, BytesThatCannotBeReadAreAnError) {
    const std::string initrd =
        padded(microcode + end(), 512) + std::string(200000, '\0') + file(acpi + "a", table("SSDT", 100));
    for (const std::uint64_t bad : {std::uint64_t{0}, std::uint64_t{100000}, std::uint64_t{initrd.size() - 1}}) {
        const auto found = read_early_cpio(initrd.size(), [&](std::uint64_t offset, std::span<std::byte> into) {
            for (std::size_t i = 0; i < into.size(); ++i)
                into[i] = static_cast<std::byte>(initrd[static_cast<std::size_t>(offset) + i]);
            return bad < offset || bad >= offset + into.size();
        });
        ASSERT_FALSE(found) << bad;
        EXPECT_TRUE(found.error().what.starts_with("expected bytes at offset ")) << found.error().what;
    }
}

// Cut anywhere, an initrd is an error or has the tables that came before the cut, all of them.
TEST(EarlyCpio, CutAnywhereItHasNoTableThatIsNotThere) {
    const std::string initrd = padded(directory("kernel") + file(acpi + "a", table("SSDT", 101)) + end(), 512) +
                               std::string(64, '\0') + file(acpi + "b", table("DSDT", 77)) + file("c", "12345") +
                               end() + compressed;
    const Tables all = tables(initrd);
    ASSERT_EQ(all.size(), 2u);
    for (std::size_t length = 0; length < initrd.size(); ++length) {
        const auto found = read(std::string_view(initrd).substr(0, length));
        if (!found) continue;
        EXPECT_LE(found->end, length);
        ASSERT_LE(found->acpi_tables.size(), all.size());
        for (std::size_t i = 0; i < found->acpi_tables.size(); ++i) {
            EXPECT_EQ(found->acpi_tables[i], all[i]) << length;
            EXPECT_LT(initrd.find(all[i].name), length);
        }
        if (length > initrd.find(acpi + "b") + 250) {
            EXPECT_EQ(found->acpi_tables, all) << length;
        }
    }
}

// Each byte changed: never more than one table's worth of difference, and no crash.
TEST(EarlyCpio, WithAnyByteChangedItIsReadToAnEnd) {
    const std::string initrd = padded(file(acpi + "a", table("SSDT", 101)) + end(), 512) + compressed;
    for (std::size_t at = 0; at < 600; ++at)
        for (const char byte : {'\0', '0', '7', 'f', '\xff'}) {
            std::string changed = initrd;
            changed[at] = byte;
            const auto found = read(changed);
            if (found) {
                EXPECT_LE(found->acpi_bytes(), 4096u) << at;
            }
        }
}

// A file of terabytes without content is not read to its end.
TEST(EarlyCpio, BehindMoreZerosThanAnyInitrdHasItLooksAtNothingAndBoundsTheTablesByWhatIsLeft) {
    std::uint64_t asked = 0;
    const auto found = read_early_cpio(std::uint64_t{1} << 42, [&](std::uint64_t, std::span<std::byte> into) {
        asked += into.size();
        std::fill(into.begin(), into.end(), std::byte{0});
        return true;
    });
    ASSERT_TRUE(found) << found.error().message();
    EXPECT_LT(asked, 80 * base::MiB);
    EXPECT_GT(found->acpi_bytes(), std::uint64_t{1} << 41);
    EXPECT_EQ(read(std::string(512 * 1024, '\0') + compressed)->acpi_bytes(), 0u);
}

TEST(InitrdFile, HasItsSizeAndWhatItsAcpiTablesTake) {
    const TempTree tree;
    const std::string initrd = padded(file(acpi + "a", table("SSDT", 5000)) + end(), 512) + compressed;
    tree.write("initrd", initrd);
    const auto read = read_initrd(tree / "initrd");
    ASSERT_TRUE(read) << read.error().message();
    EXPECT_EQ(read->bytes, initrd.size());
    EXPECT_EQ(read->acpi_bytes, 8192u);
    tree.write("plain", compressed);
    EXPECT_EQ(read_initrd(tree / "plain")->acpi_bytes, 0u);
    EXPECT_FALSE(read->bootconfig);
    for (const std::size_t padding : {0u, 1u, 3u}) {
        tree.write("words", compressed + "kernel.log_buf_len = 64M" + std::string(8, '\1') + "#BOOTCONFIG\n" +
                                std::string(padding, '\0'));
        EXPECT_TRUE(read_initrd(tree / "words")->bootconfig) << padding << " bytes for a boot loader's alignment";
    }
    tree.write("short", "#BOOTCONFIG\n");
    EXPECT_FALSE(read_initrd(tree / "short")->bootconfig) << "there is no size and no checksum in front";
    tree.write("cut", "070701");
    EXPECT_EQ(read_initrd(tree / "cut").error().message(),
              (tree / "cut").string() + ": expected a cpio header at offset 0, found the end");
    EXPECT_EQ(read_initrd(tree / "none").error().code, base::Errc::not_found);
}

}  // namespace
}  // namespace handoff
