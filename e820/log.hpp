// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string_view>
#include <vector>

#include "swiotlb-handoff/result.hpp"
#include "swiotlb-handoff/table.hpp"

namespace e820 {

using base::Result;

/// Which of the maps that a kernel prints while it boots.
enum class MapKind {
    firmware,    ///< "BIOS-e820:", or "Xen:" on a PV guest
    extended,    ///< "extended:", the whole map where SETUP_E820_EXT brought more than the firmware's 128
    setup_data,  ///< "reserve setup_data:", up to 6.19; what memmap= did is in it too
    user,        ///< "user:", after mem= and memmap=
    modified,    ///< "modified:", after a quirk
};

struct LogMap {
    MapKind kind = MapKind::firmware;
    Table table;           ///< as printed; never empty
    std::size_t line = 0;  ///< of the first entry, 1-based
    /// The heading above the first entry is there too ("BIOS-provided physical RAM
    /// map:"). Without it the start may be lost: the log buffer wrapped, or somebody
    /// used grep.
    bool headed = false;
};

/// The maps between one start of the kernel and the next.
struct LogBoot {
    std::size_t line = 0;      ///< where it begins, 1-based
    std::vector<LogMap> maps;  ///< in the order of the log; empty where the log has lost them

    /// The last of this kind; nullptr where there is none.
    [[nodiscard]] const LogMap* find(MapKind) const;
};

/// The same entries, with those of setup_data as reserved_kern. The kernel prints them as RAM, and /proc/iomem has them
/// as "System RAM", but each is an entry of its own (arch/x86/kernel/e820.c, e820__reserve_setup_data()): of entries of
/// RAM that touch each other every second one is setup_data. Which ones follows from their size: they are small, 64 MiB
/// in all at most. Entries in order, as printed.
Table with_setup_data(Table);

/// Whether a line (LogLine::text) is the first of a boot: the kernel's banner.
bool starts_boot(std::string_view line);

/// Every boot in the text of a kernel log, oldest first; the last is the one that
/// counts, and says so by an empty LogBoot::maps where its maps are not in the text. A
/// boot begins at starts_boot(), at a second firmware map, or where a map without
/// a heading starts over at its first address. Empty where the text has neither a
/// banner nor a map. Reads every form from 2.6 to 7.x (exclusive ends up to 3.3,
/// "[gap ...]" lines from 7.0). Where lines name their hosts, or consoles, each has
/// boots of its own. An entry that a mailer cut in two at a blank is joined
/// again. Errors, with the line: an entry that does not parse, reversed bounds,
/// entries out of order.
Result<std::vector<LogBoot>> parse_log_table(std::string_view text);

}  // namespace e820
