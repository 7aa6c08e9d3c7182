// SPDX-License-Identifier: GPL-2.0-or-later
#include "tool/text.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/wording.hpp"

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
        const bool layout = lines && (text.front() == '\n' || text.front() == '\t');
        const std::size_t length = layout ? 1 : length_of_printable(text);
        if (length == 0)
            shown += '?';
        else
            shown += text.substr(0, length);
        text.remove_prefix(length == 0 ? 1 : length);
    }
    return shown;
}

std::string wrapped(std::string_view text, std::size_t indent, std::size_t width) {
    std::string lines;
    std::size_t column = indent;
    while (!text.empty()) {
        const std::string_view word = text.substr(0, text.find(' '));
        text.remove_prefix(std::min(text.size(), word.size() + 1));
        if (column > indent && column + 1 + word.size() > width) {
            lines += '\n' + std::string(indent, ' ');
            column = indent;
        } else if (column > indent) {
            lines += ' ';
            ++column;
        }
        lines += word;
        column += word.size();
    }
    return lines;
}

std::string either(std::span<const std::string_view> words) { return base::listed(words, " or "); }

std::size_t edit_distance(std::string_view a, std::string_view b) {
    // The rows of a table: from the first letters of `a`, as many as the row says, to those of `b`.
    std::vector<std::size_t> before, above, row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        before = std::exchange(above, row);
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = std::min(row[j], before[j - 2] + 1);
        }
    }
    return row[b.size()];
}

std::optional<std::string_view> nearest(std::string_view text, std::span<const std::string_view> candidates) {
    if (text.size() < 2 || text.size() > 100) return std::nullopt;
    std::optional<std::string_view> found;
    std::size_t least = std::max<std::size_t>(text.size() / 3, 1);  // letters that may be wrong
    for (const std::string_view candidate : candidates) {
        const std::size_t distance = candidate.starts_with(text) ? 1 : edit_distance(text, candidate);
        if (distance > least || (found && distance == least)) continue;
        least = distance;
        found = candidate;
    }
    return found;
}

}  // namespace tool
