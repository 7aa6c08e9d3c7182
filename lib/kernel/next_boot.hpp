// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lib/kernel/crashkernel.hpp"
#include "swiotlb-handoff/machine.hpp"

namespace handoff {

/// The machine as its next boot with these words would lay it out: the reservation as
/// reserve_crashkernel() places it (arch/x86/kernel/setup.c; reserve_crashkernel_generic() in
/// kernel/crash_reserve.c since 6.8), then the pool, both top-down in what this boot has
/// shown to be free. `shift` is how many bytes below the end of its free block this boot's pool lies.
/// nullopt where the reservation fails, falls back to another kind, or the pool has no place.
std::optional<Machine> next_boot(const Machine&, const Reservation&, std::uint64_t shift = 0);

/// Whether next_boot() with the words of this boot gives what this boot has; without crashkernel=,
/// the pool.
struct LayoutComparison {
    bool layout = false;      ///< the reservation and the pool, as far as there are any
    std::uint64_t shift = 0;  ///< for next_boot()
    std::string text;         ///< where it does not: what differs, and what no source shows of this machine
};
LayoutComparison reproduce(const Machine&);

/// The machine as its next boot may lay it out. Where the model explains this boot, that is one layout. Where it does
/// not, the pool may be in any block that can hold it: one layout for each, the kernel's own choice first; and the pool
/// may lie apart from the low part of a reservation, or right above it. Empty where the reservation fails.
std::vector<Machine> next_boots(const Machine&, const Reservation&, const LayoutComparison&);

/// The size of the running kernel's pool in bytes, by the most trusted source; 0 where none is seen.
std::uint64_t pool_bytes(const Machine&);

}  // namespace handoff
