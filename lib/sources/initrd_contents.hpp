// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "lib/sources/read_at.hpp"
#include "swiotlb-handoff/request.hpp"
#include "swiotlb-handoff/result.hpp"

namespace handoff {

/// What no real initrd has more of.
struct InitrdLimits {
    std::uint64_t unpacked_bytes = 2 * base::GiB;  ///< of all archives, with their headers
    std::uint64_t entries = 1 << 17;               ///< files, directories, links
};

/// Reads an initrd to its end as the kernel does (init/initramfs.c, unpack_to_rootfs()): cpio archives one behind the
/// other with zeros between them, each as it is or within one of the kernel's compressions. Nothing is kept of what
/// was unpacked but numbers, names of modules and the inodes of hard links. Input errors name the offset: what is
/// damaged or cut off, what begins nothing that the kernel unpacks, more than the limits allow.
base::Result<InitrdContents> read_initrd_contents(std::uint64_t size, const ReadAt&, const InitrdLimits& = {});

}  // namespace handoff
