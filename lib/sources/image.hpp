// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <filesystem>
#include <string_view>

#include "swiotlb-handoff/plan.hpp"
#include "swiotlb-handoff/result.hpp"

namespace handoff {

/// No image is larger, in bytes.
inline constexpr std::size_t largest_image = 128 * base::MiB;

/// What plan needs to know of a bzImage: its setup header and the size that its
/// payload announces for itself. Errors: not a bzImage, not loadable by the
/// 64-bit entry, truncated; or the file cannot be read.
Result<Image> image_of(std::string_view bytes);
Result<Image> read_image(const std::filesystem::path&);

}  // namespace handoff
