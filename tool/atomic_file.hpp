// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <string_view>

#include "swiotlb-handoff/result.hpp"

namespace tool {

/// Replaces a file, or makes it, so that at any moment either the old or the new
/// contents are there as a whole, after a power cut too: temporary file beside it,
/// fsync, rename, fsync of the directory. An existing file keeps its owner, mode and
/// extended attributes (SELinux's label is one); a symbolic link is followed.
/// A new file has `mode`.
base::Result<bool> replace_file(const std::filesystem::path&, std::string_view text, unsigned mode = 0644);

}  // namespace tool
