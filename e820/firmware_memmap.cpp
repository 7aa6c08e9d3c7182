// SPDX-License-Identifier: GPL-2.0-or-later
#include "e820/firmware_memmap.hpp"

#include <fmt/format.h>

#include "base/excerpt.hpp"
#include "base/number.hpp"
#include "e820/type.hpp"

namespace e820 {

using base::Address;
using base::AddressRange;
using base::Error;
using base::excerpt;
using base::input_error;
using base::parse_number;
using base::Result;
namespace {

std::string_view without_newline(std::string_view text) {
    if (text.ends_with('\n')) text.remove_suffix(1);
    return text;
}

Error expected(const FirmwareMapEntry& entry, std::string_view file, std::string_view what, std::string_view found) {
    return input_error(0, fmt::format("{}/{}: expected {}, found {}", entry.name, file, what, excerpt(found)));
}

std::optional<Address> parse_address(std::string_view text) {
    return text.starts_with("0x") ? parse_number(text.substr(2), 16) : std::nullopt;
}

}  // namespace

Result<Table> parse_firmware_memmap(std::span<const FirmwareMapEntry> entries) {
    if (entries.empty()) return input_error(0, "expected at least one entry, found none");
    Table table;
    for (const FirmwareMapEntry& entry : entries) {
        const auto start_text = without_newline(entry.start);
        const auto end_text = without_newline(entry.end);
        const auto type_text = without_newline(entry.type);
        const auto start = parse_address(start_text);
        if (!start) return expected(entry, "start", "a 64-bit address, 0x...", start_text);
        const auto end = parse_address(end_text);
        if (!end) return expected(entry, "end", "a 64-bit address, 0x...", end_text);
        const auto range = AddressRange::from_inclusive(*start, *end);
        if (!range) return expected(entry, "end", fmt::format("an address from {:#x} to 2^64-2", *start), end_text);
        const auto type = from_firmware_name(type_text);
        if (!type) return expected(entry, "type", "the name of a memory type", type_text);
        table.add(*range, *type);
    }
    return table;
}

}  // namespace e820
