// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>

#include "swiotlb-handoff/table.hpp"

namespace e820 {

/// e820__range_update(): every byte of `range` that is `from` becomes `to`. The two
/// must differ (the kernel stops on BUG_ON()).
void update(Table&, const AddressRange& range, Type from, Type to);

/// e820__range_remove(): every byte of `range` that is `type` leaves the map;
/// nullopt: whatever it is.
void remove(Table&, const AddressRange& range, std::optional<Type> type);

}  // namespace e820
