// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>

#include "lib/decide/question.hpp"
#include "swiotlb-handoff/plan.hpp"

namespace handoff {

/// The smallest pool with which a crash kernel of 1, 8 and 32 CPUs was seen to write each dump while six other devices
/// are as busy as they can be: docs/smallest-pool.md, whose table tests/vm/pools.py makes of real crashes. With 16 MiB
/// dumps were lost. Bytes.
inline constexpr std::uint64_t sufficient_pool = 32 * base::MiB;
/// The same with one request in flight on each of the other disks: a kdump service does hardly more with them. With 4
/// MiB dumps were lost. Bytes.
inline constexpr std::uint64_t light_pool = 8 * base::MiB;

/// The crash kernel's memory, as far as a pool of its own is concerned. Bytes.
struct PoolRoom {
    std::uint64_t all = 0;    ///< of the reservation
    std::uint64_t low = 0;    ///< of that below 4 GiB, where the pool has to lie
    bool high = false;        ///< some of it lies above 4 GiB
    std::uint64_t taken = 0;  ///< by what is loaded, at most; 0 where that does not matter
    std::uint64_t early = 0;  ///< a bound on what is allocated before the pool
    /// The largest free block below 4 GiB where KASLR puts the kernel into the worst place, and in seven of eight
    /// places. The pool has to lie in one of that size, all of it. nullopt: the kernel takes half of a pool that fits
    /// into no block, and half of that.
    std::optional<std::uint64_t> block_surely, block_mostly;
};

/// The reservation has room for a pool of this size and so much memory besides. `perhaps` depends on where KASLR puts
/// the kernel.
Fit fit_of(const PoolRoom&, std::uint64_t need, std::uint64_t pool);

/// What the crash kernel needs besides its pool. Bytes.
struct NeedBounds {
    std::uint64_t lower_bound = 0;
    std::uint64_t expected = 0;     ///< without a margin
    std::uint64_t recommended = 0;  ///< with it
};

/// The pool that the crash kernel should be told to make where the one that it would ask for (`pool`) does not fit: the
/// largest power of two that fits by the recommended need, if that is one of light_pool at least; else the largest
/// up to that which fits by what is expected, or else by the lower bound: Linux 6.12 with 98 MiB died with a pool of 32
/// MiB (tests/vm/rungs.table, rung-tight). Less than `pool`; 0 where none fits.
std::uint64_t choose_pool(const PoolRoom&, const NeedBounds&, std::uint64_t pool);

/// What a load without the handoff comes to, in the reservation that there is. nullopt where nothing is reserved, or
/// the command line cannot be read. `margin`: of the recommended need, bytes.
std::optional<Fallback> judge_fallback(const Question&, std::uint64_t margin);
/// The same for what is asked of a plan.
std::optional<Fallback> fallback_for(const Machine&, const PlanRequest&, std::uint64_t margin);

}  // namespace handoff
