// SPDX-License-Identifier: GPL-2.0-or-later
#include "tool/atomic_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/fd.hpp"

namespace tool {
namespace {

base::Error failed(const std::filesystem::path& path, int number) {
    const bool permission = number == EACCES || number == EPERM || number == EROFS;
    return {permission ? base::Errc::not_permitted : base::Errc::io, path.string(), 0, std::strerror(number)};
}

// False where one could not be copied: then the old file stays.
bool copy_attributes(int from, int to) {
    std::vector<char> names(65536);
    const ssize_t size = ::flistxattr(from, names.data(), names.size());
    if (size < 0) return errno == ENOTSUP;
    for (ssize_t at = 0; at < size; at += static_cast<ssize_t>(std::strlen(&names[static_cast<std::size_t>(at)])) + 1) {
        const char* name = &names[static_cast<std::size_t>(at)];
        std::vector<char> value(65536);
        const ssize_t length = ::fgetxattr(from, name, value.data(), value.size());
        if (length < 0 || ::fsetxattr(to, name, value.data(), static_cast<std::size_t>(length), 0) != 0) return false;
    }
    return true;
}

// What the temporary file needs before it may take the old one's place; 0 or errno.
int complete(int fd, int old, std::string_view text, unsigned mode) {
    struct stat status {};
    if (old >= 0) {
        if (::fstat(old, &status) != 0) return errno;
        if (!S_ISREG(status.st_mode)) return EINVAL;
        if (::fchown(fd, status.st_uid, status.st_gid) != 0) return errno;
        mode = status.st_mode & 07777;
    }
    if (::fchmod(fd, mode) != 0) return errno;
    if (old >= 0 && !copy_attributes(old, fd)) return errno == 0 ? EIO : errno;
    while (!text.empty()) {
        const ssize_t n = ::write(fd, text.data(), text.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return errno;
        text.remove_prefix(static_cast<std::size_t>(n));
    }
    return ::fsync(fd) == 0 ? 0 : errno;
}

}  // namespace

base::Result<handoff::Place> place_of(const std::filesystem::path& path) {
    const std::string directory = path.has_parent_path() ? path.parent_path().string() : ".";
    handoff::Place place{base::Fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)), path.filename()};
    if (!place.directory) return failed(path, errno);
    return place;
}

base::Result<bool> replace_file(const handoff::Place& place, const std::filesystem::path& shown, std::string_view text,
                                unsigned mode) {
    const int directory = place.directory.get();
    const base::Fd old(
        ::openat(directory, place.name.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW));
    if (!old && errno == ELOOP)
        return base::Error{base::Errc::io, shown.string(), 0, "a symbolic link is in its place"};
    if (!old && errno != ENOENT) return failed(shown, errno);

    const std::string fresh = fmt::format("{}.{}.new", place.name, ::getpid());
    ::unlinkat(directory, fresh.c_str(), 0);
    const base::Fd fd(::openat(directory, fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!fd) return failed(shown, errno);
    int number = complete(fd.get(), old ? old.get() : -1, text, mode);
    if (number == 0 && ::renameat(directory, fresh.c_str(), directory, place.name.c_str()) != 0) number = errno;
    if (number != 0) {
        ::unlinkat(directory, fresh.c_str(), 0);
        return failed(shown, number);
    }
    ::fsync(directory);
    return true;
}

}  // namespace tool
