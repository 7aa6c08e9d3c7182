// SPDX-License-Identifier: GPL-2.0-or-later
#include "tool/text.hpp"

namespace tool {
namespace {

constexpr std::size_t length_of_sequence(unsigned char first) {
    return first < 0x80 ? 1 : first < 0xc0 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf8 ? 4 : 0;
}

// The length of the character at the beginning of `text`; 0 where it is a control character or no UTF-8 (RFC 3629).
std::size_t length_of_printable(std::string_view text) {
    const auto first = static_cast<unsigned char>(text.front());
    const std::size_t length = length_of_sequence(first);
    if (length == 0 || length > text.size()) return 0;
    if (length == 1) return first < ' ' || first == 0x7f ? 0 : 1;
    char32_t code = first & (0x7fU >> length);
    for (const char c : text.substr(1, length - 1)) {
        const auto next = static_cast<unsigned char>(c);
        if ((next & 0xc0) != 0x80) return 0;
        code = code << 6 | (next & 0x3fU);
    }
    constexpr char32_t smallest[] = {0, 0, 0xa0, 0x800, 0x10000};  // U+0080 to U+009F are the controls C1
    const bool surrogate = code >= 0xd800 && code < 0xe000;
    return code < smallest[length] || surrogate || code > 0x10ffff ? 0 : length;
}

}  // namespace

std::string printable(std::string_view text, bool lines) {
    std::string shown;
    shown.reserve(text.size());
    while (!text.empty()) {
        const bool newline = lines && text.front() == '\n';
        const std::size_t length = newline ? 1 : length_of_printable(text);
        if (length == 0) shown += '?';
        else shown += text.substr(0, length);
        text.remove_prefix(length == 0 ? 1 : length);
    }
    return shown;
}

}  // namespace tool
