// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/kexec_program.hpp"

#include <sys/stat.h>

#include <array>
#include <utility>

#include "lib/sources/host.hpp"

namespace handoff {

using base::Errc;
using base::Error;
using base::Result;

namespace {

constexpr std::array<std::string_view, 7> paths{
    "usr/sbin/kexec",         "sbin/kexec",         "usr/bin/kexec",       "bin/kexec",
    "usr/sbin/kexec.distrib", "sbin/kexec.distrib", "usr/local/sbin/kexec"};

}  // namespace

std::span<const std::string_view> kexec_paths() { return paths; }

Result<KexecProgram> find_kexec(const Host& host) {
    for (const std::string_view path : paths) {
        const auto file = host.file(path);
        if (host.live() && (!file || is_this_program(*file))) continue;
        const auto program = host.read(path);
        if (!program) continue;
        if (auto version = kexec_tools_version(*program))
            return KexecProgram{file ? file->string() : std::string(path), *std::move(version)};
    }
    return Error{Errc::not_found, std::string(paths.front()), 0, "expected the kexec program, found none"};
}

std::optional<std::string> kexec_tools_version(std::string_view program) {
    if (program.starts_with("#!")) return std::nullopt;  // it may call us
    constexpr std::string_view mark = "kexec-tools ";
    for (auto at = program.find(mark); at != std::string_view::npos; at = program.find(mark, at + 1)) {
        const std::string_view rest = program.substr(at + mark.size(), 16);
        const std::string_view version = rest.substr(0, rest.find_first_not_of("0123456789."));
        if (version.find('.') != std::string_view::npos) return std::string(version);
    }
    return std::nullopt;
}

bool is_this_program(const std::filesystem::path& path) {
    struct stat one {
    }, other{};
    return ::stat(path.c_str(), &one) == 0 && ::stat("/proc/self/exe", &other) == 0 && one.st_dev == other.st_dev &&
           one.st_ino == other.st_ino;
}

}  // namespace handoff
