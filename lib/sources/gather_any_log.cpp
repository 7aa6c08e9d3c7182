// SPDX-License-Identifier: GPL-2.0-or-later
#include <utility>

#include "base/text.hpp"
#include "lib/kernel/crashkernel.hpp"
#include "lib/sources/crash_log.hpp"
#include "lib/sources/gathering.hpp"
#include "lib/sources/layout.hpp"
#include "lib/sources/log_file.hpp"

namespace handoff {
namespace {

/// A log that shows less than a boot: how much of it says anything.
std::string recognised_text(const KernelLog& log) {
    const auto lines = base::text(log.lines, log.lines == 1 ? " line, " : " lines, ");
    if (log.boots == 0) return lines + "and none of them is recognised as one of a kernel's boot";
    return lines + base::text(log.recognised, " of the kernel's boot recognised; the pool is not among them");
}

}  // namespace

Failure read_any_log(Gathering& g) {
    auto text = g.optional(g.host.kernel_log(), Source::kernel_log);
    if (text && !g.host.live()) text = g.optional(log_lines(*std::move(text)), Source::kernel_log);
    if (!text) return std::nullopt;
    if (auto failure = take_log(g, *std::move(text))) return failure;
    const KernelLog& log = g.log;
    const bool only_a_map = log.boots == 0 && g.log_text.find("BIOS-e820:") != std::string::npos;
    if (log.lines != 0 && !only_a_map && !log.pool && !log.pool_torn_down && !shows_everything(log))
        g.note(base::input_error(0, recognised_text(log)), Source::kernel_log);
    if (log.of_crash_kernel && log.command_line && !g.host.live())
        g.note(base::input_error(log.command_line->line,
                                 "the log is a crash kernel's own, with elfcorehdr= on its command line: give the log "
                                 "of the kernel that crashed"),
               Source::kernel_log);
    return std::nullopt;
}

void take_last_crash(Gathering& g) {
    auto& crash = g.machine.last_crash;
    if (g.log_text.find("elfcorehdr=") != g.log_text.npos) crash = read_crash_log(g.log_text);
    if (crash) {
        crash->file = g.path(Source::kernel_log);
        if (crash->line > g.log.first_line && !g.log.of_crash_kernel)  // it ran in what this boot had reserved
            crash->reserved_bytes = reserved_bytes(g.machine);
        return;
    }
    if (g.host.live()) return;
    auto kept = g.host.read(crash_kernel_log);  // beside the last dump
    if (kept) kept = log_lines(*std::move(kept));
    if (kept) crash = read_crash_log(*kept);
    if (crash) crash->file = "kexec-dmesg.log";
}

}  // namespace handoff
