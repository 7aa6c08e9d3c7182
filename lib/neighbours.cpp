// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/neighbours.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "e820/excerpt.hpp"
#include "e820/number.hpp"
#include "lib/command_line.hpp"
#include "lib/machine.hpp"
#include "lib/scan.hpp"

namespace handoff {
namespace {

using std::string_view;

std::uint64_t mib(std::uint64_t bytes) { return (bytes + e820::MiB - 1) / e820::MiB; }

std::uint64_t total(const std::vector<AddressRange>& ranges) {
    std::uint64_t bytes = 0;
    for (const AddressRange& r : ranges) bytes += r.size();
    return bytes;
}

/// kstrtobool() of the early parameters kho=: lib/kstrtox.c.
bool is_off(string_view value) {
    return value.starts_with('0') || value.starts_with('n') || value.starts_with('N') || value.starts_with('f') ||
           value.starts_with('F') || value == "off" || value == "Off" || value == "OFF";
}

}  // namespace

e820::Result<std::vector<AddressRange>> parse_cma_ranges(string_view text) {
    std::vector<AddressRange> ranges;
    for (std::size_t number = 1; !text.empty(); ++number) {
        const string_view line = take_line(text);
        if (line.empty()) continue;
        const auto dash = line.find('-');
        const auto start = e820::parse_number(line.substr(0, dash), 16);
        const auto last = dash == line.npos ? std::nullopt : e820::parse_number(line.substr(dash + 1), 16);
        const auto range = start && last ? AddressRange::from_inclusive(*start, *last) : std::nullopt;
        if (!range) return e820::input_error(number, fmt::format("expected START-END in hexadecimal, found {}", e820::excerpt(line)));
        ranges.push_back(*range);
    }
    return ranges;
}

e820::Result<std::vector<AddressRange>> parse_kho_scratch(string_view addresses, string_view sizes) {
    std::vector<AddressRange> ranges;
    for (std::size_t number = 1; !addresses.empty() || !sizes.empty(); ++number) {
        const string_view address = take_line(addresses), size = take_line(sizes);
        const auto start = e820::parse_prefixed(address), bytes = e820::parse_prefixed(size);
        const auto range = start && bytes ? AddressRange::from_size(*start, *bytes) : std::nullopt;
        if (!range)
            return e820::input_error(number, fmt::format("expected an address and a size, found {} and {}", e820::excerpt(address), e820::excerpt(size)));
        if (!range->empty()) ranges.push_back(*range);
    }
    return ranges;
}

std::vector<Reason> judge_neighbours(const Machine& machine, const CommandLine& crash_kernel, bool file_load,
                                     const AddressRange& pool, const std::vector<AddressRange>& fences) {
    const Neighbours& n = machine.neighbours;
    std::vector<Reason> reasons;
    const auto add = [&](const char* rule, Severity severity, std::string text, std::string evidence = {}, std::string advice = {}) {
        reasons.push_back({rule, severity, std::move(text), std::move(evidence), std::move(advice)});
    };
    // The one that has memory of ours; nullopt where none has.
    const auto overlap = [&](const std::vector<AddressRange>& theirs) -> std::optional<std::string> {
        for (const AddressRange& r : theirs) {
            if (r.overlaps(pool)) return fmt::format("{} overlaps the pool", e820::to_string(r));
            for (const AddressRange& fence : fences)
                if (r.overlaps(fence)) return fmt::format("{} overlaps the fence at {:#x}", e820::to_string(r), fence.start());
        }
        return std::nullopt;
    };

    const std::uint64_t cma_bytes = n.cma ? total(*n.cma) : n.cma_bytes.value_or(0);
    if (cma_bytes != 0) {
        const std::string where = n.cma ? "sys/kernel/kexec/crash_cma_ranges" : "dmesg";
        if (const auto what = n.cma ? overlap(*n.cma) : std::nullopt)
            add("cma-apart", Severity::refusal, "crashkernel=,cma: " + *what, where, "boot without crashkernel=,cma");
        else if (file_load)
            // crash_setup_memmap_entries() in arch/x86/kernel/crash.c adds them as RAM.
            add("cma-apart", Severity::refusal,
                fmt::format("crashkernel=,cma: kexec_file_load gives the crash kernel {} MiB of movable memory more, where the pool could go", mib(cma_bytes)),
                where, "load with kexec_load (kexec -c), which does not, or boot without crashkernel=,cma");
        else
            add("cma-apart", Severity::info,
                fmt::format("crashkernel=,cma: {} MiB, of which a crash kernel loaded by kexec_load gets nothing", mib(cma_bytes)), where);
    }

    const auto running = CommandLine::parse(machine.command_line);
    const auto asked_for = [](const CommandLine& line) { return line.has("kho") && !is_off(line.last("kho").value_or("")); };
    const bool scratch_seen = n.kho_scratch && !n.kho_scratch->empty();
    if (scratch_seen || (running && asked_for(*running))) {
        const std::string where = scratch_seen ? "sys/kernel/debug/kho/out/scratch_phys" : "proc/cmdline";
        if (const auto what = scratch_seen ? overlap(*n.kho_scratch) : std::nullopt)
            add("kho-apart", Severity::refusal, "Kexec HandOver: the scratch area " + *what, where,
                "boot this kernel by the firmware, not by a kexec with a handover, or with kho=off");
        else if (file_load)
            // kho_fill_kimage() in kernel/liveupdate/kexec_handover.c does not ask what kind of image it is;
            // kho_populate() then lets early allocations, the pool among them, come from the scratch areas only.
            add("kho-apart", Severity::refusal,
                "Kexec HandOver is on: kexec_file_load may pass its scratch areas on to the crash kernel, which would put its pool there", where,
                "load with kexec_load (kexec -c), or boot with kho=off");
        else
            add("kho-apart", Severity::info, "Kexec HandOver is on: a crash kernel loaded by kexec_load takes nothing over", where);
    }
    // Scratch areas of the crash kernel's own: twice what is reserved, and no memory for the kernel itself.
    const bool by_default = scratch_seen && !crash_kernel.has("kho");
    if (asked_for(crash_kernel) || by_default)
        add("kho-apart", Severity::refusal,
            by_default ? "Kexec HandOver is on by default: the crash kernel would set memory aside for one of its own"
                       : "kho= makes the crash kernel set memory aside for a handover of its own",
            {}, "add kho=off to the crash kernel's command line");

    if (running && running->has("reserve_mem"))
        add("reserve-mem-apart", Severity::info,
            "reserve_mem= of the running kernel: taken before the pool and out of other memory; the crash kernel does not see it", "proc/cmdline");

    if (n.memory_crash_hotplug.value_or(false) || n.cpu_crash_hotplug.value_or(false))
        add("hotplug-sound", Severity::info,
            file_load ? "the kernel updates the ELF headers of a loaded crash kernel when memory or CPUs come and go; the words and the map stay as they are"
                      : "the kernel can update the ELF headers of a loaded crash kernel; without kexec --hotplug it leaves them to a reload",
            n.memory_crash_hotplug.value_or(false) ? "sys/devices/system/memory/crash_hotplug" : "sys/devices/system/cpu/crash_hotplug");
    return reasons;
}

}  // namespace handoff
