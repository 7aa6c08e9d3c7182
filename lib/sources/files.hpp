// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "swiotlb-handoff/range.hpp"
#include "swiotlb-handoff/result.hpp"

namespace handoff {

// Opening and reading files that somebody else may have made. `file` is what an error names.

/// No file that is read as a whole is larger, in bytes.
inline constexpr std::size_t file_limit = 64 * base::MiB;

base::Error io_error(std::string_view file, std::string what);
/// An io error: more than `limit` bytes.
base::Error too_large(std::string_view file, std::uint64_t limit);
/// Of errno: not_found, not_permitted, or io.
base::Error system_error(std::string_view file, int number);

/// Opens `path` below the directory `root`; whatever symbolic links are on the way, the result is below `root`.
/// `whole`: root is "/", which has no outside. -1 and errno where it cannot be opened.
int open_inside(int root, std::string_view path, int flags, bool whole);

/// An io error where it is anything but a regular file.
std::optional<base::Error> require_regular(int fd, std::string_view file);

/// Gives every piece of the file to `take`, to the end or until that needs no more: it answers whether it goes on. An
/// io error where there are more than `limit` bytes.
std::optional<base::Error> read_pieces(int fd, std::string_view file, std::size_t limit,
                                       const std::function<bool(std::string_view)>& take);
/// All of them as one text.
base::Result<std::string> read_all(int fd, std::string_view file, std::size_t limit);

}  // namespace handoff
