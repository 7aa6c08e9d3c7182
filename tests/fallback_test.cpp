// SPDX-License-Identifier: GPL-2.0-or-later
// What a load without the handoff comes to: which pool the crash kernel makes by itself, whether the reservation has
// room for it, and the smaller one that it is told to make where not.
#include "lib/decide/fallback.hpp"

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "lib/decide/need.hpp"
#include "lib/kernel/behaviour.hpp"
#include "lib/kernel/constants.hpp"
#include "lib/kernel/crashkernel.hpp"
#include "tests/synthetic_machine.hpp"

namespace handoff {
namespace {

using base::GiB;
using base::MiB;

// --- by sizes alone: MiB

PoolRoom low_only(std::uint64_t all) {
    PoolRoom room;
    room.all = room.low = all * MiB;
    return room;
}
PoolRoom in_blocks(std::uint64_t all, std::uint64_t surely, std::uint64_t mostly) {
    PoolRoom room = low_only(all);
    room.block_surely = surely * MiB;
    room.block_mostly = mostly * MiB;
    return room;
}
PoolRoom high_with(std::uint64_t high, std::uint64_t low) {
    PoolRoom room;
    room.all = (high + low) * MiB;
    room.low = low * MiB;
    room.high = true;
    return room;
}

TEST(FitOf, CountsTheNeedThePoolAndWhereThePoolHasToLie) {
    struct Row {
        const char* name;
        PoolRoom room;
        std::uint64_t need, pool;  ///< MiB
        Fit fit;
    };
    for (const Row& row : {
             Row{"both, exactly", low_only(160), 96, 64, Fit::surely},
             Row{"a MiB more than there is", low_only(159), 96, 64, Fit::no},
             Row{"no pool is made", low_only(96), 96, 0, Fit::surely},
             Row{"no pool is made, and too little", low_only(95), 96, 0, Fit::no},
             Row{"all of it in one block", in_blocks(256, 64, 80), 96, 64, Fit::surely},
             Row{"in most places of the kernel", in_blocks(256, 8, 64), 96, 64, Fit::perhaps},
             Row{"in few", in_blocks(256, 8, 63), 96, 64, Fit::no},
             Row{"above 4 GiB, and room below", high_with(128, 72), 96, 64, Fit::surely},
             Row{"above 4 GiB, and other buffers find no room below", high_with(512, 71), 96, 64, Fit::no},
             Row{"above 4 GiB and nothing below", high_with(512, 0), 96, 1, Fit::no},
             Row{"above 4 GiB without a pool and nothing below", high_with(512, 0), 96, 0, Fit::surely},
             Row{"above 4 GiB, the rest of the low part counts", high_with(64, 256), 96, 64, Fit::surely},
         }) {
        SCOPED_TRACE(row.name);
        EXPECT_EQ(fit_of(row.room, row.need * MiB, row.pool * MiB), row.fit);
    }
}

TEST(ChoosePool, TakesTheLargestThatFitsAndNeverMoreThanWouldBeMade) {
    struct Row {
        const char* name;
        PoolRoom room;
        std::uint64_t lower, expected, recommended, pool;  ///< MiB
        std::uint64_t chosen;                              ///< MiB
    };
    constexpr std::uint64_t enough = sufficient_pool / MiB;
    for (const Row& row : {
             Row{"half of it, by the recommended need", low_only(150 + enough * 2), 60, 86, 150, 4 * enough,
                 2 * enough},
             Row{"what is enough, by the recommended need", low_only(150 + enough), 60, 86, 150, 4 * enough, enough},
             Row{"no larger one by less than the recommended need", low_only(149 + 2 * enough), 60, 86, 150, 4 * enough,
                 enough},
             Row{"less than is always enough, by the recommended need", low_only(149 + enough), 60, 86, 150, 64,
                 enough / 2},
             Row{"what is enough for light work, by the recommended need", low_only(150 + 8), 60, 86, 150, 64, 8},
             Row{"no more than that by what is expected", low_only(149 + 8), 60, 86, 150, 64, 8},
             Row{"by what is expected", low_only(86 + 4), 60, 86, 150, 64, 4},
             Row{"by the lower bound, where even that is too much", low_only(60 + 2), 60, 86, 150, 64, 2},
             Row{"none", low_only(60), 60, 86, 150, 64, 0},
             Row{"none smaller than a kernel makes", low_only(60 + 1), 60, 86, 150, 64, 1},
             Row{"a power of two, where what would be made is none", low_only(400), 60, 86, 150, 96, 64},
             Row{"less than would be made", low_only(400), 60, 86, 150, 64, 32},
             Row{"and where that is less than what is enough", low_only(400), 60, 86, 150, 4, 2},
             Row{"a pool that nobody makes stays none", low_only(400), 60, 86, 150, 0, 0},
             Row{"in one block, where the kernel makes all or none", in_blocks(400, 4, 20), 60, 86, 150, 64, 16},
             Row{"in the low part, beside other buffers", high_with(400, 32), 60, 86, 150, 64, 16},
             Row{"not without a low part", high_with(400, 0), 60, 86, 150, 64, 0},
         }) {
        SCOPED_TRACE(row.name);
        const NeedBounds need{row.lower * MiB, row.expected * MiB, row.recommended * MiB};
        EXPECT_EQ(choose_pool(row.room, need, row.pool * MiB) / MiB, row.chosen);
    }
}

// --- of a machine

AddressRange low_range(std::uint64_t mib) { return *AddressRange::from_size(0x70000000, mib * MiB); }
AddressRange high_range(std::uint64_t mib) { return *AddressRange::from_size(7 * GiB, mib * MiB); }

struct Case {
    Machine machine = synthetic_machine();
    PlanRequest request = synthetic_request();
    std::optional<Fallback> fallback() const { return fallback_for(machine, request, Need::default_margin); }
    void release(const char* text) { machine.release = request.image->release = text; }
    void append(const std::string& words) { *request.command_line += ' ' + words; }
    void reserve(std::vector<AddressRange> ranges) { machine.crash_kernel = std::move(ranges); }
};

std::string said(const Fallback& f) {
    return std::string(name(f.rung)) + (f.append.empty() ? "" : " " + f.append) + ", plain " + name(f.plain_fits);
}

TEST(Fallback, FollowsFromTheReservationTheKernelAndTheWords) {
    struct Row {
        const char* name;
        std::function<void(Case&)> change;
        const char* says;
    };
    const auto low = [](std::uint64_t mib, const char* words) {
        return [mib, words](Case& c) {
            c.reserve({low_range(mib)});
            c.append(words);
        };
    };
    const auto high = [](std::uint64_t mib, std::uint64_t low_mib) {
        return [mib, low_mib](Case& c) {
            c.reserve({high_range(mib)});
            if (low_mib != 0) c.reserve({low_range(low_mib), high_range(mib)});
        };
    };
    for (const Row& row : std::vector<Row>{
             {"no pool", low(256, "quiet"), "plain, plain surely"},
             {"large enough", low(512, "swiotlb=force"), "plain, plain surely"},
             {"forced, and too small", low(120, "swiotlb=force"), "own-pool swiotlb=4096,force, plain no"},
             {"the caller chose a number", low(120, "swiotlb=32768,force"), "plain, plain no"},
             {"and an earlier word did", low(120, "swiotlb=32768 swiotlb=force"), "plain, plain no"},
             {"the caller wants none", low(120, "swiotlb=force swiotlb=noforce"), "plain, plain perhaps"},
             {"a word that is not understood", low(120, "swiotlb=force,any"), "plain, plain perhaps"},
             {"words behind '--' are not read", low(120, "swiotlb=force -- quiet"), "plain, plain no"},
             {"iommu=soft", low(120, "iommu=soft"), "own-pool swiotlb=4096, plain no"},
             {"iommu=off", low(120, "iommu=off"), "plain, plain perhaps"},
             {"above 4 GiB, 256 MiB below", high(512, 256), "plain, plain surely"},
             {"above 4 GiB, 72 MiB below", high(512, 72), "plain, plain surely"},
             {"above 4 GiB, 64 MiB below", high(512, 64), "own-pool swiotlb=16384, plain no"},
             {"above 4 GiB, 32 MiB below", high(512, 32), "own-pool swiotlb=8192, plain no"},
             {"above 4 GiB, 16 MiB below", high(512, 16), "own-pool swiotlb=4096, plain no"},
             {"above 4 GiB, nothing below", high(512, 0), "plain, plain no"},
             {"a kernel that makes all or none, and KASLR may split what is free",
              [](Case& c) {
                  c.release("5.10.0-30-amd64");
                  c.reserve({low_range(208)});
                  c.append("swiotlb=force");
              },
              "own-pool swiotlb=4096,force, plain no"},
             {"one that halves it",
              [](Case& c) {
                  c.reserve({low_range(208)});
                  c.append("swiotlb=force");
              },
              "plain, plain perhaps"},
             {"a kernel of which nothing is known may be as the first",
              [](Case& c) {
                  c.release("");
                  c.reserve({low_range(208)});
                  c.append("swiotlb=force");
              },
              "own-pool swiotlb=4096,force, plain no"},
             {"a guest whose memory is encrypted asks for more",
              [](Case& c) {
                  c.machine.encryption = Encryption::sev_snp;
                  c.reserve({low_range(64), high_range(512)});
              },
              "own-pool swiotlb=16384, plain no"},
         }) {
        SCOPED_TRACE(row.name);
        Case c;
        row.change(c);
        const auto f = c.fallback();
        ASSERT_TRUE(f);
        EXPECT_EQ(said(*f), row.says) << to_text(*f);
    }
}

TEST(Fallback, IsNoneWithoutAReservationOrALineThatCanBeRead) {
    Case none, broken, absurd;
    none.reserve({});
    broken.append("\"quiet");
    absurd.reserve({*AddressRange::from_size(4 * GiB, 2 * largest_reservation)});
    EXPECT_FALSE(none.fallback());
    EXPECT_FALSE(broken.fallback());
    EXPECT_FALSE(absurd.fallback());
}

TEST(Fallback, SaysThatKernelAndInitrdDoNotFit) {
    Case c;
    c.reserve({low_range(64)});
    const auto f = c.fallback();
    ASSERT_TRUE(f);
    EXPECT_EQ(f->rung, Rung::plain);
    EXPECT_EQ(f->fits, Fit::no);
    EXPECT_FALSE(f->sure);
}

TEST(Fallback, IsSureWhereTheRecommendedNeedFitsWithAPoolThatIsEnough) {
    Case c;
    c.append("swiotlb=force");
    // How many bytes of the reservation the recommended need leaves.
    const auto sure = [&](std::uint64_t spare) {
        c.reserve({*AddressRange::from_size(0x60000000, 384 * MiB)});
        c.reserve({*AddressRange::from_size(0x60000000, c.fallback()->recommended + spare)});
        return c.fallback()->sure;
    };
    EXPECT_TRUE(sure(sufficient_pool + 4 * MiB));
    EXPECT_FALSE(sure(sufficient_pool - 8 * MiB));
    c.append("swiotlb=65536");
    EXPECT_FALSE(sure(sufficient_pool + 4 * MiB)) << "the caller's own is 128 MiB";
    EXPECT_TRUE(sure(128 * MiB + 4 * MiB));
}

TEST(Fallback, TheCrashkernelThatWouldDoDoes) {
    for (const char* release : {"5.10.0-30-amd64", "6.12.117+deb13-amd64"})
        for (const bool high : {false, true}) {
            SCOPED_TRACE(std::string(release) + (high ? " high" : " low"));
            Case c;
            c.release(release);
            c.request.image->uncompressed_bytes = 60 * MiB;
            c.append("swiotlb=force");
            c.reserve({low_range(32), high_range(160)});
            if (!high) c.reserve({low_range(120)});
            const auto small = c.fallback();
            ASSERT_TRUE(small);
            ASSERT_EQ(small->plain_fits, Fit::no);
            const auto words = reservation_of(*CommandLine::parse(small->crashkernel), 8 * GiB);
            ASSERT_TRUE(words && *words) << small->crashkernel;
            EXPECT_EQ((*words)->high, high);
            c.reserve({*AddressRange::from_size(0x50000000, (*words)->size)});
            if (high)
                c.reserve({*AddressRange::from_size(0x50000000, (*words)->low.value()),
                           *AddressRange::from_size(6 * GiB, (*words)->size)});
            // A kernel that makes all of its pool or none may be put where it leaves no block for it.
            const Fit fit = c.fallback()->plain_fits;
            EXPECT_TRUE(fit == Fit::surely || (fit == Fit::perhaps && !halves_pool(release)))
                << small->crashkernel << ": " << to_text(*c.fallback());
        }
}

TEST(Fallback, SaysWhatKdumpDoesAndWhetherTheReservationIsLargeEnough) {
    Fallback f;
    f.reserved = 256 * MiB;
    f.lower_bound = 90 * MiB;
    f.recommended = 170 * MiB;
    f.crashkernel = "crashkernel=240M";
    f.plain_pool = f.pool = 64 * MiB;
    f.plain_fits = f.fits = Fit::surely;
    EXPECT_EQ(to_text(f),
              "kdump loads the crash kernel without the handoff. The reservation of 256 MiB is large enough for that.");
    f.plain_fits = f.fits = Fit::perhaps;
    f.reserved = 160 * MiB;
    EXPECT_EQ(
        to_text(f),
        "kdump loads the crash kernel without the handoff. The reservation of 160 MiB may be too small for that: the "
        "crash kernel needs 90 to 170 MiB and a pool of 64 MiB below 4 GiB. Without the handoff, crashkernel=240M "
        "would be large enough.");
    f.reserved = 208 * MiB;
    f.enough = 32 * MiB;
    f.sure = true;
    EXPECT_EQ(
        to_text(f),
        "kdump loads the crash kernel without the handoff. The reservation of 208 MiB is large enough for that "
        "and a pool of 32 MiB, which is enough as far as it was measured. The crash kernel makes a pool of 64 MiB "
        "by itself. Then 144 MiB are left, and it needs 90 to 170 MiB. Without the handoff, crashkernel=240M "
        "would be large enough.")
        << "recommend names such a size, and so it is not called too small";
    f.sure = false;
    f.plain_fits = f.fits = Fit::no;
    f.reserved = 100 * MiB;
    EXPECT_EQ(
        to_text(f),
        "kdump loads the crash kernel without the handoff. The reservation of 100 MiB is too small for that: the crash "
        "kernel needs at least 90 MiB and a pool of 64 MiB below 4 GiB. Without the handoff, crashkernel=240M would be "
        "large enough.");
    f.rung = Rung::own_pool;
    f.append = "swiotlb=4096";
    f.pool = 8 * MiB;
    f.fits = Fit::perhaps;
    EXPECT_EQ(to_text(f),
              "kdump loads the crash kernel without the handoff, but with swiotlb=4096, so that it makes a pool of "
              "only 8 MiB. The reservation of 100 MiB is too small for the pool of 64 MiB that it would make "
              "otherwise. It may be too small even for the smaller pool. Without the handoff, crashkernel=240M would "
              "be large enough.");
    f.fits = Fit::surely;
    EXPECT_EQ(to_text(f),
              "kdump loads the crash kernel without the handoff, but with swiotlb=4096, so that it makes a pool of "
              "only 8 MiB. The reservation of 100 MiB is large enough for that, but too small for the pool of 64 MiB "
              "that it would make otherwise. Without the handoff, crashkernel=240M would be large enough.");
}

}  // namespace
}  // namespace handoff
