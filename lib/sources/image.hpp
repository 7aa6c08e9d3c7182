// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>

#include "lib/sources/read_at.hpp"
#include "swiotlb-handoff/plan.hpp"
#include "swiotlb-handoff/result.hpp"

namespace handoff {

/// No image is larger, in bytes.
inline constexpr std::size_t largest_image = 128 * base::MiB;

/// What plan needs to know of a bzImage of `size` bytes: its setup header and the size that its payload announces for
/// itself. The payload is not read. Errors: not a bzImage, not loadable by the 64-bit entry, truncated; or the file
/// cannot be read.
Result<Image> image_of(const ReadAt&, std::uint64_t size);
Result<Image> read_image(const std::filesystem::path&);

}  // namespace handoff
