// SPDX-License-Identifier: GPL-2.0-or-later
#include "tool/run_directory.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cerrno>
#include <cstring>
#include <ctime>

#include <fmt/format.h>

#include "lib/load/record.hpp"

namespace tool {

using base::Fd;

namespace {

constexpr int lock_seconds = 10;
// Who passes the lock adds a byte to it, and holds it shared for as long as the load takes.
constexpr const char* passing_file = "passed";

}  // namespace

void sleep_ms(long ms) {
    const timespec time{ms / 1000, ms % 1000 * 1000000};
    ::nanosleep(&time, nullptr);
}

RunDirectory::RunDirectory(const handoff::Host& host) {
    const std::string path(handoff::record_directory);
    const auto place = host.place(path, handoff::Link::stay);
    if (!place) {
        problem_ = place.error().message();
        return;
    }
    const int parent = place->directory.get();
    const bool made = ::mkdirat(parent, place->name.c_str(), 0755) == 0;
    Fd fd(::openat(parent, place->name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    struct stat status {};
    if (!fd || ::fstat(fd.get(), &status) != 0) {
        problem_ = fmt::format("{}: {}", path, std::strerror(errno));
        return;
    }
    if (status.st_uid != ::geteuid() || (!made && (status.st_mode & 022) != 0)) {
        problem_ = path + ": it belongs to another user, or other users can write to it";
        return;
    }
    if (made) [[maybe_unused]]
        const int ignored = ::fchmod(fd.get(), 0755);  // whatever the umask says
    directory_ = std::move(fd);
}

std::string RunDirectory::lock() {
    if (!directory_) return problem_;
    lock_ = Fd(::openat(directory_.get(), "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!lock_) return fmt::format("the lock: {}", std::strerror(errno));
    for (int tries = 0; ::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0; ++tries) {
        if (errno != EWOULDBLOCK && errno != EINTR) return fmt::format("the lock: {}", std::strerror(errno));
        if (tries >= lock_seconds * 10) return fmt::format("another load was not finished after {} s", lock_seconds);
        sleep_ms(100);
    }
    return {};
}
void RunDirectory::keep_lock() const {
    if (lock_) ::fcntl(lock_.get(), F_SETFD, 0);
}

void RunDirectory::pass_lock() {
    if (!directory_) return;
    passing_ =
        Fd(::openat(directory_.get(), passing_file, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (passing_ && ::write(passing_.get(), ".", 1) == 1) {
        // passed() holds the lock for a moment only, and what is loaded must not wait for anybody.
        for (int tries = 0; tries < 10 && ::flock(passing_.get(), LOCK_SH | LOCK_NB) != 0; ++tries) sleep_ms(10);
        ::fcntl(passing_.get(), F_SETFD, 0);
    }
    forget();
}
std::optional<std::uint64_t> RunDirectory::passed() const {
    const Fd file(directory_ ? ::openat(directory_.get(), passing_file, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600)
                             : -1);
    struct stat status {};
    if (!file || ::flock(file.get(), LOCK_EX | LOCK_NB) != 0 || ::fstat(file.get(), &status) != 0) return std::nullopt;
    return static_cast<std::uint64_t>(status.st_size);
}

void RunDirectory::write(const std::string& text) const {
    if (!directory_) return;
    const std::string name(handoff::record_file), fresh = name + ".new";
    ::unlinkat(directory_.get(), fresh.c_str(), 0);
    const Fd file(
        ::openat(directory_.get(), fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
    bool whole = file && ::fchmod(file.get(), 0644) == 0;
    for (std::size_t done = 0; whole && done < text.size();) {
        const ssize_t n = ::write(file.get(), text.data() + done, text.size() - done);
        if (n < 0 && errno == EINTR) continue;
        whole = n > 0;
        if (whole) done += static_cast<std::size_t>(n);
    }
    whole = whole && ::renameat(directory_.get(), fresh.c_str(), directory_.get(), name.c_str()) == 0;
    if (whole) return;
    ::unlinkat(directory_.get(), fresh.c_str(), 0);
    forget();
}
void RunDirectory::forget() const {
    if (directory_) ::unlinkat(directory_.get(), std::string(handoff::record_file).c_str(), 0);
}

}  // namespace tool
