// SPDX-License-Identifier: GPL-2.0-or-later
#include "e820/log_prefix.hpp"

#include <algorithm>
#include <array>

#include "base/number.hpp"
#include "e820/blanks.hpp"
#include "e820/log_time.hpp"

namespace e820 {
namespace {

using base::parse_number;
using std::string_view;

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
        so_far.host = inside;
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

/// "kernel - - - " and "kernel - - [meta sequenceId="1"] ", what RFC 5424 has between the program and the message, and
/// the mark of UTF-8 behind it.
string_view without_fields(string_view text) {
    for (int fields = 0; fields < 3 && text.starts_with(" -"); ++fields) text.remove_prefix(2);
    if (const auto end = text.substr(0, longest_part).find(']'); text.starts_with(" [") && end != text.npos)
        if (text.substr(0, end).find('=') != text.npos) text.remove_prefix(end + 1);
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
    if (text.find("kernel") == text.npos && text.find("systemd[1]:") == text.npos) return false;
    string_view rest = text, host;
    for (int words = 0; words < 4; ++words) {
        const string_view before = trim_front(rest);
        string_view word = take_word(rest);
        if (word == "systemd[1]:" && words > 0) {
            text = before;
        } else if (word == "kernel" && rest.starts_with(" - - ")) {
            text = without_fields(rest);
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

bool is_logcat_level(char c) { return string_view("VDIWEFAS").find(c) != string_view::npos; }

/// Where "(    0)" begins in "tag     (    0): text", and the number in it.
struct Process {
    std::size_t at = string_view::npos;
    std::size_t end = 0;
    string_view number;
};
Process process_of(string_view text) {
    const auto open = text.substr(0, longest_part).find('(');
    const auto close = open == string_view::npos ? open : text.substr(0, longest_part).find("):", open);
    if (close == string_view::npos) return {};
    return {open, close + 1, trim(text.substr(open + 1, close - open - 1))};
}

/// "I/tag     (    0): ", logcat's forms "brief" and "time".
bool take_logcat_tag(string_view& text, LogPrefix& so_far) {
    if (text.size() < 2 || text[1] != '/' || !is_logcat_level(text[0])) return false;
    string_view rest = trim_front(text.substr(2));
    const Process process = process_of(rest);
    if (!all_digits(process.number)) return false;
    if (process.at == 0 && process.number == "0") rest = rest.substr(std::min(process.end + 1, rest.size()));
    so_far.has_pid = process.at != 0 && process.number == "0";  // the kernel's; of others the line stays as it is
    so_far.stamped = true;
    text = rest;
    return true;
}

/// "05-14 10:21:07.123     0     0 I ", logcat's form "threadtime", with or without a year and a user.
bool take_logcat(string_view& text, LogPrefix& so_far) {
    string_view rest = text;
    if (so_far.stamped) return false;
    if (take_logcat_tag(text, so_far)) return true;
    if (!is_date(take_word(rest)) || !is_clock(take_word(rest))) return false;
    rest = trim_front(rest);
    if (string_view tag = rest; take_logcat_tag(tag, so_far)) {
        text = tag;
        return true;
    }
    int numbers = 0;
    string_view word = take_word(rest);
    for (; numbers < 3 && (all_digits(word) || (numbers == 0 && word == "root")); ++numbers) word = take_word(rest);
    if (numbers < 2 || word.size() != 1 || !is_logcat_level(word[0])) return false;
    text = trim_front(rest);
    if (text.starts_with(": ")) text.remove_prefix(2);
    so_far.stamped = so_far.padded = true;
    return true;
}

/// "10.5.0.2: " before "kern:    info: ": talosctl dmesg names the node.
bool take_node(string_view& text, LogPrefix& so_far) {
    if (so_far.any) return false;
    string_view rest = text;
    const string_view word = take_word(rest);
    rest = trim_front(rest);
    if (word.size() < 2 || !word.ends_with(':')) return false;
    string_view after = rest;
    if (!take_decoded_priority(after, so_far)) return false;
    so_far.host = word;
    text = rest;
    return true;
}

/// "talos-1  | " of docker compose, before a line that has a prefix of its own.
bool take_service(string_view& text, LogPrefix& so_far) {
    if (so_far.any) return false;
    string_view rest = text;
    const string_view name = take_word(rest);
    if (name.empty()) return false;
    rest = trim_front(rest);
    if (!rest.starts_with("| [") && !rest.starts_with("| <")) return false;
    so_far.host = name;
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

/// Whether an unknown program may put this word before printk's own time, such as a date, the name of a console or the
/// number of a line. A word "tag:" is of a program that quotes the kernel, and "log.txt:7:" is of grep.
bool may_precede(string_view word) {
    if (word.starts_with('{') && word.ends_with('}')) return true;  // labels
    if (word.find_first_of("[]()\"'={}<") != string_view::npos) return false;
    if (!word.ends_with(':')) return true;
    const bool number = is_digit(word[word.size() - std::min<std::size_t>(word.size(), 2)]);
    return number || word == "AM:" || word == "PM:" || word.find_first_of("./") != string_view::npos ||
           word.starts_with("tty");
}

/// Anything else before "[    0.000000]".
bool take_anything(string_view& text, LogPrefix& so_far) {
    if (so_far.time_us || so_far.tagged) return false;
    const string_view head = text.substr(0, longest_part);
    const auto open = head.find('['), close = head.find(']');
    if (open == string_view::npos || open == 0 || close == string_view::npos || close < open) return false;
    if (!parse_seconds(trim(head.substr(open + 1, close - open - 1)))) return false;
    string_view words = head.substr(0, open), first;
    int count = 0;
    for (; !trim_front(words).empty() && count < 7; ++count) {
        const string_view word = take_word(words);
        if (!may_precede(word)) return false;
        if (count == 0) first = word;
    }
    if (!trim_front(words).empty()) return false;
    // A name of a console, alone: whose log it is.
    const string_view name = first.substr(0, first.find_last_not_of(":|>-") + 1);
    if (count == 1 && name.find(':') == string_view::npos && !all_digits(name)) so_far.host = name;
    text.remove_prefix(open);
    return true;
}

/// One form of a part. A form that asks for more stands before those that ask for less.
using Form = bool(string_view& text, LogPrefix& so_far);
constexpr std::array<Form*, 11> forms{take_bracket,      take_priority,   take_node,    take_decoded_priority,
                                      take_kmsg_head,    take_service,    take_logcat,  take_wall_clock,
                                      take_json_message, take_kernel_tag, take_anything};

}  // namespace

bool take_prefix_part(string_view& text, LogPrefix& so_far) {
    const auto takes = [&](Form* form) { return form(text, so_far); };
    if (std::none_of(forms.begin(), forms.end(), takes)) return false;
    so_far.any = true;
    text = trim_front(text);
    return true;
}

Padding padding_of(string_view text, const LogPrefix& prefix) {
    constexpr std::size_t width = 8;
    if (prefix.has_pid) {
        const Process process = process_of(text);
        if (process.at == string_view::npos) return {};
        const auto end = trim(text.substr(0, process.at)).size();
        return {end, process.end - end};
    }
    if (!prefix.padded || text.size() <= width || text[width] != ':' || text[width - 1] != ' ') return {};
    const auto end = text.substr(0, width).find_last_not_of(' ') + 1;
    return {end, width - end};
}

}  // namespace e820
