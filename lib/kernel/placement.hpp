// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "swiotlb-handoff/plan.hpp"

namespace handoff {

// A model of the crash kernel's memblock up to the moment when the pool is
// taken. memblock hands out memory top-down: the highest free block that fits,
// at its upper end (mm/memblock.c, __memblock_find_range_top_down()). The pool
// is one such request with an upper limit of 4 GiB (kernel/dma/swiotlb.c,
// swiotlb_memblock_alloc()). So it lands in a region R for certain when
//
//   1. R is a free block of its own: nothing free touches its end;
//   2. no other free block between R and 4 GiB can hold it;
//   3. what is taken before it finds room above R, whatever its order.
//
// The model never predicts the order or exact size of the small requests. It
// bounds them, and proves 3 for every order.

/// Upper bounds on what the crash kernel takes from memblock before and with
/// the pool, in bytes. Measured with memblock=debug on 5.10, 6.1, 6.12 and 7.2;
/// tests/vm compares every boot's sum with the bound.
struct EarlyDemand {
    std::uint64_t before_memory_map = 0;  ///< page tables, node data, section roots, the log's buffer
    /// struct page of every 128 MiB section with memory, 2 MiB each. Up to 6.x
    /// in one piece (mm/sparse.c, sparse_buffer_init()).
    std::uint64_t memory_map = 0;
    std::uint64_t after_memory_map = 0;  ///< per-CPU areas, hash tables, kfence, the pool's slots

    /// The largest single request besides the memory map: 2 MiB on a small
    /// crash kernel, but per-CPU areas, hash tables and log_buf_len= come in one
    /// piece each, whatever their size.
    std::uint64_t largest_other = 0;

    /// One request that must lie below 4 GiB, however much is free above, and comes before the pool: ACPI tables that
    /// the initrd brings (drivers/acpi/tables.c, acpi_table_upgrade()).
    std::uint64_t low = 0;

    /// Requests up to this size, alignment included, are counted by the byte:
    /// 2 MiB aligned to 2 MiB, as the per-CPU area of one CPU is. Larger ones must
    /// fit in one block.
    static constexpr std::uint64_t largest_request = 4 * base::MiB;

    [[nodiscard]] std::uint64_t total() const { return before_memory_map + memory_map + after_memory_map + low; }
};

struct DemandInput {
    base::RangeSet ram;       ///< all that the crash kernel's map calls RAM
    std::uint64_t slabs = 0;  ///< of the pool
    unsigned cpus = 1;        ///< that the crash kernel prepares for (nr_cpus=)
    /// Bytes for what the command line asks for (log_buf_len=) and the configuration, all requests together.
    std::uint64_t extra = 0;
    std::uint64_t extra_largest = 0;  ///< the largest of them
    std::uint64_t low = 0;            ///< EarlyDemand::low
};
EarlyDemand early_demand(const DemandInput&);

/// The crash kernel's memory as it stands before its own image is placed.
struct CrashMemory {
    base::RangeSet ram;                              ///< RAM of the final map, fences already cut out
    std::vector<base::AddressRange> reserved;        ///< surely reserved: initrd, setup_data
    std::vector<base::AddressRange> maybe_reserved;  ///< perhaps reserved as well, perhaps free
    /// Where the image can be: the loader's choice, and each of KASLR's.
    std::vector<base::Address> images;
    std::uint64_t image_at_least = 0;  ///< bytes that the image surely reserves there
    std::uint64_t image_at_most = 0;   ///< bytes that it can occupy (init_size)
};

/// The first layout in which the pool is not at `pool`; nullopt is the proof
/// that there is none.
std::optional<Counterexample> find_counterexample(const CrashMemory&, const base::AddressRange& pool,
                                                  const EarlyDemand&);

/// The same for a crash kernel that reserves the pool itself, before anything else and out of
/// KASLR's reach (swiotlb=…,addr=): what is left to go wrong is that it refuses, since the
/// region is not all RAM or something was loaded there.
std::optional<Counterexample> find_refused_addr(const CrashMemory&, const base::AddressRange& pool);

/// Fences: single reserved pages, so that no free block of `memory` above the
/// pool can hold it, wherever the image is; as few as possible, none inside
/// `keep_out` (loaded segments). nullopt where keep_out leaves no place for one.
std::optional<std::vector<base::AddressRange>> fences(const CrashMemory&, const base::AddressRange& pool,
                                                      const std::vector<base::AddressRange>& keep_out);

/// The pool that the kernel makes by itself: the highest free block below
/// 4 GiB, halved until it fits (6.1 and later). Nothing where not even 1 MiB does.
std::optional<base::AddressRange> natural_pool(const base::RangeSet& free, std::uint64_t bytes);

}  // namespace handoff
