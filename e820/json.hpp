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

/// The number in "schema" of every JSON document of the program. It changes when a name, a unit or a shape changes.
inline constexpr unsigned json_schema = 2;

/// Its members keep the order in which they are put in, so that what matters comes first.
using Json = nlohmann::ordered_json;

/// The document as it is printed: indented, or in one line if `indent` is -1. It is always UTF-8: a byte that is not
/// UTF-8 becomes U+FFFD.
std::string to_text(const Json&, int indent = 2);

/// "0x75000000".
Json address_json(Address);

/// {"start": "0x75000000", "end": "0x79000000", "size_bytes": 67108864}: half-open.
Json to_json(const AddressRange&);

/// {"entries": [range with "type" and "name", …]}: "type" is the number of the e820 type, and "name" is what
/// log_label() says.
Json to_json(const Table&);

/// Reads what to_json() makes of a table. `size_bytes` and `name` may be missing; if they are there, they must fit.
/// Other members are ignored, but a `schema` must be json_schema. Input errors name the entry (from 0) and its member.
Result<Table> table_from_json(const nlohmann::json&);

/// The same from a text. An error names the line if the text is not JSON.
Result<Table> parse_json(std::string_view text);

}  // namespace e820
