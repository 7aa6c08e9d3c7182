// SPDX-License-Identifier: GPL-2.0-or-later
//
// Physical addresses: half-open ranges of them, and sets of such ranges. Everything is in bytes.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)
namespace base {

using Address = std::uint64_t;

inline constexpr std::uint64_t KiB = 1024;
inline constexpr std::uint64_t MiB = 1024 * KiB;
inline constexpr std::uint64_t GiB = 1024 * MiB;
inline constexpr std::uint64_t page_size = 4 * KiB;

/// The multiple of `to` at or below `a`, and the one at or above it; `a` + `to` must not wrap.
constexpr std::uint64_t align_down(std::uint64_t a, std::uint64_t to) { return a / to * to; }
constexpr std::uint64_t align_up(std::uint64_t a, std::uint64_t to) { return align_down(a + to - 1, to); }
/// `bytes` in MiB, rounded up, for texts that people read.
constexpr std::uint64_t whole_mib(std::uint64_t bytes) { return (bytes + MiB - 1) / MiB; }

/// Physical addresses [start, end), half-open. The end is never below the start, and nothing wraps around. The last
/// byte of the 64-bit address space cannot be in a range; no x86-64 machine has RAM there.
class AddressRange {
public:
    constexpr AddressRange() = default;  ///< empty, at 0

    /// From half-open bounds; nullopt if end < start.
    static constexpr std::optional<AddressRange> from_bounds(Address start, Address end) {
        if (end < start) return std::nullopt;
        return AddressRange(start, end);
    }
    /// From bounds as /proc/iomem and e820 logs print them, where `last` is a part of the range (inclusive);
    /// nullopt if last < start, or if `last` is the last 64-bit address.
    static constexpr std::optional<AddressRange> from_inclusive(Address start, Address last) {
        if (last < start || last == ~Address{0}) return std::nullopt;
        return AddressRange(start, last + 1);
    }
    /// `size` bytes from `start` on; nullopt if start + size exceeds 64 bits.
    static constexpr std::optional<AddressRange> from_size(Address start, std::uint64_t size) {
        if (size > ~Address{0} - start) return std::nullopt;
        return AddressRange(start, start + size);
    }

    [[nodiscard]] constexpr Address start() const { return start_; }
    [[nodiscard]] constexpr Address end() const { return end_; }  ///< exclusive
    [[nodiscard]] constexpr std::uint64_t size() const { return end_ - start_; }
    [[nodiscard]] constexpr bool empty() const { return start_ == end_; }

    [[nodiscard]] constexpr bool contains(Address a) const { return start_ <= a && a < end_; }
    /// Whether every byte of `other` is in this range; false if `other` is empty.
    [[nodiscard]] constexpr bool contains(const AddressRange& other) const {
        return !other.empty() && start_ <= other.start_ && other.end_ <= end_;
    }
    [[nodiscard]] constexpr bool overlaps(const AddressRange& other) const {
        return start_ < other.end_ && other.start_ < end_ && !empty() && !other.empty();
    }
    /// The bytes that are in both ranges; empty if there are none.
    [[nodiscard]] constexpr AddressRange intersect(const AddressRange& other) const {
        const Address low = start_ > other.start_ ? start_ : other.start_;
        const Address high = end_ < other.end_ ? end_ : other.end_;
        return low < high ? AddressRange(low, high) : AddressRange();
    }

    friend constexpr auto operator<=>(const AddressRange&, const AddressRange&) = default;

private:
    constexpr AddressRange(Address start, Address end) : start_(start), end_(end) {}
    Address start_ = 0;
    Address end_ = 0;
};

/// Half-open, as the brackets say: "[0x75000000-0x79000000)".
std::string to_string(const AddressRange&);

/// A set of addresses, kept as a sorted list of non-empty ranges that neither overlap nor touch.
class RangeSet {
public:
    RangeSet() = default;
    /// From any ranges in any order: those that overlap or touch are merged, and empty ones are dropped.
    explicit RangeSet(std::vector<AddressRange> ranges);

    void add(const AddressRange&);
    void subtract(const AddressRange&);

    /// Those of a temporary come by value, so that nothing refers into it.
    [[nodiscard]] const std::vector<AddressRange>& ranges() const& { return ranges_; }
    [[nodiscard]] std::vector<AddressRange> ranges() && { return std::move(ranges_); }
    [[nodiscard]] std::uint64_t size() const;  ///< bytes
    [[nodiscard]] bool contains(const AddressRange&) const;
    [[nodiscard]] bool overlaps(const AddressRange&) const;
    /// The parts of this set that lie in `window`.
    [[nodiscard]] RangeSet within(const AddressRange& window) const;
    /// `size` bytes at the highest place where they fit, with the start aligned down to `align`; nullopt if they do not
    /// fit anywhere. This is how memblock, kexec-tools and kexec_file_load look for memory (mm/memblock.c,
    /// __memblock_find_range_top_down(); kexec-tools' locate_hole(); kernel/kexec_file.c, locate_mem_hole_top_down()).
    [[nodiscard]] std::optional<AddressRange> highest_fit(std::uint64_t size, std::uint64_t align) const;

    friend bool operator==(const RangeSet&, const RangeSet&) = default;

private:
    std::vector<AddressRange> ranges_;
};

}  // namespace base
#pragma GCC visibility pop
