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

/// `exactmap`: forget everything so far.
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

/// The value of a `memmap=` option: one or more parts, comma separated.
/// Errors: whatever the kernel ignores, reads in another way than it looks (a
/// missing or wrapping number, trailing characters) or stops on (a range past the
/// 64-bit space, a type updated to itself). The message quotes the part.
Result<std::vector<MemmapOp>> parse_memmap(std::string_view value);

/// The value of a `mem=` option; no operation for `nopentium`, which x86-64
/// ignores. Errors as in parse_memmap(), and 0, which the kernel refuses.
Result<std::vector<MemmapOp>> parse_mem(std::string_view value);

/// Does what the kernel does when it meets the option. The result is not
/// sanitised: the kernel handles all options first.
void apply(Table&, const MemmapOp&);

/// The "user-defined physical RAM map": `firmware` with all the operations in
/// the order of the command line, then sanitised (e820__finish_early_params()).
/// Error: fewer than two entries are left to sanitise, where the kernel panics with
/// "Invalid user supplied memory map" (`memmap=exactmap memmap=4G@0` alone).
Result<Table> with_memmap(const Table& firmware, const std::vector<MemmapOp>&);

/// The part that parse_memmap() reads back, without "memmap=": "64M@0x75000000".
std::string to_word(const MemmapOp&);

}  // namespace e820
