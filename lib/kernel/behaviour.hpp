// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace handoff {

// What kernels and kexec-tools of different versions do differently, where nothing but the version tells. Whatever the
// machine shows by itself (BTF, symbols, the image's announcements) is not here.

/// The kernel rounds the slab count of its pool up to a power of two (kernel/dma/swiotlb.c, round_up_default_nslabs(),
/// Linux 6.0 and later). A release that was not tested may: distributions take such changes into older kernels. Where a
/// kernel's BTF is there it tells better (PoolLayout::areas).
bool rounds_slabs_up(std::string_view release);

/// The kernel that finds no place for its pool takes half of it, and half of that, down to smallest_pool_size
/// (kernel/dma/swiotlb.c, swiotlb_init_remap(), seen in 6.1 and later). 5.10 has all of its pool or none
/// (swiotlb_init()). An older or unknown release may be as that.
bool halves_pool(std::string_view release);

/// The kernel counts the most slabs ever in use only with swiotlb=track_hiwater (kernel/dma/swiotlb.c,
/// setup_io_tlb_npages(); Linux commit 121f9fd1c308 (in v7.3)).
bool counts_hiwater_on_request(std::string_view release);

/// The kernel reads the parts of swiotlb= by how they begin: "forced" is "force", and "track_hiwater" may follow
/// (kernel/dma/swiotlb.c, setup_io_tlb_npages(), Linux 7.3 and later). Before, "force" and "noforce" had to be all that
/// is left of the word. nullopt of an unknown release.
std::optional<bool> reads_swiotlb_by_prefix(std::string_view release);

/// The kernel shows in sysfs which PCI devices are behind an external-facing port
/// (drivers/pci/probe.c, pci_set_removable(): 5.14 and later; seen in 6.1, not in 5.10): one without the file is not.
/// Not of an unknown release.
bool shows_removable_devices(std::string_view release);

/// crashkernel=SIZE, without ",high", gets memory below 896 MiB or none (arch/x86/kernel/setup.c, CRASH_ADDR_LOW_MAX,
/// before Linux commit 9ca5c8e632ce ("x86/kdump: Have crashkernel=X reserve under 4G by default") (in v5.2)). Not of an
/// unknown release.
bool reserves_below_896_mib(std::string_view release);

/// kexec_file_load of this kernel takes KEXEC_FILE_DEBUG, which kexec-tools 2.0.28 and later ask for with -d (Linux 6.8
/// and later). An unknown release does: otherwise kexec fails, and is run again without.
bool takes_file_debug(std::string_view release);

/// kexec_file_load of this kernel passes IMA's measurement list on to a crash kernel, too, where it has
/// CONFIG_IMA_KEXEC (security/integrity/ima/ima_kexec.c, ima_add_kexec_buffer(): 6.1 does, 7.2 does not). In between it
/// may.
bool passes_ima_list(std::string_view release);

/// kexec_file_load of this kernel passes no Kexec HandOver on to a crash kernel (Linux commit a6715d7ec472 ("kho: skip
/// KHO for crash kernel"), seen in 7.2).
bool keeps_handover_from_crash_kernel(std::string_view release);

/// As a kdump kernel it makes no scratch areas of its own (kernel/liveupdate/kexec_handover.c, kho_memory_init(), seen
/// in 7.3).
bool makes_no_handover_in_kdump(std::string_view release);

/// N of kexec-tools 2.0.N; nullopt for another version, which is newer.
std::optional<std::uint64_t> kexec_tools_release(std::string_view version);

/// kexec-tools passes a random seed in setup_data on machines without EFI, too (setup_rng_seed(), 2.0.25 and later).
/// `version` is that of kexec-tools, "2.0.25".
bool passes_random_seed(std::string_view version);

}  // namespace handoff
