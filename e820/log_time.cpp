// SPDX-License-Identifier: GPL-2.0-or-later
#include "e820/log_time.hpp"

#include <algorithm>
#include <array>

#include "base/number.hpp"
#include "e820/blanks.hpp"

namespace e820 {

using base::parse_number;
using std::string_view;

bool all_digits(string_view text) { return !text.empty() && std::all_of(text.begin(), text.end(), is_digit); }

string_view take_word(string_view& text) {
    text = trim_front(text);
    const auto length = std::min(text.substr(0, longest_part).find_first_of(" \t"), text.size());
    const string_view word = text.substr(0, length);
    text.remove_prefix(length);
    return word;
}

std::optional<std::uint64_t> parse_seconds(string_view text) {
    const auto dot = text.find('.');
    if (dot == string_view::npos || text.size() - dot - 1 != 6) return std::nullopt;
    const auto seconds = parse_number(text.substr(0, dot), 10);
    const auto micros = parse_number(text.substr(dot + 1), 10);
    if (!seconds || !micros || *seconds > 1'000'000'000'000) return std::nullopt;
    return *seconds * 1'000'000 + *micros;
}

bool has_form(string_view text, string_view form) {
    if (text.size() < form.size()) return false;
    for (std::size_t i = 0; i < form.size(); ++i)
        if (form[i] == 'd' ? !is_digit(text[i]) : text[i] != form[i]) return false;
    return true;
}

bool is_clock(string_view word) {
    constexpr string_view form = "dd:dd:dd";
    return has_form(word, form) && word.find_first_not_of("0123456789:.,+-Z", form.size()) == string_view::npos;
}

bool is_date(string_view word) {
    constexpr std::array<string_view, 8> whole{"dddd-dd-dd", "dd-dd",      "dddd/dd/dd", "dd/dd/dddd",
                                               "dd.dd.dddd", "dd-dd-dddd", "dd/dd/dd",   "dddd.dd.dd"};
    return std::any_of(whole.begin(), whole.end(),
                       [&](string_view form) { return word.size() == form.size() && has_form(word, form); });
}

bool is_iso_time(string_view word) {
    return word.size() > 11 && has_form(word, "dddd-dd-dd") && (word[10] == 'T' || word[10] == ' ') &&
           is_clock(word.substr(11));
}

namespace {

/// "1715674867.123456", seconds since 1970: journalctl -o short-unix.
bool is_unix_time(string_view word) {
    const auto dot = word.find('.');
    return dot >= 9 && dot <= 11 && parse_seconds(word);
}

/// The name of a day or a month in any language: "Mai", "7月", "พ.ค.", "Th05".
bool is_name(string_view word) {
    if (word.empty() || word.size() > 24 || word.find_first_of(":=[](){}<>/,;\"'") != string_view::npos) return false;
    if (std::any_of(word.begin(), word.end(), [](char c) { return c < 0; })) return true;
    if (word.back() == '.') word.remove_suffix(1);
    if (word.empty()) return false;
    const bool short_one = word.size() <= 4 && !is_digit(word.front());
    return word.size() <= 16 && word.find_first_of(short_one ? "." : ".0123456789") == string_view::npos;
}

bool is_date_word(string_view word) {
    const bool number = all_digits(word.substr(0, word.size() - (word.ends_with('.') ? 1 : 0)));
    return is_date(word) || (number ? word.size() <= 5 : is_name(word));
}

}  // namespace

bool take_clock(string_view& text) {
    string_view rest = text;
    for (int words = 0; words < 5; ++words) {
        const string_view word = take_word(rest);
        if (is_clock(word) || is_iso_time(word) || (words == 0 && is_unix_time(word))) {
            string_view after = rest;
            const string_view zone = take_word(after);
            const bool is_zone =
                zone == "UTC" || zone == "CET" || zone == "CEST" || zone == "GMT" || zone == "AM" || zone == "PM";
            text = is_zone ? after : rest;
            return true;
        }
        if (!is_date_word(word)) return false;
    }
    return false;
}

bool is_minute(string_view text) {
    constexpr string_view form = " dd:dd";
    if (text.size() <= form.size() || !has_form(text.substr(text.size() - form.size()), form)) return false;
    text = text.substr(0, text.size() - form.size());
    const auto month = text.find_last_not_of("0123456789");
    if (month == string_view::npos || text.size() - month > 3 || month + 1 == text.size()) return false;
    const string_view name = trim(text.substr(0, month + 1));
    return name.find(' ') == string_view::npos && is_name(name);
}

}  // namespace e820
