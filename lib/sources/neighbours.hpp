// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "swiotlb-handoff/machine.hpp"
#include "swiotlb-handoff/result.hpp"

namespace handoff {

/// /sys/kernel/kexec/crash_cma_ranges: "START-END" lines, end inclusive (kernel/kexec_core.c,
/// crash_cma_ranges_show()). Input error: another line.
base::Result<std::vector<base::AddressRange>> parse_cma_ranges(std::string_view text);

/// debugfs' kho/out/scratch_phys and scratch_len: a number with 0x on each line, as many in both
/// (kernel/liveupdate/kexec_handover_debugfs.c).
base::Result<std::vector<base::AddressRange>> parse_kho_scratch(std::string_view addresses, std::string_view sizes);

}  // namespace handoff
