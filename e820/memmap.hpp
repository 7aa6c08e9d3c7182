// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "swiotlb-handoff/result.hpp"
#include "swiotlb-handoff/table.hpp"

namespace e820 {

using base::AddressRange;
using base::Result;

/// What one part of a `memmap=` or `mem=` option does to the firmware's map
/// (arch/x86/kernel/e820.c, parse_memmap_one(), the same from 5.10 to 7.2).

/// `exactmap`: the map becomes empty.
struct ExactMap {
    friend bool operator==(const ExactMap&, const ExactMap&) = default;
};
/// `nn@ss` RAM, `nn#ss` ACPI, `nn$ss` reserved, `nn!ss` legacy persistent, `nn%ss+type`.
struct AddRange {
    AddressRange range;
    Type type = Type::ram;
    friend bool operator==(const AddRange&, const AddRange&) = default;
};
/// `nn%ss-from+to`.
struct UpdateRange {
    AddressRange range;
    Type from = Type::ram;
    Type to = Type::reserved;
    friend bool operator==(const UpdateRange&, const UpdateRange&) = default;
};
/// `nn%ss-type`, `nn%ss` (any type), and the bare `nn` that removes RAM above nn.
struct RemoveRange {
    AddressRange range;
    std::optional<Type> type;
    friend bool operator==(const RemoveRange&, const RemoveRange&) = default;
};

using MemmapOp = std::variant<ExactMap, AddRange, UpdateRange, RemoveRange>;

/// Reads the value of a `memmap=` option: one or more parts, separated by commas. Input errors, which quote the part:
/// the kernel ignores it; the kernel reads it in another way than it looks, because a number is missing or too
/// large or because characters follow; or the kernel stops at it, because a range goes beyond the 64-bit space
/// or because a type is to become itself.
Result<std::vector<MemmapOp>> parse_memmap(std::string_view value);

/// Reads the value of a `mem=` option. `nopentium` gives no operation, because x86-64 ignores it. Errors are those of
/// parse_memmap(), and the value 0, which the kernel refuses.
Result<std::vector<MemmapOp>> parse_mem(std::string_view value);

/// Changes the map as the kernel does when it reads the option. The result is not sanitised, because the kernel
/// does that only after all options.
void apply(Table&, const MemmapOp&);

/// The "user-defined physical RAM map": `firmware` with all the operations in
/// the order of the command line, then sanitised (e820__finish_early_params()).
/// Error: fewer than two entries are left to sanitise, where the kernel panics with
/// "Invalid user supplied memory map" (`memmap=exactmap memmap=4G@0` alone).
Result<Table> with_memmap(const Table& firmware, const std::vector<MemmapOp>&);

/// One part as parse_memmap() reads it, without "memmap=": "64M@0x75000000".
std::string to_word(const MemmapOp&);

}  // namespace e820
