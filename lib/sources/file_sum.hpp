// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <filesystem>

#include "swiotlb-handoff/result.hpp"

namespace handoff {

/// Tells one image or initrd from another. Two that differ may have the same sum by intent, never by chance.
struct FileSum {
    std::uint64_t bytes = 0;
    std::uint64_t crc32 = 0;  ///< of zlib, 32 bits
    friend bool operator==(const FileSum&, const FileSum&) = default;
};

/// Reads the whole file. Errors: as of open_user_file(), and an io error where it is larger than 2 GiB.
base::Result<FileSum> sum_of(const std::filesystem::path&);

}  // namespace handoff
