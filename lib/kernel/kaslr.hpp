// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "lib/kernel/command_line.hpp"
#include "lib/kernel/loader.hpp"

namespace handoff {

// Where the decompressor may move the crash kernel: arch/x86/boot/compressed/kaslr.c.

/// KASLR keeps clear of so many memmap= ranges (MAX_MEMMAP_REGIONS). A word that goes on
/// beyond the last one switches it off; words after that are not looked at.
inline constexpr std::size_t max_kaslr_regions = 4;

/// The word stands there by itself: the decompressor knows no other form (arch/x86/boot/compressed/kaslr.c,
/// choose_random_location()).
bool switches_kaslr_off(const CommandLine&);

/// What a command line tells KASLR (mem_avoid_memmap(); cmdline_find_option_bool(), which takes no value).
struct Kaslr {
    bool on = true;
    std::vector<AddressRange> avoid;  ///< the memmap=nn$ss ranges and their kin, which it keeps clear of
};
Kaslr kaslr_with(const CommandLine&);

/// Every address at which the image can be when the kernel proper starts: where the loader put it, and, where KASLR is
/// on, where that may move it. `needed` is what KASLR asks room for, at least, in bytes.
std::vector<Address> image_addresses(const Load&, const LoadInput&, std::uint64_t needed, const Kaslr&);

}  // namespace handoff
