// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/load/lend.hpp"

#include <algorithm>
#include <bit>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/scan.hpp"
#include "lib/kernel/command_line.hpp"
#include "lib/sources/iomem.hpp"
#include "swiotlb-handoff/check.hpp"

namespace handoff {

using base::take_line;

using std::string_view;

Result<std::string> iomem_without(string_view iomem, const AddressRange& pool) {
    const auto entries = parse_iomem(iomem);
    if (!entries) return entries.error();
    const IomemEntry* around = nullptr;
    for (const IomemEntry& entry : *entries) {
        if (entry.kind() != IomemKind::system_ram || !entry.range.overlaps(pool)) continue;
        if (around || !entry.range.contains(pool))
            return base::input_error(entry.line, fmt::format("expected one System RAM range around {}, found {}",
                                                             base::to_string(pool), base::to_string(entry.range)));
        around = &entry;
    }
    if (!around)
        return base::input_error(
            0, fmt::format("expected a System RAM range around {}, found none", base::to_string(pool)));
    std::string text;
    const auto add = [&](Address start, Address end) {
        if (start < end) text += fmt::format("{:08x}-{:08x} : System RAM\n", start, end - 1);
    };
    for (std::size_t number = 1; !iomem.empty(); ++number) {
        const string_view line = take_line(iomem);
        if (number == around->line) {
            add(around->range.start(), pool.start());
            add(pool.end(), around->range.end());
        } else {
            text.append(line) += '\n';
        }
    }
    return text;
}

std::optional<std::string> pool_in_headers(const ElfCore& core, const AddressRange& pool) {
    if (core.loads.empty() || core.notes == 0) return "the ELF headers in memory are not those of a crash kernel";
    for (const AddressRange& load : core.loads)
        if (load.overlaps(pool)) return fmt::format("PT_LOAD {} has memory of the lent pool", base::to_string(load));
    return std::nullopt;
}

}  // namespace handoff
