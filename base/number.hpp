// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <charconv>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

namespace base {

/// Reads all of `text` as a number in `base`. nullopt if there is anything but digits, such as a sign, a prefix,
/// a blank or trailing bytes, if there is no digit, or if the number exceeds 64 bits.
inline std::optional<std::uint64_t> parse_number(std::string_view text, int base) {
    std::uint64_t value = 0;
    const char* end = text.data() + text.size();
    const auto [stop, status] = std::from_chars(text.data(), end, value, base);
    if (text.empty() || status != std::errc{} || stop != end) return std::nullopt;
    return value;
}

/// Reads all of `text` as the kernel's simple_strtoull() does with base 0: "0x…" is hexadecimal, "0…" is octal, and
/// everything else is decimal. nullopt as for parse_number().
inline std::optional<std::uint64_t> parse_prefixed(std::string_view text) {
    if (text.size() > 1 && text[0] == '0' && (text[1] | 0x20) != 'x') return parse_number(text.substr(1), 8);
    if (text.starts_with("0x") || text.starts_with("0X")) return parse_number(text.substr(2), 16);
    return parse_number(text, 10);
}

/// Reads a size from the front of `text`, as the kernel reads one on its command line: decimal digits, hexadecimal
/// digits after "0x" or octal digits after "0", and then at most one of the letters K M G T P E, in either case.
/// What was read is removed from `text`. If there is no digit, or if the value exceeds 64 bits, the result is
/// nullopt and `text` stays as it is. The kernel lets such a value wrap around without a word (lib/cmdline.c,
/// memparse()). A handoff must not do that.
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
