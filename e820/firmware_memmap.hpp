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

/// The firmware's map in the order given, not sanitised. Errors name the entry
/// and its file: a number that is none, bounds that are reversed or reach the end
/// of the 64-bit space, a type the kernel does not have. No entry at all is an
/// input error too.
Result<Table> parse_firmware_memmap(std::span<const FirmwareMapEntry>);

}  // namespace e820
