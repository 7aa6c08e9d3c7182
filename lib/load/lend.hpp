// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "swiotlb-handoff/machine.hpp"
#include "swiotlb-handoff/plan.hpp"
#include "swiotlb-handoff/rules.hpp"

namespace handoff {

struct ElfCore;

/// The text of /proc/iomem with `pool` cut out of the "System RAM" line around it, in two lines: what kexec-tools makes
/// the ELF headers from (kexec/arch/i386/crashdump-x86.c, get_crash_memory_ranges()), without the pool's pages. All
/// other lines as they are. Input error: no line of that name contains the pool, or more than one does.
Result<std::string> iomem_without(std::string_view iomem, const AddressRange& pool);

/// PT_LOADs of a loaded elfcorehdr that have something of the pool: none is what lending with kexec_load promises.
std::optional<std::string> pool_in_headers(const ElfCore&, const AddressRange& pool);

}  // namespace handoff
