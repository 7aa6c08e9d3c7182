// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "swiotlb-handoff/result.hpp"

namespace handoff {

/// It begins as gzip's format does (RFC 1952).
bool is_gzip(std::string_view bytes);

/// What is in the first member of a gzip file; bytes behind it are not looked at. Input errors: damaged, cut off, or of
/// more than `limit` bytes.
base::Result<std::string> gunzip(std::string_view bytes, std::size_t limit);

}  // namespace handoff
