// SPDX-License-Identifier: GPL-2.0-or-later
#include "e820/log_prefix.hpp"

#include <algorithm>
#include <array>

#include "base/number.hpp"
#include "e820/blanks.hpp"

namespace e820 {
namespace {

using base::parse_number;
using std::string_view;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool all_digits(string_view text) { return !text.empty() && std::all_of(text.begin(), text.end(), is_digit); }

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

/// Whether `text` begins like `form`, in which 'd' stands for a digit.
bool has_form(string_view text, string_view form) {
    if (text.size() < form.size()) return false;
    for (std::size_t i = 0; i < form.size(); ++i)
        if (form[i] == 'd' ? !is_digit(text[i]) : text[i] != form[i]) return false;
    return true;
}

// --- times ------------------------------------------------------------------------------------------------------

/// "0.000000" or "+0.000000", as printk and dmesg print seconds.
std::optional<std::uint64_t> parse_seconds(string_view text) {
    const auto dot = text.find('.');
    if (dot == string_view::npos || text.size() - dot - 1 != 6) return std::nullopt;
    const auto seconds = parse_number(text.substr(0, dot), 10);
    const auto micros = parse_number(text.substr(dot + 1), 10);
    if (!seconds || !micros || *seconds > 1'000'000'000'000) return std::nullopt;
    return *seconds * 1'000'000 + *micros;
}

/// "10:21:07", "10:21:07.123456", "10:21:07,559", "10:21:07+0100", "10:21:07Z", and "10:21:07.12+0000:" of libvirt.
bool is_clock(string_view word) {
    constexpr string_view form = "dd:dd:dd";
    return has_form(word, form) && word.find_first_not_of("0123456789:.,+-Z", form.size()) == string_view::npos;
}

/// "2024-05-14", and "05-14" of logcat.
bool is_date(string_view word) {
    return (word.size() == 10 && has_form(word, "dddd-dd-dd")) || (word.size() == 5 && has_form(word, "dd-dd"));
}

/// "2024-05-14T10:21:07.123456+02:00".
bool is_iso_time(string_view word) {
    return word.size() > 11 && has_form(word, "dddd-dd-dd") && (word[10] == 'T' || word[10] == ' ') &&
           is_clock(word.substr(11));
}

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
    const bool short_one = word.size() <= 4 && !is_digit(word.front());
    return word.size() <= 16 && word.find_first_of(short_one ? "." : ".0123456789") == string_view::npos;
}

bool is_date_word(string_view word) {
    const bool number = all_digits(word.substr(0, word.size() - (word.ends_with('.') ? 1 : 0)));
    return is_date(word) || (number ? word.size() <= 5 : is_name(word));
}

/// "May 14 10:21:07", "Thu 2024-05-14 10:21:07 CEST", "10:21:07", ISO 8601; up
/// to and with the clock.
bool take_clock(string_view& text) {
    string_view rest = text;
    for (int words = 0; words < 5; ++words) {
        const string_view word = take_word(rest);
        if (is_clock(word) || is_iso_time(word) || (words == 0 && is_unix_time(word))) {
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

/// "Nov13 14:11", "Nov 3 14:11", "11月13 14:11": dmesg -H writes it before the first line of each minute.
bool is_minute(string_view text) {
    constexpr string_view form = " dd:dd";
    if (text.size() <= form.size() || !has_form(text.substr(text.size() - form.size()), form)) return false;
    text = text.substr(0, text.size() - form.size());
    const auto month = text.find_last_not_of("0123456789");
    if (month == string_view::npos || text.size() - month > 3 || month + 1 == text.size()) return false;
    const string_view name = trim(text.substr(0, month + 1));
    return name.find(' ') == string_view::npos && is_name(name);
}

bool take_wall_clock(string_view& text, LogPrefix& so_far) {
    if (so_far.stamped || !take_clock(text)) return false;
    for (const string_view stream : {" stdout F ", " stderr F ", " stdout P ", " stderr P "})  // containers' logs
        if (text.starts_with(stream)) text.remove_prefix(stream.size());
    so_far.stamped = true;
    return true;
}

/// "[    0.000000]", "[  +0.000000]", "[Nov13 14:11]", "[    0.000000<    0.000000>]",
/// "[    T0]", "[C1]", "[Thu May 14 10:21:07 2024]", "[pod/name/container]" of kubectl, and no other bracket.
bool take_bracket(string_view& text, LogPrefix& so_far) {
    if (!text.starts_with('[')) return false;
    const auto close = text.substr(0, longest_part).find(']');
    if (close == string_view::npos) return false;
    string_view inside = trim(text.substr(1, close - 1));
    if (const auto delta = inside.find('<'); delta != string_view::npos && inside.ends_with('>')) {
        const string_view since = inside.substr(delta + 1, inside.size() - delta - 2);
        inside = trim(inside.substr(0, delta));
        if (inside.empty()) {  // dmesg --time-format=delta
            if (!parse_seconds(trim(since))) return false;
            inside = "+0.000000";
        }
    }
    if (inside.starts_with("pod/")) {
        text.remove_prefix(close + 1);
        return true;
    }
    if (const auto seconds = parse_seconds(inside)) {
        so_far.time_us = seconds;
    } else if (inside.starts_with('+') && parse_seconds(trim_front(inside.substr(1)))) {
        // dmesg -d/-e: the time since the line before, not since boot
    } else if (inside.size() > 1 && (inside[0] == 'T' || inside[0] == 'C') && all_digits(inside.substr(1))) {
        // CONFIG_PRINTK_CALLER: the thread or the CPU
    } else if (string_view clock = inside; !is_minute(inside) && !take_clock(clock)) {
        return false;
    }
    text.remove_prefix(close + 1);
    if (is_iso_time(inside) && text.starts_with(':')) text.remove_prefix(1);  // talosctl
    so_far.stamped = true;
    return true;
}

// --- priorities -------------------------------------------------------------------------------------------------

/// "<6>", the "<30>" of syslog, and "<6>1 " of RFC 5424.
bool take_priority(string_view& text, LogPrefix&) {
    const auto close = text.substr(0, 6).find('>');
    if (!text.starts_with('<') || close == string_view::npos || !all_digits(text.substr(1, close - 1))) return false;
    text.remove_prefix(close + 1);
    if (has_form(text, "1 dddd-dd-dd")) text.remove_prefix(2);
    return true;
}

/// "kern  :info  : ", as dmesg -x decodes a priority.
bool take_decoded_priority(string_view& text, LogPrefix&) {
    static constexpr std::array<string_view, 9> levels = {"emerg",  "alert", "crit",  "err",    "warn",
                                                          "notice", "info",  "debug", "warning"};
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

/// "6,123,456789,-;", the head of a /dev/kmsg record (Documentation/ABI/testing/dev-kmsg), and netconsole's, which may
/// have the kernel's release before it.
bool take_kmsg_head(string_view& text, LogPrefix& so_far) {
    const string_view head = text.substr(0, longest_part);
    const auto end = head.find(';');
    if (end == string_view::npos) return false;
    string_view fields = head.substr(0, end);
    if (const auto comma = fields.find(','); comma != string_view::npos && fields.substr(0, comma).find('.') < comma)
        fields.remove_prefix(comma + 1);
    std::array<std::uint64_t, 3> values{};
    for (std::uint64_t& value : values) {
        const auto comma = fields.find(',');
        if (comma == string_view::npos) return false;
        const auto number = parse_number(fields.substr(0, comma), 10);
        if (!number) return false;
        value = *number;
        fields.remove_prefix(comma + 1);
    }
    so_far.time_us = values[2];
    so_far.stamped = true;
    text.remove_prefix(end + 1);
    return true;
}

// --- names ------------------------------------------------------------------------------------------------------

/// The year behind a clock, a zone, a level or a facility, where a host's name may stand.
bool is_no_host(string_view word) {
    constexpr std::array<string_view, 10> levels{"INFO", "WARNING", "WARN",  "NOTICE", "ERR",
                                                 "CRIT", "ALERT",   "EMERG", "DEBUG",  "ERROR"};
    return all_digits(word) || word.starts_with('+') || word.starts_with("kern.") || word.starts_with("user.") ||
           std::find(levels.begin(), levels.end(), word) != levels.end();
}

/// "kernel - - - ", the four fields of RFC 5424 that are not known to a kernel, and the mark of UTF-8 behind them.
string_view without_empty_fields(string_view text) {
    for (int fields = 0; fields < 3 && text.starts_with(" -"); ++fields) text.remove_prefix(2);
    if (text.starts_with(" \xef\xbb\xbf")) text.remove_prefix(4);
    return text;
}

/// Length of "kernel:" or "kernel[0]:" at the front of a word; 0 where it is another.
std::size_t kernel_tag(string_view word) {
    constexpr string_view name = "kernel";
    if (!word.starts_with(name)) return 0;
    std::size_t end = name.size();
    if (word.substr(end).starts_with('[')) end = std::min(word.find(']', end), word.size() - 1) + 1;
    return word.substr(end).starts_with(':') ? end + 1 : 0;
}

/// "host kernel: ", "kernel: ", "host INFO kernel[0]: ", "INFO kernel:" with the message right behind it, and
/// "host kernel - - - ": at most three words before. Of systemd only the host goes: it tells of encryption.
bool take_kernel_tag(string_view& text, LogPrefix& so_far) {
    if (so_far.tagged || !(so_far.stamped || text.starts_with("kernel:"))) return false;
    string_view rest = text, host;
    for (int words = 0; words < 4; ++words) {
        const string_view before = trim_front(rest);
        string_view word = take_word(rest);
        if (word == "systemd[1]:" && words > 0) {
            text = before;
        } else if (word == "kernel" && rest.starts_with(" - - ")) {
            text = without_empty_fields(rest);
        } else if (const auto tag = kernel_tag(word); tag != 0) {
            text = before.substr(tag);
        } else {
            if (word.empty() || word.back() == ':' || word.find_first_of("[]=") != string_view::npos) return false;
            if (!is_no_host(word)) host = word;
            continue;
        }
        so_far.host = host;
        so_far.tagged = true;
        return true;
    }
    return false;
}

/// "05-14 10:21:07.123     0     0 I ", logcat's form "threadtime", with or without a year and a user.
bool take_logcat(string_view& text, LogPrefix& so_far) {
    string_view rest = text;
    if (so_far.stamped || !is_date(take_word(rest)) || !is_clock(take_word(rest))) return false;
    int numbers = 0;
    string_view word = take_word(rest);
    for (; numbers < 3 && (all_digits(word) || (numbers == 0 && word == "root")); ++numbers) word = take_word(rest);
    if (numbers < 2 || word.size() != 1 || string_view("VDIWEFAS").find(word) == string_view::npos) return false;
    text = trim_front(rest);
    if (text.starts_with(": ")) text.remove_prefix(2);
    so_far.stamped = so_far.padded = true;
    return true;
}

/// "10.5.0.2: " before "kern:    info: ": talosctl dmesg names the node.
bool take_node(string_view& text, LogPrefix& so_far) {
    string_view rest = text;
    const string_view word = take_word(rest);
    rest = trim_front(rest);
    if (so_far.any || !word.ends_with(':') || !rest.starts_with("kern")) return false;
    string_view after = rest;
    if (!take_decoded_priority(after, so_far)) return false;
    text = rest;
    return true;
}

/// "talos-1  | " of docker compose, before a line that has a prefix of its own.
bool take_service(string_view& text, LogPrefix& so_far) {
    string_view rest = text;
    if (so_far.any || take_word(rest).empty()) return false;
    rest = trim_front(rest);
    if (!rest.starts_with("| [") && !rest.starts_with("| <")) return false;
    text = rest.substr(2);
    return true;
}

/// `"msg": "text"` of a line of `dmesg -J`, cut out of its document, which lines_of_records() reads as a whole. Its
/// escapes are left alone; no line that matters has one.
bool take_json_message(string_view& text, LogPrefix&) {
    constexpr string_view key = "\"msg\":";
    if (!text.starts_with(key)) return false;
    string_view value = trim(text.substr(key.size()));
    if (value.ends_with(',')) value.remove_suffix(1);
    if (value.size() < 2 || value.front() != '"' || value.back() != '"') return false;
    text = value.substr(1, value.size() - 2);
    return true;
}

/// A form of a part. Those that look for less stand behind those that look for more.
using Form = bool(string_view& text, LogPrefix& so_far);
constexpr std::array<Form*, 10> forms{take_bracket,      take_priority,  take_node,   take_decoded_priority,
                                      take_kmsg_head,    take_service,   take_logcat, take_wall_clock,
                                      take_json_message, take_kernel_tag};

}  // namespace

bool take_prefix_part(string_view& text, LogPrefix& so_far) {
    const auto takes = [&](Form* form) { return form(text, so_far); };
    if (std::none_of(forms.begin(), forms.end(), takes)) return false;
    so_far.any = true;
    text = trim_front(text);
    return true;
}

Padding padding_of(string_view text) {
    constexpr std::size_t width = 8;
    if (text.size() <= width || text[width] != ':' || text[width - 1] != ' ') return {};
    const auto end = text.substr(0, width).find_last_not_of(' ') + 1;
    return {end, width - end};
}

}  // namespace e820
