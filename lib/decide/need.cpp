// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/decide/need.hpp"

#include <algorithm>
#include <array>

#include "lib/kernel/constants.hpp"
#include "lib/machine/device.hpp"

namespace handoff {
namespace {

using base::MiB;

// For coherent buffers of old controllers. So small that no pool of ordinary size fits
// into it, whatever touches it.
constexpr std::uint64_t ordinary_low = 32 * MiB;

// Adds up one number of each line for each moment, and returns the largest of these sums.
std::uint64_t most(const std::vector<NeedLine>& lines, std::uint64_t NeedLine::*number) {
    std::uint64_t always = 0, unpacking = 0, saving = 0, in_all = 0, margin = 0;
    const auto sum = [&](NeedPart part) -> std::uint64_t& {
        if (part == NeedPart::margin) return margin;
        switch (moment_of(part)) {
            case Moment::unpacking:
                return unpacking;
            case Moment::saving:
                return saving;
            case Moment::in_all:
                return in_all;
            case Moment::always:
                break;
        }
        return always;
    };
    for (const NeedLine& line : lines) sum(line.part) += line.*number;
    return margin + std::max(always + std::max(unpacking, saving), in_all);
}

std::uint64_t more_than(std::uint64_t bytes) { return bytes == 0 ? 0 : bytes + 1; }

}  // namespace

const char* name(Basis basis) {
    return basis == Basis::read ? "read" : basis == Basis::assumed ? "assumed" : "measured";
}

const char* name(NeedPart part) {
    static constexpr std::array names = {"image",   "unpacked",   "early",        "cpus",     "initrd", "root-limit",
                                         "modules", "page-cache", "makedumpfile", "measured", "margin"};
    return names[static_cast<std::size_t>(part)];
}

const char* name(Moment moment) {
    static constexpr std::array names = {"always", "unpacking", "saving", "in-all"};
    return names[static_cast<std::size_t>(moment)];
}

Moment moment_of(NeedPart part) {
    switch (part) {
        case NeedPart::initrd:
        case NeedPart::root_limit:
            return Moment::unpacking;
        case NeedPart::modules:
        case NeedPart::page_cache:
        case NeedPart::makedumpfile:
            return Moment::saving;
        case NeedPart::measured:
            return Moment::in_all;
        default:
            return Moment::always;
    }
}

std::uint64_t Need::lower_bound() const { return std::max(most(lines, &NeedLine::at_least), more_than(ran_out_with)); }

std::uint64_t Need::recommended() const { return std::max(most(lines, &NeedLine::bytes), more_than(ran_out_with)); }

bool Need::rests_on_assumptions() const {
    return std::any_of(lines.begin(), lines.end(), [](const NeedLine& line) {
        return line.basis == Basis::assumed && line.part != NeedPart::margin;
    });
}

const NeedLine* Need::find(NeedPart part) const {
    const auto line = std::find_if(lines.begin(), lines.end(), [part](const NeedLine& l) { return l.part == part; });
    return line == lines.end() ? nullptr : &*line;
}

std::uint64_t margin_beside(const MeasuredNeed& measured, std::uint64_t margin) {
    return std::min(margin, std::max(16 * MiB, measured.bytes / 8));
}

LowPart low_part(const Machine& machine, std::uint64_t pool_bytes) {
    LowPart part;
    part.known = machine.devices.has_value();
    if (machine.devices)
        for (const DmaDevice& d : *machine.devices)
            if (needs_low_memory(d)) part.because.push_back(d);
    if (part.known && part.because.empty()) return part;
    // The low part must not have room for a pool. So for a small pool it is half as large as the pool.
    part.bytes = pool_bytes != 0 && pool_bytes <= ordinary_low ? pool_bytes / 2 : ordinary_low;
    return part;
}

}  // namespace handoff
