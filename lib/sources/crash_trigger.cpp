// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/crash_trigger.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "base/fd.hpp"
#include "lib/sources/files.hpp"
#include "lib/sources/host.hpp"

namespace handoff {
namespace {

using base::Errc;
using base::Error;
using base::Fd;

// A captured machine's file is a regular one, and no part of a running kernel.
std::optional<Error> not_its_own(const Host& host, int fd, std::string_view path) {
    if (host.live()) return std::nullopt;
    if (auto error = require_regular(fd, path)) return error;
    struct statfs system {};
    if (::fstatfs(fd, &system) != 0) return system_error(path, errno);
    if (system.f_type == PROC_SUPER_MAGIC)
        return io_error(path, "this belongs to the running kernel, and not to the machine in " + host.root());
    return std::nullopt;
}

std::optional<Error> write_at_once(const Host& host, std::string_view path, int flags, std::string_view text) {
    const auto place = host.place(path, Link::stay);
    if (!place) return place.error();
    const auto open = [&](int how) {
        return Fd(::openat(place->directory.get(), place->name.c_str(), how | O_NOFOLLOW | O_CLOEXEC));
    };
    // Opening a device may have effects, so look first: O_PATH has none.
    const Fd look = open(O_PATH);
    if (!look) return system_error(path, errno);
    if (auto error = not_its_own(host, look.get(), path)) return error;
    const Fd fd = open(O_WRONLY | O_NOCTTY | flags);
    if (!fd) return system_error(path, errno);
    if (auto error = not_its_own(host, fd.get(), path)) return error;
    const ssize_t written = ::write(fd.get(), text.data(), text.size());
    if (written < 0) return system_error(path, errno);
    if (static_cast<std::size_t>(written) != text.size()) return io_error(path, "written in part");
    return std::nullopt;
}

}  // namespace

std::optional<Error> trigger_crash(const Host& host) { return write_at_once(host, "proc/sysrq-trigger", 0, "c"); }

std::optional<Error> add_to_kernel_log(const Host& host, std::string_view line) {
    const std::string text = (host.live() ? "<2>" : "") + std::string(line) + "\n";
    return write_at_once(host, host.path(Source::kernel_log), O_APPEND, text);
}

}  // namespace handoff
