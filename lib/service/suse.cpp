// SPDX-License-Identifier: GPL-2.0-or-later
// openSUSE and SLES: kdump.
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

}  // namespace

KdumpService suse() {
    return {
        .name = "suse",
        .distributions = {"suse", "opensuse", "opensuse-leap", "opensuse-tumbleweed", "sles", "sled"},
        .script = "usr/lib/kdump/load.sh",
        .config = "etc/sysconfig/kdump",
        .collector_config = "",
        .snippet = "kdump-kexec.sh",
        .variable = "KEXEC",
        .load = {"/usr/bin/systemctl", "restart", "kdump.service"},
        .reload = "systemctl restart kdump",
        .rebuild = "mkdumprd -f",
        .kernels = {"boot/vmlinuz-{}", "usr/lib/modules/{}/vmlinuz"},
        .initrds = {"var/lib/kdump/initrd", "boot/initrd-{}-kdump"},
        .command_line = command_line,
        .kexec_options = "KEXEC_OPTIONS",
        .collector = collector,
        .collector_options = collector_options,
    };
}

}  // namespace handoff::service
