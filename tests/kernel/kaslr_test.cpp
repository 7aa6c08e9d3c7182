// SPDX-License-Identifier: GPL-2.0-or-later
// What a command line tells KASLR, and where it may then move the crash kernel.
#include "lib/kernel/kaslr.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace handoff {
namespace {

using base::MiB;

AddressRange range(Address start, Address end) { return AddressRange::from_bounds(start, end).value(); }

Kaslr told(const std::string& line) { return kaslr_with(*CommandLine::parse(line)); }

TEST(KaslrWords, OnlyTheBareWordSwitchesItOff) {
    // cmdline_find_option_bool() looks for the word alone.
    EXPECT_FALSE(told("quiet nokaslr").on);
    for (const char* line : {"", "quiet", "nokaslr=1", "nokaslr=", "nokaslrs", "xnokaslr", "kaslr"})
        EXPECT_TRUE(told(line).on) << line;
}

TEST(KaslrWords, NameWhatItKeepsClearOf) {
    const auto avoided = [](const std::string& line) { return told(line).avoid; };
    EXPECT_EQ(avoided("memmap=64M$0x10000000"), std::vector{range(0x10000000, 0x14000000)});
    EXPECT_EQ(avoided("memmap=4K#0x1000,8K!0x8000"), (std::vector{range(0x1000, 0x2000), range(0x8000, 0xa000)}));
    // RAM that is added, an end of memory, a change of type and what starts at 0 are none of it.
    for (const char* line : {"memmap=64M@0x10000000", "memmap=1G", "memmap=4K%0x1000-1+2", "memmap=4K$0"})
        EXPECT_EQ(avoided(line), std::vector<AddressRange>{}) << line;
    EXPECT_EQ(avoided("memmap=64M@0x10000000 memmap=4K$0x1000"), std::vector{range(0x1000, 0x2000)});
}

TEST(KaslrWords, SwitchItOffInTheWordThatGoesOnBeyondTheFourthRange) {
    const std::string four = "memmap=4K$0x1000,4K$0x3000 memmap=4K$0x5000,4K$0x7000";
    EXPECT_TRUE(told(four).on);
    EXPECT_EQ(told(four).avoid.size(), 4u);
    EXPECT_FALSE(told(four + ",4K$0x9000").on);
    EXPECT_FALSE(told(four + ",64M@0x9000").on) << "whatever stands there";
    EXPECT_TRUE(told(four + " memmap=4K$0x9000").on) << "a word of its own is not looked at";
    EXPECT_EQ(told(four + " memmap=4K$0x9000").avoid.size(), 4u);
}

// A load of 64 MiB of room at its bottom, a kernel of 16 MiB at its end, and nothing else.
struct Moved {
    Load load;
    LoadInput in;

    explicit Moved(Address bottom) {
        load.map.add(range(bottom, bottom + 80 * MiB), e820::Type::ram);
        load.segments = {{"kernel", range(bottom + 64 * MiB, bottom + 80 * MiB)}};
        in.init_size = 16 * MiB;
        in.kernel_alignment = 16 * MiB;
    }
    std::vector<Address> places(std::uint64_t needed, const Kaslr& kaslr = {}) const {
        return image_addresses(load, in, needed, kaslr);
    }
};

TEST(KaslrPlaces, AreEveryAlignedOneWithEnoughRoomAndTheLoadersFirst) {
    const Moved moved(0x40000000);
    EXPECT_EQ(moved.places(16 * MiB),
              (std::vector<Address>{0x44000000, 0x40000000, 0x41000000, 0x42000000, 0x43000000}));
    // One place less for each 16 MiB that the image is larger, to the byte.
    EXPECT_EQ(moved.places(32 * MiB),
              (std::vector<Address>{0x44000000, 0x40000000, 0x41000000, 0x42000000, 0x43000000}));
    EXPECT_EQ(moved.places(32 * MiB + 1), (std::vector<Address>{0x44000000, 0x40000000, 0x41000000, 0x42000000}));
    EXPECT_EQ(moved.places(80 * MiB), (std::vector<Address>{0x44000000, 0x40000000}));
    EXPECT_EQ(moved.places(80 * MiB + 1), std::vector<Address>{0x44000000});
    EXPECT_EQ(moved.places(16 * MiB, {false, {}}), std::vector<Address>{0x44000000});
}

TEST(KaslrPlaces, KeepClearOfWhatIsLoadedAndOfWhatTheWordsName) {
    Moved moved(0x40000000);
    moved.load.segments.push_back({"initrd", range(0x40fff000, 0x41000000)});
    moved.load.segments.push_back({"boot_params", range(0x42000000, 0x42001000)});
    moved.load.segments.push_back({"purgatory", range(0x43000000, 0x43001000)});  // which has run by then
    EXPECT_EQ(moved.places(16 * MiB), (std::vector<Address>{0x44000000, 0x41000000, 0x43000000}));
    EXPECT_EQ(moved.places(16 * MiB, {true, {range(0x43ffffff, 0x44000000)}}),
              (std::vector<Address>{0x44000000, 0x41000000}));
    // The decompressor runs at the end of what was loaded.
    moved.in.payload_bytes = 1;
    EXPECT_EQ(moved.places(32 * MiB), std::vector<Address>{0x44000000});
}

TEST(KaslrPlaces, AreBelow512MiBOnlyFromWhereTheLoaderWent) {
    // 64 MiB below 512 MiB, and the kernel above.
    Moved moved(0x1e000000);
    EXPECT_EQ(moved.places(16 * MiB), (std::vector<Address>{0x22000000, 0x20000000, 0x21000000}));
    moved.load.segments.front().range = range(0x1f000000, 0x20000000);
    EXPECT_EQ(moved.places(16 * MiB), (std::vector<Address>{0x1f000000, 0x20000000, 0x21000000, 0x22000000}));
}

}  // namespace
}  // namespace handoff
