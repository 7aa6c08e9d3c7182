// SPDX-License-Identifier: GPL-2.0-or-later
// openSUSE and SLES: kdump.
#include "lib/service/rows.hpp"
#include "lib/service/shell_config.hpp"

namespace handoff::service {
namespace {

using std::string_view;

std::string command_line(string_view config, const std::string& inherited) {
    const std::string otherwise =
        without_words(inherited, {"root", "resume", "splash", "mem", "showopts", "hugepages"}) +
        " reset_devices nokaslr numa=off irqpoll nr_cpus=1 root=kdump";
    return assigned_or(config, "KDUMP_COMMANDLINE", otherwise) + ' ' +
           assigned_or(config, "KDUMP_COMMANDLINE_APPEND", "") + " panic=1";
}

Collector collector(string_view config, string_view) {
    if (config.empty() || takes_a_shell(config, "KDUMP_DUMPFORMAT") || takes_a_shell(config, "MAKEDUMPFILE_OPTIONS"))
        return Collector::unknown;
    const std::string format = assigned(config, "KDUMP_DUMPFORMAT").value_or("compressed");
    if (format == "none" || format == "raw") return Collector::reads;
    return collector_of_makedumpfile(assigned_or(config, "MAKEDUMPFILE_OPTIONS", ""));
}

}  // namespace

KdumpService suse() {
    return {
        .name = "suse",
        .distributions = {"suse", "opensuse", "opensuse-leap", "opensuse-tumbleweed", "sles", "sled"},
        .script = "usr/lib/kdump/load.sh",
        .config = "etc/sysconfig/kdump",
        .collector_config = "",
        .snippet = "kdump-kexec.sh",
        .load = {"/usr/bin/systemctl", "restart", "kdump.service"},
        .reload = "systemctl restart kdump",
        .rebuild = "mkdumprd -f",
        .kernels = {"boot/vmlinuz-{}", "usr/lib/modules/{}/vmlinuz"},
        .initrds = {"var/lib/kdump/initrd", "boot/initrd-{}-kdump"},
        .command_line = command_line,
        .collector = collector,
    };
}

}  // namespace handoff::service
