// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "lib/kernel/command_line.hpp"
#include "swiotlb-handoff/facts.hpp"

namespace handoff {

// swiotlb_dev=<slabs>,addr=<phys>,<device>[;<device>] of the patches in kernel/: a pool for these PCI devices alone.
inline constexpr std::string_view device_pool_key = "swiotlb_dev";

/// A kernel has no more of them (SWIOTLB_MAX_DEV_POOLS).
inline constexpr std::size_t most_device_pools = 8;

/// Whether a word has that form. A kernel reads no other, but may read a number that this does not.
bool has_form_of_device_pool(const Word&);

/// What a word asks for; nullopt where every kernel refuses it, whatever its memory is like.
std::optional<DevicePool> device_pool_of(const Word&);

/// Of the same devices, at the same place.
bool same_pool(const DevicePool&, const DevicePool&);

/// The pools that a command line asks for, in its order.
std::vector<DevicePool> device_pools_on(const CommandLine&);

/// Those of them whose memory the command line adds as RAM, as the words of a handoff do. A caller's own swiotlb_dev=
/// takes memory that the kernel has anyway, or comes with the rest of the running kernel's command line and is refused.
std::vector<DevicePool> inherited_device_pools(const CommandLine&);

/// The word that asks for this pool. device_pool_of() of it has the same devices and the same range, unless the devices
/// are not named as a command line can have them.
std::string device_pool_word(const DevicePool&);

}  // namespace handoff
