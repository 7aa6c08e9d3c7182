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

// Of one number of each line: what is taken at the moment when that is most.
std::uint64_t most(const std::vector<NeedLine>& lines, std::uint64_t NeedLine::*number) {
    std::uint64_t always = 0, unpacking = 0, saving = 0;
    for (const NeedLine& line : lines) {
        const Moment moment = moment_of(line.part);
        (moment == Moment::always ? always : moment == Moment::unpacking ? unpacking : saving) += line.*number;
    }
    return always + std::max(unpacking, saving);
}

std::uint64_t more_than(std::uint64_t bytes) { return bytes == 0 ? 0 : bytes + 1; }

}  // namespace

const char* name(Basis basis) { return basis == Basis::read ? "read" : "assumed"; }

const char* name(NeedPart part) {
    static constexpr std::array names = {"image",      "unpacked", "early",      "cpus",         "initrd",
                                         "root-limit", "modules",  "page-cache", "makedumpfile", "margin"};
    return names[static_cast<std::size_t>(part)];
}

const char* name(Moment moment) {
    return moment == Moment::always ? "always" : moment == Moment::unpacking ? "unpacking" : "saving";
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

LowPart low_part(const Machine& machine, std::uint64_t pool_bytes) {
    LowPart part;
    part.known = machine.devices.has_value();
    if (machine.devices)
        for (const DmaDevice& d : *machine.devices)
            if (needs_low_memory(d)) part.because.push_back(d);
    if (part.known && part.because.empty()) return part;
    // Where the pool itself is as small, something smaller.
    part.bytes = pool_bytes != 0 && pool_bytes <= ordinary_low ? pool_bytes / 2 : ordinary_low;
    return part;
}

}  // namespace handoff
