// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/decide/layout.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "e820/memmap.hpp"
#include "lib/kernel/device_pools.hpp"
#include "lib/kernel/kaslr.hpp"

namespace handoff {
namespace {

using base::KiB;
using base::page_size;
using e820::Type;

// What can be added to make the pool land.
struct Additions {
    std::vector<AddressRange> fences;
    bool nokaslr = false;
};

std::string words(const Proposal& c, const Additions& cure) {
    std::string text = fmt::format("swiotlb={}{}", c.pool.slabs, c.forced ? ",force" : "");
    if (c.method == Method::addr) text += fmt::format(",addr={:#x}", c.pool.range.start());
    std::string memmap;
    if (c.method != Method::e820) memmap = e820::to_word(e820::AddRange{c.pool.range, Type::ram});
    for (const DevicePool& pool : c.devices) memmap += ',' + e820::to_word(e820::AddRange{pool.range, Type::ram});
    // nn%ss-1+2 turns RAM into reserved memory, as nn$ss does, and has no '$'
    // that a kdump script's eval would expand. KASLR takes it for a memory
    // limit (kaslr.c, parse_memmap()): fences come with nokaslr.
    for (const AddressRange& f : cure.fences) {
        if (!memmap.empty()) memmap += ',';
        memmap += e820::to_word(e820::UpdateRange{f, Type::ram, Type::reserved});
    }
    if (!memmap.empty()) text += " memmap=" + memmap;
    if ((cure.nokaslr || c.method == Method::e820) && !switches_kaslr_off(c.question.base)) text += " nokaslr";
    if (c.numa_off) text += " numa=off";
    text += ' ' + marker(c.pool.range);
    // Those of the running kernel may be on the crash kernel's line already, as the rest of the running kernel's line.
    const auto there = device_pools_on(c.question.base);
    for (const DevicePool& pool : c.devices)
        if (std::none_of(there.begin(), there.end(), [&](const DevicePool& other) { return same_pool(pool, other); }))
            text += ' ' + device_pool_word(pool);
    return text;
}

// Where a loader puts a segment that must stay readable as it is, or may put one.
std::vector<AddressRange> loaded(const Proposal& c) {
    std::vector<AddressRange> ranges;
    for (const Scenario& s : c.scenarios) {
        for (const Segment& segment : s.load.segments)
            if (segment.name != "kernel") ranges.push_back(segment.range);
        // setup_data that kexec-tools puts there, or may put there.
        if (s.load.loader == Loader::kexec_load && c.cargo.setup_data != false)
            ranges.push_back(*AddressRange::from_size(c.question.machine.crash_kernel.back().start(), 64 * KiB));
    }
    return ranges;
}

// Fences for the first scenario; with `count_loads` they rely on where it puts
// initrd and kernel and are fewer, without it they hold for others too.
std::optional<std::vector<AddressRange>> fences_for(const Proposal& c, bool count_loads) {
    const auto line = CommandLine::parse(c.question.base.with(words(c, {{}, true})));
    if (!line) return std::nullopt;
    auto memory = memory_of(c, c.scenarios.front(), *line);
    if (!memory) return std::nullopt;
    if (count_loads)
        memory->reserved.push_back(*AddressRange::from_size(memory->images.front(), memory->image_at_least));
    else
        std::erase_if(memory->reserved, [](const AddressRange& r) { return r.size() != page_size; });
    return fences(*memory, c.pool.range, loaded(c));
}

std::vector<Additions> cures(const Proposal& c) {
    std::vector<Additions> all;
    if (c.method != Method::e820) all.push_back({{}, false});
    if (c.method == Method::addr) return all;
    all.push_back({{}, true});
    for (const bool count_loads : {true, false})
        if (auto pages = fences_for(c, count_loads); pages && *pages != all.back().fences)
            all.push_back({std::move(*pages), true});
    return all;
}

}  // namespace

Result<LayoutSearch> find_layout(const Proposal& c) {
    LayoutSearch search;
    for (Additions& cure : cures(c)) {
        std::string text = words(c, cure);
        const auto line = CommandLine::parse(c.question.base.with(text));
        auto proof = line ? prove(c, *line) : line.error();
        if (!proof) return std::move(proof).error();
        search.early_bytes = std::max(search.early_bytes, proof->early_bytes);
        const auto counterexample = proof->counterexample;
        if (!counterexample) {
            search.found = Layout{std::move(cure.fences), std::move(text), cure.nokaslr, *std::move(proof)};
            return search;
        }
        if (!search.naive) search.naive = counterexample;
        if (!search.last || counterexample->kind != Counterexample::Kind::not_ram) search.last = counterexample;
    }
    return search;
}

}  // namespace handoff
