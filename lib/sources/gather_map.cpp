// SPDX-License-Identifier: GPL-2.0-or-later
#include <utility>

#include "e820/firmware_memmap.hpp"
#include "e820/log.hpp"
#include "e820/type.hpp"
#include "lib/sources/gathering.hpp"
#include "swiotlb-handoff/table.hpp"

namespace handoff {
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

/// The maps of the boot that counts.
Result<e820::LogBoot> log_maps(Gathering& g) {
    auto boots = e820::parse_log_table(g.log_text);
    if (!boots) return std::move(boots).error().at(g.path(Source::kernel_log));
    while (!boots->empty() && g.log.end_line != 0 && boots->back().line >= g.log.end_line) boots->pop_back();
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
        const bool apart = map.kind == e820::MapKind::setup_data;
        if (map.headed && map.line >= g.log.first_line && where != g.machine.map_from)
            g.machine.other_maps.push_back(
                {e820::sanitised(apart ? e820::with_setup_data(map.table) : map.table), where});
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
    compare_with_log(g, log);
    return std::nullopt;
}

}  // namespace handoff
