// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "swiotlb-handoff/range.hpp"

namespace base {

/// Removes the first line from `text` and returns it without its newline; "" if `text` is empty.
inline std::string_view take_line(std::string_view& text) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    return line;
}

/// `text` without the blanks, newlines and carriage returns at its end.
inline std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) text.remove_suffix(1);
    return text;
}

/// Whether `wanted` is one of the words of `words`, which blanks and tabs separate.
inline bool has_word(std::string_view words, std::string_view wanted) {
    while (!words.empty()) {
        const std::string_view word = words.substr(0, words.find_first_of(" \t"));
        if (word == wanted) return true;
        words.remove_prefix(std::min(words.size(), word.size() + 1));
    }
    return false;
}

/// Reads pieces from the front of a text. A piece that does not match is not taken, and the text stays as it is.
class Scan {
public:
    explicit Scan(std::string_view text) : rest_(text) {}

    [[nodiscard]] std::string_view rest() const { return rest_; }

    bool take(std::string_view literal) {
        if (!rest_.starts_with(literal)) return false;
        rest_.remove_prefix(literal.size());
        return true;
    }
    bool take(char letter) {
        if (rest_.empty() || rest_.front() != letter) return false;
        rest_.remove_prefix(1);
        return true;
    }
    std::optional<std::uint64_t> decimal() { return digits<10>(); }
    /// A hexadecimal number, with or without "0x" before it.
    std::optional<std::uint64_t> hex() {
        const std::string_view before = rest_;
        take("0x");
        const auto value = digits<16>();
        if (!value) rest_ = before;
        return value;
    }
    std::optional<std::uint64_t> hex_digits() { return digits<16>(); }

private:
    /// The value of each digit, and 16 for all other bytes.
    static constexpr auto values = [] {
        std::array<std::uint8_t, 256> of{};
        of.fill(16);
        for (unsigned i = 0; i < 10; ++i) of['0' + i] = static_cast<std::uint8_t>(i);
        for (unsigned i = 10; i < 16; ++i) of['a' + i - 10] = of['A' + i - 10] = static_cast<std::uint8_t>(i);
        return of;
    }();

    /// Takes all digits that follow. nullopt if there is none, or if the number exceeds 64 bits.
    template <unsigned base>
    std::optional<std::uint64_t> digits() {
        std::uint64_t value = 0;
        bool fits = true;
        std::size_t length = 0;
        for (; length < rest_.size(); ++length) {
            const std::uint64_t digit = values[static_cast<unsigned char>(rest_[length])];
            if (digit >= base) break;
            fits = fits && value <= (~std::uint64_t{0} - digit) / base;
            value = value * base + digit;
        }
        if (length == 0 || !fits) return std::nullopt;
        rest_.remove_prefix(length);
        return value;
    }

    std::string_view rest_;
};

}  // namespace base
