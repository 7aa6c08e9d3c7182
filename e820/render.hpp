// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "e820/result.hpp"
#include "e820/table.hpp"

namespace e820 {

/// The table as the kernel would print it when it boots: the heading and a line an
/// entry, ends included, gaps as 7.0 and later print them. parse_log_table() reads it
/// back. Empty entries have no form there and are left out.
std::string render_log(const Table&, LabelStyle = LabelStyle::classic);

/// The options that make a kernel use this table whatever its firmware says:
/// "memmap=exactmap" and one "memmap=…" an entry.
std::vector<std::string> render_memmap(const Table&);

/// A JSON array, one object an entry and a line: {"start": "0x0", "end": "0x9fc00",
/// "type": 1, "name": "usable"}; half-open, `name` as in log_label().
std::string render_json(const Table&);

/// Reads what render_json() writes, in any layout. `name` may be missing; where it
/// is there, it must fit `type`. Errors name the line for text that is no
/// JSON, else the entry (from 0) and its member.
Result<Table> parse_json(std::string_view text);

}  // namespace e820
