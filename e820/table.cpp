// SPDX-License-Identifier: GPL-2.0-or-later
#include "e820/update.hpp"

#include <algorithm>
#include <cstddef>
#include <map>

#include "swiotlb-handoff/table.hpp"

namespace e820 {

using base::Address;
using base::AddressRange;
using base::RangeSet;
namespace {

/// A place where an entry begins or ends.
struct Edge {
    Address at;
    Type type;
    int delta;  ///< how the number of entries of this type changes here
};

std::vector<Edge> edges_of(const Table& table) {
    std::vector<Edge> edges;
    edges.reserve(2 * table.entries.size());
    for (const Entry& entry : table.entries) {
        if (entry.range.empty()) continue;
        edges.push_back({entry.range.start(), entry.type, +1});
        edges.push_back({entry.range.end(), entry.type, -1});
    }
    std::sort(edges.begin(), edges.end(), [](const Edge& a, const Edge& b) { return a.at < b.at; });
    return edges;
}

/// e820_nomerge(): such ranges may end at a NUMA node or a protection domain.
bool mergeable(Type type) { return type != Type::pram && type != Type::soft_reserved; }

}  // namespace

RangeSet Table::of(Type type) const {
    std::vector<AddressRange> ranges;
    for (const Entry& entry : entries) {
        if (entry.type == type) ranges.push_back(entry.range);
    }
    return RangeSet(std::move(ranges));
}

Table sanitised(const Table& table) {
    constexpr Type nothing{};  // type 0: the kernel's "no memory here"
    const std::vector<Edge> edges = edges_of(table);
    Table result;
    std::map<Type, int> covering;
    for (std::size_t i = 0; i < edges.size();) {
        const Address at = edges[i].at;
        for (; i < edges.size() && edges[i].at == at; ++i) {
            const auto count = covering.try_emplace(edges[i].type, 0).first;
            if ((count->second += edges[i].delta) == 0) covering.erase(count);
        }
        if (i == edges.size()) break;
        const Type type = covering.empty() ? nothing : covering.rbegin()->first;
        if (type == nothing) continue;
        const AddressRange piece = *AddressRange::from_bounds(at, edges[i].at);
        if (!result.entries.empty()) {
            Entry& last = result.entries.back();
            if (last.type == type && last.range.end() == at && mergeable(type)) {
                last.range = *AddressRange::from_bounds(last.range.start(), piece.end());
                continue;
            }
        }
        result.add(piece, type);
    }
    return result;
}

void update(Table& table, const AddressRange& range, Type from, Type to) {
    const std::size_t count = table.entries.size();  // what is added below needs no second look
    for (std::size_t i = 0; i < count; ++i) {
        const Entry entry = table.entries[i];
        const AddressRange common = entry.range.intersect(range);
        if (entry.type != from || common.empty()) continue;
        table.entries[i] = {common, to};
        if (entry.range.start() < common.start())
            table.add(*AddressRange::from_bounds(entry.range.start(), common.start()), from);
        if (common.end() < entry.range.end())
            table.add(*AddressRange::from_bounds(common.end(), entry.range.end()), from);
    }
}

void remove(Table& table, const AddressRange& range, std::optional<Type> type) {
    std::vector<Entry> kept;
    kept.reserve(table.entries.size() + 1);
    for (const Entry& entry : table.entries) {
        const AddressRange common = entry.range.intersect(range);
        if ((type && entry.type != *type) || common.empty()) {
            kept.push_back(entry);
            continue;
        }
        if (entry.range.start() < common.start())
            kept.push_back({*AddressRange::from_bounds(entry.range.start(), common.start()), entry.type});
        if (common.end() < entry.range.end())
            kept.push_back({*AddressRange::from_bounds(common.end(), entry.range.end()), entry.type});
    }
    table.entries = std::move(kept);
}

}  // namespace e820
