// SPDX-License-Identifier: GPL-2.0-or-later
// Fedora, RHEL and what derives from it: kdumpctl, of kdump-utils and before that of kexec-tools.
#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "base/scan.hpp"
#include "lib/service/rows.hpp"
#include "lib/service/shell_config.hpp"

namespace handoff::service {
namespace {

using base::take_line;
using std::string_view;

std::string command_line(string_view config, const std::string& inherited) {
    const std::string remove = assigned_or(config, "KDUMP_COMMANDLINE_REMOVE", "hugepages hugepagesz slub_debug");
    return assigned_or(config, "KDUMP_COMMANDLINE", without_words(inherited, split(remove))) + ' ' +
           assigned_or(config, "KDUMP_COMMANDLINE_APPEND", "irqpoll nr_cpus=1 reset_devices");
}

// The value of the last line of kdump.conf with this key, as kdump_get_conf_val() of kdump-lib-initramfs.sh reads it:
// without blanks around it, what follows '#', and quotes; nullopt where there is none.
std::optional<string_view> value_of(string_view kdump_conf, string_view key) {
    constexpr string_view blanks = " \t\r";
    const auto trimmed = [&](string_view text) {
        text.remove_prefix(std::min(text.size(), text.find_first_not_of(blanks)));
        return text.substr(0, text.find_last_not_of(blanks) + 1);
    };
    std::optional<string_view> found;
    while (!kdump_conf.empty()) {
        string_view line = take_line(kdump_conf);
        line = trimmed(line.substr(0, line.find('#')));
        const string_view name = line.substr(0, line.find_first_of(blanks));
        if (name != key) continue;
        string_view value = trimmed(line.substr(name.size()));
        const bool quoted = value.size() >= 2 && value.front() == '"' && value.back() == '"';
        found = quoted ? value.substr(1, value.size() - 2) : value;
    }
    return found;
}

string_view core_collector(string_view kdump_conf) {
    return value_of(kdump_conf, "core_collector").value_or("makedumpfile");
}

bool is_makedumpfile(string_view collector) {
    return collector.substr(0, collector.find_first_of(" \t")) == "makedumpfile";
}

Collector collector(string_view, string_view kdump_conf) {
    if (kdump_conf.empty()) return Collector::unknown;
    const string_view program = core_collector(kdump_conf);
    return is_makedumpfile(program) ? collector_of_makedumpfile(program) : Collector::reads;
}

std::optional<CollectorOptions> collector_options(string_view, string_view kdump_conf) {
    return memory_of_makedumpfile(core_collector(kdump_conf));
}

// kdump.conf(5). A file system is named by its own key, or by dracut's --mount, and `path` is below it.
DumpTarget dump_target(string_view, string_view kdump_conf) {
    for (const auto& [key, how] : {std::pair("nfs", "by NFS"), {"ssh", "by ssh"}, {"raw", "to a raw device"}})
        if (value_of(kdump_conf, key)) return {DumpTarget::Kind::elsewhere, "", how};
    DumpTarget target = directory_target(value_of(kdump_conf, "path").value_or("/var/crash"));
    constexpr std::array<string_view, 8> keys{"ext2", "ext3", "ext4", "xfs", "btrfs", "minix", "virtiofs", "f2fs"};
    const bool named =
        std::any_of(keys.begin(), keys.end(), [&](string_view key) { return value_of(kdump_conf, key); });
    const bool mounted = value_of(kdump_conf, "dracut_args").value_or("").find("--mount") != string_view::npos;
    if (target.kind == DumpTarget::Kind::directory && (named || mounted)) {
        target.kind = DumpTarget::Kind::device;
        target.text += " on the file system that /etc/kdump.conf names";
    }
    return target;
}

string_view undoes_crashkernel(string_view, string_view kdump_conf) {
    if (value_of(kdump_conf, "auto_reset_crashkernel") == "no") return "";
    return "When its package is updated, kdumpctl puts the crashkernel= of the distribution back. "
           "'auto_reset_crashkernel no' in /etc/kdump.conf keeps another one.";
}

std::vector<std::string> reserve_by_hand(string_view words, bool undone) {
    std::vector<std::string> commands;
    if (undone) commands.emplace_back("echo 'auto_reset_crashkernel no' >>/etc/kdump.conf");
    commands.push_back(fmt::format("grubby --update-kernel=ALL --args=\"{}\"", words));
    return commands;
}

void as_old_as(KdumpService& service, string_view script) {
    // kexec-tools 2.0.17-12 was the first with `reload`, 2.0.19-2 with `rebuild`.
    if (script.find("reload)") == script.npos) {
        service.load = {"/usr/bin/kdumpctl", "restart"};
        service.reload = "kdumpctl restart";
    }
    if (script.find("rebuild)") == script.npos) service.rebuild = "touch /etc/kdump.conf; kdumpctl restart";
    if (script.find("auto_reset_crashkernel") == script.npos) service.undoes_crashkernel = nullptr;
}

}  // namespace

KdumpService fedora() {
    return {
        .name = "kdumpctl",
        .distributions = {"fedora", "rhel", "centos"},
        .script = "usr/bin/kdumpctl",
        .config = "etc/sysconfig/kdump",
        .collector_config = "etc/kdump.conf",
        .sourced_as = {"/etc/sysconfig/kdump"},
        .not_sourced = "",
        .snippet = "kdump-kexec.sh",
        .variable = "KEXEC",
        .load = {"/usr/bin/kdumpctl", "reload"},
        .reload = "kdumpctl reload",
        .rebuild = "kdumpctl rebuild",
        // prepare_kdump_kernel() and prepare_kdump_bootinfo() of kdump-lib.sh; the last ones are unified kernel images.
        .kernels = {"boot/ostree/*/vmlinuz-{0}", "boot/vmlinuz-{0}", "boot/{1}/{0}/vmlinuz", "boot/{1}/{0}/linux",
                    "boot/efi/{1}/{0}/linux", "efi/{1}/{0}/linux", "usr/lib/modules/{0}/vmlinuz",
                    "boot/EFI/Linux/{1}-{0}.efi", "boot/efi/EFI/Linux/{1}-{0}.efi", "efi/EFI/Linux/{1}-{0}.efi"},
        .initrds = {"boot/ostree/*/initramfs-{0}kdump.img", "boot/initramfs-{0}kdump.img", "boot/{1}/{0}/initrdkdump",
                    "boot/efi/{1}/{0}/initrdkdump", "efi/{1}/{0}/initrdkdump", "var/lib/kdump/initramfs-{0}kdump.img"},
        .release_variable = "KDUMP_KERNELVER",
        .command_line = command_line,
        .kexec_options = "KEXEC_ARGS",
        .collector = collector,
        .collector_options = collector_options,
        .dump_target = dump_target,
        .undoes_crashkernel = undoes_crashkernel,
        .reserve_by_hand = reserve_by_hand,
        .as_old_as = as_old_as,
    };
}

}  // namespace handoff::service
