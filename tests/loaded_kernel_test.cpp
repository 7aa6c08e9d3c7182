// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/loaded_kernel.hpp"

#include <algorithm>
#include <cstring>
#include <string>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

#include "lib/sources/host.hpp"
#include "tests/kexec/fake_kernel.hpp"
#include "tests/temp_tree.hpp"

namespace handoff {
namespace {

using Bytes = std::vector<std::byte>;
using fake_kernel::image;
using fake_kernel::memory_of;
using fake_kernel::variable;
using fake_kernel::with_kimage;

Result<ImageLayout> layout_of(const Bytes& btf) { return image_layout(read_at(btf)); }

AddressRange range(Address start, std::uint64_t size) { return *AddressRange::from_size(start, size); }

const std::vector<AddressRange> segments{range(0x70000000, 0x1000), range(0x7fffb000, 0x5000),
                                         range(0x7fff9000, 0x2000), range(0x7be00000, 0x4000000)};
const std::string line = "console=ttyS0 nr_cpus=1 swiotlb_handoff=0x75000000-0x79000000 elfcorehdr=1835008K";

/// Memory made of pieces, by virtual or by physical address.
MemoryReader reader(const std::vector<MemoryPiece>& pieces, Address MemoryPiece::*start) {
    return [&pieces, start](Address at, std::size_t size) -> Result<Bytes> {
        for (const MemoryPiece& p : pieces) {
            if (at < p.*start || at - p.*start > p.bytes.size() || size > p.bytes.size() - (at - p.*start)) continue;
            const auto begin = p.bytes.begin() + static_cast<std::ptrdiff_t>(at - p.*start);
            return Bytes(begin, begin + static_cast<std::ptrdiff_t>(size));
        }
        return Error{Errc::not_found, {}, 0, "not mapped"};
    };
}

Result<std::optional<LoadedKernel>> read_in(const std::vector<MemoryPiece>& pieces) {
    return read_loaded_kernel(variable, *layout_of(with_kimage({})), reader(pieces, &MemoryPiece::address),
                              reader(pieces, &MemoryPiece::physical));
}
std::string error_in(const std::vector<MemoryPiece>& pieces) {
    const auto loaded = read_in(pieces);
    return loaded ? "no error" : loaded.error().what;
}

template <class Integer>
void put(Bytes& bytes, std::size_t offset, Integer value) {
    std::memcpy(bytes.data() + offset, &value, sizeof value);
}

// In memory_of(): the pointer, struct kimage, then the segments; boot_params is the third.
constexpr std::size_t kimage = 1, params = 2 + 2, count_at = 56, list_at = 64;

TEST(ImageLayout, IsWhatBtfSays) { EXPECT_EQ(*layout_of(with_kimage({})), (ImageLayout{56, 64, 16, 32, 16, 24})); }

TEST(ImageLayout, OfThisMachinesKernelIfItHasBtf) {
    const std::string btf = read_file("/sys/kernel/btf/vmlinux");
    if (btf.find("kexec_segment") == btf.npos) GTEST_SKIP() << "no BTF here, or a kernel without kexec";
    const auto layout = image_layout(read_at(std::as_bytes(std::span(btf))));
    ASSERT_TRUE(layout) << layout.error().message();
    EXPECT_EQ(layout->most, 16u);
}

TEST(ImageLayout, OfAnotherShapeIsAnError) {
    EXPECT_FALSE(layout_of({}));
    EXPECT_FALSE(layout_of(Bytes(1000)));
    for (const std::uint32_t most : {0u, 1025u, 0x10000000u}) {
        const auto layout = layout_of(with_kimage({}, most));
        ASSERT_FALSE(layout) << most;
        EXPECT_EQ(layout.error().what,
                  "expected up to 1024 segments in struct kimage, found: start, nr_segments, segment");
    }
    const Bytes whole = with_kimage({});
    for (std::size_t size = 0; size < whole.size(); ++size)
        EXPECT_FALSE(image_layout(read_at(std::span(whole).first(size)))) << size;
}

TEST(LoadedKernel, HasItsSegmentsAndTheCommandLineOfItsBootParams) {
    const auto loaded = read_in(memory_of(segments, line));
    ASSERT_TRUE(loaded) << loaded.error().message();
    ASSERT_TRUE(*loaded);
    EXPECT_EQ((*loaded)->segments, segments);
    EXPECT_EQ((*loaded)->command_line, line);
}

TEST(LoadedKernel, IsFoundAbove4GiB) {
    std::vector<AddressRange> high;
    for (const AddressRange& s : segments) high.push_back(range(s.start() + 0x4000000000, s.size()));
    const auto loaded = read_in(memory_of(high, line));
    ASSERT_TRUE(loaded) << loaded.error().message();
    EXPECT_EQ((*loaded)->command_line, line);
}

TEST(LoadedKernel, IsNoneWhereThePointerIsNull) {
    const auto loaded = read_in({{variable, Bytes(8)}});
    ASSERT_TRUE(loaded) << loaded.error().message();
    EXPECT_FALSE(*loaded);
}

TEST(LoadedKernel, IsAnErrorWhereWhatIsThereIsNoLoad) {
    const auto with = [&](auto change) {
        std::vector<MemoryPiece> pieces = memory_of(segments, line);
        change(pieces);
        return error_in(pieces);
    };
    using Pieces = std::vector<MemoryPiece>;
    for (const std::uint64_t count : {std::uint64_t{0}, std::uint64_t{17}, ~std::uint64_t{0}})
        EXPECT_EQ(with([&](Pieces& p) { put(p[kimage].bytes, count_at, count); }),
                  "expected 1 to 16 segments in kexec_crash_image, found " + std::to_string(count));
    EXPECT_EQ(with([](Pieces& p) { put(p[kimage].bytes, list_at + 24, std::uint64_t{0}); }),
              "expected memory in segment 0 of kexec_crash_image, found 0x0 bytes at 0x70000000");
    EXPECT_EQ(with([](Pieces& p) { put(p[kimage].bytes, list_at + 24, ~std::uint64_t{0}); }),
              "expected memory in segment 0 of kexec_crash_image, found 0xffffffffffffffff bytes at 0x70000000");
    EXPECT_EQ(with([](Pieces& p) { put(p[params].bytes, 0x228, 0x7fff8fffu); }),
              "expected boot_params in a segment of the loaded crash kernel, found none")
        << "a command line outside of its segment";
    EXPECT_EQ(with([](Pieces& p) { p.erase(p.begin() + params); }), "not mapped") << "it may be boot_params";
    EXPECT_EQ(with([](Pieces& p) { std::fill(p[params].bytes.begin() + 4096, p[params].bytes.end(), std::byte{'x'}); }),
              "expected a command line at 0x7fffa000, found 4096 bytes without an end");
    EXPECT_EQ(with([](Pieces& p) { p.erase(p.begin() + kimage); }), "not mapped");
    EXPECT_EQ(with([](Pieces& p) { p.clear(); }), "not mapped");
}

TEST(LoadedKernel, IsAnErrorWhereNoSegmentIsBootParamsOrTwoAre) {
    std::vector<MemoryPiece> none = memory_of(segments, line), two = none;
    none[params].bytes[0x202] = std::byte{'X'};
    EXPECT_EQ(error_in(none), "expected boot_params in a segment of the loaded crash kernel, found none");
    MemoryPiece& other = two[params - 1];
    std::memcpy(other.bytes.data(), two[params].bytes.data(), 4096);
    put(other.bytes, 0x228, 0x7fffb800u);
    EXPECT_EQ(error_in(two), "expected one segment with boot_params, found them at 0x7fffb000 and 0x7fff9000");
}

TEST(NextKernel, HasItsSegments) {
    const ImageLayout layout = *layout_of(with_kimage({}));
    const auto read = [&](const std::vector<MemoryPiece>& pieces) {
        return read_next_segments(fake_kernel::next_variable, layout, reader(pieces, &MemoryPiece::address));
    };
    EXPECT_EQ(*read(fake_kernel::next_memory_of(segments)), segments);
    EXPECT_TRUE(read(fake_kernel::next_memory_of({}))->empty()) << "nothing is loaded";
    EXPECT_FALSE(read({})) << "not mapped";
    auto broken = fake_kernel::next_memory_of(segments);
    put(broken[kimage].bytes, count_at, std::uint64_t{17});
    EXPECT_EQ(read(broken).error().what, "expected 1 to 16 segments in kexec_image, found 17");
}

TEST(NextKernel, ThatIsReplacedWhileItIsReadIsAnError) {
    const std::vector<MemoryPiece> pieces = fake_kernel::next_memory_of(segments);
    int asked = 0;
    const MemoryReader changing = [&](Address at, std::size_t size) -> Result<Bytes> {
        if (at == fake_kernel::next_variable && ++asked == 2) return Bytes(size);
        return reader(pieces, &MemoryPiece::address)(at, size);
    };
    const auto found = read_next_segments(fake_kernel::next_variable, *layout_of(with_kimage({})), changing);
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().what, "the next kernel was replaced while it was read");
}

TEST(NextKernel, OfAMachineIsReadBesideItsCrashKernel) {
    const TempTree tree;
    EXPECT_FALSE(next_segments(Host(tree.path())));
    fake_kernel::load_next(tree.path(), {segments[3]});
    fake_kernel::load(tree.path(), segments, line);
    EXPECT_EQ(*next_segments(Host(tree.path())), std::vector{segments[3]});
    EXPECT_EQ((*loaded_kernel(Host(tree.path())))->segments, segments);
    fake_kernel::load_next(tree.path(), {});
    EXPECT_TRUE(next_segments(Host(tree.path()))->empty());
}

TEST(LoadedKernel, ThatIsReplacedWhileItIsReadIsAnError) {
    const std::vector<MemoryPiece> pieces = memory_of(segments, line);
    int asked = 0;
    const MemoryReader changing = [&](Address at, std::size_t size) -> Result<Bytes> {
        if (at == variable && ++asked == 2) return Bytes(size);
        return reader(pieces, &MemoryPiece::address)(at, size);
    };
    const auto loaded =
        read_loaded_kernel(variable, *layout_of(with_kimage({})), changing, reader(pieces, &MemoryPiece::physical));
    ASSERT_FALSE(loaded);
    EXPECT_EQ(loaded.error().what, "the crash kernel was replaced while it was read");
}

// --- of a machine

class LoadedOnHost : public testing::Test {
protected:
    LoadedOnHost() { fake_kernel::load(tree.path(), segments, line); }
    [[nodiscard]] std::string error() const {
        const auto loaded = loaded_kernel(Host(tree.path()));
        return loaded ? *loaded ? "loaded" : "none" : loaded.error().message();
    }
    TempTree tree;
};

TEST_F(LoadedOnHost, IsReadFromKcoreKallsymsAndBtf) {
    const auto loaded = loaded_kernel(Host(tree.path()));
    ASSERT_TRUE(loaded) << loaded.error().message();
    EXPECT_EQ((*loaded)->command_line, line);
    fake_kernel::unload(tree.path());
    EXPECT_EQ(error(), "none");
}

TEST_F(LoadedOnHost, IsNoneWithoutALookAtMemoryWhereTheKernelSaysSo) {
    tree.write("sys/kernel/kexec_crash_loaded", "0\n");
    tree.write("proc/kcore", "");
    EXPECT_EQ(error(), "none");
}

TEST_F(LoadedOnHost, IsAnErrorThatNamesTheSourceWhichIsMissing) {
    for (const auto& [file, content, expected] : {std::tuple{"proc/kcore", "", "proc/kcore: "},
                                                  {"proc/kallsyms", "ffffffff82f0aba8 b io_tlb_start\n",
                                                   "proc/kallsyms: expected kexec_crash_image, found none"},
                                                  {"proc/kallsyms", "0000000000000000 B kexec_crash_image\n",
                                                   "proc/kallsyms: the kernel hides addresses (kernel.kptr_restrict)"},
                                                  {"sys/kernel/btf/vmlinux", "", "sys/kernel/btf/vmlinux: "}}) {
        const std::string before = read_file(tree / file);
        tree.write(file, content);
        EXPECT_TRUE(error().starts_with(expected)) << error();
        tree.write(file, before);
    }
    EXPECT_EQ(error(), "loaded");
}

TEST_F(LoadedOnHost, IsAnErrorWhereMemoryAndTheKernelsFileDiffer) {
    fake_kernel::unload(tree.path());
    tree.write("sys/kernel/kexec_crash_loaded", "1\n");
    EXPECT_EQ(error(),
              "proc/kcore: expected a crash kernel, which sys/kernel/kexec_crash_loaded says is loaded, found none");
}

}  // namespace
}  // namespace handoff
