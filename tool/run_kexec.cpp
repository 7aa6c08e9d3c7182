// SPDX-License-Identifier: GPL-2.0-or-later
#include "tool/run_kexec.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "base/fd.hpp"

namespace tool {

using base::Argv;
using base::describe_status;
using base::Fd;
using handoff::KexecRun;

void write_all(int fd, std::string_view text) {
    while (!text.empty()) {
        const ssize_t n = ::write(fd, text.data(), text.size());
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return;  // kexec would not notice either
        text.remove_prefix(static_cast<std::size_t>(n));
    }
}

namespace {

constexpr std::size_t longest_output = 4 * base::MiB;

bool same_file(int one, int other) {
    struct stat a {
    }, b{};
    return ::fstat(one, &a) == 0 && ::fstat(other, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

// Takes what is there without waiting; false at the end.
bool drain(const Fd& fd, std::string& to) {
    std::array<char, 16384> buffer;
    while (true) {
        const ssize_t n = ::read(fd.get(), buffer.data(), buffer.size());
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return n < 0 && errno == EAGAIN;
        to.append(buffer.data(),
                  std::min(static_cast<std::size_t>(n), longest_output - std::min(longest_output, to.size())));
    }
}

// In the child: from here on /proc/iomem is `text` for this process and what it becomes, and for nobody else. Nothing
// of it outlives the process: the file is on a tmpfs of its own mount namespace.
bool show_own_iomem(const std::string& text) {
    constexpr const char* place = "/run";
    constexpr const char* file = "/run/iomem";
    if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return false;
    if (::mount("tmpfs", place, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") != 0) return false;
    const Fd fd(::open(file, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0400));
    if (!fd) return false;
    write_all(fd.get(), text);
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0 || static_cast<std::size_t>(status.st_size) != text.size()) return false;
    return ::mount(file, "/proc/iomem", nullptr, MS_BIND, nullptr) == 0;
}

}  // namespace

KexecRun run_kexec(Argv& command, const std::optional<std::string>& iomem) {
    KexecRun finished;
    const bool joined = same_file(STDOUT_FILENO, STDERR_FILENO);
    int out[2], err[2];
    if (::pipe2(out, O_CLOEXEC) != 0) return finished.how = std::strerror(errno), finished;
    const Fd read_out(out[0]);
    Fd write_out(out[1]);
    if (::pipe2(err, O_CLOEXEC) != 0) return finished.how = std::strerror(errno), finished;
    const Fd read_err(err[0]);
    Fd write_err(err[1]);
    int hide[2];  // the child says here that it cannot; closed where it becomes kexec
    if (::pipe2(hide, O_CLOEXEC) != 0) return finished.how = std::strerror(errno), finished;
    const Fd read_hide(hide[0]);
    Fd write_hide(hide[1]);
    // What kexec -d prints on a large machine. A pipe that stays as small as it is works as well.
    for (const Fd* end : {&read_out, &read_err}) ::fcntl(end->get(), F_SETPIPE_SZ, 1 << 20);
    ::fcntl(read_out.get(), F_SETFL, O_NONBLOCK);
    ::fcntl(read_err.get(), F_SETFL, O_NONBLOCK);
    ::fcntl(read_hide.get(), F_SETFL, O_NONBLOCK);

    const pid_t self = ::getpid();
    const pid_t child = ::fork();
    if (child < 0) return finished.how = std::strerror(errno), finished;
    if (child == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // a load that nobody watches is not wanted
        if (::getppid() != self || ::dup2(write_out.get(), STDOUT_FILENO) < 0 ||
            ::dup2(joined ? write_out.get() : write_err.get(), STDERR_FILENO) < 0)
            ::_exit(127);
        if (iomem && !show_own_iomem(*iomem)) {
            write_all(write_hide.get(), std::strerror(errno));
            ::_exit(126);
        }
        command.exec();
        ::_exit(127);
    }
    write_out = Fd();
    write_err = Fd();
    write_hide = Fd();
    int status = 0;
    // Woken by the end of the output only, and not by each of the hundreds of lines that kexec -d writes: a pipe holds
    // those that come between two looks, or the writer waits.
    constexpr int between_looks = 100;  // ms
    std::array<pollfd, 2> ends{{{read_out.get(), 0, 0}, {read_err.get(), 0, 0}}};
    for (pid_t ended = 0; ended == 0;) {
        if (ends[0].fd >= 0 || ends[1].fd >= 0) ::poll(ends.data(), ends.size(), between_looks);
        // In this order, so that nothing of what an ended kexec wrote is missed; a process that it
        // left behind may hold the pipes open for ever.
        const bool done = ends[0].fd < 0 && ends[1].fd < 0;
        ended = ::waitpid(child, &status, done ? 0 : WNOHANG);
        if (ended < 0 && errno == EINTR) ended = 0;
        if (ends[0].fd >= 0 && !drain(read_out, finished.output)) ends[0].fd = -1;
        if (ends[1].fd >= 0 && !drain(read_err, finished.errors)) ends[1].fd = -1;
        if (ended < 0) return finished.how = std::strerror(errno), finished;
    }
    finished.how = describe_status(status);
    std::string cannot;
    drain(read_hide, cannot);
    finished.cannot_hide = !cannot.empty();
    if (finished.cannot_hide) finished.how = "a private /proc/iomem: " + cannot;
    if (WIFEXITED(status)) finished.status = WEXITSTATUS(status);
    return finished;
}

}  // namespace tool
