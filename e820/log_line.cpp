// SPDX-License-Identifier: GPL-2.0-or-later
#include "e820/log_line.hpp"

#include <algorithm>

#include "e820/blanks.hpp"

namespace e820 {
namespace {

using std::string_view;

/// Length of what begins with ESC ] and the like, up to and with BEL or ESC \\: a title, a mark of a shell, a link.
std::size_t control_string(string_view text) {
    constexpr std::size_t longest = 4096;
    text = text.substr(0, longest);
    const auto end = text.find_first_of("\a\x1b", 2);
    if (end == string_view::npos) return 2;
    return end + (text[end] == '\a' || text.substr(end + 1, 1) != "\\" ? 1 : 2);
}

/// Length of the terminal control sequence that starts at text[at] (ECMA-48); 0 where none does.
std::size_t control_sequence(string_view text, std::size_t at) {
    if (text[at] != '\x1b') return 0;
    std::size_t end = at + 1;
    if (end == text.size()) return 1;
    if (string_view("]P_^X").find(text[end]) != string_view::npos) return control_string(text.substr(at));
    if (text[end] != '[') {  // ESC ( B, ESC =
        while (end < text.size() && text[end] >= ' ' && text[end] <= '/') ++end;
        return (end < text.size() && text[end] >= '0' && text[end] <= '~' ? end + 1 : end) - at;
    }
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
    found.padding = padding_of(text, prefix);
    found.column = line.size() - text.size();
    while (found.column > 0 && is_blank(line[found.column - 1])) --found.column;
    found.text = trim(text);
    return found;
}

std::optional<LogLine> LogLines::next() {
    if (rest_.empty() && line_.empty()) return std::nullopt;
    const bool cut = !line_.empty();
    if (!cut) {
        line_ = rest_.substr(0, rest_.find('\n'));
        rest_.remove_prefix(std::min(line_.size() + 1, rest_.size()));
    }
    string_view raw = line_;
    line_ = {};
    while (raw.starts_with('\r')) raw.remove_prefix(1);
    if (const auto end = raw.find('\r'); end != string_view::npos) {
        line_ = raw.substr(std::min(raw.find_first_not_of("\r \t", end), raw.size()));
        raw = raw.substr(0, end);
    }
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
    line.number = goes_on || cut ? number_ : ++number_;
    return line;
}

}  // namespace e820
