// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/kernel/early_take.hpp"

#include <gtest/gtest.h>

#include "swiotlb-handoff/range.hpp"

namespace handoff {
namespace {

using base::GiB;
using base::KiB;
using base::MiB;

constexpr std::uint64_t ram = 256 * MiB;

TEST(EarlyTake, OfDebiansConfigurationIsCountedAlready) {
    EXPECT_EQ(early_take(KernelConfig{}, 1, ram), EarlyTake{});
    EXPECT_EQ(early_take(KernelConfig{}, 17, ram), EarlyTake{}) << "16 times 4 KiB is half of the log";
}

TEST(EarlyTake, HasALargerLogForManyCpus) {
    // 17 * 4 KiB + 128 KiB, rounded up; 5.25 times as much with descriptors and infos.
    EXPECT_EQ(early_take(KernelConfig{}, 18, ram).bytes, 256 * KiB * 21 / 4);
    EXPECT_EQ(early_take(KernelConfig{}, 64, ram).bytes, 512 * KiB * 21 / 4);
}

TEST(EarlyTake, HasALargerLogBySuseSConfiguration) {
    KernelConfig config;
    config.log_buf_shift = 18;
    config.log_cpu_max_buf_shift = 15;
    EXPECT_EQ(early_take(config, 1, ram), EarlyTake{});
    EXPECT_EQ(early_take(config, 5, ram), EarlyTake{}) << "4 times 32 KiB is half of the log";
    EXPECT_EQ(early_take(config, 6, ram).bytes, 512 * KiB * 21 / 4);
    EXPECT_EQ(early_take(config, 58, ram).bytes, 4 * MiB * 21 / 4);
    EXPECT_EQ(early_take(config, 58, ram).largest, 14 * MiB);
}

TEST(EarlyTake, OfALogIsNeverMoreThanTheLargestLog) {
    KernelConfig config;
    config.log_cpu_max_buf_shift = 31;
    EXPECT_EQ(early_take(config, 65535, ram).bytes, log_buffer_take(2 * GiB).bytes);
}

TEST(EarlyTake, HasWhatKfenceTakesForMoreObjects) {
    KernelConfig config;
    config.kfence_objects = 0;
    EXPECT_EQ(early_take(config, 1, ram), EarlyTake{});
    config.kfence_objects = 1023;
    EXPECT_EQ(early_take(config, 1, ram).bytes, 8 * MiB + 1023 * 2 * KiB - 5 * MiB / 2);
    EXPECT_EQ(early_take(config, 1, ram).largest, 8 * MiB);
    config.kfence_objects = 65535;
    EXPECT_EQ(early_take(config, 1, ram).largest, 512 * MiB);
}

TEST(EarlyTake, HasTheTableOfStacksWhereItIsAlwaysMade) {
    KernelConfig config;
    config.stack_depot = true;
    EXPECT_EQ(early_take(config, 1, ram), stack_depot_take(ram));
    EXPECT_EQ(stack_depot_take(ram).bytes, 32768 * 16 + MiB);
    EXPECT_EQ(stack_depot_take(64 * GiB).largest, 16 * MiB);
}

TEST(EarlyTake, AddsUp) {
    KernelConfig config;
    config.kfence_objects = 1023;
    config.stack_depot = true;
    EarlyTake sum = log_buffer_take(512 * KiB);
    sum += {8 * MiB + 1023 * 2 * KiB - 5 * MiB / 2, 8 * MiB};
    sum += stack_depot_take(ram);
    EXPECT_EQ(early_take(config, 64, ram), sum);
}

}  // namespace
}  // namespace handoff
