// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lib/decide/question.hpp"

namespace handoff {

/// Why the log does not show that a thing is not there: a clause.
std::string log_loss(const Machine&);

/// Why a crash kernel that is loaded with this command line makes a pool (arch/x86/kernel/pci-dma.c,
/// pci_swiotlb_detect(); drivers/acpi/numa/srat.c for the last one), or why not.
enum class PoolCause { forbidden, forced, encryption, iommu_off, iommu_soft, high_memory, srat, none };
PoolCause pool_cause(const Question&);
/// The same of a kernel whose RAM ends at `memory_end`.
PoolCause pool_cause(const Question&, Address memory_end);
/// It makes one.
bool makes_pool(PoolCause);

/// The admin who forces bouncing on the running kernel means the machine, not the kernel; a swiotlb= of the other
/// kernel's own has the last word.
bool forced_by_running(const Question&);

/// "numa=off" where the crash kernel would make a pool that it does not need, which that word prevents; else "".
std::string words_against_needless_pool(const Question&);

/// A guest whose memory is encrypted: arch/x86/mm/mem_encrypt.c, mem_encrypt_setup_arch(), CC_ATTR_GUEST_MEM_ENCRYPT.
bool is_encrypted_guest(Encryption);

/// Whether the crash kernel needs a pool (arch/x86/kernel/pci-dma.c, pci_swiotlb_detect()).
struct PoolNeed {
    bool needed = false;
    bool forced = false;  ///< by swiotlb=force, which the words then have
};
/// Rule pool-needed. The machine has a reservation.
PoolNeed judge_need(const Question&, Findings&);

/// The machine is one that the model is of. Rule machine-x86-64.
bool judge_architecture(const Machine&, Findings&);

/// The log and the other sources are of the same boot. Rule sources-agree.
bool judge_sources(const Machine&, Findings&);

/// The running kernel's pool, on which all sources agree. Whole pages.
struct Pool {
    AddressRange range;
    std::uint64_t slabs = 0;
    Evidence where;  ///< by the most trusted source
};
/// Nothing where no source shows one, or not the same. `promised`: where a handoff that is reviewed says that it is, or
/// that a part of it is.
/// Rules pool-found, pool-understood, pool-agrees, pool-aligned.
std::optional<Pool> find_pool(const Question&, const std::optional<AddressRange>& promised, Findings&);

/// Whether the pool is one that this kernel could have made, in memory of its own. False where it is not even a piece
/// of RAM below 4 GiB that nobody else has: then there is no use in asking where the crash kernel's would land. Rules
/// pool-slabs, pool-in-use, pool-below-4g, pool-in-ram, pool-disjoint.
bool judge_pool(const Machine&, const Pool&, Findings&);

/// Whether another kernel can use memory as this one did. `who`: "the crash kernel". Rules encryption-none,
/// encryption-unshared, encryption-unproven, encryption-known.
void judge_encryption(const Machine&, std::string_view who, Findings&);

/// What protects memory from the crash kernel, or from the loader. Rules of judge_encryption(), and loader-permitted.
void judge_protection(const Machine&, Loader, Findings&);

}  // namespace handoff
