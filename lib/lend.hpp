// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/machine.hpp"
#include "lib/plan.hpp"
#include "lib/rules.hpp"

namespace handoff {

struct ElfCore;

// A crash kernel that makes no pool has no use for the old one as a pool, but for its memory. Where no device ever
// bounced through it, and none can, it is lent: RAM like any other there. What forbids that is DMA in flight into it, so everything
// here is evidence that there is none. What cannot be read is no evidence.

/// The bit count of a DMA mask that covers memory up to `end` (exclusive).
unsigned bits_for(Address end);

/// What speaks against lending the pool on this machine: a refusal for each piece of evidence that is missing or says no, and one info
/// for each that says yes. Rules lend-no-bounce, lend-idle, lend-devices, lend-trusted.
std::vector<Reason> judge_evidence(const Machine&);

/// Whether the dump can be saved although the pool is ordinary RAM: reads of such pages through /proc/vmcore fail
/// ("ioremap on RAM", arch/x86/mm/ioremap.c, __ioremap_check_ram()), while mmap() of them works. Either the ELF headers do not have them, which
/// is for who loads with kexec_load, or the collector maps. Rule lend-dump.
std::vector<Reason> judge_dump(const PlanRequest&);

/// The text of /proc/iomem with `pool` cut out of the "System RAM" line around it, in two lines: what kexec-tools makes the ELF headers
/// from (kexec/arch/i386/crashdump-x86.c, get_crash_memory_ranges()), without the pool's pages. All other lines as they are. Input error: no
/// line of that name contains the pool, or more than one does.
Result<std::string> iomem_without(std::string_view iomem, const AddressRange& pool);

/// PT_LOADs of a loaded elfcorehdr that have something of the pool: none is what lending with kexec_load promises.
std::optional<std::string> pool_in_headers(const ElfCore&, const AddressRange& pool);

}  // namespace handoff
