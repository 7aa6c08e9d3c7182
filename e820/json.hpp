// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "swiotlb-handoff/range.hpp"
#include "swiotlb-handoff/result.hpp"
#include "swiotlb-handoff/table.hpp"

namespace e820 {

using base::Address;
using base::AddressRange;
using base::Result;

/// The schema that every JSON document of the program has: a name, a unit or a shape that changes makes it another one.
inline constexpr unsigned json_schema = 2;

/// Members stand in the order in which they are put in: what matters first.
using Json = nlohmann::ordered_json;

/// As it is printed: indented, or in one line where `indent` is -1. Always UTF-8: a byte of some file that is none
/// becomes U+FFFD.
std::string to_text(const Json&, int indent = 2);

/// "0x75000000".
Json address_json(Address);

/// {"start": "0x75000000", "end": "0x79000000", "size_bytes": 67108864}: half-open.
Json to_json(const AddressRange&);

/// {"entries": [range with "type" and "name", …]}: the type is the number of the e820 type, the name as log_label() has
/// it.
Json to_json(const Table&);

/// Reads what to_json() makes of a table. `size_bytes` and `name` may be missing; where they are there, they must fit.
/// Other members are ignored, but a `schema` must be json_schema. Input errors name the entry (from 0) and its member.
Result<Table> table_from_json(const nlohmann::json&);

/// The same of a text. Errors name the line of what is no JSON.
Result<Table> parse_json(std::string_view text);

}  // namespace e820
