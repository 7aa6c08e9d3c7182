// SPDX-License-Identifier: GPL-2.0-or-later
// Fedora, RHEL and what derives from it: kdumpctl, of kdump-utils and before that of kexec-tools.
#include <algorithm>

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

// The last core_collector, without that word; makedumpfile where there is none.
string_view core_collector(string_view kdump_conf) {
    string_view found = "makedumpfile";
    while (!kdump_conf.empty()) {
        string_view line = take_line(kdump_conf);
        constexpr string_view key = "core_collector";
        if (!line.starts_with(key)) continue;
        line.remove_prefix(key.size());
        line.remove_prefix(std::min(line.size(), line.find_first_not_of(" \t")));
        found = line;
    }
    return found;
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

}  // namespace

KdumpService fedora() {
    return {
        .name = "kdumpctl",
        .distributions = {"fedora", "rhel", "centos"},
        .script = "usr/bin/kdumpctl",
        .config = "etc/sysconfig/kdump",
        .collector_config = "etc/kdump.conf",
        .snippet = "kdump-kexec.sh",
        .variable = "KEXEC",
        .load = {"/usr/bin/kdumpctl", "reload"},
        .reload = "kdumpctl reload",
        .rebuild = "kdumpctl rebuild",
        .kernels = {"boot/vmlinuz-{}", "usr/lib/modules/{}/vmlinuz"},
        .initrds = {"boot/initramfs-{}kdump.img"},
        .command_line = command_line,
        .kexec_options = "KEXEC_ARGS",
        .collector = collector,
        .collector_options = collector_options,
    };
}

}  // namespace handoff::service
