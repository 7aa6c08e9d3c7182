// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "swiotlb-handoff/result.hpp"

namespace handoff {

/// Tells one image or initrd from another, which needs another amount of memory. Of a file of more than 256 KiB only 64
/// pieces of 4 KiB are looked at, from its beginning to its end in equal steps, since it is read at each load.
/// Compressed files that differ do so nearly everywhere. Two of one size that differ only between these pieces have the
/// same sum.
struct FileSum {
    std::uint64_t bytes = 0;
    std::uint64_t crc32 = 0;  ///< of these pieces one after the other, or of the whole file; zlib's, 32 bits
    friend bool operator==(const FileSum&, const FileSum&) = default;
};

/// Errors: as of open_user_file(), and an io error where it is larger than 2 GiB or cannot be read.
base::Result<FileSum> sum_of(const std::filesystem::path&);
/// The same; nullopt where it cannot be read.
std::optional<FileSum> sum_if_read(const std::filesystem::path&);

}  // namespace handoff
