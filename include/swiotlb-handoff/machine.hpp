// SPDX-License-Identifier: GPL-2.0-or-later
//
// A machine as a value: all that a plan depends on. gather() fills it in from the running machine or from a captured
// one, and it can as well be filled in by hand. Sizes are in bytes and ranges half-open, as in facts.hpp.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "swiotlb-handoff/facts.hpp"
#include "swiotlb-handoff/range.hpp"
#include "swiotlb-handoff/result.hpp"
#include "swiotlb-handoff/table.hpp"

#pragma GCC visibility push(default)
namespace handoff {

/// What a plan needs to know of a machine. There are only values in it, so that a plan can be repeated, compared
/// and tested without the machine.
struct Machine {
    std::string release;       ///< uname -r; "" where unknown
    std::string command_line;  ///< of the running kernel; "" where unknown
    /// The end of the command line may be missing: only the log has the line, and printk cuts long lines.
    bool command_line_cut = false;
    std::optional<KernelConfig> config;  ///< of the kernel of this release; none: it was not read
    Evidence config_from;
    bool live = false;  ///< read from "/", not from a captured directory

    /// /proc/iomem; empty if there was none, or if it shows only zeros because it was read without root.
    std::vector<IomemEntry> iomem;
    /// The memory map, sanitised: /sys/firmware/memmap, else the log's BIOS map,
    /// else what /proc/iomem shows.
    e820::Table map;
    Evidence map_from;
    /// The other maps that the log shows: the firmware's, where `map` is of another source, and what mem= and memmap=
    /// made of it. A log from another machine contradicts the rest here.
    std::vector<MapSighting> other_maps;
    /// In what the log and the other sources contradict each other.
    std::vector<Contradiction> contradictions;
    /// "System RAM" of /proc/iomem, at any depth; else the map's RAM.
    RangeSet ram;
    /// "Crash kernel" ranges in address order; from iomem, else from the log.
    std::vector<AddressRange> crash_kernel;
    Evidence crash_kernel_from;
    /// What the log says of why the kernel reserved nothing or only a part. The last line is of the last try.
    std::vector<LogQuote> reservation_failures;
    /// First byte of "Kernel code" to the end of "Kernel bss".
    std::optional<AddressRange> kernel_image;

    /// Every source that shows the pool, the most trusted first; empty if there is no pool or no source shows it.
    std::vector<PoolSighting> pool;
    /// The pools of single devices that /proc/iomem lists, by address.
    std::vector<DevicePool> device_pools;
    /// The log says that a pool was given back ("tearing down default memory pool").
    bool pool_torn_down = false;
    /// The log says that the kernel goes on to use its pool, once it knows what IOMMUs there are ("PCI-DMA: Using
    /// software bounce buffering"). Up to there it may still give back the pool that it made.
    bool pool_put_to_use = false;
    /// The variables in the kernel's memory say that there is no pool. This counts more than other sources.
    bool no_pool_in_memory = false;
    /// The memory that describes the pool was read, and no known kernel has such a structure: what differs.
    std::optional<Error> pool_not_understood;
    /// The kernel's structure of the pool has areas, so it rounds the slabs up to a power of two (Linux commit
    /// 20347fca71a3 ("swiotlb: split up the global swiotlb lock") (in v6.0)). nullopt: its BTF was not read.
    std::optional<bool> pool_areas;
    std::optional<std::uint64_t> slabs;          ///< of 2 KiB, from debugfs
    std::optional<std::uint64_t> slabs_used;     ///< in use now
    std::optional<std::uint64_t> slabs_hiwater;  ///< the most ever in use; Linux 6.4 and later; nullopt if not counted
    /// Whether the kernel counts slabs_hiwater: always up to 7.2, and from 7.3 on only with swiotlb=track_hiwater. If
    /// it does not, the file in debugfs exists and always says 0. nullopt: no source could tell.
    std::optional<bool> hiwater_tracked;
    /// What a capture has of a captured machine. On the running machine it is none, because gather() does not read the
    /// pool's memory.
    std::optional<PoolTraces> pool_traces;
    /// Why there are no traces, if somebody looked for them.
    std::optional<Error> pool_traces_problem;

    Encryption encryption = Encryption::unknown;
    Evidence encryption_from;
    /// A guest of SEV-SNP or TDX whose kernel makes shared memory private again before it starts a crash kernel
    /// (snp_kexec_finish(), tdx_kexec_finish()), and that no paravisor stands behind.
    bool makes_memory_private = false;
    /// The log shows the whole boot and was understood. So the kernel did not say what is not in it.
    bool log_complete = false;
    LogGaps log_gaps;
    /// What the last crash kernel said, if the log has its boot as well, as the record of a serial console does.
    std::optional<CrashLog> last_crash;
    bool efi = false;
    /// There is /sys/firmware/efi/runtime-map, without which kexec-tools passes no SETUP_EFI
    /// (kexec/arch/i386/x86-linux-setup.c, setup_efi_data()). A captured EFI machine that does not say is taken to have
    /// it.
    bool efi_runtime_map = false;
    bool xen = false;                 ///< under Xen PV, as dom0 or a guest; not under Xen HVM
    bool other_architecture = false;  ///< it is no x86-64 machine: nothing here holds for it
    std::optional<bool> lockdown;     ///< whether it is anything but "none"
    /// How often a crash kernel can still be loaded or unloaded: /proc/sys/kernel/kexec_load_limit_panic. Each call of
    /// kexec takes one of these (kernel/kexec_core.c, kexec_load_permitted()). nullopt: there is no limit.
    std::optional<std::uint64_t> loads_left;
    /// The same of what a reboot by kexec starts: /proc/sys/kernel/kexec_load_limit_reboot.
    std::optional<std::uint64_t> next_loads_left;
    std::optional<unsigned> memory_nodes;  ///< NUMA nodes with memory
    /// NUMA nodes that may have memory or processors later; at most 1 << CONFIG_NODES_SHIFT. nullopt: not known.
    std::optional<unsigned> possible_nodes;
    std::optional<unsigned> possible_cpus;
    std::optional<std::uint64_t> initrd_bytes;  ///< "RAMDISK:" of the running kernel, a size to compare with
    std::optional<AddressRange> initrd;         ///< the same line's range: where the firmware or boot loader put it
    std::optional<std::uint64_t> crash_size;    ///< /sys/kernel/kexec_crash_size, bytes
    /// Exclusive end of the highest memory that ACPI's SRAT names, hotplug
    /// included: it counts as "above 4 GiB" even for a crash kernel that has none
    /// of it (drivers/acpi/numa/srat.c, max_possible_pfn).
    std::optional<Address> srat_memory_end;
    /// The version string inside the kexec binary: "2.0.25".
    std::optional<std::string> kexec_tools;
    /// The random number generator is ready: kexec-tools' seed for the crash kernel depends on it. nullopt: not known.
    std::optional<bool> random_ready;
    /// PCI devices with a driver, sorted by name; nullopt: no source could tell.
    std::optional<std::vector<DmaDevice>> devices;
    /// PCI devices behind an external-facing port, with or without a driver, by name; nullopt: no source could tell.
    std::optional<std::vector<std::string>> external_devices;
    /// PCI devices without a driver that may write to memory by themselves, by name: bus mastering is on, and they are
    /// no bridges. nullopt: the configuration space of one or more was not read.
    std::optional<std::vector<std::string>> ownerless_masters;
    /// PCI bridges of VIA, by name. The kernel limits the devices behind such a bridge to addresses of 32 bits, and
    /// sysfs does not show that (arch/x86/kernel/pci-dma.c, via_no_dac()). nullopt as above.
    std::optional<std::vector<std::string>> narrow_bridges;
    /// Number of groups of devices that an IOMMU tells apart; 0: no IOMMU is in use. nullopt: no source could tell.
    std::optional<unsigned> iommu_groups;
    /// What the firmware wants an IOMMU to map at its own address for a device: "direct" and "direct-relaxable" in
    /// /sys/kernel/iommu_groups/*/reserved_regions.
    std::vector<AddressRange> firmware_dma;
    /// Devices of the platform bus with a driver, by name; nullopt: no source could tell.
    std::optional<std::vector<PlatformDevice>> platform_devices;
    Neighbours neighbours;

    /// Sources that exist and could not be used, and what follows from that.
    /// A plan repeats them, so that nothing is missing without a word.
    std::vector<Error> unread;

    /// The running kernel's command line is known to its end, so a word that is not in it was not given.
    [[nodiscard]] bool knows_command_line() const { return !command_line.empty() && !command_line_cut; }
    friend bool operator==(const Machine&, const Machine&) = default;
};

/// Reads the machine below `root`: "/", the running one, or a directory that holds another's files at their own paths
/// (swiotlb-handoff-capture(5)). Reads everything there is. An error only where a source is malformed, or `root` is no
/// directory: a missing file is no source, an unreadable one goes to Machine::unread.
Result<Machine> gather(const std::filesystem::path& root);

}  // namespace handoff
#pragma GCC visibility pop
