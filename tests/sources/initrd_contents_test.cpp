// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/initrd_contents.hpp"

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "lib/sources/decompress.hpp"
#include "swiotlb-handoff/range.hpp"
#include "tests/cpio_archive.hpp"
#include "tests/temp_tree.hpp"

namespace handoff {
namespace {

using base::KiB;
using base::MiB;
using cpio::directory;
using cpio::end;
using cpio::file;
using cpio::padded;
using cpio::symbolic_link;

base::Result<InitrdContents> read(std::string_view initrd, const InitrdLimits& limits = {}) {
    const std::span<const std::byte> bytes = std::as_bytes(std::span(initrd.data(), initrd.size()));
    return read_initrd_contents(initrd.size(), read_at(bytes), limits);
}

std::string error(std::string_view initrd, const InitrdLimits& limits = {}) {
    const auto contents = read(initrd, limits);
    return contents ? "none" : contents.error().message();
}

// What a tool makes of bytes; "" where it is not there.
std::string packed(std::string_view command, std::string_view bytes) {
    const TempTree tree;
    tree.write("in", bytes);
    const std::string line =
        fmt::format("{} < {} > {} 2>/dev/null", command, (tree / "in").string(), (tree / "out").string());
    return std::system(line.c_str()) == 0 ? read_file(tree / "out") : std::string();
}

struct Tool {
    Compression format;
    const char* command;
};
// As initramfs-tools and dracut call them.
constexpr Tool tools[] = {{Compression::gzip, "gzip -n"},
                          {Compression::bzip2, "bzip2 -9"},
                          {Compression::lzma, "xz --format=lzma"},
                          {Compression::xz, "xz --check=crc32 --lzma2=dict=1MiB"},
                          {Compression::lzo, "lzop"},
                          {Compression::lz4, "lz4 -l"},
                          {Compression::zstd, "zstd -q"}};

// Bytes that no tool makes much smaller, so that a stream has several blocks.
std::string noise(std::size_t bytes) {
    std::string text(bytes, '\0');
    std::uint64_t state = 1;
    for (char& c : text) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        c = static_cast<char>(state >> 56);
    }
    return text;
}

const std::string microcode = directory("kernel") + directory("kernel/x86") +
                              file("kernel/x86/microcode/GenuineIntel.bin", std::string(5000, 'm')) + end();
const std::string root = directory("usr") + directory("usr/bin") + file("usr/bin/makedumpfile", noise(300 * KiB)) +
                         file("init", "#!/bin/sh") + symbolic_link("bin", "usr/bin") +
                         file("dev/console", "", {.mode = 020600}) + file("etc/empty", "") + end();
constexpr std::uint64_t root_bytes = 300 * KiB + 4 * KiB;

// --- forms of real initrds

TEST(InitrdContents, AreTheSameInEachCompressionOfTheKernel) {
    for (const Tool& tool : tools) {
        SCOPED_TRACE(tool.command);
        const std::string stream = packed(tool.command, padded(root, 512));
        ASSERT_FALSE(stream.empty()) << "not installed: scripts/install-deps --check";
        ASSERT_EQ(compression_of(std::as_bytes(std::span(stream.data(), stream.size()))), tool.format);
        const auto contents = read(stream);
        ASSERT_TRUE(contents) << contents.error().message();
        EXPECT_EQ(contents->file_bytes, root_bytes);
        EXPECT_EQ(contents->inodes, 7u);
        EXPECT_EQ(contents->symbolic_links, 1u);
        EXPECT_EQ(contents->formats, std::vector<std::string>{name(tool.format)});
    }
}

TEST(InitrdContents, MayHaveMicrocodeInFrontAndMoreBehind) {
    const std::string drivers = file("usr/lib/modules/6.1/virtio-blk.ko", noise(40 * KiB)) + end();
    for (const Tool& tool : tools) {
        // A stream of LZ4 has no end but a size of 0: the kernel takes what follows for a block, too.
        SCOPED_TRACE(tool.command);
        const std::string stream = padded(microcode, 512) + packed(tool.command, root) + std::string(8, '\0');
        const std::string all = padded(stream, 4) + packed("zstd -q", drivers) + padded("", 512);
        const auto contents = read(all);
        ASSERT_TRUE(contents) << contents.error().message();
        EXPECT_EQ(contents->file_bytes, 8 * KiB + root_bytes + 40 * KiB);
        EXPECT_EQ(contents->formats, (std::vector<std::string>{name(tool.format), "zstd"}));
        ASSERT_EQ(contents->modules.size(), 1u);
        EXPECT_EQ(contents->modules.front().name, "virtio_blk");
        EXPECT_EQ(contents->modules.front().bytes, 40 * KiB);
    }
}

TEST(InitrdContents, MayBeArchivesWithoutAnyCompression) {
    const auto contents = read(padded(microcode, 512) + root + padded("", 256) + file("later", "x") + end());
    ASSERT_TRUE(contents) << contents.error().message();
    EXPECT_EQ(contents->file_bytes, 8 * KiB + root_bytes + 4 * KiB);
    EXPECT_TRUE(contents->formats.empty());
    EXPECT_TRUE(read("")) << "nothing";
    EXPECT_TRUE(read(std::string(4096, '\0'))) << "zeros alone";
    EXPECT_TRUE(read(file("checked", "x", {.magic = "070702"}) + end())) << "with a checksum";
}

TEST(InitrdContents, OfHardLinksHoldTheContentOnce) {
    const std::string links = file("a", "", {.inode = 7, .links = 3}) + file("b", "", {.inode = 7, .links = 3}) +
                              file("c", std::string(10000, 'x'), {.inode = 7, .links = 3});
    const auto contents = read(links + file("d", "x", {.inode = 8, .links = 2}) + end());
    ASSERT_TRUE(contents);
    EXPECT_EQ(contents->file_bytes, 12 * KiB + 4 * KiB);
    EXPECT_EQ(contents->inodes, 2u);
    const auto again = read(links + end() + links + end());
    ASSERT_TRUE(again);
    EXPECT_EQ(again->inodes, 2u) << "a trailer ends what an inode's number means";
}

TEST(InitrdContents, OfDevicesDirectoriesAndEmptyFilesAreInodesAlone) {
    const auto contents = read(file("null", "", {.mode = 020666}) + file("pipe", "", {.mode = 010600}) +
                               directory("proc") + file("empty", "") + end());
    ASSERT_TRUE(contents);
    EXPECT_EQ(contents->file_bytes, 0u);
    EXPECT_EQ(contents->inodes, 4u);
}

TEST(InitrdContents, WithAPackedRootSayHowLargeItIs) {
    for (const char* name : {"squash-root.img", "squashfs-root.img", "erofs-root.img"}) {
        const auto contents = read(file(name, std::string(30000, 'q')) + file("init", "x") + end());
        ASSERT_TRUE(contents);
        EXPECT_EQ(contents->packed_root_bytes, 32 * KiB) << name;
        EXPECT_EQ(contents->file_bytes, 36 * KiB) << "it is a file as any other";
    }
    EXPECT_EQ(read(file("root.img", "x") + end())->packed_root_bytes, 0u);
}

TEST(InitrdContents, NameTheModulesAsTheKernelDoes) {
    const auto contents = read(file("lib/modules/6.1/dm-mod.ko.xz", "xx") + file("lib/nvme.ko", "x") +
                               file("lib/nvme.ko.zst", "x") + file("lib/nvme.kox", "x") + end());
    ASSERT_TRUE(contents);
    ASSERT_EQ(contents->modules.size(), 3u);
    EXPECT_EQ(contents->modules[0].name, "dm_mod");
    EXPECT_TRUE(contents->modules[0].compressed);
    EXPECT_FALSE(contents->modules[1].compressed);
}

// --- what is wrong

TEST(InitrdContents, ThatAreCutOffAreAnErrorWhereverThatIs) {
    for (const Tool& tool : tools) {
        SCOPED_TRACE(tool.command);
        const std::string stream = packed(tool.command, root);
        // An lzop file and the others end in what belongs to the stream.
        for (const std::size_t left : {std::size_t{3}, stream.size() / 3, stream.size() - 5}) {
            SCOPED_TRACE(left);
            EXPECT_FALSE(read(std::string_view(stream).substr(0, left)));
        }
    }
    for (const std::size_t left : {std::size_t{50}, std::size_t{112}, root.size() / 2})
        EXPECT_EQ(error(std::string_view(root).substr(0, left)),
                  fmt::format("expected an initrd, found at offset {}: the end, within an entry", left));
}

TEST(InitrdContents, ThatAreDamagedAreAnErrorWithItsPlace) {
    std::string stream = packed("xz --check=crc32", root);
    stream[stream.size() / 2] = static_cast<char>(stream[stream.size() / 2] ^ 0x55);
    EXPECT_EQ(error(padded(microcode, 512) + stream),
              fmt::format("expected an initrd, found at offset {}: xz: the data is damaged, or cut off",
                          padded(microcode, 512).size()));
    EXPECT_EQ(error(padded(root, 4) + "MZ"),
              fmt::format("expected an initrd, found at offset {}: what is neither cpio nor a compression that the "
                          "kernel knows",
                          root.size()));
    EXPECT_NE(error("070707000001").find("the end"), std::string::npos);
    EXPECT_NE(error("070707" + std::string(200, '0')).find("newc"), std::string::npos) << "cpio's old format";
    EXPECT_NE(error(packed("gzip", root + "?")).find("no entry"), std::string::npos);
    std::string endless = file("name", "x");
    endless.replace(endless.find("name") + 4, 1, "s");
    EXPECT_NE(error(endless).find("a name that does not end"), std::string::npos) << error(endless);
}

TEST(InitrdContents, OfABombAreAnErrorBeforeMuchIsUnpacked) {
    const InitrdLimits small{1 * MiB, 1000};
    const std::string zeros(4 * MiB, '\0');
    for (const Tool& tool : tools) {
        SCOPED_TRACE(tool.command);
        EXPECT_NE(error(packed(tool.command, zeros), small).find("more than 1 MiB unpacked"), std::string::npos);
    }
    std::string many;
    for (int i = 0; i < 1001; ++i) many += file("f", "");
    EXPECT_NE(error(many, small).find("more than 1000 entries"), std::string::npos);
    EXPECT_NE(error(packed("gzip", many), small).find("more than 1000 entries"), std::string::npos);
    EXPECT_EQ(error(many, {1 * MiB, 1001}), "none");
    std::string huge = file("huge", "");
    huge.replace(6 + 6 * 8, 8, "ffffffff");
    EXPECT_NE(error(huge).find("the end, within an entry"), std::string::npos);
}

TEST(InitrdContents, OfAFileWithoutContentAreAnErrorBeforeItsEnd) {
    std::uint64_t furthest = 0;
    const auto zeros = [&furthest](std::uint64_t offset, std::span<std::byte> into) {
        std::fill(into.begin(), into.end(), std::byte{0});
        furthest = offset;
        return true;
    };
    const auto contents = read_initrd_contents(std::uint64_t{1} << 40, zeros);
    ASSERT_FALSE(contents);
    EXPECT_NE(contents.error().message().find("more zeros than any initrd has"), std::string::npos);
    EXPECT_LE(furthest, 65 * MiB);
}

TEST(InitrdContents, ThatCannotBeReadAreAnError) {
    const auto fails = [](std::uint64_t, std::span<std::byte>) { return false; };
    const auto contents = read_initrd_contents(4096, fails);
    ASSERT_FALSE(contents);
    EXPECT_NE(contents.error().message().find("bytes that cannot be read"), std::string::npos);
}

}  // namespace
}  // namespace handoff
