// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <utility>

#include "base/scan.hpp"
#include "base/text.hpp"
#include "lib/sources/gathering.hpp"

namespace handoff {

using base::trimmed;

namespace {

std::string boots_text(const KernelLog& log) {
    const auto boots = base::text("the log holds ", log.boots, " boots, ");
    if (log.crash_boots == 0) return boots + "the last one counts";
    if (log.crash_boots == 1) return boots + "the last one is a crash kernel's own, and the one before it counts";
    return boots + base::text("the last ", log.crash_boots, " are crash kernels' own, and the one before them counts");
}

}  // namespace

Failure take_log(Gathering& g, std::string text) {
    auto log = parse_kernel_log(text);
    if (!log) return std::move(log).error().at(g.path(Source::kernel_log));
    g.log = *std::move(log);
    g.log_text = std::move(text);
    if (g.log.gaps.any()) {
        g.note(base::input_error(0, base::text("of the ", g.log.crash_boots == 0 ? "last boot " : "boot that counts ",
                                               g.log.gaps.text())),
               Source::kernel_log);
    }
    if (g.log.boots > 1) g.note(base::input_error(g.log.first_line, boots_text(g.log)), Source::kernel_log);
    return std::nullopt;
}

Failure read_log(Gathering& g, KeepMessage* keep) {
    auto text = g.optional(g.host.kernel_log(keep), Source::kernel_log);
    return text ? take_log(g, *std::move(text)) : std::nullopt;
}

void take_log_facts(Gathering& g) {
    Machine& machine = g.machine;
    const KernelLog& log = g.log;
    const std::string file = g.path(Source::kernel_log);
    for (const auto* pool : {&log.pool, &log.other_pool})
        if (*pool) machine.pool.push_back({(*pool)->value, PoolSource::log, {file, (*pool)->line}});
    machine.other_architecture = log.other_architecture;
    machine.pool_torn_down = log.pool_torn_down;
    machine.pool_put_to_use = log.pool_put_to_use;
    machine.log_complete = shows_everything(log);
    machine.log_gaps = log.gaps;
    for (const auto& failure : log.reservation_failures)
        machine.reservation_failures.push_back({failure.value, {file, failure.line}});
    if (machine.iomem.empty()) {
        for (const auto* reserved : {&log.crash_kernel, &log.crash_kernel_low}) {
            if (!*reserved) continue;
            if (machine.crash_kernel.empty()) machine.crash_kernel_from = {file, (*reserved)->line};
            machine.crash_kernel.push_back((*reserved)->value);
        }
        std::sort(machine.crash_kernel.begin(), machine.crash_kernel.end());
    }
    if (log.initrd) {
        machine.initrd = log.initrd->value;
        machine.initrd_bytes = log.initrd->value.size();
    }
    // A line each: of those that are there, one may be one of several.
    if (log.memory_nodes && !machine.memory_nodes && (machine.log_complete || log.memory_nodes->value > 1))
        machine.memory_nodes = log.memory_nodes->value;
    if (log.possible_cpus && !machine.possible_cpus) machine.possible_cpus = log.possible_cpus->value;
    if (log.srat_memory_end) machine.srat_memory_end = log.srat_memory_end->value;
    machine.efi = machine.efi || log.efi;
    // /sys/hypervisor/type says of HVM what it says of PV.
    machine.xen = is_paravirtualised(log) || (machine.xen && log.xen != Xen::hvm);
}

Failure read_command_line(Gathering& g) {
    if (const auto text = g.text(Source::command_line)) {
        const std::string_view line = trimmed(*text);
        if (line.find_first_of(std::string_view("\0\n", 2)) != line.npos) {
            return base::input_error(0, "expected one line of text, found a NUL byte or a second line")
                .at(g.path(Source::command_line));
        }
        g.machine.command_line = line;
    } else if (g.log.command_line) {
        g.machine.command_line = g.log.command_line->value;
        g.machine.command_line_cut = g.log.command_line_cut;
        if (g.log.command_line_cut) {
            g.note(
                base::input_error(g.log.command_line->line, "the command line is so long that printk may have cut it"),
                Source::kernel_log);
        }
    }
    return std::nullopt;
}

}  // namespace handoff
