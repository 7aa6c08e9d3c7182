// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "e820/firmware_memmap.hpp"
#include "e820/log.hpp"
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
            return base::input_error(e.line, fmt::format("expected '{}' once for each address, found {} taken already",
                                                         e.name, base::to_string(e.range)));
        same.add(e.range);
        if (is_memory(e) && e.kind() == IomemKind::system_ram) ram.add(e.range);
    }
    for (const IomemEntry& e : entries)
        if (is_reserved(e) && !ram.contains(e.range))
            return base::input_error(e.line, fmt::format("expected '{}' inside of one System RAM range, found {}",
                                                         e.name, base::to_string(e.range)));
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

namespace {

/// nullopt as a table: no such source.
Result<std::optional<e820::Table>> firmware_map(Gathering& g) {
    const auto files = g.optional(g.host.firmware_map(), Source::firmware_map);
    if (!files || files->empty()) return std::optional<e820::Table>();
    std::vector<e820::FirmwareMapEntry> entries;
    for (const FirmwareMapFiles& f : *files) entries.push_back({f.name, f.start, f.end, f.type});
    auto table = e820::parse_firmware_memmap(entries);
    if (!table) return std::move(table).error().at(g.path(Source::firmware_map));
    return std::optional(*std::move(table));
}

/// The maps of the last boot in the log.
Result<e820::LogBoot> log_maps(Gathering& g) {
    auto boots = e820::parse_log_table(g.log_text);
    if (!boots) return std::move(boots).error().at(g.path(Source::kernel_log));
    return boots->empty() ? e820::LogBoot{} : std::move(boots->back());
}

/// The one that the firmware gave to the kernel, as a whole.
std::optional<e820::LogMap> firmwares_of(Gathering& g, const e820::LogBoot& boot) {
    const e820::LogMap* firmware = boot.find(e820::MapKind::firmware);
    const e820::LogMap* extended = boot.find(e820::MapKind::extended);
    const e820::LogMap* map = extended ? extended : firmware;
    if (!map || map->line < g.log.first_line) return std::nullopt;
    if (!map->headed) {
        g.note(base::input_error(map->line, "expected a heading above the memory map: its beginning may be lost"),
               Source::kernel_log);
        return std::nullopt;
    }
    return *map;
}

/// All others that are whole, and that no source but the log has.
void take_other_maps(Gathering& g, const e820::LogBoot& boot) {
    for (const e820::LogMap& map : boot.maps) {
        const Evidence where{g.path(Source::kernel_log), map.line};
        if (map.headed && map.line >= g.log.first_line && where != g.machine.map_from)
            g.machine.other_maps.push_back({e820::sanitised(map.table), where});
    }
}

}  // namespace

Failure read_map(Gathering& g) {
    Machine& machine = g.machine;
    auto firmware = firmware_map(g);
    if (!firmware) return std::move(firmware).error();
    auto boot = log_maps(g);
    if (!boot) return std::move(boot).error();
    const auto log = firmwares_of(g, *boot);

    if (*firmware) {
        machine.map = e820::sanitised(**firmware);
        machine.map_from = {g.path(Source::firmware_map), 0};
    } else if (log) {
        machine.map = e820::sanitised(log->table);
        machine.map_from = {g.path(Source::kernel_log), log->line};
    } else if (!machine.iomem.empty()) {
        e820::Table shown;
        for (const IomemEntry& entry : machine.iomem) {
            const auto type = e820::from_iomem_name(entry.name);
            if (type && !entry.range.empty()) shown.add(entry.range, *type);
        }
        machine.map = e820::sanitised(shown);
        machine.map_from = {g.path(Source::iomem), 0};
    }
    take_other_maps(g, *boot);
    if (machine.iomem.empty()) machine.ram = machine.map.of(e820::Type::ram);
    return std::nullopt;
}

}  // namespace handoff
