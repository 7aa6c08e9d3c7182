// SPDX-License-Identifier: GPL-2.0-or-later
//
// Memory maps as x86 firmware gives them: tables of entries, each a half-open range of physical addresses with a type.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "swiotlb-handoff/range.hpp"

#pragma GCC visibility push(default)
namespace e820 {

using base::AddressRange;
using base::RangeSet;

/// The type of an address range. The values are those of the kernel and the firmware
/// (arch/x86/include/asm/e820/types.h, enum e820_type). A Type may hold a value
/// that has no name here, because firmware uses such values ("type 20").
enum class Type : std::uint32_t {
    ram = 1,
    reserved = 2,
    acpi = 3,
    nvs = 4,
    unusable = 5,
    pmem = 7,
    pram = 12,
    reserved_kern = 128,  ///< setup_data, up to Linux 6.12; memblock takes it for RAM
    soft_reserved = 0xefffffff,
};

/// What the log of a kernel up to 6.19 prints behind a range of this type: "usable", "ACPI data", "type 20".
std::string log_label(Type);

/// One entry of a memory map; the range is half-open.
struct Entry {
    AddressRange range;
    Type type = Type::reserved;
    friend bool operator==(const Entry&, const Entry&) = default;
};

/// A memory map, with its entries in the order in which they were given. They are sorted and disjoint only after
/// sanitised().
struct Table {
    std::vector<Entry> entries;

    void add(const AddressRange& range, Type type) { entries.push_back({range, type}); }
    /// All addresses of one type. The table has to be sanitised: where entries overlap, this does not look which wins.
    [[nodiscard]] RangeSet of(Type type) const;

    friend bool operator==(const Table&, const Table&) = default;
};

/// The table sorted and disjoint, without empty entries, as e820__update_table() and e820_nomerge() make it
/// (arch/x86/kernel/e820.c, the same from Linux 5.10 to 7.2). Where entries overlap, the type with the highest value
/// wins. Neighbours of one type are merged, but not legacy persistent memory and soft-reserved ranges: these are
/// divided wherever any entry of the input begins or ends.
/// It takes O(n log n).
Table sanitised(const Table&);

}  // namespace e820
#pragma GCC visibility pop
