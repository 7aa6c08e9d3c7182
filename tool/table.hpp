// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "e820/result.hpp"
#include "e820/table.hpp"

namespace tool {

/// The memory map in the file `path`, "-" for standard input, or in a directory laid out as /sys/firmware/memmap.
/// `format` is log, iomem, json or binary, or auto: what its first bytes look like.
e820::Result<e820::Table> read_table(const std::string& path, std::string format);

}  // namespace tool
