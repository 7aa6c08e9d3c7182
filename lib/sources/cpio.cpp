// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/cpio.hpp"

#include <array>

#include "base/number.hpp"

namespace handoff {

bool begins_cpio(std::string_view text) { return text.starts_with("070701") || text.starts_with("070702"); }

std::optional<CpioHeader> parse_cpio_header(std::string_view text) {
    std::array<std::uint64_t, 13> field{};
    for (std::size_t i = 0; i < field.size(); ++i) {
        const auto value = base::parse_number(text.substr(6 + i * 8, 8), 16);
        if (!value) return std::nullopt;
        field[i] = *value;
    }
    CpioHeader header;
    header.inode = field[0];
    header.mode = field[1];
    header.links = field[4];
    header.file_bytes = field[6];
    header.major = field[7];
    header.minor = field[8];
    header.name_bytes = field[11];
    return header;
}

}  // namespace handoff
