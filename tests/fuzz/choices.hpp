// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "tests/fuzz/targets.hpp"

namespace fuzz {

/// Turns the bytes of a fuzzer into decisions. Takes them from the front, so that a
/// small change of the input is a small change of what it stands for; where they
/// end, everything is at its least. As FuzzedDataProvider, which only clang has.
class Choices {
public:
    explicit Choices(Input bytes) : bytes_(bytes) {}

    [[nodiscard]] bool done() const { return bytes_.empty(); }

    /// In [least, most], from as few bytes as it takes.
    std::uint64_t number(std::uint64_t least, std::uint64_t most) {
        const std::uint64_t span = most - least;
        std::uint64_t value = 0;
        for (std::uint64_t left = span; left != 0 && !bytes_.empty(); left >>= 8) {
            value = value << 8 | bytes_.front();
            bytes_ = bytes_.subspan(1);
        }
        return least + (span == ~std::uint64_t{0} ? value : value % (span + 1));
    }
    bool yes() { return number(0, 1) != 0; }
    /// Once in `n` times.
    bool rarely(std::uint64_t n) { return number(0, n - 1) == n - 1; }
    template <class T, std::size_t N>
    T pick(const T (&values)[N]) {
        return values[number(0, N - 1)];
    }
    /// Whatever is left.
    std::string_view rest() {
        const std::string_view text(reinterpret_cast<const char*>(bytes_.data()), bytes_.size());
        bytes_ = {};
        return text;
    }
    std::string text(std::size_t longest) {
        const std::uint64_t wanted = number(0, longest);  // takes bytes itself
        const std::size_t size = std::min<std::size_t>(wanted, bytes_.size());
        const std::string taken(reinterpret_cast<const char*>(bytes_.data()), size);
        bytes_ = bytes_.subspan(size);
        return taken;
    }

private:
    Input bytes_;
};

}  // namespace fuzz
