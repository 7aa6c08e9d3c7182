// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "base/excerpt.hpp"
#include "base/scan.hpp"
#include "base/text.hpp"
#include "lib/kernel/crashkernel.hpp"
#include "lib/machine/shown_path.hpp"
#include "lib/sources/gathering.hpp"

namespace handoff {
namespace {

using std::string_view;

/// " a b " of "a  b": what has a word in the middle has it whole.
std::string spaced(string_view line) {
    std::string words = " ";
    for (const char c : line)
        if (c != ' ' || words.back() != ' ') words += c;
    if (words.back() != ' ') words += ' ';
    return words;
}

/// /proc/cmdline has what the log shows as a whole: CONFIG_CMDLINE and bootconfig only add words to it
/// (init/main.c, setup_command_line()).
bool holds(string_view whole, string_view logged, bool cut) {
    if (cut) logged = logged.substr(0, logged.find_last_of(' ') + 1);
    return spaced(whole).find(spaced(logged)) != std::string::npos;
}

// Below 1 MiB, where no pool is, the kernel and firmware take pages as they like.
RangeSet below_4g(const RangeSet& ram) { return ram.within(*AddressRange::from_bounds(base::MiB, 4 * base::GiB)); }

bool contains(const RangeSet& ram, RangeSet part) {
    for (const AddressRange& r : ram.ranges()) part.subtract(r);
    return part.ranges().empty();
}

void compare_release(Gathering& g) {
    const std::string release = release_of(g.host);
    if (!g.log.release || release.empty() || g.log.release->value == release) return;
    g.machine.contradictions.push_back(
        {base::text("the log is of Linux ", base::excerpt(g.log.release->value),
                    ", but /proc/sys/kernel/osrelease or /proc/version is of Linux ", base::excerpt(release)),
         {g.path(Source::kernel_log), g.log.release->line}});
}

void compare_command_line(Gathering& g) {
    const auto text = g.host.read(Source::command_line);
    const auto& logged = g.log.command_line;
    // /dev/kmsg writes what is no printable character, and the backslash itself, as \xHH.
    // With CONFIG_CMDLINE_OVERRIDE the log shows what the loader said, and /proc/cmdline what counts (setup_arch()).
    if (g.machine.config && g.machine.config->command_line_alone) return;
    if (!text || !logged || logged->value.find('\\') != std::string::npos) return;
    if (holds(base::trimmed(*text), base::trimmed(logged->value), g.log.command_line_cut)) return;
    g.machine.contradictions.push_back(
        {"the command line in the log is not the one in /proc/cmdline, so one of the two is of another boot",
         {g.path(Source::kernel_log), logged->line}});
}

// Above 4 GiB there may be memory that was plugged in since.
void compare_maps(Gathering& g, const e820::LogMap& logged) {
    const Machine& machine = g.machine;
    const RangeSet log = below_4g(e820::sanitised(logged.table).of(e820::Type::ram));
    const Evidence where{g.path(Source::kernel_log), logged.line};
    const std::string firmware = g.path(Source::firmware_map);
    if (machine.map_from.file == firmware && below_4g(machine.map.of(e820::Type::ram)) != log)
        g.machine.contradictions.push_back(
            {"below 4 GiB, the memory map in the log has other RAM than " + shown_path(firmware), where});
    // The kernel takes memory out of the map. Only these words add some.
    const bool may_grow = machine.command_line.find("memmap=") != std::string::npos ||
                          machine.command_line.find("add_efi_memmap") != std::string::npos || machine.xen;
    if (!machine.iomem.empty() && !may_grow && !contains(log, below_4g(machine.ram)))
        g.machine.contradictions.push_back({base::text("below 4 GiB, ", shown_path(g.path(Source::iomem)),
                                                       " has RAM that the memory map in the log does not have"),
                                            where});
}

// A reservation can become smaller, or go; it never moves. Up to 6.7 the log has whole MiB of its start.
bool is_reserved_at(const Machine& machine, base::Address start) {
    return std::any_of(machine.crash_kernel.begin(), machine.crash_kernel.end(), [start](const base::AddressRange& c) {
        return base::align_down(c.start(), base::MiB) == base::align_down(start, base::MiB);
    });
}

void compare_reservations(Gathering& g) {
    const Machine& machine = g.machine;
    if (machine.crash_kernel.empty() || machine.crash_kernel_from.file != g.path(Source::iomem)) return;
    const auto &high = g.log.crash_kernel, &low = g.log.crash_kernel_low;
    // Of two parts the kernel gives the upper one back first (kernel/crash_core.c, crash_shrink_memory()).
    const bool low_alone = low && machine.crash_kernel.size() == 1 && is_reserved_at(machine, low->value.start());
    for (const auto* logged : {&high, &low}) {
        if (!*logged || is_reserved_at(machine, (*logged)->value.start())) continue;
        if (logged == &high && low_alone) continue;
        g.machine.contradictions.push_back(
            {base::text("the log shows a reservation at ", base::to_string((*logged)->value), ", but ",
                        shown_path(g.path(Source::iomem)), " shows none there"),
             {g.path(Source::kernel_log), (*logged)->line}});
    }
    // Before 6.5 the size is that of the part that a crash kernel runs in, since then of both.
    const std::uint64_t all = reserved_bytes(machine);
    if (machine.crash_size && *machine.crash_size != all && *machine.crash_size != machine.crash_kernel.back().size())
        g.machine.contradictions.push_back(
            {base::text(shown_path(g.path(Source::crash_size)), " says ", *machine.crash_size,
                        " bytes of reserved memory, but ", shown_path(g.path(Source::iomem)), " shows ", all, " bytes"),
             {g.path(Source::crash_size), 0}});
}

}  // namespace

void compare_with_log(Gathering& g, const std::optional<e820::LogMap>& map) {
    compare_release(g);
    compare_command_line(g);
    compare_reservations(g);
    if (map) compare_maps(g, *map);
}

}  // namespace handoff
