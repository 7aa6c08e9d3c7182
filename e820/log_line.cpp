// SPDX-License-Identifier: GPL-2.0-or-later
#include "e820/log_line.hpp"

#include <algorithm>
#include <array>

#include "base/number.hpp"

namespace e820 {

using base::parse_number;
namespace {

using std::string_view;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_blank(char c) { return c == ' ' || c == '\t'; }
bool all_digits(string_view text) { return !text.empty() && std::all_of(text.begin(), text.end(), is_digit); }

string_view trim_front(string_view text) {
    while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
    return text;
}

string_view trim(string_view text) {
    text = trim_front(text);
    while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
    return text;
}

/// Longest prefix parts are dates; nothing that looks for the end of a part
/// looks further than this, which keeps hostile lines linear.
constexpr std::size_t longest_part = 96;

/// The first word of `text`, taken off its front together with the blanks before it.
string_view take_word(string_view& text) {
    text = trim_front(text);
    const auto length = std::min(text.substr(0, longest_part).find_first_of(" \t"), text.size());
    const string_view word = text.substr(0, length);
    text.remove_prefix(length);
    return word;
}

/// "0.000000" or "+0.000000", as printk and dmesg print seconds.
std::optional<std::uint64_t> parse_seconds(string_view text) {
    const auto dot = text.find('.');
    if (dot == string_view::npos || text.size() - dot - 1 != 6) return std::nullopt;
    const auto seconds = parse_number(text.substr(0, dot), 10);
    const auto micros = parse_number(text.substr(dot + 1), 10);
    if (!seconds || !micros || *seconds > 1'000'000'000'000) return std::nullopt;
    return *seconds * 1'000'000 + *micros;
}

/// "10:21:07", "10:21:07.123456", "10:21:07+0100", "10:21:07Z".
bool is_clock(string_view word) {
    constexpr string_view form = "dd:dd:dd";
    if (word.size() < form.size()) return false;
    for (std::size_t i = 0; i < form.size(); ++i) {
        if (form[i] == 'd' ? !is_digit(word[i]) : word[i] != form[i]) return false;
    }
    return word.find_first_not_of("0123456789:.,+-Z", form.size()) == string_view::npos;
}

/// "2024-05-14".
bool is_date(string_view word) {
    return word.size() == 10 && word[4] == '-' && word[7] == '-' && all_digits(word.substr(0, 4)) &&
           all_digits(word.substr(5, 2)) && all_digits(word.substr(8, 2));
}

/// "2024-05-14T10:21:07.123456+02:00".
bool is_iso_time(string_view word) {
    return word.size() > 11 && is_date(word.substr(0, 10)) && (word[10] == 'T' || word[10] == ' ') &&
           is_clock(word.substr(11));
}

/// The name of a day or a month in any language, a day of the month, or a date.
bool is_date_word(string_view word) {
    if (is_date(word)) return true;
    if (!word.empty() && word.back() == '.') word.remove_suffix(1);
    if (all_digits(word)) return word.size() <= 4;
    return !word.empty() && word.size() <= 16 && word.find_first_of("0123456789:=[](){}<>/.,;\"'") == string_view::npos;
}

/// "May 14 10:21:07", "Thu 2024-05-14 10:21:07 CEST", "10:21:07", ISO 8601; up
/// to and with the clock.
bool take_wall_clock(string_view& text) {
    string_view rest = text;
    for (int words = 0; words < 5; ++words) {
        const string_view word = take_word(rest);
        if (is_clock(word) || is_iso_time(word)) {
            string_view after = rest;
            const string_view zone = take_word(after);
            const bool is_zone = zone == "UTC" || zone == "CET" || zone == "CEST" || zone == "GMT";
            text = is_zone ? after : rest;
            return true;
        }
        if (!is_date_word(word)) return false;
    }
    return false;
}

/// "Nov13 14:11", as dmesg -H writes before the first line of each minute.
bool is_minute(string_view text) {
    const string_view day = take_word(text), clock = trim_front(text);
    const auto digits = day.find_first_of("0123456789");
    return digits != string_view::npos && digits > 0 && all_digits(day.substr(digits)) && day.size() - digits <= 2 &&
           clock.size() == 5 && clock[2] == ':' && all_digits(clock.substr(0, 2)) && all_digits(clock.substr(3));
}

/// "[    0.000000]", "[  +0.000000]", "[Nov13 14:11]", "[    0.000000<    0.000000>]",
/// "[    T0]", "[C1]", "[Thu May 14 10:21:07 2024]", and no other bracket.
bool take_bracket(string_view& text, std::optional<std::uint64_t>& time_us) {
    if (!text.starts_with('[')) return false;
    const auto close = text.substr(0, longest_part).find(']');
    if (close == string_view::npos) return false;
    string_view inside = trim(text.substr(1, close - 1));
    if (const auto delta = inside.find('<'); delta != string_view::npos && inside.ends_with('>')) {
        inside = trim(inside.substr(0, delta));
    }
    if (const auto seconds = parse_seconds(inside)) {
        time_us = seconds;
    } else if (inside.starts_with('+') && parse_seconds(trim_front(inside.substr(1)))) {
        // dmesg -d/-e: the time since the line before, not since boot
    } else if (inside.size() > 1 && (inside[0] == 'T' || inside[0] == 'C') && all_digits(inside.substr(1))) {
        // CONFIG_PRINTK_CALLER: the thread or the CPU
    } else if (string_view clock = inside; !is_minute(inside) && !take_wall_clock(clock)) {
        return false;
    }
    text.remove_prefix(close + 1);
    return true;
}

/// "<6>" or the "<30>" of syslog.
bool take_priority(string_view& text) {
    const auto close = text.substr(0, 6).find('>');
    if (!text.starts_with('<') || close == string_view::npos || !all_digits(text.substr(1, close - 1))) return false;
    text.remove_prefix(close + 1);
    return true;
}

/// "kern  :info  : ", as dmesg -x decodes a priority.
bool take_decoded_priority(string_view& text) {
    static constexpr std::array<string_view, 8> levels = {"emerg", "alert",  "crit", "err",
                                                          "warn",  "notice", "info", "debug"};
    const string_view head = text.substr(0, longest_part);
    const auto first = head.find(':');
    if (first == string_view::npos) return false;
    const auto second = head.find(':', first + 1);
    if (second == string_view::npos) return false;
    const string_view facility = trim(head.substr(0, first));
    const string_view level = trim(head.substr(first + 1, second - first - 1));
    if (facility.empty() || facility.find_first_of(" \t[](),;") != string_view::npos) return false;
    if (std::find(levels.begin(), levels.end(), level) == levels.end()) return false;
    text.remove_prefix(second + 1);
    return true;
}

/// "6,123,456789,-;", the head of a /dev/kmsg record (Documentation/ABI/testing/dev-kmsg).
bool take_kmsg_head(string_view& text, std::optional<std::uint64_t>& time_us) {
    const string_view head = text.substr(0, longest_part);
    const auto end = head.find(';');
    if (end == string_view::npos) return false;
    string_view fields = head.substr(0, end);
    std::array<std::uint64_t, 3> values{};
    for (std::uint64_t& value : values) {
        const auto comma = fields.find(',');
        if (comma == string_view::npos) return false;
        const auto number = parse_number(fields.substr(0, comma), 10);
        if (!number) return false;
        value = *number;
        fields.remove_prefix(comma + 1);
    }
    time_us = values[2];
    text.remove_prefix(end + 1);
    return true;
}

/// "host kernel: ", "kernel: ", "host INFO kernel[0]: ": at most two words before.
bool take_kernel_tag(string_view& text) {
    string_view rest = text;
    for (int words = 0; words < 3; ++words) {
        string_view word = take_word(rest);
        if (word.starts_with("kernel")) {
            word.remove_prefix(6);
            if (word.starts_with('[')) word.remove_prefix(std::min(word.find(']'), word.size() - 1) + 1);
            if (word == ":") {
                text = rest;
                return true;
            }
        }
        if (word.empty() || word.back() == ':' || word.find_first_of("[]=") != string_view::npos) return false;
    }
    return false;
}

/// A JSON string as `dmesg -J` writes one: `"msg": "text"`. Its escapes are left
/// alone; no line that matters has one.
bool take_json_message(string_view& text) {
    constexpr string_view key = "\"msg\":";
    if (!text.starts_with(key)) return false;
    string_view value = trim(text.substr(key.size()));
    if (value.ends_with(',')) value.remove_suffix(1);
    if (value.size() < 2 || value.front() != '"' || value.back() != '"') return false;
    text = value.substr(1, value.size() - 2);
    return true;
}

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
    bool stamped = false;  // "kernel:" and "host kernel:" are prefixes only after a time stamp, or at the very start
    bool tagged = false;
    while (!text.empty()) {
        if (text.front() == '>') {  // of a mail: says nothing of who speaks
            text = trim_front(text.substr(1));
            continue;
        }
        if (take_bracket(text, found.time_us)) {
            stamped = true;
        } else if (take_priority(text) || take_decoded_priority(text) || take_kmsg_head(text, found.time_us) ||
                   take_json_message(text)) {
        } else if (!stamped && take_wall_clock(text)) {
            stamped = true;
        } else if (!tagged && (stamped || text.starts_with("kernel:")) && take_kernel_tag(text)) {
            tagged = true;
        } else {
            break;
        }
        found.prefixed = true;
        text = trim_front(text);
    }
    found.text = trim(text);
    return found;
}

std::optional<LogLine> LogLines::next() {
    if (rest_.empty()) return std::nullopt;
    const auto end = std::min(rest_.find('\n'), rest_.size());
    string_view raw = rest_.substr(0, end);
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    if (needs_cleaning(raw)) {
        clean(raw, scratch_);
        raw = scratch_;
    }
    LogLine line = strip_prefix(raw);
    line.number = ++number_;
    return line;
}

}  // namespace e820
