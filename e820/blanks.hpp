// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string_view>

// The blanks in the lines of a log that stand between a prefix and what the kernel said.
namespace e820 {

inline bool is_blank(char c) { return c == ' ' || c == '\t'; }

inline std::string_view trim_front(std::string_view text) {
    while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
    return text;
}

inline std::string_view trim(std::string_view text) {
    text = trim_front(text);
    while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
    return text;
}

}  // namespace e820
