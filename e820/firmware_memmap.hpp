// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <span>
#include <string_view>

#include "swiotlb-handoff/result.hpp"
#include "swiotlb-handoff/table.hpp"

namespace e820 {

using base::Result;

/// The three files of one directory /sys/firmware/memmap/N (drivers/firmware/memmap.c).
struct FirmwareMapEntry {
    std::string_view name;   ///< of the directory, for errors: "3"
    std::string_view start;  ///< "0x100000\n"
    std::string_view end;    ///< inclusive
    std::string_view type;   ///< "System RAM\n"
};

/// The firmware's map in the order of the entries, not sanitised. Input errors name the entry and its file:
/// something is not a number, the end is below the start, a range reaches the end of the 64-bit space, or
/// the kernel has no such type. It is an input error as well
/// if there is no entry at all.
Result<Table> parse_firmware_memmap(std::span<const FirmwareMapEntry>);

}  // namespace e820
