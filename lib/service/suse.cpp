// SPDX-License-Identifier: GPL-2.0-or-later
// openSUSE and SLES: kdump.
#include <utility>

#include <fmt/format.h>

#include "base/number.hpp"
#include "lib/service/rows.hpp"
#include "lib/service/shell_config.hpp"

namespace handoff::service {
namespace {

using std::string_view;

// KDUMP_CPUS: 32 where it is not set (kdump-read-config.sh); older versions took 1, which is less. 0: all of them. It
// is also how many threads makedumpfile has at most (dracut/kdump-save). nullopt where it takes a shell to know.
std::optional<unsigned> cpus(string_view config) {
    if (takes_a_shell(config, "KDUMP_CPUS")) return std::nullopt;
    const auto number = base::parse_number(assigned_or(config, "KDUMP_CPUS", "32"), 10);
    if (!number || *number > 65536) return std::nullopt;
    return static_cast<unsigned>(*number);
}

std::string command_line(string_view config, const std::string& inherited) {
    const unsigned number = cpus(config).value_or(0);
    const std::string otherwise =
        without_words(inherited, {"root", "resume", "splash", "mem", "showopts", "hugepages"}) +
        " reset_devices nokaslr numa=off irqpoll " + (number == 0 ? "" : fmt::format("nr_cpus={} ", number)) +
        "root=kdump";
    return assigned_or(config, "KDUMP_COMMANDLINE", otherwise) + ' ' +
           assigned_or(config, "KDUMP_COMMANDLINE_APPEND", "") + " panic=1";
}

Collector collector(string_view config, string_view) {
    if (config.empty() || takes_a_shell(config, "KDUMP_DUMPFORMAT") || takes_a_shell(config, "MAKEDUMPFILE_OPTIONS"))
        return Collector::unknown;
    // What is run in the place of makedumpfile (dracut/kdump-save).
    if (takes_a_shell(config, "KDUMP_TRANSFER")) return Collector::reads;
    const std::string transfer = assigned_or(config, "KDUMP_TRANSFER", "");
    const auto words = split(transfer);
    if (!words.empty() && words.front() != "makedumpfile") return Collector::reads;
    if (!words.empty()) return collector_of_makedumpfile(transfer);
    const std::string format = assigned(config, "KDUMP_DUMPFORMAT").value_or("compressed");
    if (format == "none" || format == "raw") return Collector::reads;
    return collector_of_makedumpfile(assigned_or(config, "MAKEDUMPFILE_OPTIONS", ""));
}

std::optional<CollectorOptions> collector_options(string_view config, string_view) {
    const auto number = cpus(config);
    if (!number || takes_a_shell(config, "MAKEDUMPFILE_OPTIONS")) return std::nullopt;
    CollectorOptions options = memory_of_makedumpfile(assigned_or(config, "MAKEDUMPFILE_OPTIONS", ""));
    if (options.threads == 0 && *number != 1 && assigned(config, "KDUMP_DUMPFORMAT") != "ELF") {
        options.threads = *number == 0 ? 65536 : *number;
        options.threads_are_cpus = true;
    }
    return options;
}

// kdump(5), KDUMP_SAVEDIR: a directory, or a URL.
DumpTarget dump_target(string_view config, string_view) {
    if (takes_a_shell(config, "KDUMP_SAVEDIR")) return {};
    const std::string target = assigned_or(config, "KDUMP_SAVEDIR", "/var/crash");
    const string_view text = target;
    for (const string_view local : {"file://", "file:"})
        if (text.starts_with(local)) return directory_target(text.substr(local.size()));
    for (const auto& [scheme, how] : {std::pair("nfs:", "by NFS"),
                                      {"cifs:", "by CIFS"},
                                      {"ssh:", "by ssh"},
                                      {"sftp:", "by sftp"},
                                      {"ftp:", "by FTP"}})
        if (text.starts_with(scheme)) return {DumpTarget::Kind::elsewhere, "", how};
    return directory_target(text);
}

string_view undoes_crashkernel(string_view config, string_view) {
    const bool writes = assigned(config, "KDUMP_CRASHKERNEL") == "auto" &&
                        assigned(config, "KDUMP_UPDATE_BOOTLOADER").value_or("true") != "false";
    return writes ? "kdump-commandline.service puts the crashkernel= of the distribution back. "
                    "KDUMP_CRASHKERNEL=\"crashkernel=...\" in /etc/sysconfig/kdump keeps another one."
                  : "";
}

// kdumptool(8): `commandline -u` writes what KDUMP_CRASHKERNEL says into the boot loader's configuration.
std::vector<std::string> reserve_by_hand(string_view words, bool) {
    return {
        fmt::format("set KDUMP_CRASHKERNEL=\"{}\" in /etc/sysconfig/kdump", words), "kdumptool commandline -u",
        fmt::format("where kdumptool has no such command (SLE 15): replace crashkernel= in /etc/default/grub by {}, "
                    "and run grub2-mkconfig -o /boot/grub2/grub.cfg",
                    words)};
}

}  // namespace

KdumpService suse() {
    return {
        .name = "suse",
        .distributions = {"suse", "opensuse", "opensuse-leap", "opensuse-tumbleweed", "sles", "sled"},
        .script = "usr/lib/kdump/load.sh",
        .config = "etc/sysconfig/kdump",
        .collector_config = "",
        .sourced_as = {"kdump-read-config.sh", "/etc/sysconfig/kdump"},
        .not_sourced =
            "The script gets the variables from 'kdumptool dump_config', which passes on only those that it knows. "
            "kdump before 1.9 does this (SLE 15 SP4 and SP5). A newer kdump sources the file. Until then, load by hand "
            "with 'swiotlb-handoff kexec'.",
        .snippet = "",
        .variable = "KEXEC",
        .load = {"/usr/bin/systemctl", "restart", "kdump.service"},
        .reload = "systemctl restart kdump",
        .rebuild = "mkdumprd -f",
        .kernels = {"var/lib/kdump/kernel", "boot/vmlinuz-{0}", "usr/lib/modules/{0}/vmlinuz"},
        .initrds = {"var/lib/kdump/initrd", "boot/initrd-{0}-kdump"},
        .release_variable = "KDUMP_KERNELVER",
        .command_line = command_line,
        .kexec_options = "KEXEC_OPTIONS",
        .collector = collector,
        .collector_options = collector_options,
        .dump_target = dump_target,
        .undoes_crashkernel = undoes_crashkernel,
        .reserve_by_hand = reserve_by_hand,
    };
}

}  // namespace handoff::service
