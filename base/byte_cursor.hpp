// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <concepts>
#include <cstddef>
#include <optional>
#include <span>

namespace base {

/// Reads little-endian integers off binary input and never past its end.
class ByteCursor {
public:
    explicit ByteCursor(std::span<const std::byte> bytes) : bytes_(bytes) {}

    [[nodiscard]] std::size_t offset() const { return offset_; }  ///< of the next byte
    [[nodiscard]] std::size_t remaining() const { return bytes_.size() - offset_; }

    /// Takes the next integer. If fewer bytes are left, it takes nothing and returns nullopt.
    template <std::unsigned_integral Integer>
    [[nodiscard]] std::optional<Integer> take() {
        if (sizeof(Integer) > remaining()) return std::nullopt;
        Integer value = 0;
        for (std::size_t i = sizeof(Integer); i-- > 0;) {
            value = static_cast<Integer>((value << 8) | std::to_integer<Integer>(bytes_[offset_ + i]));
        }
        offset_ += sizeof(Integer);
        return value;
    }

private:
    std::span<const std::byte> bytes_;
    std::size_t offset_ = 0;
};

}  // namespace base
