// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <charconv>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

namespace base {

/// The whole of `text` as a number in `base`, no sign, no prefix, no blanks,
/// no trailing bytes; nullopt as well where it exceeds 64 bits.
inline std::optional<std::uint64_t> parse_number(std::string_view text, int base) {
    std::uint64_t value = 0;
    const char* end = text.data() + text.size();
    const auto [stop, status] = std::from_chars(text.data(), end, value, base);
    if (text.empty() || status != std::errc{} || stop != end) return std::nullopt;
    return value;
}

/// The whole of `text` as the kernel's simple_strtoull() reads it with base 0: "0x…" is hexadecimal, "0…" octal,
/// everything else decimal.
inline std::optional<std::uint64_t> parse_prefixed(std::string_view text) {
    if (text.size() > 1 && text[0] == '0' && (text[1] | 0x20) != 'x') return parse_number(text.substr(1), 8);
    if (text.starts_with("0x") || text.starts_with("0X")) return parse_number(text.substr(2), 16);
    return parse_number(text, 10);
}

/// A size as the kernel's command line reads one: decimal, 0x hexadecimal or
/// 0 octal digits, then at most one of K M G T P E (either case).
/// Takes what it used off the front of `text`; nullopt (and `text` unchanged)
/// where there is no digit or the value exceeds 64 bits. The kernel wraps
/// silently there (lib/cmdline.c, memparse()); a handoff must not.
inline std::optional<std::uint64_t> take_memparse(std::string_view& text) {
    std::string_view rest = text;
    int base = 10;
    if (rest.size() > 2 && rest[0] == '0' && (rest[1] | 0x20) == 'x') {
        base = 16;
        rest.remove_prefix(2);
    } else if (rest.size() > 1 && rest[0] == '0') {
        base = 8;
    }
    std::uint64_t value = 0;
    const auto [stop, status] = std::from_chars(rest.data(), rest.data() + rest.size(), value, base);
    if (status != std::errc{}) return std::nullopt;
    rest.remove_prefix(static_cast<std::size_t>(stop - rest.data()));
    if (!rest.empty()) {
        constexpr std::string_view units = "KMGTPE";
        const char letter = static_cast<char>(rest[0] & ~0x20);
        if (const auto unit = units.find(letter); unit != std::string_view::npos) {
            const auto shift = 10 * (unit + 1);
            if (value > std::numeric_limits<std::uint64_t>::max() >> shift) return std::nullopt;
            value <<= shift;
            rest.remove_prefix(1);
        }
    }
    text = rest;
    return value;
}

}  // namespace base
