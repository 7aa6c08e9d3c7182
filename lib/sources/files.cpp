// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/files.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/fd.hpp"
#include "base/text.hpp"

namespace handoff {

using base::Fd;

using base::Errc;
using base::Error;
using base::Result;

namespace {

/// Opens `path` below `root` one component at a time and follows no symbolic link: where there is no openat2().
int open_without_links(int root, std::string_view path, int flags) {
    Fd directory;
    while (true) {
        const auto slash = path.find('/');
        const bool last = slash == std::string_view::npos;
        const std::string component(path.substr(0, slash));
        if (component == "..") {  // the release of a captured machine is a part of some paths
            errno = EXDEV;
            return -1;
        }
        const int at = directory ? directory.get() : root;
        const int fd = ::openat(at, component.c_str(), (last ? flags : O_PATH | O_DIRECTORY) | O_NOFOLLOW | O_CLOEXEC);
        if (last || fd < 0) return fd;
        directory = Fd(fd);
        path.remove_prefix(slash + 1);
    }
}

}  // namespace

Error io_error(std::string_view file, std::string what) {
    return Error{Errc::io, std::string(file), 0, std::move(what)};
}

Error too_large(std::string_view file, std::uint64_t limit) {
    return io_error(file, base::text("larger than ", limit / base::MiB, " MiB"));
}

Error system_error(std::string_view file, int number) {
    Errc code = Errc::io;
    if (number == ENOENT || number == ENOTDIR) code = Errc::not_found;
    if (number == EACCES || number == EPERM) code = Errc::not_permitted;
    return Error{code, std::string(file), 0, std::strerror(number)};
}

int open_inside(int root, std::string_view path, int flags, bool whole) {
    open_how how{};
    how.flags = static_cast<unsigned>(flags | O_CLOEXEC);
    how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
    const std::string name(path);
    long fd = -1;
    // EAGAIN: a rename somewhere in the system raced with the look-up.
    for (int attempt = 0; attempt < 16; ++attempt) {
        fd = ::syscall(SYS_openat2, root, name.c_str(), &how, sizeof how);
        if (fd >= 0 || errno != EAGAIN) break;
    }
    // Linux before 5.6; and a sandbox that cannot look into open_how, as systemd's with RestrictSUIDSGID=. Others
    // answer EPERM where they do not know the system call.
    if (fd >= 0 || (errno != ENOSYS && errno != EPERM)) return static_cast<int>(fd);
    return whole ? ::openat(root, name.c_str(), flags | O_CLOEXEC) : open_without_links(root, path, flags);
}

std::optional<Error> require_regular(int fd, std::string_view file) {
    struct stat status {};
    if (::fstat(fd, &status) != 0) return system_error(file, errno);
    if (!S_ISREG(status.st_mode)) return io_error(file, "expected a regular file");
    return std::nullopt;
}

std::optional<Error> read_pieces(int fd, std::string_view file, std::size_t limit,
                                 const std::function<bool(std::string_view)>& take) {
    // Files of /proc and /sys give a page or two at a time, however much is asked for.
    std::array<char, 16 * base::KiB> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): it is filled
    std::size_t total = 0;
    while (true) {
        const ssize_t got = ::read(fd, buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return system_error(file, errno);
        if (got == 0) return std::nullopt;
        const auto size = static_cast<std::size_t>(got);
        if (size > limit - total) return too_large(file, limit);
        total += size;
        if (!take(std::string_view(buffer.data(), size))) return std::nullopt;
    }
}

Result<std::string> read_all(int fd, std::string_view file, std::size_t limit) {
    std::string text;
    auto error = read_pieces(fd, file, limit, [&](std::string_view piece) {
        text += piece;
        return true;
    });
    if (error) return std::move(*error);
    return text;
}

}  // namespace handoff
