// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <nlohmann/json.hpp>

#include "e820/table.hpp"

namespace handoff {

/// {"start": "0x…", "end": "0x…", "size": bytes}: half-open, as every document of the tool has ranges.
nlohmann::json to_json(const e820::AddressRange&);
/// A list of start, end, type and name, half-open.
nlohmann::json to_json(const e820::Table&);

}  // namespace handoff
