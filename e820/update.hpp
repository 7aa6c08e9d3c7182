// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>

#include "swiotlb-handoff/table.hpp"

namespace e820 {

/// What e820__range_update() does: every byte of `range` that has type `from` gets type `to`. The two
/// must differ, else the kernel stops with BUG_ON().
void update(Table&, const AddressRange& range, Type from, Type to);

/// What e820__range_remove() does: every byte of `range` that has this type is removed from the map;
/// nullopt: every byte of any type.
void remove(Table&, const AddressRange& range, std::optional<Type> type);

}  // namespace e820
