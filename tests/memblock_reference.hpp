// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <utility>
#include <vector>

// A second, independent reading of the kernel's early allocator, for tests
// only: it shares no code with lib/ and speaks in plain numbers. It runs one
// boot, where lib/placement judges all of them.

namespace reference {

using u64 = std::uint64_t;

inline constexpr u64 MiB = u64{1} << 20;
inline constexpr u64 low_limit = u64{1} << 32;

/// memblock with what is free kept as start -> end, half-open.
class Memblock {
public:
    /// memblock_add(), for ranges that do not overlap.
    void add(u64 start, u64 end) {
        start = (start + 0xfff) & ~u64{0xfff};  // memblock_trim_memory()
        end &= ~u64{0xfff};
        if (start < end) release(start, end);
    }
    /// memblock_reserve(): any range, RAM or not.
    void reserve(u64 start, u64 end) {
        if (start >= end) return;
        std::map<u64, u64> kept;
        for (const auto& [a, b] : free_) {
            if (a < start) kept[a] = std::min(b, start);
            if (end < b) kept[std::max(a, end)] = b;
        }
        free_ = std::move(kept);
    }
    /// __memblock_find_range_top_down(), and the reservation of what it found.
    std::optional<u64> take(u64 bytes, u64 align, u64 limit = ~u64{0}) {
        for (auto block = free_.rbegin(); block != free_.rend(); ++block) {
            const u64 end = std::min(block->second, limit);
            if (end < bytes) continue;
            const u64 candidate = (end - bytes) / align * align;
            if (block->first <= candidate && candidate + bytes <= end) {
                reserve(candidate, candidate + bytes);
                return candidate;
            }
        }
        return std::nullopt;
    }
    /// memblock_phys_free().
    void release(u64 start, u64 end) {
        for (auto block = free_.begin(); block != free_.end();) {
            if (block->second >= start && block->first <= end) {
                start = std::min(start, block->first);
                end = std::max(end, block->second);
                block = free_.erase(block);
            } else {
                ++block;
            }
        }
        free_[start] = end;
    }
    [[nodiscard]] const std::map<u64, u64>& free_blocks() const { return free_; }

private:
    std::map<u64, u64> free_;
};

struct Request {
    /// Where the node's data lies decides where the use maps may lie.
    enum Kind { any, node_data, usemaps };
    u64 bytes = 0;
    u64 align = 64;
    bool freed_at_once = false;  ///< init_mem_mapping() tries a huge page and gives it back
    u64 limit = ~u64{0};         ///< exclusive end of what it may get
    Kind what = any;
};

/// Bytes that a phase may take; how it does is drawn by lot.
struct Demand {
    u64 before_memory_map = 0;
    u64 memory_map = 0;
    u64 after_memory_map = 0;
    u64 low = 0;  ///< one request that must lie below 4 GiB, whenever it comes
};

/// Requests of the kinds that real boots show, at most `budget` bytes in all.
/// Big ones come as often as small ones, since they are what goes wrong.
inline std::vector<Request> draw_requests(std::mt19937_64& dice, u64 budget) {
    const auto up_to = [&dice](u64 n) { return std::uniform_int_distribution<u64>(1, n)(dice); };
    std::vector<Request> requests;
    if (up_to(2) == 1) requests.push_back({2 * MiB, 2 * MiB, true});
    while (budget >= 4096 && requests.size() < 300) {
        Request request;
        switch (up_to(7)) {
            case 1:
                request = {up_to(256), 64};
                break;  // names, resources
            case 2:
                request = {4096, 4096};
                break;  // page tables
            case 3:
                request = {172 * 1024, 4096};
                break;  // node data
            case 4:
                request = {u64{4096} << up_to(9), 64};
                break;  // hash tables
            case 5:
                request = {2 * MiB, 2 * MiB};
                break;  // per-CPU areas
            case 6:
                request = {2 * MiB, 64};
                break;  // section roots
            default:
                request = {up_to(MiB), 4096};
                break;
        }
        if (request.bytes > budget) request = {budget, 64};
        budget -= request.bytes;
        requests.push_back(request);
    }
    std::shuffle(requests.begin(), requests.end(), dice);
    return requests;
}

/// What became of one boot.
struct Boot {
    std::optional<std::pair<u64, u64>> pool;  ///< [start, end); none: not even 1 MiB was to be had
    bool out_of_memory = false;               ///< an earlier request was not met: the kernel panics
};

/// What the node's data takes, and the use maps of the sections.
inline constexpr u64 node_data_bytes = 172 * 1024, usemap_bytes = 16 * 1024;

/// sparse_early_usemaps_alloc_pgdat_section() of mm/sparse.c, 5.10 to 6.12: below the end of the section of 128 MiB
/// that holds the node's data, and anywhere only where nothing is free there.
inline std::optional<u64> take_usemaps(Memblock& memory, u64 node_data, u64 bytes) {
    constexpr u64 section = 128 * MiB;
    const auto near = memory.take(bytes, 64, (node_data / section + 1) * section);
    return near ? near : memory.take(bytes, 64);
}

/// From the memory as the kernel found it, everything reserved already, to the
/// pool. `one_piece`: up to 6.x the memory map is one request (sparse_buffer_init()).
inline Boot boot(Memblock memory, const Demand& demand, u64 pool_bytes, bool one_piece, std::mt19937_64& dice) {
    std::vector<Request> requests;
    if (demand.before_memory_map > node_data_bytes + usemap_bytes && dice() % 2 == 0) {
        requests = draw_requests(dice, demand.before_memory_map - node_data_bytes - usemap_bytes);
        const auto turn = static_cast<std::ptrdiff_t>(dice() % (requests.size() + 1));
        requests.insert(requests.begin() + turn, {node_data_bytes, 4096, false, ~u64{0}, Request::node_data});
        requests.push_back({usemap_bytes, 64, false, ~u64{0}, Request::usemaps});
    } else {
        requests = draw_requests(dice, demand.before_memory_map);
    }
    if (one_piece) {
        if (demand.memory_map != 0) requests.push_back({demand.memory_map, 2 * MiB});
    } else {
        for (u64 left = demand.memory_map; left != 0; left -= std::min(left, 2 * MiB))
            requests.push_back({2 * MiB, 2 * MiB});
    }
    for (const Request& request : draw_requests(dice, demand.after_memory_map)) requests.push_back(request);
    if (demand.low != 0) {
        const auto turn = std::uniform_int_distribution<std::size_t>(0, requests.size())(dice);
        requests.insert(requests.begin() + static_cast<std::ptrdiff_t>(turn), {demand.low, 4096, false, low_limit});
    }

    Boot result;
    u64 node_data = 0;
    for (const Request& request : requests) {
        const auto at = request.what == Request::usemaps ? take_usemaps(memory, node_data, request.bytes)
                                                         : memory.take(request.bytes, request.align, request.limit);
        if (request.what == Request::node_data) node_data = at.value_or(0);
        if (!at) {
            if (!request.freed_at_once) result.out_of_memory = true;
        } else if (request.freed_at_once) {
            memory.release(*at, *at + request.bytes);
        }
    }
    for (u64 bytes = pool_bytes; bytes >= MiB; bytes /= 2)
        if (const auto at = memory.take(bytes, 4096, low_limit)) {
            result.pool = {*at, *at + bytes};
            break;
        }
    return result;
}

}  // namespace reference
