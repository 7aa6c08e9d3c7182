// SPDX-License-Identifier: GPL-2.0-or-later
//
// What can be known of a machine, each fact as a value of its own: handoff::Machine (machine.hpp) is made of these.
// Sizes are in bytes unless a name says otherwise, ranges are half-open, lines are counted from 1. std::nullopt means
// that no source could tell; it never means "no".
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "swiotlb-handoff/range.hpp"
#include "swiotlb-handoff/result.hpp"
#include "swiotlb-handoff/table.hpp"

#pragma GCC visibility push(default)
namespace handoff {

using base::Address;
using base::AddressRange;
using base::Errc;
using base::Error;
using base::RangeSet;
using base::Result;

/// Where a fact was read, so that the user can look there.
struct Evidence {
    std::string file;      ///< the path on the machine, without the leading slash: "proc/iomem"
    std::size_t line = 0;  ///< counted from 1; 0: the file as a whole
    [[nodiscard]] std::string text() const { return line == 0 ? file : file + ":" + std::to_string(line); }
    friend bool operator==(const Evidence&, const Evidence&) = default;
};

/// The sources that can show a pool. The one that is trusted most comes first.
enum class PoolSource { iomem, memory, log, user };
/// "iomem", "memory", "log", "user".
const char* name(PoolSource);

/// Where one source says that the pool of the running kernel is.
struct PoolSighting {
    AddressRange range;
    PoolSource source = PoolSource::user;
    Evidence where;
    friend bool operator==(const PoolSighting&, const PoolSighting&) = default;
};

/// A pool that a kernel with the patches in kernel/ keeps for some PCI devices alone (swiotlb_dev=). It is none of the
/// sightings of the pool that all other devices share.
struct DevicePool {
    std::string devices;  ///< as the command line names them: "00:04.0", "00:1c.0/00.0;pci:1b36:0010"
    AddressRange range;
    Evidence where;
    friend bool operator==(const DevicePool&, const DevicePool&) = default;
};

/// How the machine's memory is encrypted, from the weakest kind to the strongest. `unknown_kind`: it is encrypted, but
/// no source says how. `unknown`: no source could say whether it is.
enum class Encryption { none, unknown_kind, sme, sev, sev_es, vbs, sev_snp, tdx, unknown };
const char* name(Encryption);

/// What a line of /proc/iomem names, as far as it matters for a pool.
enum class IomemKind {
    system_ram,
    crash_kernel,  ///< the reservation, or one of its two parts
    kernel_image,  ///< code, data or bss of the running kernel
    pool,          ///< the swiotlb pool, which kernels with the patches in kernel/ list
    device_pool,   ///< a pool of single devices; IomemEntry::devices() names them
    other,
};

/// One line of /proc/iomem.
struct IomemEntry {
    base::AddressRange range;  ///< half-open; empty for the "0-0" lines that some drivers leave
    unsigned depth = 0;        ///< nesting, 0 at top level
    std::string name;          ///< "System RAM"
    std::size_t line = 0;      ///< 1-based

    /// Decided by the name alone, at any depth.
    [[nodiscard]] IomemKind kind() const;
    /// Of a device_pool: "00:04.0" of "Software IO TLB 00:04.0". "" of any other.
    [[nodiscard]] std::string_view devices() const;
    friend bool operator==(const IomemEntry&, const IomemEntry&) = default;
};

/// A PCI device that has a driver, and how many bits of an address its driver says that it can use.
struct DmaDevice {
    std::string name;             ///< "0000:00:1f.2"
    std::string driver;           ///< "ahci"
    std::uint32_t pci_class = 0;  ///< 24 bits: base class, subclass, programming interface
    unsigned streaming_bits = 0;  ///< of the streaming DMA mask; what lies beyond it is bounced through the pool
    unsigned coherent_bits = 0;   ///< of the coherent DMA mask; coherent memory is never bounced
    /// It is not a bridge to another bus, and bus mastering is on, so it may write to memory by itself. nullopt: its
    /// configuration space was not read.
    std::optional<bool> masters_bus = std::nullopt;
    friend bool operator==(const DmaDevice&, const DmaDevice&) = default;
};

/// A device of the platform bus that has a driver. sysfs does not say how many bits of an address it can use.
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
    std::uint64_t areas = 0;               ///< into which the kernel divides the pool; 1 up to 5.19
    std::uint64_t moved_areas = 0;         ///< those of them whose search index is not 0 any more
    std::uint64_t slabs_used = 0;          ///< now, by the counts of the areas
    std::uint64_t blank_bytes = 0;         ///< how much from the start of the pool was read and is 0
    std::optional<Address> first_written;  ///< of the first byte that is not 0; nullopt where none was found
    friend bool operator==(const PoolTraces&, const PoolTraces&) = default;
};

/// What else keeps memory across a kexec, or changes a crash kernel that is loaded already.
struct Neighbours {
    /// crashkernel=SIZE,cma (6.17 and later): movable memory that a crash kernel loaded by
    /// kexec_file_load may use as well.
    std::optional<std::uint64_t> cma_bytes;              ///< by the log, which does not say where it is
    std::optional<std::vector<base::AddressRange>> cma;  ///< by sysfs (7.0 and later)
    /// Kexec HandOver's scratch areas (6.16 and later, CONFIG_KEXEC_HANDOVER_DEBUGFS): the
    /// next kernel boots in them. nullopt: there is no KHO, or no source shows it.
    std::optional<std::vector<base::AddressRange>> kho_scratch;
    /// The kernel itself makes the elfcorehdr of a loaded crash kernel anew when memory, or a CPU, is added
    /// or removed (6.6 and later). nullopt: the kernel is older.
    std::optional<bool> memory_crash_hotplug, cpu_crash_hotplug;
    /// Bytes that kexec_load with --hotplug keeps for those headers.
    std::optional<std::uint64_t> crash_elf_headers;
    /// Number of dm-crypt keys that kexec_file_load passes to the crash kernel (6.16 and later); nullopt: none.
    std::optional<std::uint64_t> dm_crypt_keys;
    /// Bytes of IMA's measurement list, where the kernel may pass it on to what kexec_file_load loads.
    std::optional<std::uint64_t> ima_list_bytes;
    friend bool operator==(const Neighbours&, const Neighbours&) = default;
};

/// What the log of the last boot lacks. Only the part is looked at in which the kernel says what a plan needs.
struct LogGaps {
    std::uint64_t not_understood = 0;  ///< lines without a known prefix, where others have one
    std::uint64_t dropped = 0;         ///< messages, as the log itself says
    std::uint64_t of_others = 0;       ///< lines of another machine, mixed with these
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

/// A memory map, and where it was read.
struct MapSighting {
    e820::Table table;
    Evidence where;
    friend bool operator==(const MapSighting&, const MapSighting&) = default;
};

/// Something in which two sources differ, so that they cannot be of the same boot of the same machine.
struct Contradiction {
    std::string text;
    Evidence where;
    friend bool operator==(const Contradiction&, const Contradiction&) = default;
};

/// What a kernel's configuration decides about the memory that it takes before its pool, and about its command line.
/// The default values are those of Debian's kernels 5.10, 6.1, 6.12, 7.2 and 7.3. Where these differ, it is the value
/// with which the kernel takes more memory.
struct KernelConfig {
    /// How the size of the default area for contiguous DMA is chosen: kernel/dma/Kconfig, CMA_SIZE_SEL_*.
    enum class CmaSize { mbytes, percentage, smaller, larger };
    CmaSize cma_size = CmaSize::mbytes;
    std::uint64_t cma_mbytes = 0;      ///< MiB; 0 without CONFIG_DMA_CMA
    std::uint64_t cma_percentage = 0;  ///< of all memory; 0 without CONFIG_DMA_CMA

    bool kasan = false;                  ///< shadows an eighth of memory (arch/x86/mm/kasan_init_64.c, kasan_init())
    bool kmsan = false;                  ///< shadows all of it (mm/kmsan/init.c, kmsan_init_shadow())
    std::uint64_t kfence_objects = 255;  ///< CONFIG_KFENCE_NUM_OBJECTS; 0 without CONFIG_KFENCE
    /// CONFIG_STACKDEPOT_ALWAYS_INIT: the table of stacks is made before the pool (lib/stackdepot.c,
    /// stack_depot_early_init()).
    bool stack_depot = false;
    bool lock_stat = false;  ///< CONFIG_LOCK_STAT: MiB for each CPU (kernel/locking/lockdep.c, cpu_lock_stats)
    /// CONFIG_ACPI_TABLE_OVERRIDE_VIA_BUILTIN_INITRD: the image itself may bring ACPI tables (drivers/acpi/tables.c).
    bool builtin_tables = false;
    /// CONFIG_KEXEC_HANDOVER_ENABLE_DEFAULT: there are scratch areas without kho=on, too.
    bool kexec_handover = false;

    unsigned log_buf_shift = 17;          ///< the kernel's log has 1 << this bytes
    unsigned log_cpu_max_buf_shift = 12;  ///< with many CPUs, each adds 1 << this bytes

    /// Size of the pool that the kernel makes if no swiotlb= gives one, in bytes: CONFIG_SWIOTLB_DEFAULT_SIZE_MB of
    /// Linux 7.3 and later. Before, it was a constant.
    std::uint64_t pool_bytes = 64 * base::MiB;

    std::string command_line;          ///< CONFIG_CMDLINE: it comes before the words of the loader
    bool command_line_alone = false;   ///< CONFIG_CMDLINE_OVERRIDE: the words of the loader are not read
    bool bootconfig_embedded = false;  ///< CONFIG_BOOT_CONFIG_EMBED: the image has words that are not shown
    /// CONFIG_BOOT_CONFIG_FORCE: the words of a bootconfig at the end of the initrd count, also without "bootconfig" on
    /// the command line.
    bool bootconfig_forced = false;

    /// The kernel makes an area for contiguous DMA where no cma= says otherwise (kernel/dma/contiguous.c,
    /// dma_contiguous_reserve()).
    [[nodiscard]] bool has_default_cma() const;

    friend bool operator==(const KernelConfig&, const KernelConfig&) = default;
};

/// What a crash kernel says in its own log: on a serial console, in kexec-dmesg.log, or in the lines of the program
/// that saves the dump. Lines are counted from 1, from the beginning of the whole text.
struct CrashLog {
    /// What ran short, in the order in which they make a dump unlikely.
    enum class Kind {
        no_pool,       ///< it could not make the pool that it wanted
        pool_full,     ///< a transfer found no room in the pool
        unpacking,     ///< the initrd was not unpacked as a whole, since memory ran out
        allocation,    ///< an allocation failed, and the kernel went on
        out_of_memory  ///< a process was killed, or the kernel gave up
    };
    struct Shortage {
        Kind kind = Kind::allocation;
        std::string text;       ///< the first line of this kind, as the kernel wrote it
        std::size_t line = 0;   ///< of it
        std::size_t times = 1;  ///< lines of this kind
        friend bool operator==(const Shortage&, const Shortage&) = default;
    };

    std::string file;                        ///< the file that has it; the caller fills it in
    std::size_t line = 0;                    ///< where its boot begins
    std::uint64_t total_bytes = 0;           ///< RAM that it manages; 0 where no line says so
    std::uint64_t available_bytes = 0;       ///< of that, free when memory management began
    std::uint64_t reserved_bytes = 0;        ///< by the boot before it in the same log; 0 where that is not known
    std::optional<base::AddressRange> pool;  ///< the last one that it has
    std::optional<std::uint64_t> cpus;       ///< that it prepared for
    std::vector<Shortage> shortages;         ///< at most one of a kind, by the line
    bool dump_saved = false;                 ///< a program says that the dump was saved

    friend bool operator==(const CrashLog&, const CrashLog&) = default;
};
/// "no-pool", "pool-full", "initrd-not-unpacked", "allocation-failed", "out-of-memory".
const char* name(CrashLog::Kind);

}  // namespace handoff
#pragma GCC visibility pop
