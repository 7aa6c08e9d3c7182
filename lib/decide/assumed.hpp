// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>

#include "swiotlb-handoff/request.hpp"

namespace handoff {

/// The image that a plan goes by: the one of the request, else one of the running kernel's release and, with a margin,
/// its size.
Image assumed_image(const Machine&, const PlanRequest&);
/// The configuration of that image, where it is known; else nullptr.
const KernelConfig* known_config(const Machine&, const PlanRequest&);
/// The size of the initrd that a plan goes by, in bytes.
std::uint64_t assumed_initrd_bytes(const PlanRequest&);

}  // namespace handoff
