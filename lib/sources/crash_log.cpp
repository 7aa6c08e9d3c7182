// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/crash_log.hpp"

#include <algorithm>
#include <array>

#include "base/scan.hpp"
#include "base/text.hpp"
#include "e820/log.hpp"
#include "e820/log_line.hpp"
#include "lib/kernel/command_line.hpp"
#include "lib/sources/kernel_log.hpp"
#include "lib/sources/log_reader.hpp"

namespace handoff {
namespace {

using base::Scan;
using std::string_view;
using Kind = CrashLog::Kind;

/// What a line says where it has these words; the first of them that is met counts.
struct Sign {
    string_view words;
    Kind kind;
};
constexpr auto signs = std::to_array<Sign>({
    // kernel/dma/swiotlb.c, 5.10 to 7.3
    {"software IO TLB: No low mem", Kind::no_pool},
    {"software IO TLB: Cannot allocate buffer", Kind::no_pool},
    {"software IO TLB: swiotlb_init_remap: Failed to allocate", Kind::no_pool},
    {"software IO TLB: swiotlb_memblock_alloc: Failed to allocate", Kind::no_pool},
    {"Can not allocate SWIOTLB buffer earlier", Kind::no_pool},
    {"swiotlb buffer is full", Kind::pool_full},
    // init/initramfs.c, unpack_to_rootfs(), and lib/decompress_*.c. Other reasons, such as junk behind the archive, are
    // not about memory.
    {"Initramfs unpacking failed: write error", Kind::unpacking},
    {"Initramfs unpacking failed: Out of memory", Kind::unpacking},
    {"decompressor ran out of memory", Kind::unpacking},
    // mm/oom_kill.c; "Memory cgroup out of memory" is the limit of a group
    {"Memory cgroup out of memory", Kind::allocation},
    {"Out of memory: Kill", Kind::out_of_memory},
    {"Out of memory and no killable processes", Kind::out_of_memory},
    {"System is deadlocked on memory", Kind::out_of_memory},
    {"Kernel panic - not syncing: Out of memory", Kind::out_of_memory},
    {"invoked oom-killer", Kind::out_of_memory},
    // mm/page_alloc.c
    {"page allocation failure", Kind::allocation},
});

/// Of dracut's kdump module, makedumpfile, and kdump-tools.
constexpr auto saved =
    std::to_array<string_view>({"saving vmcore complete", "The dumpfile is saved to ", "saved vmcore in "});

bool has(string_view text, string_view words) { return text.find(words) != text.npos; }

// "Memory: 122980K/163452K available (14336K kernel code, …"; up to 4.x a small k.
void read_memory(string_view text, CrashLog& log) {
    Scan scan(text);
    if (!scan.take("Memory: ")) return;
    const auto available = scan.decimal();
    if (!available || !(scan.take("K/") || scan.take("k/"))) return;
    const auto total = scan.decimal();
    constexpr std::uint64_t most = std::uint64_t{1} << 44;  // in KiB: no more than addresses have
    if (!total || *total > most || *available > *total) return;
    log.available_bytes = *available * 1024;
    log.total_bytes = *total * 1024;
}

// "software IO TLB: mapped [mem 0x…-0x…] (64MB)"
void read_pool(string_view text, CrashLog& log) {
    constexpr string_view words = "software IO TLB: mapped [mem";
    if (!text.starts_with(words)) return;
    if (const auto pool = mapped_pool(text.substr(words.size()))) log.pool = pool;
}

// "smpboot: Allowing 64 CPUs, 0 hotplug CPUs"; since 6.9 "CPU topo: Allowing 1 present CPUs plus 0 hotplug CPUs".
void read_cpus(string_view text, CrashLog& log) {
    constexpr string_view words = "Allowing ";
    if (!text.starts_with("smpboot: ") && !text.starts_with("CPU topo: ")) return;
    const auto at = text.find(words);
    if (at == text.npos) return;
    Scan scan(text.substr(at + words.size()));
    if (const auto cpus = scan.decimal()) log.cpus = *cpus;
}

void read_shortage(string_view text, std::size_t line, CrashLog& log) {
    const auto sign = std::find_if(signs.begin(), signs.end(), [&](const Sign& s) { return has(text, s.words); });
    if (sign == signs.end()) return;
    const auto known = std::find_if(log.shortages.begin(), log.shortages.end(),
                                    [&](const CrashLog::Shortage& s) { return s.kind == sign->kind; });
    if (known == log.shortages.end())
        log.shortages.push_back({sign->kind, std::string(text), line, 1});
    else
        ++known->times;
}

bool shows_crash_kernel(string_view text) {
    Scan scan(text);
    return (scan.take("Kernel command line: ") || scan.take("Command line: ")) && is_of_crash_kernel(scan.rest());
}

}  // namespace

const char* name(CrashLog::Kind kind) {
    switch (kind) {
        case Kind::no_pool:
            return "no-pool";
        case Kind::pool_full:
            return "pool-full";
        case Kind::unpacking:
            return "initrd-not-unpacked";
        case Kind::allocation:
            return "allocation-failed";
        case Kind::out_of_memory:
            return "out-of-memory";
    }
    return "unknown";
}

std::optional<CrashLog> read_crash_log(string_view text) {
    std::optional<CrashLog> last;
    CrashLog boot;
    bool of_crash_kernel = false;
    const auto end_boot = [&] {
        if (of_crash_kernel) last = boot;
    };
    e820::LogLines lines(text);
    while (const auto line = lines.next()) {
        if (e820::starts_boot(line->text)) {
            end_boot();
            boot = {};
            of_crash_kernel = false;
        }
        if (boot.line == 0) boot.line = line->number;
        of_crash_kernel = of_crash_kernel || shows_crash_kernel(line->text);
        read_memory(line->text, boot);
        read_pool(line->text, boot);
        read_cpus(line->text, boot);
        read_shortage(line->text, line->number, boot);
        boot.dump_saved = boot.dump_saved ||
                          std::any_of(saved.begin(), saved.end(), [&](string_view s) { return has(line->text, s); });
    }
    end_boot();
    return last;
}

base::Result<CrashLog> expect_crash_log(string_view text) {
    if (auto crash = read_crash_log(text)) return *std::move(crash);
    const std::string expected = "expected the log of a crash kernel, found ";
    const auto log = parse_kernel_log(text);
    if (!log) return log.error();
    if (log->boots == 0)
        return base::input_error(
            0, base::text(expected, log->lines, " lines, and none of them is recognised as one of a kernel's boot"));
    if (!log->command_line)
        return base::input_error(0, expected +
                                        "a log without the kernel's command line, which has elfcorehdr= where it is "
                                        "one: give the log from the boot's first line on");
    return base::input_error(
        log->command_line->line,
        expected +
            "a command line without elfcorehdr=: this is the log of a kernel that crashed, as vmcore-dmesg.txt "
            "has it. The crash kernel's own log is what a serial console recorded, or kexec-dmesg.log beside "
            "the dump. To plan for the machine itself, give this log as DIR/dmesg with --root DIR");
}

}  // namespace handoff
