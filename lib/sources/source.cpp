// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/source.hpp"

#include <array>
#include <cstddef>

namespace handoff {
namespace {

constexpr std::array table{
    SourceInfo{Source::iomem, "proc/iomem", Kept::whole_if_shown},
    SourceInfo{Source::command_line, "proc/cmdline", Kept::plain_words},
    SourceInfo{Source::version, "proc/version", Kept::release_in_it},
    SourceInfo{Source::release, "proc/sys/kernel/osrelease", Kept::whole},
    SourceInfo{Source::cpuinfo, "proc/cpuinfo", Kept::first_processor},
    SourceInfo{Source::kernel_log, "dmesg", Kept::lines_that_count},
    SourceInfo{Source::kallsyms, "proc/kallsyms", Kept::pool_in_memory},
    SourceInfo{Source::kcore, "proc/kcore", Kept::pool_in_memory},
    SourceInfo{Source::btf, "sys/kernel/btf/vmlinux", Kept::pool_in_memory},
    SourceInfo{Source::firmware_map, "sys/firmware/memmap", Kept::entries},
    SourceInfo{Source::slabs, "sys/kernel/debug/swiotlb/io_tlb_nslabs", Kept::whole},
    SourceInfo{Source::slabs_used, "sys/kernel/debug/swiotlb/io_tlb_used", Kept::whole},
    SourceInfo{Source::slabs_hiwater, "sys/kernel/debug/swiotlb/io_tlb_used_hiwater", Kept::whole},
    SourceInfo{Source::crash_size, "sys/kernel/kexec_crash_size", Kept::whole},
    SourceInfo{Source::crash_loaded, "sys/kernel/kexec_crash_loaded", Kept::whole},
    SourceInfo{Source::possible_cpus, "sys/devices/system/cpu/possible", Kept::whole},
    SourceInfo{Source::memory_nodes, "sys/devices/system/node/has_memory", Kept::whole},
    SourceInfo{Source::possible_nodes, "sys/devices/system/node/possible", Kept::whole},
    SourceInfo{Source::lockdown, "sys/kernel/security/lockdown", Kept::whole},
    SourceInfo{Source::load_limit, "proc/sys/kernel/kexec_load_limit_panic", Kept::whole},
    SourceInfo{Source::next_load_limit, "proc/sys/kernel/kexec_load_limit_reboot", Kept::whole},
    SourceInfo{Source::hypervisor, "sys/hypervisor/type", Kept::whole},
    SourceInfo{Source::xen_guest, "sys/hypervisor/guest_type", Kept::whole},
    SourceInfo{Source::efi, "sys/firmware/efi/fw_platform_size", Kept::whole},
    SourceInfo{Source::efi_runtime_map, "sys/firmware/efi/runtime-map/0/type", Kept::whole},
    SourceInfo{Source::snp_platform, "sys/devices/platform/sev-guest", Kept::presence},
    SourceInfo{Source::srat, "sys/firmware/acpi/tables/SRAT", Kept::without_makers},
    SourceInfo{Source::pci_devices, "sys/bus/pci/devices", Kept::pci_drivers},
    SourceInfo{Source::platform_devices, "sys/bus/platform/devices", Kept::platform_drivers},
    SourceInfo{Source::iommu_groups, "sys/kernel/iommu_groups", Kept::reserved_regions},
    SourceInfo{Source::page_flags, "proc/kpageflags", Kept::nothing},
    SourceInfo{Source::memory_use, "proc/meminfo", Kept::nothing},
    SourceInfo{Source::cma_ranges, "sys/kernel/kexec/crash_cma_ranges", Kept::whole},
    SourceInfo{Source::cma_ranges_flat, "sys/kernel/kexec_crash_cma_ranges", Kept::whole},
    SourceInfo{Source::kho_scratch_addresses, "sys/kernel/debug/kho/out/scratch_phys", Kept::whole},
    SourceInfo{Source::kho_scratch_sizes, "sys/kernel/debug/kho/out/scratch_len", Kept::whole},
    SourceInfo{Source::memory_crash_hotplug, "sys/devices/system/memory/crash_hotplug", Kept::whole},
    SourceInfo{Source::cpu_crash_hotplug, "sys/devices/system/cpu/crash_hotplug", Kept::whole},
    SourceInfo{Source::crash_elf_headers, "sys/kernel/crash_elfcorehdr_size", Kept::whole},
    SourceInfo{Source::dm_crypt_keys, "sys/kernel/config/crash_dm_crypt_keys/count", Kept::whole},
    SourceInfo{Source::ima_measurements, "sys/kernel/security/ima/binary_runtime_measurements", Kept::size_alone},
    SourceInfo{Source::boot_config, "boot/config-{}", Kept::options_that_count},
    SourceInfo{Source::modules_config, "lib/modules/{}/config", Kept::options_that_count},
    SourceInfo{Source::running_config, "proc/config.gz", Kept::options_that_count},
    SourceInfo{Source::modules, "proc/modules", Kept::nothing},
    SourceInfo{Source::load_record, "run/swiotlb-handoff/record.json", Kept::nothing},
    SourceInfo{Source::os_release, "etc/os-release", Kept::nothing},
    SourceInfo{Source::pool_traces, "swiotlb-handoff/pool-traces", Kept::pool_content},
    SourceInfo{Source::not_permitted, "swiotlb-handoff/not-permitted", Kept::nothing},
};

constexpr bool has_a_row_for_each() {
    for (std::size_t i = 0; i < table.size(); ++i)
        if (table[i].id != static_cast<Source>(i)) return false;
    return table.back().id == Source::not_permitted;  // the last one
}
static_assert(has_a_row_for_each(), "one row for each source, in the order of the enumeration");

}  // namespace

std::span<const SourceInfo> sources() { return table; }

const SourceInfo& info(Source source) { return table[static_cast<std::size_t>(source)]; }

}  // namespace handoff
