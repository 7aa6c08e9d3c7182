// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/decide/pool_size.hpp"

#include <algorithm>
#include <bit>

#include <fmt/format.h>

#include "base/wording.hpp"
#include "lib/decide/fallback.hpp"
#include "lib/kernel/behaviour.hpp"
#include "lib/kernel/constants.hpp"
#include "lib/kernel/crashkernel.hpp"

namespace handoff {
namespace {

using base::KiB;
using base::whole_mib;

// At most, in bytes: the reservation, the pool, and what lies below 1 MiB.
std::uint64_t memory_of_crash_kernel(const Machine& machine, const Pool& pool) {
    return reserved_bytes(machine) + pool.range.size() + base::MiB;
}

// swiotlb_adjust_size() of an encrypted guest takes the default number of slabs for "not given".
void judge_default_size(const Question& question, const Pool& pool, Findings& found) {
    const std::uint64_t usual = question.config.pool_bytes;
    const std::uint64_t share = memory_of_crash_kernel(question.machine, pool) / 100 * 6;
    if (!is_encrypted_guest(question.machine.encryption) || pool.range.size() != usual || share < usual) return;
    found.refuse("pool-slabs",
                 fmt::format("In an encrypted guest the kernel takes {} slabs for the default. Its pool then takes 6 % "
                             "of the crash kernel's memory, {} MiB.",
                             pool.slabs, whole_mib(share)),
                 {}, "Reserve no more than 1000 MiB for the crash kernel.");
}

// The structure in the running kernel is better evidence than its version number.
bool rounds_up(const Question& question) {
    const std::string release = crash_release(question);
    return release == question.machine.release && question.machine.pool_areas ? *question.machine.pool_areas
                                                                              : rounds_slabs_up(release);
}

bool takes_powers_of_two_only(const Question& question, Method method) {
    return method == Method::addr || rounds_up(question);
}

Pool start_of(const Pool& old, std::uint64_t slabs) {
    return {*AddressRange::from_size(old.range.start(), slabs * slab_size), slabs, old.where};
}

}  // namespace

void judge_rounding(const Question& question, const Pool& pool, Method method, Findings& found) {
    judge_default_size(question, pool, found);
    const std::string release = crash_release(question);
    if (takes_powers_of_two_only(question, method) && !std::has_single_bit(pool.slabs))
        found.refuse("pool-power-of-two",
                     fmt::format("{} slabs are not a power of two, and {} rounds the number up.", pool.slabs,
                                 release.empty() ? "a kernel of unknown release perhaps" : release));
    // With addr= the kernel has fewer areas instead of a larger pool.
    if (!rounds_up(question) || method == Method::addr) return;
    const unsigned cpus = crash_cpus(question);
    if (pool.slabs < segment_slabs * std::bit_ceil(std::uint64_t{cpus}))
        found.refuse(
            "pool-slabs",
            fmt::format("{} slabs are too few for {} CPUs, so the kernel rounds the number up.", pool.slabs, cpus), {},
            "Add nr_cpus=1 to the crash kernel's command line.");
    // The word that is appended leaves the caller's number of areas as it is, and 6.1 makes that many whatever the pool
    // has (kernel/dma/swiotlb.c, swiotlb_init_remap()).
    const std::uint64_t areas = question.swiotlb.areas.value_or(0);
    if (areas != 0 && pool.slabs < segment_slabs * std::bit_ceil(areas))
        found.refuse("pool-slabs",
                     fmt::format("{} slabs are too few for the {} areas that swiotlb= asks for.", pool.slabs, areas),
                     {}, "Leave the number of areas out of the crash kernel's swiotlb=.");
}

std::vector<Pool> shares_of(const Question& question, const Pool& old, Method method) {
    std::vector<Pool> shares;
    std::uint64_t asked = question.swiotlb.slabs.value_or(0);
    if (asked != 0 && takes_powers_of_two_only(question, method)) asked = std::bit_ceil(asked);
    if (asked < old.slabs && asked * slab_size >= smallest_pool_size) shares.push_back(start_of(old, asked));
    shares.push_back(old);
    if (old.slabs == 0) return shares;
    for (std::uint64_t slabs = std::bit_floor(old.slabs - 1); slabs * slab_size >= sufficient_pool; slabs /= 2)
        if (slabs != asked) shares.push_back(start_of(old, slabs));
    return shares;
}

void judge_promised_part(const AddressRange& part, const AddressRange& old, Findings& found) {
    const std::uint64_t segment = segment_slabs * slab_size;
    if (part != old && (part.size() < smallest_pool_size || part.size() % segment != 0))
        found.refuse("pool-slabs",
                     fmt::format("The handoff promises {} KiB of the pool, but no kernel makes a pool of this size.",
                                 part.size() / KiB));
}

std::string share_text(const AddressRange& part, const AddressRange& old) {
    return fmt::format("{} of the pool's {}", base::size_text(part.size()), base::size_text(old.size()));
}

}  // namespace handoff
