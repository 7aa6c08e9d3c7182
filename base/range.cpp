// SPDX-License-Identifier: GPL-2.0-or-later
#include "swiotlb-handoff/range.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace base {

std::string to_string(const AddressRange& range) { return text("[", Hex{range.start()}, "-", Hex{range.end()}, ")"); }

RangeSet::RangeSet(std::vector<AddressRange> ranges) : ranges_(std::move(ranges)) {
    std::erase_if(ranges_, [](const AddressRange& r) { return r.empty(); });
    std::sort(ranges_.begin(), ranges_.end());
    std::vector<AddressRange> merged;
    for (const AddressRange& r : ranges_) {
        if (merged.empty() || r.start() > merged.back().end()) {
            merged.push_back(r);
        } else if (r.end() > merged.back().end()) {
            merged.back() = *AddressRange::from_bounds(merged.back().start(), r.end());
        }
    }
    ranges_ = std::move(merged);
}

void RangeSet::add(const AddressRange& range) {
    ranges_.push_back(range);
    *this = RangeSet(std::move(ranges_));
}

void RangeSet::subtract(const AddressRange& range) {
    std::vector<AddressRange> kept;
    kept.reserve(ranges_.size() + 1);
    for (const AddressRange& r : ranges_) {
        if (!r.overlaps(range)) {
            kept.push_back(r);
            continue;
        }
        if (r.start() < range.start()) kept.push_back(*AddressRange::from_bounds(r.start(), range.start()));
        if (range.end() < r.end()) kept.push_back(*AddressRange::from_bounds(range.end(), r.end()));
    }
    ranges_ = std::move(kept);
}

std::uint64_t RangeSet::size() const {
    std::uint64_t bytes = 0;
    for (const AddressRange& r : ranges_) bytes += r.size();
    return bytes;
}

bool RangeSet::contains(const AddressRange& range) const {
    return std::any_of(ranges_.begin(), ranges_.end(), [&](const AddressRange& r) { return r.contains(range); });
}

bool RangeSet::overlaps(const AddressRange& range) const {
    return std::any_of(ranges_.begin(), ranges_.end(), [&](const AddressRange& r) { return r.overlaps(range); });
}

RangeSet RangeSet::within(const AddressRange& window) const {
    std::vector<AddressRange> parts;
    for (const AddressRange& r : ranges_) parts.push_back(r.intersect(window));
    return RangeSet(std::move(parts));
}

std::optional<AddressRange> RangeSet::highest_fit(std::uint64_t size, std::uint64_t align) const {
    for (auto r = ranges_.rbegin(); r != ranges_.rend(); ++r) {
        if (r->size() < size) continue;
        const Address start = align_down(r->end() - size, align);
        if (start >= r->start()) return AddressRange::from_size(start, size);
    }
    return std::nullopt;
}

}  // namespace base
