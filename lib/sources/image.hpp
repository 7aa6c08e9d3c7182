// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>

#include "lib/sources/read_at.hpp"
#include "swiotlb-handoff/request.hpp"
#include "swiotlb-handoff/result.hpp"

namespace handoff {

/// No image is larger, in bytes.
inline constexpr std::size_t largest_image = 128 * base::MiB;

/// What plan needs to know of a bzImage of `size` bytes: its setup header and the size that its payload announces for
/// itself. The payload is not read. Errors: as of read_image().
Result<Image> image_of(const ReadAt&, std::uint64_t size);

}  // namespace handoff
