// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <span>
#include <string_view>

namespace handoff {

/// Everything of a machine that is ever read, in the order of sources(). What a distribution installs is not among it:
/// those paths stand in the rows of kdump_services().
enum class Source {
    iomem,
    command_line,
    version,
    release,
    cpuinfo,
    kernel_log,  ///< of the running machine dev/kmsg
    kallsyms,
    kcore,
    btf,
    firmware_map,  ///< a directory
    slabs,
    slabs_used,
    slabs_hiwater,
    crash_size,
    crash_loaded,
    possible_cpus,
    memory_nodes,
    possible_nodes,
    lockdown,
    load_limit,
    next_load_limit,
    hypervisor,
    xen_guest,         ///< which kind of Xen's guests it is; 4.13 and later
    efi,               ///< a file that is there on EFI machines only
    efi_runtime_map,   ///< its first entry; not there with efi=noruntime
    snp_platform,      ///< a directory that is there in SEV-SNP guests only
    srat,              ///< ACPI's table, as the firmware made it
    pci_devices,       ///< a directory
    platform_devices,  ///< a directory
    iommu_groups,      ///< a directory
    page_flags,        ///< 8 bytes for each page of memory (Documentation/admin-guide/mm/pagemap.rst)
    memory_use,        ///< of which one line is read: HardwareCorrupted
    cma_ranges,
    cma_ranges_flat,  ///< the same, as the patches before 7.0 had it
    kho_scratch_addresses,
    kho_scratch_sizes,
    memory_crash_hotplug,
    cpu_crash_hotplug,
    crash_elf_headers,  ///< bytes that kexec --hotplug keeps for the ELF headers; 6.6 and later
    dm_crypt_keys,      ///< how many keys of dm-crypt the crash kernel gets; 6.16 and later
    ima_measurements,   ///< IMA's list, as kexec_file_load passes it on
    boot_config,        ///< the kernel's configuration, as it is installed
    modules_config,     ///< the same (Fedora, openSUSE; Debian from 7.2 on)
    running_config,     ///< of the running kernel, compressed (CONFIG_IKCONFIG_PROC)
    modules,            ///< that the running kernel has loaded
    load_record,        ///< what the last load of a crash kernel was: swiotlb-handoff-record(5)
    os_release,         ///< which distribution it is: os-release(5)
    pool_traces,        ///< of a captured machine: what its pool's memory told
    not_permitted,      ///< of a captured machine: the paths that could not be read there, a line each
};

/// What a capture keeps of a source.
enum class Kept {
    whole,             ///< the file as it is
    whole_if_shown,    ///< the same, unless the kernel hid what is in it
    plain_words,       ///< a command line; of words that may name the machine only the keys: redacted_command_line()
    release_in_it,     ///< the kernel's banner up to the release
    first_processor,   ///< vendor and flags of the first processor
    lines_that_count,  ///< of the kernel log what somebody reads: redacted_log()
    without_makers,    ///< an ACPI table without the names in its header
    presence,          ///< that it is there
    size_alone,        ///< as many zeros
    entries,           ///< the entries of /sys/firmware/memmap
    pci_drivers,  ///< of each PCI device: driver, class, masks, whether bus mastering is on, and whether it is outside
    platform_drivers,    ///< of each platform device with a driver: which
    reserved_regions,    ///< of each group of an IOMMU: what is reserved for its devices
    pool_content,        ///< a few numbers instead of the memory: PoolTraces
    pool_in_memory,      ///< what tells where the pool is; of kallsyms and btf, the part that this takes
    options_that_count,  ///< of a configuration the options that are read: reduced_kernel_config()
    nothing,             ///< it is the distribution's or ours, not the kernel's, or of use beside an initrd alone
};

struct SourceInfo {
    Source id;
    std::string_view path;  ///< without the leading slash; in a captured directory and, but for the log, on the machine
                            ///< itself; "{}" stands for the kernel's release
    Kept kept;
};

std::span<const SourceInfo> sources();
const SourceInfo& info(Source);

}  // namespace handoff
