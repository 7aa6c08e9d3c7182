// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/decide/evidence.hpp"
#include "lib/machine/device.hpp"

#include <algorithm>
#include <bit>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "lib/kernel/behaviour.hpp"
#include "lib/kernel/command_line.hpp"
#include "lib/machine/shown_path.hpp"

namespace handoff {
namespace {

constexpr const char* hiwater = "sys/kernel/debug/swiotlb/io_tlb_used_hiwater";
constexpr const char* kcore = "proc/kcore";
constexpr const char* groups = "sys/kernel/iommu_groups";
constexpr const char* pci = "sys/bus/pci/devices";
constexpr const char* platform = "sys/bus/platform/devices";

void judge_bounce(const Machine& machine, Findings& found) {
    if (machine.encryption != Encryption::none)
        return found.refuse("lend-no-bounce",
                            machine.encryption == Encryption::unknown
                                ? std::string("No source says whether memory is encrypted.")
                                : fmt::format("Memory is encrypted ({}), so devices bounce through the pool.",
                                              name(machine.encryption)),
                            machine.encryption_from.text());
    if (machine.xen)
        return found.refuse("lend-no-bounce", "Under Xen the kernel does not own its swiotlb and cannot lend it.");
    const auto line = CommandLine::parse(machine.command_line);
    const auto option = line ? swiotlb_option(*line, machine.release) : line.error();
    if (!option || !machine.knows_command_line())
        return found.refuse("lend-no-bounce", "The command line of the running kernel is not known.", "proc/cmdline");
    if (option->force)
        return found.refuse("lend-no-bounce", "With swiotlb=force the running kernel bounces all DMA.", "proc/cmdline");
    found.note("lend-no-bounce",
               "Nothing makes the running kernel bounce: there is no encryption, no swiotlb=force and no Xen.",
               machine.encryption_from.text());
}

// The kernel's own count of slabs that were ever in use, where it keeps one. False where it says that there were some.
bool judge_count(const Machine& machine, Findings& found) {
    if (machine.slabs_hiwater.value_or(0) != 0) {
        found.refuse("lend-idle",
                     fmt::format("Up to {} slabs of the pool were in use, so devices bounce through it.",
                                 *machine.slabs_hiwater),
                     hiwater);
        return false;
    }
    if (machine.slabs_used.value_or(0) != 0) {
        found.refuse("lend-idle", fmt::format("{} slabs of the pool are in use now.", *machine.slabs_used),
                     "sys/kernel/debug/swiotlb/io_tlb_used");
        return false;
    }
    return true;
}

// What use leaves behind in the pool, and in the kernel's structures of it.
void judge_traces(const PoolTraces& traces, const Machine& machine, bool counted, Findings& found) {
    const auto refuse = [&](std::string text) { found.refuse("lend-idle", std::move(text), kcore); };
    if (!machine.pool.empty() && machine.pool.front().range != traces.pool)
        return refuse(fmt::format("The memory of another pool was read: {}.", base::to_string(traces.pool)));
    if (traces.moved_areas != 0)
        return refuse(
            fmt::format("Slabs were allocated in {} of the {} areas of the pool, so devices bounce through it.",
                        traces.moved_areas, traces.areas));
    if (traces.slabs_used != 0) return refuse(fmt::format("{} slabs of the pool are in use now.", traces.slabs_used));
    if (traces.first_written)
        return refuse(fmt::format("The pool was used: there is a byte that is not 0 at {:#x}.", *traces.first_written));
    if (traces.blank_bytes < traces.pool.size())
        return refuse(fmt::format("Only {} of the {} MiB of the pool were read.", traces.blank_bytes / base::MiB,
                                  base::whole_mib(traces.pool.size())));
    found.note(
        "lend-idle",
        fmt::format("No slab was ever in use: {}the search begins at the first slab in each of {} areas, and all {} "
                    "MiB of the pool are 0, as the kernel left them.",
                    counted ? "the kernel counted none, " : "", traces.areas, base::whole_mib(traces.pool.size())),
        counted ? fmt::format("{}, {}", hiwater, kcore) : kcore);
}

void judge_idle(const Machine& machine, Findings& found) {
    if (!judge_count(machine, found)) return;
    const bool counted = machine.slabs_hiwater && machine.hiwater_tracked.value_or(false);
    if (machine.pool_traces) return judge_traces(*machine.pool_traces, machine, counted, found);
    const std::string why =
        machine.pool_traces_problem ? shown_path(machine.pool_traces_problem->message()) : "its memory was not read";
    const char* advice = machine.live ? "Run the command as root, on a kernel that is not locked down."
                                      : "Capture the machine again as root.";
    const std::string text = fmt::format("It is not known whether the pool was ever used: {}.", why);
    // Without the count there is nothing that an assumption could rest on.
    const bool says_so = machine.slabs_hiwater && machine.hiwater_tracked.value_or(true);
    if (!says_so || machine.pool_traces_problem) return found.refuse("lend-idle", text, kcore, advice);
    found.missing(machine.live, "lend-idle", text, {"the pool's own memory shows that it was never used", kcore},
                  advice);
}

// Where memory ends that a device may be told to read or write: RAM in any form, and what may become some. Exclusive.
Address memory_end(const Machine& machine) {
    constexpr std::string_view names[] = {"System RAM", "Persistent Memory", "Soft Reserved", "CXL Window"};
    Address end = machine.srat_memory_end.value_or(0);
    for (const AddressRange& r : machine.ram.ranges()) end = std::max(end, r.end());
    // "System RAM (kmem)" and the like, too.
    for (const IomemEntry& e : machine.iomem)
        if (std::any_of(std::begin(names), std::end(names), [&](auto name) { return e.name.starts_with(name); }))
            end = std::max(end, e.range.end());
    for (const auto type : {e820::Type::pmem, e820::Type::pram, e820::Type::soft_reserved}) {
        const RangeSet memory = machine.map.of(type);
        for (const AddressRange& r : memory.ranges()) end = std::max(end, r.end());
    }
    return end;
}

// A program owns the device, and an IOMMU translates its DMA, so nothing bounces (drivers/vfio/pci). Its masks are
// those that its last driver left, or the 32 bits of the PCI core.
bool is_passed_through(const DmaDevice& device) { return device.driver == "vfio-pci"; }

// DMA that no driver of the running kernel knows of, and limits that no mask shows.
bool judge_hidden(const Machine& machine, Findings& found) {
    if (!machine.ownerless_masters || !machine.narrow_bridges) {
        found.missing(
            machine.live, "lend-devices",
            "The configuration space of PCI devices was not read. A device without a driver may write to memory.",
            {"no PCI device without a driver writes to memory, and no bridge limits the devices behind it",
             fmt::format("{}/*/config", pci)},
            "Capture the machine again.");
        return !machine.live;
    }
    for (const std::string& name : *machine.ownerless_masters)
        found.refuse("lend-devices",
                     fmt::format("{} has no driver, and its bus mastering is on. Nobody knows where it writes.", name),
                     fmt::format("{}/{}/config", pci, name),
                     "Load its driver, or switch the device off in the firmware.");
    for (const std::string& name : *machine.narrow_bridges)
        found.refuse(
            "lend-devices",
            fmt::format("{} is a PCI bridge of VIA. The kernel limits the devices behind it to 32 bits.", name),
            fmt::format("{}/{}/config", pci, name));
    return machine.ownerless_masters->empty() && machine.narrow_bridges->empty();
}

void judge_devices(const Machine& machine, Findings& found) {
    const unsigned needed = bits_for(memory_end(machine));
    if (!machine.devices || !machine.platform_devices)
        return found.refuse("lend-devices", "It is not known how much memory the devices can address.",
                            machine.devices ? platform : pci);
    bool all = judge_hidden(machine, found);
    const auto refuse = [&](std::string text, const char* where) {
        found.refuse("lend-devices", std::move(text), where);
        all = false;
    };
    // Coherent memory is never of the pool: dma_alloc_coherent() takes pages that the device reaches.
    for (const DmaDevice& d : *machine.devices)
        if (d.streaming_bits < needed && !drives_without_dma(d) && !is_passed_through(d))
            refuse(fmt::format("{} ({}) addresses {} bits, but memory needs {}. So it may bounce at any time.", d.name,
                               d.driver, d.streaming_bits, needed),
                   pci);
    for (const PlatformDevice& d : *machine.platform_devices)
        if (!drives_without_dma(d))
            refuse(
                fmt::format("{} ({}) is on the platform bus, where nothing shows how much memory a device can address.",
                            d.name, d.driver),
                platform);
    if (all)
        found.note(
            "lend-devices",
            fmt::format(
                "Each of {} PCI and {} platform devices with a driver addresses all memory ({} bits) or does no DMA.",
                machine.devices->size(), machine.platform_devices->size(), needed),
            pci);
}

void judge_trust(const Machine& machine, Findings& found) {
    if (!machine.external_devices)
        return found.refuse("lend-trusted", "It is not known which devices are outside of the machine.", pci);
    if (!machine.external_devices->empty())
        return found.refuse(
            "lend-trusted",
            fmt::format("These devices are behind an external-facing port: {}. The kernel may bounce their transfers.",
                        fmt::join(*machine.external_devices, ", ")),
            pci, "Unplug them.");
    if (shows_removable_devices(machine.release))
        return found.note("lend-trusted", "No device is behind an external-facing port.", pci);
    // Without an IOMMU no kernel bounces for such a device (5.10: drivers/iommu/intel/iommu.c, device_needs_bounce()).
    if (machine.iommu_groups == 0U)
        return found.note("lend-trusted",
                          "No IOMMU is in use, and without one the kernel treats no device as untrusted.", groups);
    found.refuse("lend-trusted",
                 "This kernel does not show which devices are behind an external-facing port. Linux 5.14 and later do.",
                 pci, "Boot without the IOMMU, or boot a newer kernel.");
}

constexpr std::string_view iommu_keys[] = {"iommu", "intel_iommu", "amd_iommu", "iommu.passthrough"};

// What a line says of IOMMUs, all words in their order.
std::string iommu_part(const CommandLine& line) {
    std::string said;
    for (const std::string_view key : iommu_keys)
        for (const Word* word : line.all(key)) said += (said.empty() ? "" : " ") + word->text;
    return said;
}

}  // namespace

unsigned bits_for(Address end) { return end == 0 ? 0 : static_cast<unsigned>(std::bit_width(end - 1)); }

void judge_evidence(const Machine& machine, Findings& found) {
    judge_bounce(machine, found);
    judge_idle(machine, found);
    judge_devices(machine, found);
    judge_trust(machine, found);
}

void judge_translation(const Question& question, const AddressRange* pool, Findings& found) {
    const Machine& machine = question.machine;
    bool sound = true;
    const auto refuse = [&](std::string text, std::string where, std::string advice) {
        found.refuse("lend-iommu", std::move(text), std::move(where), std::move(advice));
        sound = false;
    };
    const std::string ours = iommu_part(question.running), theirs = iommu_part(question.base);
    if (machine.iommu_groups != 0U && ours != theirs)
        refuse(
            fmt::format(
                "The running kernel has '{}' about IOMMUs on its command line, and the crash kernel has '{}'. If the "
                "crash kernel does not go on translating, addresses that devices still use become addresses of memory.",
                ours, theirs),
            "proc/cmdline", "Give both kernels the same words.");
    const std::string release = crash_release(question);
    if (machine.iommu_groups != 0U && !release.empty() && !machine.release.empty() && release != machine.release)
        refuse(fmt::format("The crash kernel is {}, the running kernel is {}. Another kernel may not take over the "
                           "tables of the IOMMU.",
                           release, machine.release),
               "proc/sys/kernel/osrelease", "Load a crash kernel of the same release.");
    for (const AddressRange& range : machine.firmware_dma)
        if (pool && range.overlaps(*pool))
            refuse(
                fmt::format("The firmware lets a device write to {}, which overlaps the pool.", base::to_string(range)),
                groups, "");
    if (!machine.iommu_groups)
        return found.missing(machine.live, "lend-iommu",
                             "It is not known whether the firmware lets a device write to the pool.",
                             {"the firmware lets no device write to the pool", groups}, "Capture the machine again.");
    if (sound)
        found.note("lend-iommu",
                   machine.iommu_groups == 0U
                       ? std::string("No IOMMU is in use.")
                       : fmt::format("Both kernels have the same words about IOMMUs, and for none of {} groups of "
                                     "devices the firmware reserved memory of the pool.",
                                     *machine.iommu_groups),
                   groups);
}

void judge_dump(const PlanRequest& request, Findings& found) {
    const bool left_out = request.loader == Loader::kexec_load && request.leaves_pool_out;
    if (left_out) {
        found.note("lend-dump",
                   "The dump does not have the pages of the pool, because the ELF headers do not have them.");
    } else if (request.collector == Collector::maps) {
        found.note("lend-dump",
                   "The program that saves the dump maps /proc/vmcore. This works for the pages of the pool; reading "
                   "them fails.");
    } else {
        const char* how = request.loader == Loader::kexec_load
                              ? "Load with 'swiotlb-handoff kexec', which leaves the pages of the pool out of the dump."
                              : "Save the dump with makedumpfile and without --non-mmap, or load with kexec -c.";
        found.refuse(
            "lend-dump",
            request.collector == Collector::reads
                ? "The program that saves the dump reads /proc/vmcore, and reading the pages of the pool fails."
                : "It is not known whether the program that saves the dump maps /proc/vmcore. Reading the pages of the "
                  "pool fails.",
            {}, how);
    }
}

}  // namespace handoff
