// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string_view>

#include "swiotlb-handoff/range.hpp"

namespace handoff {

/// The end (exclusive) of the highest memory that an ACPI SRAT names, memory that may be plugged in included; nullopt
/// where it is no such table.
std::optional<base::Address> srat_memory_end(std::string_view table);

}  // namespace handoff
