// SPDX-License-Identifier: GPL-2.0-or-later
#include "e820/log_line.hpp"

#include <algorithm>

#include "e820/blanks.hpp"

namespace e820 {
namespace {

using std::string_view;

/// Length of the terminal control sequence that starts at text[at]; 0 where none does.
std::size_t control_sequence(string_view text, std::size_t at) {
    if (text[at] != '\x1b') return 0;
    std::size_t end = at + 1;
    if (end == text.size() || text[end] != '[') return 1;
    for (++end; end < text.size(); ++end) {
        if (text[end] >= '@' && text[end] <= '~') return end + 1 - at;
        if (text[end] < ' ' || text[end] > '?') return end - at;
    }
    return text.size() - at;
}

/// Length of the no-break space at text[at], U+00A0 or U+202F in UTF-8; 0 where none is.
std::size_t no_break_space(string_view text, std::size_t at) {
    if (text.substr(at, 2) == "\xc2\xa0") return 2;
    if (text.substr(at, 3) == "\xe2\x80\xaf") return 3;
    return 0;
}

bool needs_cleaning(string_view line) {
    return std::any_of(line.begin(), line.end(), [](char c) {
        return (c >= 0 && c < ' ' && c != '\t') || c == '\x7f' || c == '\xc2' || c == '\xe2' || c == '\xa0';
    });
}

void clean(string_view line, std::string& out) {
    out.clear();
    for (std::size_t i = 0; i < line.size();) {
        if (const auto length = control_sequence(line, i)) {
            i += length;
        } else if (const auto blank = no_break_space(line, i)) {
            out += ' ';
            i += blank;
        } else {
            const char c = line[i++];
            if (c == '\t') {
                out += ' ';
            } else if (c < 0 || (c >= ' ' && c != '\x7f')) {
                out += c;
            }
        }
    }
}

}  // namespace

LogLine strip_prefix(string_view line) {
    LogLine found;
    string_view text = trim_front(line);
    found.indent = line.size() - text.size();
    LogPrefix prefix;
    while (!text.empty()) {
        if (text.front() == '>')  // of a mail: says nothing of who speaks
            text = trim_front(text.substr(1));
        else if (!take_prefix_part(text, prefix))
            break;
    }
    found.time_us = prefix.time_us;
    found.prefixed = prefix.any;
    found.host = prefix.host;
    found.padding = prefix.padded ? padding_of(text) : Padding{};
    found.column = line.size() - text.size();
    while (found.column > 0 && is_blank(line[found.column - 1])) --found.column;
    found.text = trim(text);
    return found;
}

std::optional<LogLine> LogLines::next() {
    if (rest_.empty()) return std::nullopt;
    const auto end = std::min(rest_.find('\n'), rest_.size());
    string_view raw = rest_.substr(0, end);
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    const bool goes_on = number_ != 0 && raw.starts_with(same_line);
    if (needs_cleaning(raw)) {
        clean(raw, scratch_);
        raw = scratch_;
    }
    LogLine line = strip_prefix(raw);
    if (line.padding.blanks != 0) {
        unpadded_ = line.text.substr(0, line.padding.at);
        unpadded_ += line.text.substr(line.padding.at + line.padding.blanks);
        line.text = unpadded_;
    }
    if (goes_on) line.prefixed = true;
    line.number = goes_on ? number_ : ++number_;
    return line;
}

}  // namespace e820
