// SPDX-License-Identifier: GPL-2.0-or-later
#include "tool/difference.hpp"

#include <algorithm>
#include <cstddef>
#include <vector>

#include <fmt/format.h>

namespace tool {
namespace {

using Lines = std::vector<std::string_view>;  // each with its newline, which the last one may lack

constexpr std::size_t context = 3;

Lines lines_of(std::string_view text) {
    Lines lines;
    while (!text.empty()) {
        const auto newline = text.find('\n');
        lines.push_back(text.substr(0, newline == text.npos ? text.npos : newline + 1));
        text.remove_prefix(lines.back().size());
    }
    return lines;
}

// The lines from `begin` to `end`, as the heading of a hunk names them.
std::string place(std::size_t begin, std::size_t end) {
    const std::size_t first = begin == end ? begin : begin + 1;
    return end - begin == 1 ? fmt::format("{}", first) : fmt::format("{},{}", first, end - begin);
}

std::string marked(char mark, const Lines& lines, std::size_t begin, std::size_t end) {
    std::string text;
    for (std::size_t i = begin; i < end; ++i) {
        text += mark;
        text += lines[i];
        if (lines[i].back() != '\n') text += "\n\\ No newline at end of file\n";
    }
    return text;
}

}  // namespace

std::string unified_difference(std::string_view name, std::string_view before, std::string_view after) {
    if (before == after) return {};
    const Lines old = lines_of(before), fresh = lines_of(after);
    const std::size_t common = std::min(old.size(), fresh.size());
    std::size_t same_front = 0, same_back = 0;
    while (same_front < common && old[same_front] == fresh[same_front]) ++same_front;
    while (same_back < common - same_front && old[old.size() - 1 - same_back] == fresh[fresh.size() - 1 - same_back])
        ++same_back;

    const std::size_t begin = same_front - std::min(same_front, context), behind = std::min(same_back, context);
    const std::size_t old_end = old.size() - same_back, fresh_end = fresh.size() - same_back;
    return fmt::format("--- {0}\n+++ {0}\n@@ -{1} +{2} @@\n", name, place(begin, old_end + behind),
                       place(begin, fresh_end + behind)) +
           marked(' ', old, begin, same_front) + marked('-', old, same_front, old_end) +
           marked('+', fresh, same_front, fresh_end) + marked(' ', old, old_end, old_end + behind);
}

}  // namespace tool
