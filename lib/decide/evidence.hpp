// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "lib/decide/findings.hpp"
#include "lib/decide/question.hpp"
#include "swiotlb-handoff/request.hpp"

namespace handoff {

// A crash kernel that makes no pool has no use for the old one as a pool, but for its memory. Where no device ever
// bounced through it, and none can, it is lent: RAM like any other there. What forbids that is DMA in flight into it,
// so everything here is evidence that there is none. What cannot be read is no evidence.

/// The bit count of a DMA mask that covers memory up to `end` (exclusive).
unsigned bits_for(Address end);

/// What speaks against lending the pool on this machine: a refusal for each piece of evidence that is missing or says
/// no, and one info for each that says yes. Rules lend-no-bounce, lend-idle, lend-devices, lend-trusted.
void judge_evidence(const Machine&, Findings&);

/// DMA that goes on past the crash stays where an IOMMU lets it: the crash kernel is told the same of IOMMUs, or takes
/// over their tables (drivers/iommu/intel/iommu.c, intel_iommu_init() and copy_translation_tables()), and nothing of
/// the pool is what the firmware has a device write to. `pool`: nullptr where it is not known. Rule lend-iommu.
void judge_translation(const Question&, const AddressRange* pool, Findings&);

/// Whether the dump can be saved although the pool is ordinary RAM: reads of such pages through /proc/vmcore fail
/// ("ioremap on RAM", arch/x86/mm/ioremap.c, __ioremap_check_ram()), while mmap() of them works. Either the ELF headers
/// do not have them, which is for who loads with kexec_load, or the collector maps. Rule lend-dump.
void judge_dump(const PlanRequest&, Findings&);

}  // namespace handoff
