// SPDX-License-Identifier: GPL-2.0-or-later
#include <array>

#include <fmt/format.h>

#include "lib/service/service.hpp"
#include "lib/sources/host.hpp"

namespace handoff {
namespace {

using std::string_view;

// A program that makes initial RAM disks, and what of ours has it put `verify` into that of the crash kernel, in one of
// the directories in which it looks.
struct Generator {
    string_view program;
    std::array<string_view, 2> directories;
    std::array<string_view, 2> hooks;
};
constexpr std::array<Generator, 2> generators{{
    {"usr/sbin/mkinitramfs",
     {"usr/share/initramfs-tools", "etc/initramfs-tools"},
     {"hooks/swiotlb-handoff", "scripts/init-top/swiotlb-handoff"}},
    {"usr/bin/dracut",
     {"usr/lib/dracut/modules.d", "usr/lib/dracut/modules.d"},
     {"99swiotlb-handoff/module-setup.sh", "99swiotlb-handoff/report.sh"}},
}};

}  // namespace

std::vector<std::string> not_installed(const Host& host, const KdumpService& service, string_view program,
                                       string_view helpers) {
    std::vector<std::string> missing;
    const auto need = [&](string_view path) {
        if (!host.exists(path.substr(1))) missing.emplace_back(path);
    };
    need(program);
    for (const string_view helper : {string_view("kexec"), service.snippet, string_view("verify")})
        if (!helper.empty()) need(fmt::format("{}/{}", helpers, helper));
    for (const Generator& generator : generators)
        if (host.exists(generator.program))
            for (const string_view hook : generator.hooks)
                if (!host.exists(fmt::format("{}/{}", generator.directories[1], hook)))
                    need(fmt::format("/{}/{}", generator.directories[0], hook));
    return missing;
}

}  // namespace handoff
