// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/kernel/early_take.hpp"

#include <algorithm>
#include <bit>

#include "lib/kernel/constants.hpp"

namespace handoff {
namespace {

using base::GiB;
using base::KiB;
using base::MiB;

constexpr std::uint64_t largest_log = 2 * GiB;  // LOG_BUF_LEN_MAX

// kernel/printk/printk.c, log_buf_add_cpu(): only where the CPUs' parts are more than half of the log.
EarlyTake log_of_cpus(const KernelConfig& config, unsigned cpus) {
    if (cpus <= 1) return {};
    const std::uint64_t log = std::uint64_t{1} << config.log_buf_shift;
    const std::uint64_t extra = std::uint64_t{cpus - 1} << config.log_cpu_max_buf_shift;
    return extra <= log / 2 ? EarlyTake{} : log_buffer_take(extra + log);
}

// mm/kfence/core.c, kfence_alloc_pool_and_metadata(): two pages for each object and two more, and less than 2 KiB of
// struct kfence_metadata. early_demand() counts those of 255 objects.
EarlyTake kfence(std::uint64_t objects) {
    const std::uint64_t pool = (objects + 1) * 8 * KiB;
    const std::uint64_t bytes = pool + objects * 2 * KiB;
    if (bytes <= kfence_bytes) return {};
    return {bytes - kfence_bytes, pool};
}

}  // namespace

EarlyTake& EarlyTake::operator+=(const EarlyTake& other) {
    bytes += other.bytes;
    largest = std::max(largest, other.largest);
    return *this;
}

// For each 32 bytes of the log, which is a power of two, a descriptor of 24 bytes, and an info of 88, or of 112 with
// CONFIG_PRINTK_EXECUTION_CTX (kernel/printk/printk.c, setup_log_buf(); printk_ringbuffer.h).
EarlyTake log_buffer_take(std::uint64_t size) {
    if (size == 0) return {};
    size = std::bit_ceil(std::min(size, largest_log));
    return {size + size / 32 * 24 + size / 32 * 112, size / 32 * 112};
}

// 16 bytes (6.1: 8) for each 16 KiB of memory, rounded up to a power of two between 4096 and 1 Mi; from 7.2 on 8 bytes
// for each pool, of which there are at most 131071 (stack_depot_max_pools=).
EarlyTake stack_depot_take(std::uint64_t ram) {
    const std::uint64_t buckets = std::clamp<std::uint64_t>(std::bit_ceil((ram + MiB) / (16 * KiB)), 4096, MiB);
    return {buckets * 16 + MiB, std::max(buckets * 16, MiB)};
}

EarlyTake early_take(const KernelConfig& config, unsigned cpus, std::uint64_t ram) {
    EarlyTake sum = log_of_cpus(config, cpus);
    sum += kfence(config.kfence_objects);
    if (config.stack_depot) sum += stack_depot_take(ram);
    return sum;
}

}  // namespace handoff
