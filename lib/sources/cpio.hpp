// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "swiotlb-handoff/range.hpp"

namespace handoff {

// cpio's newc format, which initrds are made of: for each entry the magic, 6 characters, and 13 hexadecimal numbers of
// 8 each, then its name, then its data (Documentation/driver-api/early-userspace/buffer-format.rst).

inline constexpr std::size_t cpio_header_bytes = 6 + 13 * 8;

/// Real initrds have less than a block of zeros between archives. A file that goes on with more may be one without
/// content. Bytes.
inline constexpr std::uint64_t most_cpio_padding = 64 * base::MiB;

struct CpioHeader {
    std::uint64_t inode = 0;
    std::uint64_t mode = 0;
    std::uint64_t links = 0;
    std::uint64_t file_bytes = 0;
    std::uint64_t major = 0, minor = 0;  ///< of the device that the inode is on
    std::uint64_t name_bytes = 0;        ///< with its NUL

    [[nodiscard]] bool is_file() const { return (mode & 0170000) == 0100000; }
    [[nodiscard]] bool is_directory() const { return (mode & 0170000) == 0040000; }
    [[nodiscard]] bool is_symbolic_link() const { return (mode & 0170000) == 0120000; }
};

/// It begins as a header does: "070701", or "070702", with checksums.
bool begins_cpio(std::string_view text);
/// Of cpio_header_bytes; nullopt where a field is no number.
std::optional<CpioHeader> parse_cpio_header(std::string_view text);

/// Names and data begin at such offsets from the start of their archive.
constexpr std::uint64_t align4(std::uint64_t offset) { return (offset + 3) / 4 * 4; }

}  // namespace handoff
