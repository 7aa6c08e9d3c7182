// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <vector>

#include "e820/range.hpp"
#include "e820/type.hpp"

namespace e820 {

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

/// e820__range_update(): every byte of `range` that is `from` becomes `to`. The two
/// must differ (the kernel stops on BUG_ON()).
void update(Table&, const AddressRange& range, Type from, Type to);

/// e820__range_remove(): every byte of `range` that is `type` leaves the map;
/// nullopt: whatever it is.
void remove(Table&, const AddressRange& range, std::optional<Type> type);

}  // namespace e820
