// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>

#include "swiotlb-handoff/range.hpp"

namespace handoff {

// Numbers of the kernel, each of which stands here only. Sizes in bytes.

/// A slab of the pool: IO_TLB_SIZE in include/linux/swiotlb.h.
inline constexpr std::uint64_t slab_size = 2 * base::KiB;
/// Slabs of a segment, of which a pool has a whole number: IO_TLB_SEGSIZE in include/linux/swiotlb.h.
inline constexpr std::uint64_t segment_slabs = 128;
/// What the kernel keeps for each slab: struct io_tlb_slot in kernel/dma/swiotlb.c; 5.10 has 12 bytes in two arrays.
inline constexpr std::uint64_t slot_size = 24;
/// The smallest pool that a kernel falls back to: IO_TLB_MIN_SLABS in kernel/dma/swiotlb.c.
inline constexpr std::uint64_t smallest_pool_size = base::MiB;

/// What a reservation above 4 GiB should have below it besides the pool, for buffers that have to lie low: the kernel
/// adds as much itself, crash_low_size_default() in arch/x86/include/asm/crash_reserve.h.
inline constexpr std::uint64_t low_besides_pool = 8 * base::MiB;

/// The pool and a low reservation lie below this address: ARCH_LOW_ADDRESS_LIMIT in include/linux/memblock.h,
/// CRASH_ADDR_LOW_MAX in arch/x86/include/asm/crash_reserve.h.
inline constexpr base::Address low_memory_end = 4 * base::GiB;
/// CRASH_ADDR_HIGH_MAX in arch/x86/include/asm/crash_reserve.h.
inline constexpr base::Address high_reservation_end = 64 * 1024 * base::GiB;
/// A reservation starts at a multiple of this: CRASH_ALIGN in arch/x86/include/asm/crash_reserve.h.
inline constexpr std::uint64_t reservation_alignment = 16 * base::MiB;
/// No x86-64 processor addresses more physical memory: __PHYSICAL_MASK_SHIFT in arch/x86/include/asm/page_64_types.h.
inline constexpr base::Address physical_memory_end = base::Address{1} << 52;

/// No reservation is larger: whatever seems to be is refused, and sums of a few of this size cannot wrap.
inline constexpr std::uint64_t largest_reservation = 64 * base::GiB;

/// Memory is mapped by sections: SECTION_SIZE_BITS in arch/x86/include/asm/sparsemem.h.
inline constexpr std::uint64_t section_size = 128 * base::MiB;
/// struct page of a whole section: 64 bytes for each page.
inline constexpr std::uint64_t section_memory_map_size = 2 * base::MiB;
/// What KFENCE takes in Debian's kernels, with 255 objects: 2 MiB for its pool, the rest for its metadata
/// (mm/kfence/core.c, kfence_alloc_pool_and_metadata()).
inline constexpr std::uint64_t kfence_bytes = 5 * base::MiB / 2;

}  // namespace handoff
