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

/// An address range type. The values are the kernel's and firmware's own
/// (arch/x86/include/asm/e820/types.h, enum e820_type); a Type may hold a value
/// that has no name here, as firmware does ("type 20").
enum class Type : std::uint32_t {
    ram = 1,
    reserved = 2,
    acpi = 3,
    nvs = 4,
    unusable = 5,
    pmem = 7,
    pram = 12,
    reserved_kern = 128,  ///< up to 6.12: setup_data, still RAM to memblock
    soft_reserved = 0xefffffff,
};

/// "usable", "ACPI data", "type 20": what the log of a kernel up to 6.19 prints after a range.
std::string log_label(Type);

/// A line of a memory map.
struct Entry {
    AddressRange range;
    Type type = Type::reserved;
    friend bool operator==(const Entry&, const Entry&) = default;
};

/// A memory map in the order it was given. Only sanitised() promises sorted,
/// disjoint entries.
struct Table {
    std::vector<Entry> entries;

    void add(const AddressRange& range, Type type) { entries.push_back({range, type}); }
    /// The addresses of one type, merged; meaningful on a sanitised table.
    [[nodiscard]] RangeSet of(Type type) const;

    friend bool operator==(const Table&, const Table&) = default;
};

/// Sorted and disjoint, without empty entries; where entries overlap the highest
/// type value wins; equal neighbours are merged, except legacy persistent memory and
/// soft-reserved ranges, which are cut wherever any entry of the input begins or
/// ends. As e820__update_table() and e820_nomerge() (arch/x86/kernel/e820.c, the
/// same from 5.10 to 7.2) do it, in O(n log n).
Table sanitised(const Table&);

}  // namespace e820
#pragma GCC visibility pop
