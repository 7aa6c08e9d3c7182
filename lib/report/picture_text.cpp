// SPDX-License-Identifier: GPL-2.0-or-later
// The picture in the terminal.
#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "lib/report/picture_parts.hpp"

namespace handoff {
namespace {

constexpr std::size_t label_width = 11;  // in front of the bars

unsigned column_of(Address a, const AddressRange& window, unsigned columns) {
    return static_cast<unsigned>(static_cast<double>(a - window.start()) / static_cast<double>(window.size()) *
                                 columns);
}

std::vector<std::optional<MemoryUse>> cells_of(const std::vector<Stretch>& side, const AddressRange& window,
                                               unsigned columns) {
    std::vector<std::optional<MemoryUse>> cells(columns);
    for (const Stretch& s : side) {
        const AddressRange part = s.range.intersect(window);
        if (part.empty()) continue;
        const unsigned last = std::min(column_of(part.end() - 1, window, columns), columns - 1);
        for (unsigned i = std::min(column_of(part.start(), window, columns), columns - 1); i <= last; ++i)
            cells[i] = std::max(cells[i], std::optional(s.use));
    }
    return cells;
}

std::string bar(const std::vector<std::optional<MemoryUse>>& cells, bool colour) {
    std::string text;
    for (std::size_t i = 0; i < cells.size(); ++i) {
        const bool first = i == 0 || cells[i] != cells[i - 1];
        if (colour && first)
            text += cells[i] ? fmt::format("\x1b[0;{}m", look_of(*cells[i]).colour) : std::string("\x1b[0m");
        text += cells[i] ? look_of(*cells[i]).letter : ' ';
    }
    if (colour) text += "\x1b[0m";
    while (!colour && text.ends_with(' ')) text.pop_back();
    return text;
}

// Round addresses, each at its column: as many as have room.
std::string axis(const AddressRange& window, unsigned columns) {
    std::string line;
    const std::size_t widest = address_text(window.end(), window).size() + 2;
    for (const Address a : round_addresses(window, std::max(columns / static_cast<unsigned>(widest), 1U))) {
        const std::string label = '|' + address_text(a, window);
        const std::size_t column = column_of(a, window, columns);
        if ((column <= line.size() && column != 0) || column + label.size() > columns) continue;
        line.resize(column, ' ');
        line += label;
    }
    return line;
}

std::string letter_of(const Look& look, bool colour) {
    return colour ? fmt::format("\x1b[0;{}m{}\x1b[0m", look.colour, look.letter) : std::string(1, look.letter);
}

// What each letter means, in lines of at most `width` columns.
std::string legend(const Picture& picture, std::size_t width) {
    std::vector<std::string> items;
    for (const Look& look : shown_looks(picture)) items.push_back(fmt::format("{} {}", look.letter, look.name));
    std::string text;
    for (const std::string& line : lines_of(items, "   ", width - 2)) text += "  " + line + '\n';
    return text;
}

// Those of the side that are more than background; fences are many and alike.
std::string list_of(const std::vector<Stretch>& side, bool colour) {
    std::string text;
    for (const Stretch& s : side) {
        if (s.use < MemoryUse::crash_kernel) continue;
        const Look& look = look_of(s.use);
        text += fmt::format("  {} {:<14} {:#014x}-{:#014x} {:>10}\n", letter_of(look, colour), look.name,
                            s.range.start(), s.range.end(), size_text(s.range.size()));
    }
    return text;
}

}  // namespace

std::string render_text(const Picture& picture, unsigned columns, bool colour) {
    std::string text;
    for (const AddressRange& window : picture.windows) {
        text += fmt::format("{}, each character {}\n", window_name(window), size_text(window.size() / columns));
        text += "  running  " + bar(cells_of(picture.before, window, columns), colour) + '\n';
        if (!picture.after.empty())
            text += "  crash    " + bar(cells_of(picture.after, window, columns), colour) + '\n';
        text += std::string(label_width, ' ') + axis(window, columns) + "\n\n";
    }
    text += legend(picture, columns + label_width);
    text += "\nthe running kernel's memory\n" + list_of(picture.before, colour);
    if (!picture.after.empty()) text += "\nthe crash kernel's memory\n" + list_of(picture.after, colour);
    return text;
}

}  // namespace handoff
