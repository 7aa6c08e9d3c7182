// SPDX-License-Identifier: GPL-2.0-or-later
//
// A machine as a value: all that a plan goes by. gather() fills it in from the running machine or from a captured one,
// and it can as well be filled in by hand. Sizes are in bytes and ranges half-open, as in facts.hpp.
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

/// What the deciding parts need to know of a machine: values only, so that a
/// plan can be repeated, compared and tested without one.
struct Machine {
    std::string release;       ///< uname -r; "" where unknown
    std::string command_line;  ///< of the running kernel; "" where unknown
    /// The end of the command line may be missing: printk cuts it, and nothing but the log has it.
    bool command_line_cut = false;
    std::optional<KernelConfig> config;  ///< of the kernel of this release
    Evidence config_from;
    bool live = false;  ///< read from "/", not from a captured directory

    /// /proc/iomem, or empty where there was none. Complete: never zeroed.
    std::vector<IomemEntry> iomem;
    /// The memory map, sanitised: /sys/firmware/memmap, else the log's BIOS map,
    /// else what /proc/iomem shows.
    e820::Table map;
    Evidence map_from;
    /// The other maps that the log shows: the firmware's, where `map` is of another source, and what mem= and memmap=
    /// made of it. A log from another machine contradicts the rest here.
    std::vector<MapSighting> other_maps;
    /// Between the log and the other sources.
    std::vector<Contradiction> contradictions;
    /// "System RAM" of /proc/iomem, at any depth; else the map's RAM.
    RangeSet ram;
    /// "Crash kernel" ranges in address order; from iomem, else from the log.
    std::vector<AddressRange> crash_kernel;
    Evidence crash_kernel_from;
    /// Why the kernel reserved nothing, or a part only, by its own log; the last line is of the last try.
    std::vector<LogQuote> reservation_failures;
    /// First byte of "Kernel code" to the end of "Kernel bss".
    std::optional<AddressRange> kernel_image;

    /// In order of trust; empty where there is no pool or nobody can see it.
    std::vector<PoolSighting> pool;
    /// The log says that a pool was given back ("tearing down default memory pool").
    bool pool_torn_down = false;
    /// The log says that the kernel goes on to use its pool, once it knows what IOMMUs there are ("PCI-DMA: Using
    /// software bounce buffering"). Up to there it may still give back the pool that it made.
    bool pool_put_to_use = false;
    /// The kernel's own variables say that there is no pool, whatever others say.
    bool no_pool_in_memory = false;
    /// Its memory was read and is not that of a pool of any known kernel: what was expected and what is there.
    std::optional<Error> pool_not_understood;
    /// The kernel's structure of the pool has areas, so it rounds the slabs up to a power of two (Linux commit
    /// 20347fca71a3 ("swiotlb: split up the global swiotlb lock") (in v6.0)). nullopt: its BTF was not read.
    std::optional<bool> pool_areas;
    std::optional<std::uint64_t> slabs;          ///< of 2 KiB, from debugfs
    std::optional<std::uint64_t> slabs_used;     ///< now
    std::optional<std::uint64_t> slabs_hiwater;  ///< most ever used; Linux 6.4 and later; nullopt where nobody counts
    /// The kernel counts them: always up to 7.2, and from 7.3 on where swiotlb=track_hiwater asks for it. Without that
    /// the file in debugfs is there and says 0 for ever. nullopt: nobody could say.
    std::optional<bool> hiwater_tracked;
    /// Of a captured machine what the capture has; of the running one nothing, since gather() does not read the pool's
    /// memory.
    std::optional<PoolTraces> pool_traces;
    /// Why there are none, where somebody looked.
    std::optional<Error> pool_traces_problem;

    Encryption encryption = Encryption::unknown;
    Evidence encryption_from;
    /// A guest of SEV-SNP or TDX whose kernel makes shared memory private again before it starts a crash kernel
    /// (snp_kexec_finish(), tdx_kexec_finish()), and that no paravisor stands behind.
    bool makes_memory_private = false;
    /// The log shows the whole boot and was understood: what it does not say was not said.
    bool log_complete = false;
    LogGaps log_gaps;
    /// What the last crash kernel said, where the log has its boot as well: a serial console recorded it.
    std::optional<CrashLog> last_crash;
    bool efi = false;
    /// There is /sys/firmware/efi/runtime-map, without which kexec-tools passes no SETUP_EFI
    /// (kexec/arch/i386/x86-linux-setup.c, setup_efi_data()). A captured EFI machine that does not say is taken to have
    /// it.
    bool efi_runtime_map = false;
    bool xen = false;                 ///< under Xen PV, as dom0 or a guest; not under Xen HVM
    bool other_architecture = false;  ///< it is no x86-64 machine: nothing here holds for it
    std::optional<bool> lockdown;     ///< anything but "none"
    /// How often the kernel still takes a crash kernel, or gives one up: /proc/sys/kernel/kexec_load_limit_panic, of
    /// which each call of kexec takes one (kernel/kexec_core.c, kexec_load_permitted()). nullopt: as often as you like.
    std::optional<std::uint64_t> loads_left;
    std::optional<unsigned> memory_nodes;  ///< NUMA nodes with memory
    /// NUMA nodes that may have memory or processors one day; at most 1 << CONFIG_NODES_SHIFT. nullopt: not known.
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
    /// PCI devices with a driver, by name; nullopt: nobody could say.
    std::optional<std::vector<DmaDevice>> devices;
    /// PCI devices, with or without a driver, behind an external-facing port, by name; nullopt: nobody could say.
    std::optional<std::vector<std::string>> external_devices;
    /// PCI devices without a driver that may write to memory by themselves, by name: no bridge, and bus mastering is
    /// on. nullopt: the configuration space of one or more was not read.
    std::optional<std::vector<std::string>> ownerless_masters;
    /// PCI bridges of VIA, by name: what is behind one is told to address 32 bits, which sysfs does not show
    /// (arch/x86/kernel/pci-dma.c, via_no_dac()). nullopt as above.
    std::optional<std::vector<std::string>> narrow_bridges;
    /// Groups of devices that an IOMMU tells apart; 0: no IOMMU is in use. nullopt: nobody could say.
    std::optional<unsigned> iommu_groups;
    /// What the firmware wants an IOMMU to map at its own address for a device: "direct" and "direct-relaxable" in
    /// /sys/kernel/iommu_groups/*/reserved_regions.
    std::vector<AddressRange> firmware_dma;
    /// Those of the platform bus with a driver, by name; nullopt: nobody could say.
    std::optional<std::vector<PlatformDevice>> platform_devices;
    Neighbours neighbours;

    /// Sources that were there and could not be used, and what it means;
    /// plan repeats them so that nothing is silently missing.
    std::vector<Error> unread;

    /// The running kernel's command line is known to its end: a word that is not there was not given.
    [[nodiscard]] bool knows_command_line() const { return !command_line.empty() && !command_line_cut; }
    friend bool operator==(const Machine&, const Machine&) = default;
};

/// Reads the machine below `root`: "/", the running one, or a directory that holds another's files at their own paths
/// (swiotlb-handoff-capture(5)). Reads everything there is. An error only where a source is malformed, or `root` is no
/// directory: a missing file is no source, an unreadable one goes to Machine::unread.
Result<Machine> gather(const std::filesystem::path& root);

}  // namespace handoff
#pragma GCC visibility pop
