// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "swiotlb-handoff/range.hpp"

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

/// Whose words a kernel log uses for the types (arch/x86/kernel/e820.c, e820_print_type()).
enum class LabelStyle {
    classic,  ///< up to 6.19: "usable", "reserved", "persistent (type 7)"
    v7,       ///< 7.0 and later: "System RAM", "device reserved", "persistent RAM (type 7)"
};

/// "usable", "ACPI data", "type 20": what the kernel log prints after a range.
std::string log_label(Type, LabelStyle = LabelStyle::classic);

/// The label of any kernel version, without parentheses around it. Setup data
/// is labelled as RAM, so reserved_kern never comes back; nullopt for anything else.
std::optional<Type> from_log_label(std::string_view);

/// "System RAM", "ACPI Tables": as /sys/firmware/memmap and /proc/iomem name a
/// type (e820_type_to_string()); "Unknown E820 type" for those without a name.
std::string_view resource_name(Type);

/// The type file of a /sys/firmware/memmap entry. "Unknown E820 type" has lost
/// its number and comes back as reserved, as kexec-tools takes it too.
std::optional<Type> from_firmware_name(std::string_view);

/// A line of /proc/iomem that the e820 map put there, "Reserved" in both
/// spellings; nullopt for every other resource ("RAM buffer", "System RAM (kmem)").
std::optional<Type> from_iomem_name(std::string_view);

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
