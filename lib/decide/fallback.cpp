// SPDX-License-Identifier: GPL-2.0-or-later
// What a load without the handoff comes to: with the pool that the crash kernel makes by itself, or with a smaller one.
#include "lib/decide/fallback.hpp"

#include <algorithm>
#include <bit>
#include <vector>

#include <fmt/format.h>

#include "lib/decide/need.hpp"
#include "lib/decide/pool.hpp"
#include "lib/decide/proof.hpp"
#include "lib/decide/reservation.hpp"
#include "lib/kernel/behaviour.hpp"
#include "lib/kernel/constants.hpp"
#include "lib/kernel/crashkernel.hpp"

namespace handoff {
namespace {

using base::align_up;
using base::GiB;
using base::MiB;
using base::whole_mib;

Fit fit_of(const PoolRoom& room, const NeedBounds& need, std::uint64_t pool) {
    if (fit_of(room, need.recommended, pool) == Fit::surely) return Fit::surely;
    return fit_of(room, need.lower_bound, pool) == Fit::no ? Fit::no : Fit::perhaps;
}

// What the crash kernel asks for. Guests whose memory is encrypted ask for 6 % of their memory (sev_setup_arch() in
// arch/x86/mm/mem_encrypt_amd.c, mem_encrypt_setup_arch() in mem_encrypt.c), where no word says otherwise.
std::uint64_t plain_pool(const Question& question, std::uint64_t reserved) {
    if (!makes_pool(pool_cause(question))) return 0;
    if (question.swiotlb.slabs) return *question.swiotlb.slabs * slab_size;
    const std::uint64_t usual = question.config.pool_bytes;
    if (!is_encrypted_guest(question.machine.encryption)) return usual;
    return std::clamp(reserved / 100 * 6, usual, std::max(usual, GiB));
}

// Of a kernel that makes all of its pool or none: what this load surely leaves, wherever the kernel lies.
void take_load(const Proposal& proposal, const Scenario& scenario, PoolRoom& room, std::vector<std::uint64_t>& blocks) {
    const auto memory = memory_of(proposal, scenario, proposal.question.base);
    if (!memory) return;
    RangeSet free = memory->ram.within(*AddressRange::from_bounds(MiB, ~Address{0}));
    for (const AddressRange& r : memory->reserved) free.subtract(r);
    for (const AddressRange& r : memory->maybe_reserved) free.subtract(r);
    const std::uint64_t early = demand_of(proposal, memory->ram).total();
    room.early = std::max(room.early, early);
    for (const Address place : memory->images) {
        // Where only a smaller kernel than the one that is assumed has room, there is more room for the pool, too.
        const AddressRange image = *AddressRange::from_size(place, memory->image_at_most);
        if (!memory->ram.contains(image)) continue;
        RangeSet left = free;
        left.subtract(image);
        std::uint64_t largest = 0, high = 0;
        for (const AddressRange& r : left.ranges()) {
            const Address low_end = std::clamp<Address>(low_memory_end, r.start(), r.end());
            largest = std::max(largest, low_end - r.start());
            high += r.end() - low_end;
        }
        // What is allocated before the pool comes from above 4 GiB, where there is room for it.
        if (high < early) largest -= std::min(early, largest);
        blocks.push_back(largest);
        room.taken = std::max(room.taken, room.all - std::min(room.all, left.size()));
    }
}

// nullopt where kernel and initrd do not fit.
std::optional<PoolRoom> room_for(const Question& question, std::uint64_t pool) {
    PoolRoom room;
    for (const AddressRange& c : question.machine.crash_kernel) {
        room.all += c.size();
        if (c.start() < low_memory_end) room.low += c.size();
        if (c.end() > low_memory_end) room.high = true;
    }
    Findings unsaid(question.request.accept);  // the plan says it
    Cargo cargo = judge_cargo(question, unsaid);
    auto scenarios = predict_loads(question, cargo, Method::ram, unsaid);
    if (scenarios.empty()) return std::nullopt;
    if (pool == 0 || halves_pool(crash_release(question))) return room;
    const Pool own{{}, pool / slab_size, {}};
    const Proposal proposal{question, Method::ram, own, {}, false, false, std::move(cargo), std::move(scenarios)};
    std::vector<std::uint64_t> blocks;
    for (const Scenario& s : proposal.scenarios) take_load(proposal, s, room, blocks);
    std::sort(blocks.begin(), blocks.end());
    room.block_surely = blocks.empty() ? 0 : blocks.front();
    room.block_mostly = blocks.empty() ? 0 : blocks[blocks.size() / 8];
    return room;
}

// For a load as the caller asked, with what is recommended where `need_of` bytes are reserved.
template <typename NeedOf>
std::string larger_reservation(const PoolRoom& room, std::uint64_t pool, NeedOf need_of) {
    Reservation wanted;
    wanted.high = room.high;
    if (room.high) wanted.low = align_up(pool + low_besides_pool, 8 * MiB);
    // Twice, because the need grows a little with the size of the reservation.
    for (int round = 0; round < 2; ++round) {
        const std::uint64_t need = need_of(wanted.size + wanted.low.value_or(0));
        wanted.size = room.high ? need : need + pool;
        // One of the two blocks that KASLR can leave has to hold all of it.
        if (!room.high && room.block_surely) wanted.size = std::max(wanted.size, room.taken + 2 * (pool + room.early));
        wanted.size = align_up(wanted.size, reservation_step);
    }
    return wanted.text();
}

}  // namespace

Fit fit_of(const PoolRoom& room, std::uint64_t need, std::uint64_t pool) {
    if (need + pool > room.all) return Fit::no;
    if (pool == 0) return Fit::surely;
    if (room.high && pool + low_besides_pool > room.low) return Fit::no;
    if (pool <= room.block_surely.value_or(pool)) return Fit::surely;
    return pool <= room.block_mostly.value_or(pool) ? Fit::perhaps : Fit::no;
}

std::uint64_t choose_pool(const PoolRoom& room, const NeedBounds& need, std::uint64_t pool) {
    const std::uint64_t most = pool == 0 ? 0 : std::bit_floor(pool - 1);
    const auto largest = [&](std::uint64_t bytes, std::uint64_t from, std::uint64_t to) -> std::uint64_t {
        for (std::uint64_t smaller = from; smaller >= to; smaller /= 2)
            if (fit_of(room, bytes, smaller) != Fit::no) return smaller;
        return 0;
    };
    if (const auto found = largest(need.recommended, most, light_pool)) return found;
    // From here on the rest of memory is more likely to run short than the pool.
    const std::uint64_t no_more = std::min(most, light_pool);
    if (const auto found = largest(need.expected, no_more, smallest_pool_size)) return found;
    return largest(need.lower_bound, no_more, smallest_pool_size);
}

std::optional<Fallback> judge_fallback(const Question& question, std::uint64_t margin) {
    const Machine& machine = question.machine;
    if (machine.crash_kernel.empty() || !why_size_unknown(question).empty()) return std::nullopt;
    Fallback f;
    f.reserved = reserved_bytes(machine);
    const Need needed = need_for(machine, question.request, f.reserved, margin);
    const NeedLine* spare = needed.find(NeedPart::margin);
    const std::uint64_t lower_bound = needed.lower_bound(), recommended = needed.recommended();
    const NeedBounds need{lower_bound, std::max(lower_bound, recommended - (spare ? spare->bytes : 0)), recommended};
    f.lower_bound = need.lower_bound;
    f.recommended = need.recommended;
    f.plain_pool = f.pool = plain_pool(question, f.reserved);
    f.fixed = question.swiotlb.slabs || question.swiotlb.addr || !question.swiotlb.unknown.empty() ||
              question.base.ends_in_init_words() || question.config.command_line_alone;
    f.enough = f.fixed ? f.plain_pool : std::min(f.plain_pool, sufficient_pool);
    const auto room = room_for(question, f.plain_pool);
    f.crashkernel = larger_reservation(room.value_or(PoolRoom{}), f.plain_pool, [&](std::uint64_t bytes) {
        return need_for(machine, question.request, bytes, margin).recommended();
    });
    if (!room) return f;
    f.plain_fits = f.fits = fit_of(*room, need, f.plain_pool);
    f.sure = fit_of(*room, need.recommended, f.enough) == Fit::surely;
    if (f.plain_fits != Fit::no || f.fixed) return f;
    const std::uint64_t smaller = choose_pool(*room, need, f.plain_pool);
    if (smaller == 0) return f;
    f.rung = Rung::own_pool;
    f.pool = smaller;
    f.fits = fit_of(*room, need, smaller);
    f.append = fmt::format("swiotlb={}{}", smaller / slab_size, question.swiotlb.force ? ",force" : "");
    return f;
}

std::optional<Fallback> fallback_for(const Machine& machine, const PlanRequest& request, std::uint64_t margin) {
    Findings unsaid(request.accept);
    return judge_fallback(ask(machine, request, unsaid), margin);
}

const char* name(Rung rung) {
    switch (rung) {
        case Rung::handoff:
            return "handoff";
        case Rung::own_pool:
            return "own-pool";
        case Rung::plain:
            return "plain";
    }
    return "unknown";
}

const char* name(Fit fit) {
    switch (fit) {
        case Fit::surely:
            return "surely";
        case Fit::perhaps:
            return "perhaps";
        case Fit::no:
            return "no";
    }
    return "unknown";
}

std::string to_text(const Fallback& f) {
    const std::string reserved = fmt::format("reservation of {} MiB", whole_mib(f.reserved));
    const std::string larger = fmt::format(" Without the handoff, {} would be large enough.", f.crashkernel);
    if (f.rung == Rung::own_pool)
        return fmt::format(
            "kdump loads the crash kernel without the handoff, but with {}, so that it makes a pool of only {} MiB. "
            "The {} is {} the pool of {} MiB that it would make otherwise.{}{}",
            f.append, whole_mib(f.pool), reserved,
            f.fits == Fit::surely ? "large enough for that, but too small for" : "too small for",
            whole_mib(f.plain_pool), f.fits == Fit::surely ? "" : " It may be too small even for the smaller pool.",
            larger);
    const std::string text = "kdump loads the crash kernel without the handoff. The " + reserved;
    if (f.fits == Fit::surely) return text + " is large enough for that.";
    // recommend() and shrink count on the pool that is enough, and not on all that the crash kernel makes by itself.
    if (f.fits == Fit::perhaps && f.sure)
        return fmt::format(
            "{} is large enough for that and a pool of {} MiB, which is enough as far as it was measured. The crash "
            "kernel makes a pool of {} MiB by itself. Then {} MiB are left, and it needs {} to {} MiB.{}",
            text, whole_mib(f.enough), whole_mib(f.pool), whole_mib(f.reserved - std::min(f.reserved, f.pool)),
            whole_mib(f.lower_bound), whole_mib(f.recommended), larger);
    const std::string pool = f.plain_pool == 0 ? std::string(" and makes no pool")
                                               : fmt::format(" and a pool of {} MiB below 4 GiB", whole_mib(f.pool));
    if (f.fits == Fit::perhaps)
        return fmt::format("{} may be too small for that: the crash kernel needs {} to {} MiB{}.{}", text,
                           whole_mib(f.lower_bound), whole_mib(f.recommended), pool, larger);
    return fmt::format("{} is too small for that: the crash kernel needs at least {} MiB{}.{}", text,
                       whole_mib(f.lower_bound), pool, larger);
}

}  // namespace handoff
