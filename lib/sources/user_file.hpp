// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/fd.hpp"
#include "swiotlb-handoff/result.hpp"

namespace handoff {

/// A file that the user named, outside of any root: a regular file or a pipe of
/// at most `limit` bytes. Error::source is `path` as given.
base::Result<std::string> read_user_file(const std::filesystem::path& path, std::size_t limit);

/// A regular file that the user named, to be read at will.
struct UserFile {
    base::Fd fd;
    std::uint64_t size = 0;  ///< bytes
};
/// An io error where it is larger than `limit` bytes.
base::Result<UserFile> open_user_file(const std::filesystem::path& path, std::uint64_t limit);

struct FileHead {
    std::string bytes;       ///< the first ones, at most as many as wanted
    std::uint64_t size = 0;  ///< of the whole file, bytes
};
/// The beginning of a regular file that the user named.
base::Result<FileHead> read_user_file_head(const std::filesystem::path& path, std::size_t wanted);

}  // namespace handoff
