// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/kernel_log.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "base/scan.hpp"
#include "base/text.hpp"
#include "lib/kernel/constants.hpp"
#include "lib/sources/log_encryption.hpp"
#include "lib/sources/log_reader.hpp"
#include "lib/sources/log_reservation.hpp"

namespace handoff {

using base::Scan;
namespace {

using std::string_view;

/// "[mem START-END]", end inclusive, or the bare "START-END" of kernels up to 3.3, end exclusive.
std::optional<AddressRange> take_range(Scan& scan) {
    const bool inclusive = scan.take("[mem ");
    const auto bounds = take_bounds(scan);
    if (!bounds) return std::nullopt;
    return inclusive ? AddressRange::from_inclusive(bounds->first, bounds->second)
                     : AddressRange::from_bounds(bounds->first, bounds->second);
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

// --- the pool -------------------------------------------------------------------------------------------------

void take_pool(KernelLog& log, const AddressRange& range, std::size_t line) {
    if (log.pool && log.pool->value != range) log.other_pool = log.pool;
    log.pool = Logged<AddressRange>{range, line};
    log.pool_torn_down = false;
}

/// "mapped [mem 0xdbff0000-0xdfff0000] (64MB)" and "[mem 0xca20c000-0xce20c000] (64MB) mapped at […]".
ReadResult read_pool(KernelLog& log, string_view rest, std::size_t line) {
    const auto pool = mapped_pool(rest);
    if (!pool) return Malformed{"'[mem 0xSTART-0xEND] (SIZEMB)' of a swiotlb pool"};
    take_pool(log, *pool, line);
    return fine;
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

/// "", " HVM" or " PV": arch/x86/kernel/cpu/hypervisor.c. A guest whose kernel was started by way of PVH says " HVM".
ReadResult read_xen(KernelLog& log, string_view rest, std::size_t) {
    log.xen = std::max(log.xen, rest.starts_with(" HVM") ? Xen::hvm : rest.empty() ? Xen::unknown_kind : Xen::pv);
    return fine;
}

/// "" of dom0 and of PV guests, " HVM", " PVH": arch/x86/xen and default_banner() in arch/x86/kernel/paravirt.c.
ReadResult read_xen_kernel(KernelLog& log, string_view rest, std::size_t) {
    log.xen = std::max(log.xen, rest.starts_with(" HVM") ? Xen::hvm : Xen::pv);
    return fine;
}

/// In place of the firmware's map, of which e820::parse_log_table() reads all.
ReadResult read_xen_map(KernelLog& log, string_view, std::size_t) {
    log.xen = Xen::pv;
    return fine;
}

// --- that nothing was taken out ---------------------------------------------------------------------------------

/// Lines that every boot has, around where the kernel speaks of encryption, from 3.10 to 7.3: early_irq_init() in
/// kernel/irq/irqdesc.c, pid_idr_init() in kernel/pid.c, mnt_init() in fs/namespace.c, sock_register() in net/socket.c.
template <unsigned which>
ReadResult read_witness(KernelLog& log, string_view, std::size_t) {
    log.witnesses |= 1U << which;
    return fine;
}

/// smp_init() in kernel/smp.c.
ReadResult read_brought_up(KernelLog& log, string_view, std::size_t) {
    log.reaches_initcalls = true;
    return fine;
}

// --- the table ------------------------------------------------------------------------------------------------

constexpr std::array readers{
    LogReader{"Linux version ", read_version, Stage::version},
    LogReader{"Command line: ", read_command_line, Stage::command_line, true},
    LogReader{"BIOS-provided physical RAM map:", nothing_to_read, Stage::map},
    LogReader{"e820: BIOS-provided physical RAM map:", nothing_to_read, Stage::map},
    LogReader{"software IO TLB: mapped [mem", read_pool},
    LogReader{"software IO TLB [mem", read_pool},
    LogReader{"software IO TLB at phys ", read_pool_at_phys},
    LogReader{"software IO TLB: tearing down default memory pool", read_teardown},
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
    LogReader{"Hypervisor detected: Xen", read_xen},
    LogReader{"Booting paravirtualized kernel on Xen", read_xen_kernel},
    LogReader{"Booting paravirtualized kernel with PVH extensions on Xen", read_xen_kernel},
    LogReader{"Booting kernel on Xen", read_xen_kernel},
    LogReader{"Xen: [mem ", read_xen_map},
    LogReader{"Initmem setup node ", read_node},
    LogReader{"ACPI: SRAT: ", read_srat},
    LogReader{"SRAT: ", read_srat},
    LogReader{"smpboot: Allowing ", read_cpus},
    LogReader{"SMP: Allowing ", read_cpus},
    LogReader{"CPU topo: Allowing ", read_cpus},
    LogReader{"smp: Brought up ", read_brought_up},
    LogReader{"NR_IRQS:", read_witness<0>},
    LogReader{"pid_max: default: ", read_witness<1>},
    LogReader{"Mount-cache hash table entries: ", read_witness<2>},
    LogReader{"NET: Registered ", read_witness<3>},
    LogReader{whole_log_mark, says<&KernelLog::captured_whole>},
    LogReader{"PCI-DMA: Using software bounce buffering", read_put_to_use},
    LogReader{"PCI-DMA: ", says<&KernelLog::reaches_initcalls>},
    LogReader{"Freeing initrd memory", says<&KernelLog::reaches_initcalls>},
    LogReader{"Freeing unused kernel ", says<&KernelLog::reaches_initcalls>},
};

}  // namespace

std::optional<AddressRange> mapped_pool(string_view rest) {
    Scan scan(rest);
    scan.take(" ");
    const auto bounds = take_bounds(scan);
    if (!bounds) return std::nullopt;
    const auto mib = take_mib(scan, "] (", "MB)");
    for (const auto& range : {AddressRange::from_bounds(bounds->first, bounds->second),
                              AddressRange::from_inclusive(bounds->first, bounds->second)})
        if (range && !range->empty() && range->size() / base::MiB == mib && range->size() % slab_size == 0)
            return range;
    return std::nullopt;
}

const LogReader* reader_of(string_view line) {
    const auto reads = [&](const LogReader& reader) { return line.starts_with(reader.prefix); };
    for (const std::span<const LogReader> rows : {std::span<const LogReader>(readers), encryption_readers(),
                                                  reservation_readers(), reservation_failure_readers()}) {
        const auto row = std::find_if(rows.begin(), rows.end(), reads);
        if (row != rows.end()) return &*row;
    }
    return nullptr;
}

namespace {

// Two of the lines that nobody looks for are there.
bool nothing_was_taken_out(const KernelLog& log) {
    return log.captured_whole || (log.witnesses & (log.witnesses - 1)) != 0;
}

}  // namespace

bool shows_everything(const KernelLog& log) {
    return log.complete && log.reaches_initcalls && nothing_was_taken_out(log) && !log.gaps.any();
}

Encryption encryption_of(const KernelLog& log) {
    if (log.encryption) return log.encryption->value;
    return shows_everything(log) ? Encryption::none : Encryption::unknown;
}

bool is_known_log_line(string_view line) { return reader_of(line) != nullptr; }

}  // namespace handoff
