// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/decide/evidence.hpp"
#include "lib/machine/device.hpp"

#include <algorithm>
#include <bit>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "lib/kernel/command_line.hpp"

namespace handoff {
namespace {

constexpr const char* hiwater = "sys/kernel/debug/swiotlb/io_tlb_used_hiwater";
constexpr const char* pci = "sys/bus/pci/devices";
constexpr const char* platform = "sys/bus/platform/devices";

void judge_bounce(const Machine& machine, Findings& found) {
    if (machine.encryption != Encryption::none)
        return found.refuse(
            "lend-no-bounce",
            machine.encryption == Encryption::unknown
                ? std::string("no source says whether memory is encrypted")
                : fmt::format("memory encryption ({}): devices bounce through the pool", name(machine.encryption)),
            machine.encryption_from.text());
    if (machine.xen) return found.refuse("lend-no-bounce", "Xen: its swiotlb is not the kernel's to lend");
    const auto line = CommandLine::parse(machine.command_line);
    const auto option = line ? swiotlb_option(*line, machine.release) : line.error();
    if (!option || !machine.knows_command_line())
        return found.refuse("lend-no-bounce", "the running kernel's command line is not known", "proc/cmdline");
    if (option->force)
        return found.refuse("lend-no-bounce", "swiotlb=force: the running kernel bounces all DMA", "proc/cmdline");
    found.note("lend-no-bounce", "nothing makes the running kernel bounce: no encryption, no swiotlb=force, no Xen",
               machine.encryption_from.text());
}

void judge_idle(const Machine& machine, Findings& found) {
    if (!machine.hiwater_tracked.value_or(true))
        return found.refuse(
            "lend-idle",
            "the running kernel does not count how many slabs were ever in use: from Linux 7.3 on it does so only with "
            "swiotlb=track_hiwater",
            "proc/cmdline", "boot with swiotlb=track_hiwater");
    if (!machine.slabs_hiwater)
        return found.refuse(
            "lend-idle", "the kernel does not say how many slabs were ever in use (Linux 6.4 and later do, in debugfs)",
            hiwater, machine.live ? "mount debugfs, run as root" : "");
    if (*machine.slabs_hiwater != 0)
        return found.refuse(
            "lend-idle",
            fmt::format("{} slabs of the pool were in use at once: devices bounce through it", *machine.slabs_hiwater),
            hiwater);
    if (!machine.slabs_used || *machine.slabs_used != 0)
        return found.refuse("lend-idle",
                            machine.slabs_used ? fmt::format("{} slabs are in use now", *machine.slabs_used)
                                               : "how many slabs are in use is not known",
                            "sys/kernel/debug/swiotlb/io_tlb_used");
    if (!machine.hiwater_tracked)
        return found.missing(machine.live, "lend-idle",
                             "it is not known that the running kernel counts how many slabs were ever in use: from "
                             "Linux 7.3 on it does so only with swiotlb=track_hiwater",
                             {"the running kernel counts how many slabs were ever in use", "proc/kcore"},
                             machine.live ? "boot with swiotlb=track_hiwater, or run as root without lockdown" : "");
    found.note("lend-idle", "no slab was ever in use", hiwater);
}

void judge_devices(const Machine& machine, Findings& found) {
    Address end = machine.srat_memory_end.value_or(0);  // memory that may be plugged in
    for (const AddressRange& r : machine.ram.ranges()) end = std::max(end, r.end());
    const unsigned needed = bits_for(end);
    if (!machine.devices || !machine.platform_devices)
        return found.refuse("lend-devices", "how far the devices can address memory is not known",
                            machine.devices ? platform : pci);
    bool all = true;
    const auto refuse = [&](std::string text, const char* where) {
        found.refuse("lend-devices", std::move(text), where);
        all = false;
    };
    for (const DmaDevice& d : *machine.devices)
        if (std::min(d.streaming_bits, d.coherent_bits) < needed && !drives_without_dma(d))
            refuse(fmt::format("{} ({}) addresses {} bits, memory takes {}: it may bounce at any time", d.name,
                               d.driver, std::min(d.streaming_bits, d.coherent_bits), needed),
                   pci);
    for (const PlatformDevice& d : *machine.platform_devices)
        if (!drives_without_dma(d))
            refuse(fmt::format("{} ({}) is on the platform bus, where nobody says how far a device can address memory",
                               d.name, d.driver),
                   platform);
    if (all)
        found.note(
            "lend-devices",
            fmt::format(
                "each of {} PCI and {} platform devices with a driver addresses all memory ({} bits), or does no DMA",
                machine.devices->size(), machine.platform_devices->size(), needed),
            pci);
}

void judge_trust(const Machine& machine, Findings& found) {
    if (!machine.external_devices)
        return found.refuse("lend-trusted", "which devices are outside of the machine is not known", pci);
    if (!machine.external_devices->empty())
        return found.refuse("lend-trusted",
                            fmt::format("{} behind an external-facing port: the kernel may bounce what it is given",
                                        fmt::join(*machine.external_devices, ", ")),
                            pci, "unplug what is there");
    found.note("lend-trusted", "no device behind an external-facing port", pci);
}

}  // namespace

unsigned bits_for(Address end) { return end == 0 ? 0 : static_cast<unsigned>(std::bit_width(end - 1)); }

void judge_evidence(const Machine& machine, Findings& found) {
    judge_bounce(machine, found);
    judge_idle(machine, found);
    judge_devices(machine, found);
    judge_trust(machine, found);
}

void judge_dump(const PlanRequest& request, Findings& found) {
    const bool left_out = request.loader == Loader::kexec_load && request.leaves_pool_out;
    if (left_out) {
        found.note("lend-dump", "the pool's pages are left out of the dump: the ELF headers do not have them");
    } else if (request.collector == Collector::maps) {
        found.note("lend-dump",
                   "the collector maps /proc/vmcore, which works for the pool's pages; reading them does not");
    } else {
        const char* how = request.loader == Loader::kexec_load
                              ? "load through 'swiotlb-handoff kexec', which leaves the pool's pages out of the dump"
                              : "save the dump with makedumpfile and without --non-mmap, or load with kexec -c";
        found.refuse("lend-dump",
                     request.collector == Collector::reads
                         ? "what saves the dump reads /proc/vmcore, and reading the pool's pages fails"
                         : "it is not known that what saves the dump maps /proc/vmcore: reading the pool's pages fails",
                     {}, how);
    }
}

}  // namespace handoff
