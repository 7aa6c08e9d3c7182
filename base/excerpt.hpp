// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>

namespace base {

/// `text` for an error message: in single quotes, with '?' for each control or non-ASCII byte.
/// A text of more than 40 bytes is cut there, and "..." follows. An empty text becomes "nothing".
inline std::string excerpt(std::string_view text) {
    constexpr std::size_t longest = 40;
    if (text.empty()) return "nothing";
    std::string out = "'";
    for (const char c : text.substr(0, longest)) out += c >= ' ' && c <= '~' ? c : '?';
    if (text.size() > longest) out += "...";
    return out + "'";
}

}  // namespace base
