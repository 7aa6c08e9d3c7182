// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string_view>
#include <vector>

#include "swiotlb-handoff/result.hpp"
#include "swiotlb-handoff/table.hpp"

namespace e820 {

using base::Result;

/// The maps that a kernel prints while it boots.
enum class MapKind {
    firmware,    ///< "BIOS-e820:", or "Xen:" on a PV guest
    extended,    ///< "extended:", the whole map, printed if SETUP_E820_EXT has entries beyond the first 128
    setup_data,  ///< "reserve setup_data:", up to 6.19; it has the effects of memmap= as well
    user,        ///< "user:", after mem= and memmap=
    modified,    ///< "modified:", after a quirk
};

struct LogMap {
    MapKind kind = MapKind::firmware;
    Table table;           ///< as printed; never empty
    std::size_t line = 0;  ///< of the first entry, counted from 1
    /// The heading above the first entry is in the log as well ("BIOS-provided physical RAM map:"). Without it
    /// the beginning of the map may be missing, because the log buffer wrapped around, or because somebody
    /// used grep.
    bool headed = false;
};

/// The maps between one start of the kernel and the next.
struct LogBoot {
    std::size_t line = 0;      ///< where it begins, counted from 1
    std::vector<LogMap> maps;  ///< in the order of the log; empty if they are not in the log

    /// The last map of this kind; nullptr if there is none.
    [[nodiscard]] const LogMap* find(MapKind) const;
};

/// The same entries, with those of setup_data as reserved_kern. The kernel prints them as RAM, and /proc/iomem has them
/// as "System RAM", but each is an entry of its own (arch/x86/kernel/e820.c, e820__reserve_setup_data()): of entries of
/// RAM that touch each other every second one is setup_data. Which ones follows from their size: they are small, 64 MiB
/// in all at most. Entries in order, as printed.
Table with_setup_data(Table);

/// Whether a line (LogLine::text) is the kernel's banner, with which a boot begins.
bool starts_boot(std::string_view line);

/// Every boot in the text of a kernel log, the oldest first. The last one counts. If its maps are not in the text, its
/// LogBoot::maps is empty. A boot begins at starts_boot(), at a second firmware map, or where a map without a heading
/// begins again at its first address. The result is empty if the text has neither a banner nor a map.
///
/// It reads the forms of all kernels from 2.6 to 7.x: up to 3.3 the end of a range is exclusive, and from 7.0 on there
/// are "[gap ...]" lines. If lines name their hosts or consoles, each of these has boots of its own. An entry that a
/// mailer has broken at a blank is joined again.
///
/// Input errors, with the line: an entry cannot be read, an end is below its start, or entries are not in order.
Result<std::vector<LogBoot>> parse_log_table(std::string_view text);

}  // namespace e820
