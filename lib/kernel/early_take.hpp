// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>

#include "swiotlb-handoff/facts.hpp"

namespace handoff {

/// A bound on memory that is taken before the pool, besides what every kernel takes (early_demand()). Bytes.
struct EarlyTake {
    std::uint64_t bytes = 0;    ///< all requests together
    std::uint64_t largest = 0;  ///< the largest of them

    EarlyTake& operator+=(const EarlyTake&);
    friend bool operator==(const EarlyTake&, const EarlyTake&) = default;
};

/// What setup_log_buf() takes for a log of this size, which log_buf_len= asks for, or many CPUs do
/// (kernel/printk/printk.c).
EarlyTake log_buffer_take(std::uint64_t size);

/// The table of stacks in a kernel with so many bytes of memory (lib/stackdepot.c, stack_depot_early_init()).
EarlyTake stack_depot_take(std::uint64_t ram);

/// What a kernel of this configuration takes, which prepares for so many CPUs and has so many bytes of memory: a larger
/// log for many CPUs, more objects of KFENCE than Debian's kernels have, the table of stacks. What has no bound is
/// refused elsewhere.
EarlyTake early_take(const KernelConfig&, unsigned cpus, std::uint64_t ram);

}  // namespace handoff
