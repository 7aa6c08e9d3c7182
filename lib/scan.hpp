// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>

#include "e820/number.hpp"
#include "e820/range.hpp"

namespace handoff {

/// Takes the first line of a text, without its end; "" of an empty one.
inline std::string_view take_line(std::string_view& text) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    return line;
}

/// Whether one of the words, which blanks and tabs separate, is this one.
inline bool has_word(std::string_view words, std::string_view wanted) {
    while (!words.empty()) {
        const std::string_view word = words.substr(0, words.find_first_of(" \t"));
        if (word == wanted) return true;
        words.remove_prefix(std::min(words.size(), word.size() + 1));
    }
    return false;
}

/// Takes pieces off the front of a text; what does not match leaves it unchanged.
class Scan {
public:
    explicit Scan(std::string_view text) : rest_(text) {}

    [[nodiscard]] std::string_view rest() const { return rest_; }

    bool take(std::string_view literal) {
        if (!rest_.starts_with(literal)) return false;
        rest_.remove_prefix(literal.size());
        return true;
    }
    std::optional<std::uint64_t> decimal() { return digits("0123456789", 10); }
    /// With or without "0x".
    std::optional<std::uint64_t> hex() {
        const std::string_view before = rest_;
        take("0x");
        const auto value = digits("0123456789abcdefABCDEF", 16);
        if (!value) rest_ = before;
        return value;
    }

private:
    std::optional<std::uint64_t> digits(std::string_view allowed, int base) {
        const auto length = std::min(rest_.find_first_not_of(allowed), rest_.size());
        const auto value = e820::parse_number(rest_.substr(0, length), base);
        if (value) rest_.remove_prefix(length);
        return value;
    }

    std::string_view rest_;
};

}  // namespace handoff
