// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <vector>

#include "swiotlb-handoff/machine.hpp"
#include "swiotlb-handoff/plan.hpp"
#include "swiotlb-handoff/range.hpp"

namespace handoff {

/// What an address is to somebody who looks at a map. Where several are true the later one shows.
enum class MemoryUse : std::uint32_t {
    reserved = 1,
    ram,
    crash_kernel,
    segment,
    initrd,
    kernel,
    pool,
    fence,
    misplaced
};
/// "reserved", "RAM", "crashkernel", "loaded", "initrd", "kernel", "pool", "fence", "misplaced pool".
const char* name(MemoryUse);

struct Stretch {
    AddressRange range;
    MemoryUse use = MemoryUse::ram;
    friend bool operator==(const Stretch&, const Stretch&) = default;
};

/// Memory before and after a crash. Sorted and disjoint; what is missing is no memory.
struct Picture {
    std::vector<std::string> title;  ///< the machine, the verdict, what the handoff saves: a sentence each
    std::vector<Stretch> before;     ///< to the running kernel
    std::vector<Stretch> after;      ///< to the crash kernel; empty where the plan came to no load
    /// What is worth looking at: all below 4 GiB, then close-ups. Half-open.
    std::vector<AddressRange> windows;
};

/// Of the plan's first load. A pool that would land elsewhere is there as misplaced.
Picture picture_of(const Machine&, const Plan&);

/// Two bars of `columns` characters for each window with round addresses below, a legend, and a list of what is in the
/// bars; the title is not in it. No line is longer than `columns` + 11, where `columns` is 49 or more. Of what is in
/// one character's memory the last MemoryUse shows, however small. `colour`: with ECMA-48 sequences, letters included.
std::string render_text(const Picture&, unsigned columns, bool colour);

/// A self-contained picture, 900 units wide, that follows the reader's light or dark scheme.
std::string render_svg(const Picture&);

}  // namespace handoff
