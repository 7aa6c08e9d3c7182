// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <string_view>

#include "lib/sources/place.hpp"
#include "swiotlb-handoff/result.hpp"

namespace tool {

/// Replaces a file, or makes it, so that at any moment either the old or the new
/// contents are there as a whole, after a power cut too: temporary file beside it,
/// fsync, rename, fsync of the directory. An existing file keeps its owner, mode and
/// extended attributes (SELinux's label is one). A new file has `mode`. What is no regular file, such as a symbolic
/// link, is not replaced: an error. `shown` is the file's name in an error.
base::Result<bool> replace_file(const handoff::Place&, const std::filesystem::path& shown, std::string_view text,
                                unsigned mode = 0644);

/// Where a file that the user names lies. Errors: its directory cannot be opened.
base::Result<handoff::Place> place_of(const std::filesystem::path&);

}  // namespace tool
