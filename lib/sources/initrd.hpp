// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <filesystem>

#include "swiotlb-handoff/request.hpp"
#include "swiotlb-handoff/result.hpp"

namespace handoff {

/// What a plan needs to know of an initrd, bytes.
struct InitrdFile {
    std::uint64_t bytes = 0;  ///< of the whole file, as it is loaded
    /// What its ACPI tables take below 4 GiB before the pool is made: EarlyCpio::acpi_bytes(). Of a file of more than
    /// 4 GiB that is all of it, which no plan has room for: such a file is not looked into.
    std::uint64_t acpi_bytes = 0;
    bool bootconfig = false;  ///< it ends in one: init/main.c, get_boot_config_from_initrd()
};

/// Looks at the headers in front of the file and at its end, never at the whole of it. Errors: not_found, not_permitted
/// or io where it cannot be read or is no regular file; input where a header of its early cpio is damaged.
/// Error::source is `path` as given.
base::Result<InitrdFile> read_initrd(const std::filesystem::path& path);

/// Unpacks the whole of it and keeps nothing but what it comes to: read_initrd_contents(). That takes a second or more
/// for a large one. Errors: the same, and input where it is not what the kernel unpacks.
base::Result<InitrdContents> read_initrd_contents(const std::filesystem::path& path);

}  // namespace handoff
