// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/kernel_log.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/excerpt.hpp"
#include "base/scan.hpp"
#include "base/text.hpp"
#include "e820/log_line.hpp"
#include "lib/kernel/constants.hpp"
#include "lib/sources/log_encryption.hpp"
#include "lib/sources/log_gaps.hpp"
#include "lib/sources/log_reader.hpp"

namespace handoff {

using base::Scan;
namespace {

using std::string_view;

/// "START-END" or "START - END" in hexadecimal.
std::optional<std::pair<Address, Address>> take_bounds(Scan& scan) {
    const auto start = scan.hex();
    const bool dash = scan.take("-") || scan.take(" - ");
    const auto end = dash ? scan.hex() : std::nullopt;
    if (!start || !end) return std::nullopt;
    return std::pair(*start, *end);
}

/// "[mem START-END]", end inclusive, or the bare "START-END" of kernels up to 3.3, end exclusive.
std::optional<AddressRange> take_range(Scan& scan) {
    const bool inclusive = scan.take("[mem ");
    const auto bounds = take_bounds(scan);
    if (!bounds) return std::nullopt;
    return inclusive ? AddressRange::from_inclusive(bounds->first, bounds->second)
                     : AddressRange::from_bounds(bounds->first, bounds->second);
}

/// The whole MiB that stand behind a range.
std::optional<std::uint64_t> take_mib(Scan& scan, string_view open, string_view close) {
    if (!scan.take(open)) return std::nullopt;
    const auto mib = scan.decimal();
    return scan.take(close) ? mib : std::nullopt;
}

// --- the boot -------------------------------------------------------------------------------------------------

ReadResult read_version(KernelLog& log, string_view rest, std::size_t line) {
    log.release = Logged<std::string>{std::string(rest.substr(0, rest.find(' '))), line};
    return fine;
}

ReadResult read_command_line(KernelLog& log, string_view rest, std::size_t line) {
    // A record of printk holds 1024 bytes less its prefix (kernel/printk/printk.c, LOG_LINE_MAX);
    // what is longer is cut without a word.
    constexpr std::size_t shortest_cut = 960;
    log.command_line = Logged<std::string>{std::string(rest), line};
    log.command_line_cut = rest.size() >= shortest_cut;
    return fine;
}

ReadResult nothing_to_read(KernelLog&, string_view, std::size_t) { return fine; }

/// A line that says one thing by being there.
template <bool KernelLog::*what>
ReadResult says(KernelLog& log, string_view, std::size_t) {
    log.*what = true;
    return fine;
}

// --- the pool -------------------------------------------------------------------------------------------------

void take_pool(KernelLog& log, const AddressRange& range, std::size_t line) {
    if (log.pool && log.pool->value != range) log.other_pool = log.pool;
    log.pool = Logged<AddressRange>{range, line};
    log.pool_torn_down = false;
}

/// "mapped [mem 0xdbff0000-0xdfff0000] (64MB)" and "[mem 0xca20c000-0xce20c000] (64MB) mapped at […]".
/// swiotlb_print_info() in kernel/dma/swiotlb.c prints the first byte behind the pool as
/// its end; some kernels of the second form print the last byte. The size tells.
ReadResult read_pool(KernelLog& log, string_view rest, std::size_t line) {
    constexpr Malformed expected{"'[mem 0xSTART-0xEND] (SIZEMB)' of a swiotlb pool"};
    Scan scan(rest);
    scan.take(" ");
    const auto bounds = take_bounds(scan);
    if (!bounds) return expected;
    const auto mib = take_mib(scan, "] (", "MB)");
    for (const auto& range : {AddressRange::from_bounds(bounds->first, bounds->second),
                              AddressRange::from_inclusive(bounds->first, bounds->second)}) {
        if (!range || range->empty() || range->size() / base::MiB != mib || range->size() % slab_size != 0) continue;
        take_pool(log, *range, line);
        return fine;
    }
    return expected;
}

/// "0x20000000 - 0x24000000", up to 3.3, end exclusive. Its first line, "Placing 64MB software
/// IO TLB between …", has virtual addresses.
ReadResult read_pool_at_phys(KernelLog& log, string_view rest, std::size_t line) {
    Scan scan(rest);
    const auto bounds = take_bounds(scan);
    const auto range = bounds ? AddressRange::from_bounds(bounds->first, bounds->second) : std::nullopt;
    if (!range || range->empty()) return Malformed{"'software IO TLB at phys 0xSTART - 0xEND'"};
    take_pool(log, *range, line);
    return fine;
}

ReadResult read_teardown(KernelLog& log, string_view, std::size_t) {
    log.pool.reset();
    log.other_pool.reset();
    log.pool_put_to_use = false;
    log.pool_torn_down = true;
    log.reaches_initcalls = true;  // pci_iommu_init() in arch/x86/kernel/pci-dma.c
    return fine;
}

/// The other branch of the same function.
ReadResult read_put_to_use(KernelLog& log, string_view, std::size_t) {
    log.pool_put_to_use = true;
    log.reaches_initcalls = true;
    return fine;
}

// --- the crash kernel -----------------------------------------------------------------------------------------

/// "130MB of memory at 48MB for crashkernel (System RAM: 17408MB)" and "72MB of low memory
/// at 2016MB for crashkernel (…)": reserve_crashkernel() and reserve_crashkernel_low() in
/// arch/x86/kernel/setup.c up to 6.7.
ReadResult read_reserving(KernelLog& log, string_view rest, std::size_t line) {
    constexpr Malformed expected{"'Reserving SIZEMB of memory at STARTMB for crashkernel'"};
    constexpr std::uint64_t most_mib = ~std::uint64_t{0} / base::MiB;
    Scan scan(rest);
    const auto size = scan.decimal();
    if (!size || !scan.take("MB of ")) return fine;
    const bool low = scan.take("low ");
    if (!scan.take("memory at ")) return fine;
    const auto start = scan.decimal();
    if (!start || !scan.take("MB for crashkernel")) return expected;
    if (*start > most_mib || *size > most_mib || *size == 0) return expected;
    const auto range = AddressRange::from_size(*start * base::MiB, *size * base::MiB);
    if (!range) return expected;
    (low ? log.crash_kernel_low : log.crash_kernel) = Logged<AddressRange>{*range, line};
    return fine;
}

/// "0x000000009f000000 - 0x00000000bf000000 (512 MB)", end exclusive: reserve_crashkernel_generic()
/// in kernel/crash_reserve.c, 6.8 and later.
ReadResult take_reserved(std::optional<Logged<AddressRange>>& to, string_view rest, std::size_t line) {
    constexpr Malformed expected{"'crashkernel reserved: 0xSTART - 0xEND (SIZE MB)'"};
    Scan scan(rest);
    const auto bounds = take_bounds(scan);
    const auto range = bounds ? AddressRange::from_bounds(bounds->first, bounds->second) : std::nullopt;
    if (!range || range->empty() || take_mib(scan, " (", " MB)") != range->size() / base::MiB) return expected;
    to = Logged<AddressRange>{*range, line};
    return fine;
}
ReadResult read_reserved(KernelLog& log, string_view rest, std::size_t line) {
    return take_reserved(log.crash_kernel, rest, line);
}
ReadResult read_low_reserved(KernelLog& log, string_view rest, std::size_t line) {
    return take_reserved(log.crash_kernel_low, rest, line);
}

/// "64 MB in 1 ranges", and "512 MB requested, 256 MB reserved in 2 ranges" where it got a part only:
/// reserve_crashkernel_cma() in kernel/crash_reserve.c, 6.17 and later.
ReadResult take_cma(KernelLog& log, string_view rest, std::size_t line, string_view end) {
    Scan scan(rest);
    const auto mib = scan.decimal();
    if (!mib || !scan.take(end) || *mib > ~std::uint64_t{0} / base::MiB) {
        return Malformed{"'SIZE MB' of crashkernel CMA and 'in COUNT ranges'"};
    }
    log.crash_cma = Logged<std::uint64_t>{*mib * base::MiB, line};
    return fine;
}
ReadResult read_cma(KernelLog& log, string_view rest, std::size_t line) { return take_cma(log, rest, line, " MB in "); }
ReadResult read_cma_in_part(KernelLog& log, string_view rest, std::size_t line) {
    Scan scan(rest);
    if (!scan.decimal() || !scan.take(" MB requested, ")) return Malformed{"'SIZE MB requested, SIZE MB reserved'"};
    return take_cma(log, scan.rest(), line, " MB reserved in ");
}

// --- the machine ----------------------------------------------------------------------------------------------

/// "[mem 0x7969b000-0x7a7ddfff]", and "7f6ac000 - 7ffff000" up to 3.3. Later
/// "RAMDISK: gzip image found at block 0" comes from init/do_mounts_rd.c.
ReadResult read_ramdisk(KernelLog& log, string_view rest, std::size_t line) {
    Scan scan(rest);
    const auto range = take_range(scan);
    if (!range && !rest.starts_with("[mem ")) return fine;
    if (!range) return Malformed{"'RAMDISK: [mem 0xSTART-0xEND]'"};
    log.initrd = Logged<AddressRange>{*range, line};
    return fine;
}

/// "0 [mem 0x0000000000001000-0x000000013fffffff]": free_area_init_node() in mm. A node without
/// memory is "0 as memoryless", or 0x0-0x0 before 5.18.
ReadResult read_node(KernelLog& log, string_view rest, std::size_t line) {
    Scan scan(rest);
    if (!scan.decimal() || !scan.take(" [mem ")) return fine;
    const auto bounds = take_bounds(scan);
    if (!bounds) return Malformed{"'Initmem setup node N [mem 0xSTART-0xEND]'"};
    if (bounds->second == 0) return fine;
    log.memory_nodes = Logged<unsigned>{log.memory_nodes ? log.memory_nodes->value + 1 : 1, line};
    return fine;
}

/// "Node 1 PXM 1 [mem 0x100000000-0x27fffffff] hotplug": acpi_numa_memory_affinity_init() in
/// drivers/acpi/numa/srat.c. "PXM 0 -> APIC 0x00 -> Node 0" begins alike.
ReadResult read_srat(KernelLog& log, string_view rest, std::size_t line) {
    Scan scan(rest);
    if (!scan.take("Node ") || !scan.decimal() || !scan.take(" PXM ") || !scan.decimal()) return fine;
    if (!scan.take(" ")) return fine;
    const auto range = take_range(scan);
    if (!range) return Malformed{"'SRAT: Node N PXM N [mem 0xSTART-0xEND]'"};
    if (!log.srat_memory_end || log.srat_memory_end->value < range->end()) {
        log.srat_memory_end = Logged<Address>{range->end(), line};
    }
    return fine;
}

/// "2 CPUs, 0 hotplug CPUs", and "2 present CPUs plus 0 hotplug CPUs" of 6.9 and later.
ReadResult read_cpus(KernelLog& log, string_view rest, std::size_t line) {
    Scan scan(rest);
    const auto present = scan.decimal();
    if (!scan.take(" CPUs, ") && !scan.take(" present CPUs plus ")) return fine;
    const auto hotplug = scan.decimal();
    constexpr std::uint64_t most = 1 << 20;
    if (!present || !hotplug || *present > most || *hotplug > most) return Malformed{"a number of CPUs"};
    log.possible_cpus = Logged<unsigned>{static_cast<unsigned>(*present + *hotplug), line};
    return fine;
}

// --- that nothing was taken out ---------------------------------------------------------------------------------

/// "1928908K/3145168K available (…)": mem_init_print_info() in mm/, which start_kernel() calls by way of mem_init().
ReadResult read_memory(KernelLog& log, string_view rest, std::size_t) {
    Scan scan(rest);
    const bool sizes = scan.decimal() && (scan.take("K/") || scan.take("k/")) && scan.decimal();
    if (sizes) log.has_witness = true;
    return fine;
}

/// smp_init() in kernel/smp.c.
ReadResult read_brought_up(KernelLog& log, string_view, std::size_t) {
    log.has_witness = true;
    log.reaches_initcalls = true;
    return fine;
}

// --- the table ------------------------------------------------------------------------------------------------

constexpr std::array readers{
    LogReader{"Linux version ", read_version, Stage::version},
    LogReader{"Command line: ", read_command_line, Stage::command_line},
    LogReader{"BIOS-provided physical RAM map:", nothing_to_read, Stage::map},
    LogReader{"e820: BIOS-provided physical RAM map:", nothing_to_read, Stage::map},
    LogReader{"software IO TLB: mapped [mem", read_pool},
    LogReader{"software IO TLB [mem", read_pool},
    LogReader{"software IO TLB at phys ", read_pool_at_phys},
    LogReader{"software IO TLB: tearing down default memory pool", read_teardown},
    LogReader{"Reserving ", read_reserving},
    LogReader{"crashkernel reserved: ", read_reserved},
    LogReader{"crashkernel low memory reserved: ", read_low_reserved},
    LogReader{"crashkernel CMA reserved: ", read_cma},
    LogReader{"crashkernel CMA reservation failed: ", read_cma_in_part},
    LogReader{"RAMDISK: ", read_ramdisk},
    // arm and arm64, RISC-V, and what PowerPC and s390 begin with.
    LogReader{"Booting Linux on physical CPU ", says<&KernelLog::other_architecture>, Stage::before_version},
    LogReader{"Machine model: ", says<&KernelLog::other_architecture>},
    LogReader{"SBI specification ", says<&KernelLog::other_architecture>},
    LogReader{"Using pSeries machine description", says<&KernelLog::other_architecture>},
    LogReader{"Linux is running natively in 64-bit mode", says<&KernelLog::other_architecture>},
    LogReader{"Linux is running under z/VM", says<&KernelLog::other_architecture>},
    LogReader{"efi: EFI v", says<&KernelLog::efi>},
    LogReader{"EFI v", says<&KernelLog::efi>},
    LogReader{"Hypervisor detected: Xen", says<&KernelLog::xen>},
    LogReader{"Booting paravirtualized kernel on Xen", says<&KernelLog::xen>},
    LogReader{"Initmem setup node ", read_node},
    LogReader{"ACPI: SRAT: ", read_srat},
    LogReader{"SRAT: ", read_srat},
    LogReader{"smpboot: Allowing ", read_cpus},
    LogReader{"SMP: Allowing ", read_cpus},
    LogReader{"CPU topo: Allowing ", read_cpus},
    LogReader{"smp: Brought up ", read_brought_up},
    LogReader{"Memory: ", read_memory},
    LogReader{"Freeing SMP alternatives memory", says<&KernelLog::has_witness>},
    LogReader{"PCI-DMA: Using software bounce buffering", read_put_to_use},
    LogReader{"PCI-DMA: ", says<&KernelLog::reaches_initcalls>},
    LogReader{"Freeing initrd memory", says<&KernelLog::reaches_initcalls>},
    LogReader{"Freeing unused kernel ", says<&KernelLog::reaches_initcalls>},
};

const LogReader* reader_of(string_view line) {
    const auto reads = [&](const LogReader& reader) { return line.starts_with(reader.prefix); };
    const auto found = std::find_if(readers.begin(), readers.end(), reads);
    if (found != readers.end()) return found;
    const auto rows = encryption_readers();
    const auto row = std::find_if(rows.begin(), rows.end(), reads);
    return row == rows.end() ? nullptr : &*row;
}

}  // namespace

Result<KernelLog> parse_kernel_log(string_view text) {
    KernelLog log;
    Stage stage = Stage::later;
    bool prefixed = false;  // the lines of this boot have something in front
    LogGaps gaps;           // since the last boot began, in a log whose lines are prefixed
    e820::LogLines lines(text);
    while (const auto line = lines.next()) {
        const LogReader* reader = reader_of(line->text);
        const bool early = !log.reaches_initcalls;
        if (early || !line->text.starts_with('*')) gaps.dropped += messages_dropped(line->text);
        if (early && !reader && is_not_understood(*line)) ++gaps.not_understood;
        if (!reader) continue;
        const bool begins = reader->stage != Stage::later && (log.boots == 0 || reader->stage <= stage);
        if (begins || log.boots == 0) {
            const unsigned boots = log.boots + 1;
            // What stands before its first line is no part of a boot; before another, it may have been the first.
            if (reader->stage <= Stage::version || !early) gaps = {};
            log = KernelLog{};
            log.boots = boots;
            log.first_line = line->number;
            log.complete = begins;
            prefixed = line->prefixed;
        }
        stage = reader->stage;
        if (const auto malformed = reader->read(log, line->text.substr(reader->prefix.size()), line->number)) {
            return base::input_error(
                line->number, base::text("expected ", malformed->expected, ", found ", base::excerpt(line->text)));
        }
    }
    settle_encryption(log);
    log.gaps = gaps;
    if (!prefixed) log.gaps.not_understood = 0;
    return log;
}

bool shows_everything(const KernelLog& log) {
    return log.complete && log.reaches_initcalls && log.has_witness && !log.gaps.any();
}

Encryption encryption_of(const KernelLog& log) {
    if (log.encryption) return log.encryption->value;
    return shows_everything(log) ? Encryption::none : Encryption::unknown;
}

bool is_known_log_line(string_view line) { return reader_of(line) != nullptr; }

}  // namespace handoff
