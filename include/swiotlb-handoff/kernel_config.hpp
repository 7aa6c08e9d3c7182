// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>

#include "swiotlb-handoff/range.hpp"

namespace handoff {

/// What a kernel's configuration decides about memory that it takes before its pool, and about its command line. The
/// values here are those of Debian's kernels of 5.10, 6.1, 6.12, 7.2 and 7.3; where these differ, the one that takes
/// more memory.
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
    /// CONFIG_KEXEC_HANDOVER_ENABLE_DEFAULT: scratch areas also without kho=on.
    bool kexec_handover = false;

    unsigned log_buf_shift = 17;          ///< the kernel's log has 1 << this bytes
    unsigned log_cpu_max_buf_shift = 12;  ///< where there are many CPUs, each adds 1 << this bytes

    /// Of the pool that the kernel makes where nobody says how large, bytes: CONFIG_SWIOTLB_DEFAULT_SIZE_MB, Linux 7.3
    /// and later. Before, a constant.
    std::uint64_t pool_bytes = 64 * base::MiB;

    std::string command_line;          ///< CONFIG_CMDLINE: stands in front of what the loader says
    bool command_line_alone = false;   ///< CONFIG_CMDLINE_OVERRIDE: what the loader says is not read
    bool bootconfig_embedded = false;  ///< CONFIG_BOOT_CONFIG_EMBED: the image has words that nobody sees
    /// CONFIG_BOOT_CONFIG_FORCE: the words of a bootconfig at the end of the initrd count, also without "bootconfig" on
    /// the command line.
    bool bootconfig_forced = false;

    /// The kernel makes an area for contiguous DMA where no cma= says otherwise (kernel/dma/contiguous.c,
    /// dma_contiguous_reserve()).
    [[nodiscard]] bool has_default_cma() const;

    friend bool operator==(const KernelConfig&, const KernelConfig&) = default;
};

}  // namespace handoff
