// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "swiotlb-handoff/range.hpp"

namespace base {

/// `bytes` as "64 MiB", or if that is no whole number as "4 KiB", rounded down.
inline std::string size_text(std::uint64_t bytes) {
    const bool whole = bytes % MiB == 0;
    return std::to_string(bytes / (whole ? MiB : KiB)) + (whole ? " MiB" : " KiB");
}

/// A list in words: "a", "a and b", "a, b and c" if `last` is " and ". `words` is any container of texts.
template <class Words>
std::string listed(const Words& words, std::string_view last) {
    std::string text;
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (i > 0) text += i + 1 == words.size() ? last : ", ";
        text += words[i];
    }
    return text;
}

/// `text` in single quotes, so that sh, zsh and fish read it as one word.
inline std::string shell_quoted(std::string_view text) {
    std::string quoted = "'";
    for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return quoted + "'";
}

}  // namespace base
