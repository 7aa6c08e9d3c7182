// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "e820/range.hpp"
#include "e820/result.hpp"

namespace handoff {

/// What else claims memory over kexec, or changes what the crash kernel is told while it is loaded.
struct Neighbours {
    /// crashkernel=SIZE,cma (6.17 and later): movable memory that a crash kernel loaded by
    /// kexec_file_load may use as well.
    std::optional<std::uint64_t> cma_bytes;                  ///< of the log; "in N ranges", not where
    std::optional<std::vector<e820::AddressRange>> cma;      ///< of sysfs (7.0 and later)
    /// Kexec HandOver's scratch areas (6.16 and later, CONFIG_KEXEC_HANDOVER_DEBUGFS): where a
    /// kernel that takes over boots from. nullopt: there is no KHO, or nobody can see it.
    std::optional<std::vector<e820::AddressRange>> kho_scratch;
    /// The kernel itself rebuilds the elfcorehdr of a loaded crash kernel when memory, or CPUs, come
    /// and go (6.6 and later). nullopt: older.
    std::optional<bool> memory_crash_hotplug, cpu_crash_hotplug;
    friend bool operator==(const Neighbours&, const Neighbours&) = default;
};

/// /sys/kernel/kexec/crash_cma_ranges: "START-END" lines, end inclusive (kernel/kexec_core.c,
/// crash_cma_ranges_show()). Input error: another line.
e820::Result<std::vector<e820::AddressRange>> parse_cma_ranges(std::string_view text);

/// debugfs' kho/out/scratch_phys and scratch_len: a number with 0x on each line, as many in both
/// (kernel/liveupdate/kexec_handover_debugfs.c).
e820::Result<std::vector<e820::AddressRange>> parse_kho_scratch(std::string_view addresses, std::string_view sizes);

}  // namespace handoff
