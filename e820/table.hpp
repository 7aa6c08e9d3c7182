// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "e820/range.hpp"

namespace e820 {

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

/// Sorted and disjoint; where entries overlap the highest type value wins;
/// equal neighbours are merged, except persistent memory and soft-reserved
/// ranges. As e820__update_table() and e820_nomerge()
/// (arch/x86/kernel/e820.c) do it.
Table sanitised(const Table&);

/// e820__range_update(): every byte of `range` that is `from` becomes `to`.
void update(Table&, const AddressRange& range, Type from, Type to);

/// e820__range_remove(): every byte of `range` that is `type` leaves the map.
void remove(Table&, const AddressRange& range, Type type);

}  // namespace e820
