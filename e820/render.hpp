// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <vector>

#include "e820/type.hpp"
#include "swiotlb-handoff/table.hpp"

namespace e820 {

/// The table as the kernel prints it when it boots: the heading, and a line for each entry, with inclusive ends. Gaps
/// are printed as Linux 7.0 and later print them. parse_log_table() reads the result. Empty entries are left out,
/// because the kernel has no form for them.
std::string render_log(const Table&, LabelStyle = LabelStyle::classic);

/// The options with which a kernel uses this table in place of that of its firmware:
/// "memmap=exactmap", and one "memmap=…" for each entry.
std::vector<std::string> render_memmap(const Table&);

}  // namespace e820
