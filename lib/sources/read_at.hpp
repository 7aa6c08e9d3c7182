// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "base/fd.hpp"

namespace handoff {

/// Reads into.size() bytes at an offset: of a file or of memory, of which only a part is needed. False where they
/// cannot be read, or are not all there.
using ReadAt = std::function<bool(std::uint64_t offset, std::span<std::byte> into)>;

/// Of a file, which must stay open as long as it is read.
ReadAt read_at(const base::Fd&);
/// Of bytes that must outlive it.
ReadAt read_at(std::span<const std::byte>);

}  // namespace handoff
