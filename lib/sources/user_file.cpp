// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/user_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <span>
#include <utility>

#include "lib/sources/files.hpp"
#include "lib/sources/read_at.hpp"

namespace handoff {

using base::Fd;

using base::Result;

Result<std::string> read_user_file(const std::filesystem::path& path, std::size_t limit) {
    const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
    if (!fd) return system_error(path.string(), errno);
    return read_all(fd.get(), path.string(), limit);
}

Result<UserFile> open_user_file(const std::filesystem::path& path, std::uint64_t limit) {
    Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
    if (!fd) return system_error(path.string(), errno);
    if (auto error = require_regular(fd.get(), path.string())) return std::move(*error);
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) return system_error(path.string(), errno);
    const auto size = static_cast<std::uint64_t>(status.st_size);
    if (size > limit) return too_large(path.string(), limit);
    return UserFile{std::move(fd), size};
}

Result<FileHead> read_user_file_head(const std::filesystem::path& path, std::size_t wanted) {
    const auto file = open_user_file(path, std::numeric_limits<std::uint64_t>::max());
    if (!file) return file.error();
    FileHead head{std::string(std::min<std::uint64_t>(wanted, file->size), '\0'), file->size};
    if (!read_at(file->fd)(0, std::as_writable_bytes(std::span(head.bytes))))
        return io_error(path.string(), "it cannot be read, or became shorter while it was read");
    return head;
}

}  // namespace handoff
