// SPDX-License-Identifier: GPL-2.0-or-later
// Debian and Ubuntu: kdump-tools.
#include <utility>

#include "lib/service/rows.hpp"
#include "lib/service/shell_config.hpp"

namespace handoff::service {
namespace {

using std::string_view;

std::string command_line(string_view config, const std::string& inherited) {
    return assigned_or(config, "KDUMP_CMDLINE", without_words(inherited, {"hugepages", "hugepagesz", "abm"})) + ' ' +
           assigned_or(config, "KDUMP_CMDLINE_APPEND",
                       "reset_devices systemd.unit=kdump-tools-dump.service nr_cpus=1 irqpoll usbcore.nousb");
}

Collector collector(string_view config, string_view) {
    if (config.empty() || takes_a_shell(config, "MAKEDUMP_ARGS")) return Collector::unknown;
    return collector_of_makedumpfile(assigned_or(config, "MAKEDUMP_ARGS", ""));
}

std::optional<CollectorOptions> collector_options(string_view config, string_view) {
    if (takes_a_shell(config, "MAKEDUMP_ARGS")) return std::nullopt;
    return memory_of_makedumpfile(assigned_or(config, "MAKEDUMP_ARGS", ""));
}

// kdump-config, kdump_save_core(): NFS is mounted, SSH and FTP are written to; else KDUMP_COREDIR.
DumpTarget dump_target(string_view config, string_view) {
    for (const auto& [variable, how] : {std::pair("SSH", "by ssh"), {"NFS", "by NFS"}, {"FTP", "by FTP"}}) {
        if (takes_a_shell(config, variable)) return {};
        if (!assigned_or(config, variable, "").empty()) return {DumpTarget::Kind::elsewhere, "", how};
    }
    if (takes_a_shell(config, "KDUMP_COREDIR")) return {};
    return directory_target(assigned_or(config, "KDUMP_COREDIR", "/var/crash"));
}

std::vector<std::string> reserve_by_hand(string_view words, bool) {
    return {"put " + std::string(words) +
            " on the kernel's command line in place of every other crashkernel=, in the configuration of your boot "
            "loader"};
}

}  // namespace

KdumpService debian() {
    return {
        .name = "kdump-tools",
        .distributions = {"debian", "ubuntu"},
        .script = "usr/sbin/kdump-config",
        .config = "etc/default/kdump-tools",
        .collector_config = "",
        .sourced_as = {"$KDUMP_DEFAULTS", "/etc/default/kdump-tools"},
        .not_sourced = "",
        .snippet = "kdump-tools.sh",
        .variable = "",
        .load = {"/usr/sbin/kdump-config", "load"},
        .reload = "kdump-config reload",
        .rebuild = "/etc/kernel/postinst.d/kdump-tools $(uname -r)",
        .kernels = {"var/lib/kdump/vmlinuz", "boot/vmlinuz-{0}"},
        .initrds = {"var/lib/kdump/initrd.img"},
        .release_variable = "",
        .command_line = command_line,
        .kexec_options = "KDUMP_KEXEC_ARGS",
        .collector = collector,
        .collector_options = collector_options,
        .dump_target = dump_target,
        .boot = BootConfig{"etc/default/grub.d/zz-swiotlb-handoff.cfg", "/usr/sbin/update-grub", "boot/grub/grub.cfg",
                           "etc/default/grub.d"},
        .reserve_by_hand = reserve_by_hand,
    };
}

}  // namespace handoff::service
