// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/user_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/fd.hpp"
#include "lib/sources/files.hpp"

namespace handoff {

using base::Fd;

using base::Result;

Result<std::string> read_user_file(const std::filesystem::path& path, std::size_t limit) {
    const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
    if (!fd) return system_error(path.string(), errno);
    return read_all(fd.get(), path.string(), limit);
}

Result<FileHead> read_user_file_head(const std::filesystem::path& path, std::size_t wanted) {
    const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
    if (!fd) return system_error(path.string(), errno);
    if (auto error = require_regular(fd.get(), path.string())) return std::move(*error);
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) return system_error(path.string(), errno);

    FileHead head{std::string(wanted, '\0'), static_cast<std::uint64_t>(status.st_size)};
    std::size_t filled = 0;
    while (filled < wanted) {
        const ssize_t got = ::read(fd.get(), head.bytes.data() + filled, wanted - filled);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return system_error(path.string(), errno);
        if (got == 0) break;
        filled += static_cast<std::size_t>(got);
    }
    head.bytes.resize(filled);
    return head;
}

}  // namespace handoff
