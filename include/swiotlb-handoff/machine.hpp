// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "swiotlb-handoff/crash_log.hpp"
#include "swiotlb-handoff/kernel_config.hpp"
#include "swiotlb-handoff/range.hpp"
#include "swiotlb-handoff/result.hpp"
#include "swiotlb-handoff/table.hpp"

namespace handoff {

using base::Address;
using base::AddressRange;
using base::Errc;
using base::Error;
using base::RangeSet;
using base::Result;

/// Where a fact was read, for the user to look at.
struct Evidence {
    std::string file;      ///< at the machine's own path, without the leading slash: "proc/iomem"
    std::size_t line = 0;  ///< 1-based; 0: the file as a whole
    [[nodiscard]] std::string text() const { return line == 0 ? file : file + ":" + std::to_string(line); }
    friend bool operator==(const Evidence&, const Evidence&) = default;
};

/// Where a pool can be seen, in order of trust.
enum class PoolSource { iomem, memory, log, user };
/// "iomem", "memory", "log", "user".
const char* name(PoolSource);

/// One source's word on where the pool of the running kernel is.
struct PoolSighting {
    AddressRange range;
    PoolSource source = PoolSource::user;
    Evidence where;
    friend bool operator==(const PoolSighting&, const PoolSighting&) = default;
};

/// What guards the machine's memory, from the weakest to the strongest. `unknown_kind` where memory is encrypted and no
/// source names how; `unknown` only where no source could say whether it is.
enum class Encryption { none, unknown_kind, sme, sev, sev_es, vbs, sev_snp, tdx, unknown };
const char* name(Encryption);

/// What a line of /proc/iomem is about, as far as a pool is concerned.
enum class IomemKind {
    system_ram,
    crash_kernel,  ///< the reservation, or one of two
    kernel_image,  ///< code, data or bss of the running kernel
    pool,          ///< the swiotlb pool, which kernels with the patches in kernel/ list
    other,
};

/// One line of /proc/iomem.
struct IomemEntry {
    base::AddressRange range;  ///< half-open; empty for the "0-0" lines that some drivers leave
    unsigned depth = 0;        ///< nesting, 0 at top level
    std::string name;          ///< "System RAM"
    std::size_t line = 0;      ///< 1-based

    /// By the name alone, at any depth.
    [[nodiscard]] IomemKind kind() const;
    friend bool operator==(const IomemEntry&, const IomemEntry&) = default;
};

/// A PCI device that a driver drives, and how far it says that it can address memory.
struct DmaDevice {
    std::string name;             ///< "0000:00:1f.2"
    std::string driver;           ///< "ahci"
    std::uint32_t pci_class = 0;  ///< 24 bits: base class, subclass, programming interface
    unsigned streaming_bits = 0;  ///< bounced through the pool where it is too short
    unsigned coherent_bits = 0;   ///< nothing bounces coherent memory
    /// It is no bridge to another bus, and bus mastering is on: it may write to memory by itself. nullopt: its
    /// configuration space was not read.
    std::optional<bool> masters_bus = std::nullopt;
    friend bool operator==(const DmaDevice&, const DmaDevice&) = default;
};

/// A device of the platform bus that a driver drives: sysfs does not say how far such a one can address memory.
struct PlatformDevice {
    std::string name;    ///< of the directory: "PNP0103:00"
    std::string driver;  ///< "rtc_cmos"
    friend bool operator==(const PlatformDevice&, const PlatformDevice&) = default;
};

/// What the pool's own memory tells of its use since boot. The kernel clears the pool when it makes it (kernel/dma/
/// swiotlb.c, memset() in swiotlb_init_io_tlb_mem(), seen in 6.1 to 7.3; memblock_alloc_low() in swiotlb_init() of
/// 5.10), and each allocation moves the index at which the search for free slabs begins (swiotlb_do_find_slots(),
/// swiotlb_search_pool_area(); find_slots() of 5.10).
struct PoolTraces {
    AddressRange pool;                     ///< the one that was looked at
    std::uint64_t areas = 0;               ///< that the kernel divides the pool into; 1 up to 5.19
    std::uint64_t moved_areas = 0;         ///< of them, those whose search index is not 0 any more
    std::uint64_t slabs_used = 0;          ///< now, by the areas' own counts
    std::uint64_t blank_bytes = 0;         ///< from the start of the pool, read and found to be 0
    std::optional<Address> first_written;  ///< of the first byte that is not 0; nullopt where none was found
    friend bool operator==(const PoolTraces&, const PoolTraces&) = default;
};

/// What else claims memory over kexec, or changes what the crash kernel is told while it is loaded.
struct Neighbours {
    /// crashkernel=SIZE,cma (6.17 and later): movable memory that a crash kernel loaded by
    /// kexec_file_load may use as well.
    std::optional<std::uint64_t> cma_bytes;              ///< of the log; "in N ranges", not where
    std::optional<std::vector<base::AddressRange>> cma;  ///< of sysfs (7.0 and later)
    /// Kexec HandOver's scratch areas (6.16 and later, CONFIG_KEXEC_HANDOVER_DEBUGFS): where a
    /// kernel that takes over boots from. nullopt: there is no KHO, or nobody can see it.
    std::optional<std::vector<base::AddressRange>> kho_scratch;
    /// The kernel itself rebuilds the elfcorehdr of a loaded crash kernel when memory, or CPUs, come
    /// and go (6.6 and later). nullopt: older.
    std::optional<bool> memory_crash_hotplug, cpu_crash_hotplug;
    /// Bytes that kexec_load with --hotplug keeps for those headers.
    std::optional<std::uint64_t> crash_elf_headers;
    /// Keys of dm-crypt that kexec_file_load passes on to the crash kernel (6.16 and later); nullopt: none can be.
    std::optional<std::uint64_t> dm_crypt_keys;
    /// Bytes of IMA's measurement list, where the kernel may pass it on to what kexec_file_load loads.
    std::optional<std::uint64_t> ima_list_bytes;
    friend bool operator==(const Neighbours&, const Neighbours&) = default;
};

/// What the log of the last boot has lost, up to where the kernel has said all that is looked for (but for the pool).
struct LogGaps {
    std::uint64_t not_understood = 0;  ///< lines with nothing in front that is known, where others have something
    std::uint64_t dropped = 0;         ///< messages, as the log itself says
    std::uint64_t of_others = 0;       ///< lines that another machine's name is in front of, mixed with these
    [[nodiscard]] bool any() const { return not_understood != 0 || dropped != 0 || of_others != 0; }
    /// "3 lines were not understood, 2 messages were dropped"; "" where there are none.
    [[nodiscard]] std::string text() const;
    friend bool operator==(const LogGaps&, const LogGaps&) = default;
};

/// A line of the kernel log, as the kernel wrote it.
struct LogQuote {
    std::string text;
    Evidence where;
    friend bool operator==(const LogQuote&, const LogQuote&) = default;
};

/// A memory map, and whose it is.
struct MapSighting {
    e820::Table table;
    Evidence where;
    friend bool operator==(const MapSighting&, const MapSighting&) = default;
};

/// Two sources that cannot be of the same boot of the same machine.
struct Contradiction {
    std::string text;
    Evidence where;
    friend bool operator==(const Contradiction&, const Contradiction&) = default;
};

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
    /// Of a captured machine what the capture has; of the running one nothing, until look_into_pool() has read the
    /// pool.
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
