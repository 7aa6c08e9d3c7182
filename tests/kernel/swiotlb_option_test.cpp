// SPDX-License-Identifier: GPL-2.0-or-later
// What a kernel makes of its swiotlb= words (kernel/dma/swiotlb.c, setup_io_tlb_npages()).
#include <gtest/gtest.h>

#include <string>

#include "lib/kernel/command_line.hpp"

namespace handoff {
namespace {

constexpr const char* strict = "7.2.13+deb14-amd64";
constexpr const char* by_prefix = "7.3.4+deb13-amd64";
constexpr const char* unknown = "";

SwiotlbOption read(const std::string& line, const char* release) {
    return *swiotlb_option(*CommandLine::parse(line), release);
}

TEST(SwiotlbOption, HasNumbersThenForce) {
    for (const char* release : {strict, by_prefix, unknown}) {
        const SwiotlbOption option = read("swiotlb=65535,4,force", release);
        EXPECT_EQ(option.slabs, 65536u) << "whole segments";
        EXPECT_EQ(option.areas, 4u);
        EXPECT_TRUE(option.force);
        EXPECT_TRUE(option.unknown.empty());
        EXPECT_TRUE(read("swiotlb=force swiotlb=noforce", release).noforce);
    }
}

TEST(SwiotlbOption, TakesZeroForANumber) {
    const SwiotlbOption option = read("swiotlb=0,4", strict);
    EXPECT_EQ(option.areas, 4u);
    EXPECT_TRUE(option.unknown.empty());
}

TEST(SwiotlbOption, TracksTheHighWaterMarkWhereThatIsAskedFor) {
    EXPECT_TRUE(read("swiotlb=track_hiwater", by_prefix).track_hiwater);
    EXPECT_TRUE(read("swiotlb=65536,track_hiwater", by_prefix).track_hiwater);
    const SwiotlbOption both = read("swiotlb=65536,force,track_hiwater", by_prefix);
    EXPECT_TRUE(both.force && both.track_hiwater && both.unknown.empty());
}

TEST(SwiotlbOption, ToTrackDoesNothingToAKernelThatAlwaysDoes) {
    EXPECT_TRUE(read("swiotlb=65536,track_hiwater", strict).unknown.empty());
    EXPECT_TRUE(read("swiotlb=track_hiwater", unknown).unknown.empty());
}

TEST(SwiotlbOption, BeginsWithForceFrom73On) {
    EXPECT_TRUE(read("swiotlb=forced", by_prefix).force);
    EXPECT_TRUE(read("swiotlb=noforced", by_prefix).noforce);
    EXPECT_TRUE(read("swiotlb=forced,track_hiwaterx", by_prefix).track_hiwater);
}

TEST(SwiotlbOption, IsNotUnderstoodWhereTheReleaseDecidesAndIsNotKnown) {
    for (const char* release : {strict, unknown})
        for (const char* word : {"swiotlb=forced", "swiotlb=noforced", "swiotlb=force,track_hiwater"}) {
            const SwiotlbOption option = read(word, release);
            EXPECT_EQ(option.unknown.size(), 1u) << word << " of '" << release << "'";
            EXPECT_FALSE(option.noforce) << word;
        }
}

TEST(SwiotlbOption, HasNoAreasBefore60) {
    const SwiotlbOption option = read("swiotlb=32768,1,force", "5.10.0-32-amd64");
    EXPECT_EQ(option.slabs, 32768u);
    EXPECT_FALSE(option.force) << "the kernel compares all behind the comma with force";
    EXPECT_EQ(option.unknown, std::vector<std::string>{"1,force"});
    EXPECT_TRUE(read("swiotlb=32768,force", "5.10.0-32-amd64").force);
}

TEST(SwiotlbOption, HasNumbersAsTheKernelReadsThem) {
    EXPECT_EQ(read("swiotlb=0100000", strict).slabs, 32768u) << "octal";
    EXPECT_EQ(read("swiotlb=0x8000", strict).slabs, 32768u);
    EXPECT_FALSE(swiotlb_option(*CommandLine::parse("swiotlb=08"), strict));
}

TEST(SwiotlbOption, IsNotUnderstoodBehindForce) {
    for (const char* release : {strict, by_prefix, unknown}) {
        EXPECT_EQ(read("swiotlb=force,65536", release).unknown.size(), 1u);
        EXPECT_FALSE(read("swiotlb=force,65536", release).slabs) << "the kernel has stopped reading";
        EXPECT_EQ(read("swiotlb=4194304,any", release).unknown, std::vector<std::string>{"any"});
    }
}

TEST(SwiotlbOption, MayHaveAddrAnywhere) {
    EXPECT_EQ(read("swiotlb=32768,force,addr=0x6c000000", strict).addr, 0x6c000000u);
    EXPECT_TRUE(read("swiotlb=32768,force,addr=0x6c000000", strict).force);
    EXPECT_FALSE(read("swiotlb=32768,addr=0x6c000000 swiotlb=force", strict).addr) << "it holds for its own word";
}

}  // namespace
}  // namespace handoff
