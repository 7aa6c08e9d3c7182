// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "swiotlb-handoff/result.hpp"
#include "swiotlb-handoff/table.hpp"

namespace e820 {

using base::Result;

/// struct boot_e820_entry (arch/x86/include/uapi/asm/setup_data.h): u64 address,
/// u64 size, u32 type, little-endian, packed.
inline constexpr std::size_t boot_entry_size = 20;
/// E820_MAX_ENTRIES_ZEROPAGE: what boot_params.e820_table holds.
inline constexpr std::size_t boot_params_entries = 128;

/// Reads a sequence of such entries, of boot_params or of a SETUP_E820_EXT node. The result is not sanitised.
/// Input errors, with the offset: an entry is truncated, or a range goes beyond the end of the 64-bit space,
/// where append_e820_table() and e820__update_table() give up. An empty input has no entries,
/// which is no error.
Result<Table> parse_binary(std::span<const std::byte>);

/// A table as a boot loader hands it over.
struct BootEntries {
    std::vector<std::byte> boot_params;  ///< the first 128 entries, for boot_params.e820_table
    std::vector<std::byte> setup_data;   ///< the rest, for a SETUP_E820_EXT node; empty where none is needed
    friend bool operator==(const BootEntries&, const BootEntries&) = default;
};

/// Writes the entries in the order of the table.
BootEntries render_binary(const Table&);

}  // namespace e820
