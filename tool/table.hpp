// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "swiotlb-handoff/result.hpp"
#include "swiotlb-handoff/table.hpp"

namespace tool {

/// The memory map in the file `path`, "-" for standard input, or in a directory laid out as /sys/firmware/memmap.
/// `format` is log, iomem, json or binary, or auto: what its first bytes look like.
base::Result<e820::Table> read_table(const std::string& path, std::string format);

}  // namespace tool
