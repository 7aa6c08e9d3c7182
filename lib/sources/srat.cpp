// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/srat.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/byte_cursor.hpp"

namespace handoff {

using base::Address;
using base::AddressRange;
using std::string_view;

std::optional<Address> srat_memory_end(string_view table) {
    constexpr std::size_t header_size = 48, memory_affinity = 1, memory_affinity_size = 40;
    const auto bytes = std::as_bytes(std::span(table.data(), table.size()));
    const auto at = [&](std::size_t offset) { return base::ByteCursor(bytes.subspan(offset)); };
    if (!table.starts_with("SRAT") || table.size() < header_size) return std::nullopt;
    Address end = 0;
    for (std::size_t offset = header_size; bytes.size() - offset >= 2;) {
        const auto type = std::to_integer<unsigned>(bytes[offset]);
        const auto size = std::to_integer<std::size_t>(bytes[offset + 1]);
        if (size < 2 || size > bytes.size() - offset) return std::nullopt;
        if (type == memory_affinity && size >= memory_affinity_size) {
            const auto range = AddressRange::from_size(at(offset + 8).take<std::uint64_t>().value_or(0),
                                                       at(offset + 16).take<std::uint64_t>().value_or(0));
            const bool enabled = (at(offset + 28).take<std::uint32_t>().value_or(0) & 1) != 0;
            if (!range) return std::nullopt;
            if (enabled) end = std::max(end, range->end());
        }
        offset += size;
    }
    return end == 0 ? std::nullopt : std::optional(end);
}

}  // namespace handoff
