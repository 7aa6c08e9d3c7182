// SPDX-License-Identifier: GPL-2.0-or-later
#include "e820/binary.hpp"

#include <fmt/format.h>

#include "base/byte_cursor.hpp"

namespace e820 {

using base::AddressRange;
using base::ByteCursor;
using base::input_error;
using base::Result;
namespace {

template <std::unsigned_integral Integer>
void append(std::vector<std::byte>& bytes, Integer value) {
    for (std::size_t i = 0; i < sizeof(Integer); ++i) bytes.push_back(static_cast<std::byte>(value >> (8 * i)));
}

}  // namespace

Result<Table> parse_binary(std::span<const std::byte> bytes) {
    Table table;
    table.entries.reserve(bytes.size() / boot_entry_size);
    ByteCursor cursor(bytes);
    while (cursor.remaining() != 0) {
        const std::size_t offset = cursor.offset();
        const auto start = cursor.take<std::uint64_t>();
        const auto size = cursor.take<std::uint64_t>();
        const auto type = cursor.take<std::uint32_t>();
        if (!start || !size || !type) {
            return input_error(0, fmt::format("offset {:#x}: expected an entry of {} bytes, found {}", offset,
                                              boot_entry_size, bytes.size() - offset));
        }
        const auto range = AddressRange::from_size(*start, *size);
        if (!range) {
            return input_error(
                0, fmt::format("offset {:#x}: expected a range within 64 bits, found {:#x} bytes at {:#x}", offset,
                               *size, *start));
        }
        table.add(*range, static_cast<Type>(*type));
    }
    return table;
}

BootEntries render_binary(const Table& table) {
    BootEntries result;
    for (std::size_t i = 0; i < table.entries.size(); ++i) {
        const Entry& entry = table.entries[i];
        auto& bytes = i < boot_params_entries ? result.boot_params : result.setup_data;
        append(bytes, entry.range.start());
        append(bytes, entry.range.size());
        append(bytes, static_cast<std::uint32_t>(entry.type));
    }
    return result;
}

}  // namespace e820
