// SPDX-License-Identifier: GPL-2.0-or-later
#include "e820/render.hpp"

#include <fmt/format.h>

#include "e820/memmap.hpp"

namespace e820 {

using base::Address;

std::string render_log(const Table& table, LabelStyle style) {
    const std::string_view blank = style == LabelStyle::v7 ? "  " : " ";
    std::string text = "BIOS-provided physical RAM map:\n";
    Address previous_end = 0;
    for (const Entry& entry : table.entries) {
        if (entry.range.empty()) continue;
        if (style == LabelStyle::v7 && entry.range.start() > previous_end) {
            text += fmt::format("BIOS-e820: [gap {:#018x}-{:#018x}]\n", previous_end, entry.range.start() - 1);
        }
        text += fmt::format("BIOS-e820: [mem {:#018x}-{:#018x}]{}{}\n", entry.range.start(), entry.range.end() - 1,
                            blank, log_label(entry.type, style));
        previous_end = entry.range.end();
    }
    return text;
}

std::vector<std::string> render_memmap(const Table& table) {
    std::vector<std::string> words = {"memmap=" + to_word(ExactMap{})};
    for (const Entry& entry : table.entries) words.push_back("memmap=" + to_word(AddRange{entry.range, entry.type}));
    return words;
}

}  // namespace e820
