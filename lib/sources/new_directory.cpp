// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/new_directory.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <system_error>

#include <fmt/format.h>

namespace handoff {

using base::Fd;

using base::Errc;
using base::Error;
using base::Result;
using std::string_view;

namespace {

Error system_error(const std::string& file) { return Error{Errc::io, file, 0, std::strerror(errno)}; }

std::optional<Error> write_all(int fd, string_view content, const std::string& file) {
    while (!content.empty()) {
        const ssize_t written = ::write(fd, content.data(), content.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return system_error(file);
        content.remove_prefix(static_cast<std::size_t>(written));
    }
    return std::nullopt;
}

/// The directory at a relative path below `root`, which is made where it is not there; no symbolic link is followed.
Result<Fd> open_below(int root, string_view path) {
    Fd directory;
    for (string_view rest = path; !rest.empty();) {
        const std::string component(rest.substr(0, rest.find('/')));
        rest.remove_prefix(std::min(rest.size(), component.size() + 1));
        const int at = directory ? directory.get() : root;
        if (::mkdirat(at, component.c_str(), 0755) != 0 && errno != EEXIST) return system_error(std::string(path));
        directory = Fd(::openat(at, component.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        if (!directory) return system_error(std::string(path));
    }
    return directory;
}

}  // namespace

Result<Fd> make_directory(const std::filesystem::path& directory) {
    const std::string name = directory.string();
    const bool made = ::mkdir(directory.c_str(), 0700) == 0;
    if (!made && errno != EEXIST) return system_error(name);
    Fd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!fd) return system_error(name);
    if (made) return fd;

    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) return system_error(name);
    if (status.st_uid != ::geteuid()) return Error{Errc::io, name, 0, "expected a directory of one's own"};
    // A directory that is refused stays as it is. Closed to others, what is empty
    // stays so; what came before that is looked for once more.
    const auto empty = [&fd] {
        std::error_code error;
        return std::filesystem::is_empty(fmt::format("/proc/self/fd/{}", fd.get()), error) && !error;
    };
    if (empty()) {
        if (::fchmod(fd.get(), 0700) != 0) return system_error(name);
        if (empty()) return fd;
        if (::fchmod(fd.get(), status.st_mode & 07777) != 0) return system_error(name);
    }
    return Error{Errc::io, name, 0, "expected a new or empty directory"};
}

std::optional<Error> make_directories_below(int root, string_view directory) {
    const auto made = open_below(root, directory);
    return made ? std::nullopt : std::optional(made.error());
}

std::optional<Error> write_below(int root, const std::string& file, string_view content) {
    const auto slash = file.rfind('/');
    const auto directory = open_below(root, slash == file.npos ? string_view(".") : string_view(file).substr(0, slash));
    if (!directory) return directory.error();
    const Fd fd(::openat(directory->get(), file.substr(slash + 1).c_str(),
                         O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!fd) return system_error(file);
    if (auto failure = write_all(fd.get(), content, file)) return failure;
    return ::fchmod(fd.get(), 0644) == 0 ? std::nullopt : std::optional(system_error(file));
}

}  // namespace handoff
