// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <vector>

#include "e820/type.hpp"
#include "swiotlb-handoff/table.hpp"

namespace e820 {

/// The table as the kernel would print it when it boots: the heading and a line an
/// entry, ends included, gaps as 7.0 and later print them. parse_log_table() reads it
/// back. Empty entries have no form there and are left out.
std::string render_log(const Table&, LabelStyle = LabelStyle::classic);

/// The options that make a kernel use this table whatever its firmware says:
/// "memmap=exactmap" and one "memmap=…" an entry.
std::vector<std::string> render_memmap(const Table&);

}  // namespace e820
