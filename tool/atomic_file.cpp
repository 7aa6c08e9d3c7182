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

base::Result<bool> replace_file(const std::filesystem::path& given, std::string_view text, unsigned mode) {
    std::error_code missing;
    std::filesystem::path path = std::filesystem::canonical(given, missing);
    if (missing) path = given;
    const base::Fd old(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!old && errno != ENOENT) return failed(path, errno);

    std::string name = path.string() + ".XXXXXX";
    const base::Fd fd(::mkostemp(name.data(), O_CLOEXEC));
    if (!fd) return failed(path, errno);
    int number = complete(fd.get(), old ? old.get() : -1, text, mode);
    if (number == 0 && ::rename(name.c_str(), path.c_str()) != 0) number = errno;
    if (number != 0) {
        ::unlink(name.c_str());
        return failed(path, number);
    }
    const std::string directory = path.parent_path().empty() ? "." : path.parent_path().string();
    if (const base::Fd parent(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)); parent)
        ::fsync(parent.get());
    return true;
}

}  // namespace tool
