// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/fd.hpp"
#include "swiotlb-handoff/result.hpp"

namespace handoff {

using base::Fd;

/// A new directory, or an empty one of the caller's own, closed to others (0700). A directory that is refused stays as
/// it is. Errors, of code io: it cannot be made or opened, it is somebody else's, it is not empty.
base::Result<Fd> make_directory(const std::filesystem::path&);

/// Makes a directory at a relative path below the directory `root`, and those on the way; follows no symbolic link.
/// nullopt: it is there.
std::optional<base::Error> make_directories_below(int root, std::string_view directory);

/// Writes a new file, of mode 0644, at a relative path below the directory `root`, and makes the directories on the
/// way; follows no symbolic link. nullopt: written as a whole.
std::optional<base::Error> write_below(int root, const std::string& file, std::string_view content);

}  // namespace handoff
