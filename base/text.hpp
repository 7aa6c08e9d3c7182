// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace base {

/// A number that text() writes as "0x1f" (Hex) or in decimal (Decimal), with zeros in front up to `digits` digits.
struct Hex {
    std::uint64_t value = 0;
    std::size_t digits = 1;
};
struct Decimal {
    std::uint64_t value = 0;
    std::size_t digits = 1;
};

namespace parts {

inline void append(std::string& to, std::string_view text) { to += text; }

template <std::unsigned_integral Number>
void append(std::string& to, Number number, int radix = 10, std::size_t digits = 1) {
    std::array<char, 24> text{};
    const auto end = std::to_chars(text.data(), text.data() + text.size(), number, radix).ptr;
    const auto length = static_cast<std::size_t>(end - text.data());
    if (length < digits) to.append(digits - length, '0');
    to.append(text.data(), length);
}

inline void append(std::string& to, const Hex& number) {
    to += "0x";
    append(to, number.value, 16, number.digits);
}

inline void append(std::string& to, const Decimal& number) { append(to, number.value, 10, number.digits); }

}  // namespace parts

/// Joins texts and unsigned numbers to one text. The code that goes into the crash kernel's verify uses it, because
/// fmt would make that program too large.
template <class... Parts>
std::string text(const Parts&... all) {
    std::string joined;
    (parts::append(joined, all), ...);
    return joined;
}

}  // namespace base
