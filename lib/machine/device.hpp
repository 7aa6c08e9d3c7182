// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "swiotlb-handoff/machine.hpp"

namespace handoff {

/// Its coherent buffers have to lie below 4 GiB, as far as one can tell from outside:
/// a mask of 32 bits or less, and a kind of device that does DMA at all. A driver that never
/// asked for more than the default counts as one that needs it.
bool needs_low_memory(const DmaDevice&);

/// The driver is one that does no DMA: those that machines with a platform bus usually have. What is not known counts
/// as one that does.
bool drives_without_dma(const PlatformDevice&);

/// The driver never asks the device for DMA, whatever its mask says: bridges and the like, and graphics that are only
/// written to.
bool drives_without_dma(const DmaDevice&);

}  // namespace handoff
