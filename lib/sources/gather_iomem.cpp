// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <utility>

#include "base/text.hpp"
#include "e820/type.hpp"
#include "lib/sources/gathering.hpp"
#include "lib/sources/iomem.hpp"
#include "swiotlb-handoff/table.hpp"

namespace handoff {
namespace {

/// The kernel's resources form a tree: memory that is listed twice at its top level, as one thing or as two, or a
/// reservation outside of RAM, is no /proc/iomem of a kernel, and nobody can tell what is meant. (Further down RAM is
/// named again where it was given back: kernel/kexec_core.c, crash_shrink_memory().)
Failure contradiction(const std::vector<IomemEntry>& entries) {
    const auto is_memory = [](const IomemEntry& e) {
        return e.depth == 0 && e820::from_iomem_name(e.name) && !e.range.empty();
    };
    const auto is_reserved = [](const IomemEntry& e) {
        return e.kind() == IomemKind::crash_kernel && !e.range.empty();
    };
    RangeSet memory, ram, reserved;
    for (const IomemEntry& e : entries) {
        if (!is_memory(e) && !is_reserved(e)) continue;
        RangeSet& same = is_memory(e) ? memory : reserved;
        if (same.overlaps(e.range))
            return base::input_error(e.line, base::text("expected '", e.name, "' once for each address, found ",
                                                        base::to_string(e.range), " taken already"));
        same.add(e.range);
        if (is_memory(e) && e.kind() == IomemKind::system_ram) ram.add(e.range);
    }
    for (const IomemEntry& e : entries)
        if (is_reserved(e) && !ram.contains(e.range))
            return base::input_error(
                e.line,
                base::text("expected '", e.name, "' inside of one System RAM range, found ", base::to_string(e.range)));
    return std::nullopt;
}

void take_iomem_facts(Gathering& g) {
    Machine& machine = g.machine;
    const std::string file = g.path(Source::iomem);
    std::vector<AddressRange> ram;
    machine.crash_kernel_from = {file, 0};
    for (const IomemEntry& entry : machine.iomem) {
        const AddressRange& range = entry.range;
        if (range.empty()) continue;
        switch (entry.kind()) {
            case IomemKind::system_ram:
                ram.push_back(range);
                break;
            case IomemKind::crash_kernel:
                if (machine.crash_kernel.empty()) machine.crash_kernel_from.line = entry.line;
                machine.crash_kernel.push_back(range);
                break;
            case IomemKind::kernel_image: {  // one image, with holes that are free
                const auto known = machine.kernel_image.value_or(range);
                machine.kernel_image = AddressRange::from_bounds(std::min(known.start(), range.start()),
                                                                 std::max(known.end(), range.end()));
                break;
            }
            case IomemKind::pool:
                machine.pool.push_back({range, PoolSource::iomem, {file, entry.line}});
                break;
            case IomemKind::device_pool:
                machine.device_pools.push_back({std::string(entry.devices()), range, {file, entry.line}});
                break;
            case IomemKind::other:
                break;
        }
    }
    machine.ram = RangeSet(std::move(ram));
    std::sort(machine.crash_kernel.begin(), machine.crash_kernel.end());
}

}  // namespace

Failure read_iomem(Gathering& g) {
    auto text = g.host.read(Source::iomem);
    if (!text && text.error().code == Errc::not_found) return std::nullopt;
    if (!text) return std::move(text).error();
    auto entries = parse_iomem(*text);
    if (!entries) return std::move(entries).error().at(g.path(Source::iomem));
    if (auto error = contradiction(*entries)) return std::move(*error).at(g.path(Source::iomem));
    g.machine.iomem = *std::move(entries);
    take_iomem_facts(g);
    return std::nullopt;
}

}  // namespace handoff
