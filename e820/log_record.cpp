// SPDX-License-Identifier: GPL-2.0-or-later
#include "e820/log_record.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>

#include <nlohmann/json.hpp>

#include "base/number.hpp"
#include "base/scan.hpp"
#include "base/text.hpp"
#include "e820/log_line.hpp"

namespace e820 {
namespace {

using std::string_view;

/// What is used of one record to make its line. The names of the fields are those of systemd.journal-fields(7).
struct Record {
    std::string transport, identifier, pid, host, boot, message;
    std::optional<std::uint64_t> time_us;
    bool said = false;     ///< there is a message
    bool lost = false;     ///< there is a message, but the text does not have it
    std::size_t line = 0;  ///< line of the message, counted from the first line of the record
    bool of_journal = false;

    /// journald had it from the kernel, or syslog from a daemon that reads the kernel's log, or no field says who did.
    [[nodiscard]] bool of_kernel() const {
        if (identifier == "kernel") return transport.empty() || transport == "kernel" || transport == "syslog";
        return identifier.empty() && (transport.empty() || transport == "kernel");
    }

    /// Takes a field. Those that are not used are not kept.
    void take(string_view key, string_view value, std::size_t at) {
        of_journal = of_journal || key.starts_with('_');
        if (key == "MESSAGE") {
            if (said) message += '\n';
            message += value;
            said = true;
            line = at;
        } else if (key == "_TRANSPORT") {
            transport = value;
        } else if (key == "SYSLOG_IDENTIFIER") {
            identifier = value;
        } else if (key == "_PID" || key == "SYSLOG_PID") {
            pid = value;
        } else if (key == "_HOSTNAME") {
            host = value;
        } else if (key == "_BOOT_ID") {
            boot = value;
        } else if (key == "_SOURCE_MONOTONIC_TIMESTAMP" || (key == "__MONOTONIC_TIMESTAMP" && !time_us)) {
            time_us = base::parse_number(value, 10);
        }
    }
};

/// Writes one line for each line that was read, so that the numbers of lines stay the same.
class Writer {
public:
    /// `count` lines of the text have been read.
    void end_lines(std::size_t count) {
        out_.append(count, '\n');
        used_ = used_ && count == 0;
    }
    void line(string_view text) {
        if (used_) (out_ += '\n') += same_line;
        out_ += text;
        used_ = true;
    }
    void record(const Record& record, std::size_t lines) {
        end_lines(std::min(record.line, lines));
        if (!record.boot.empty()) {
            if (!boot_.empty() && boot_ != record.boot) line("-- Boot --");
            boot_ = record.boot;
        }
        if (record.lost) line("** 1 printk messages dropped **");
        if (record.said) message(record);
        end_lines(lines - std::min(record.line, lines));
    }
    std::string take() && { return std::move(out_); }

private:
    void message(const Record& record) {
        std::string front = "kernel: ";
        if (record.time_us) {
            const std::string seconds = base::text(*record.time_us / 1000000);
            front = base::text("[", std::string(seconds.size() < 5 ? 5 - seconds.size() : 0, ' '), seconds, ".",
                               base::Decimal{*record.time_us % 1000000, 6}, "] ");
            const bool plain = !record.host.empty() && record.host.size() <= 64 &&
                               record.host.find_first_of(" \t[]=:\n") == std::string::npos;
            if (plain) front += record.host + " kernel: ";
        }
        if (!record.of_kernel()) {
            std::string text = record.message;
            std::replace(text.begin(), text.end(), '\n', ' ');
            const string_view speaker = record.identifier.empty() ? "program" : string_view(record.identifier);
            // One message of systemd says how memory is encrypted. All others are known by the host before them.
            const bool first = record.identifier == "systemd" && record.pid == "1";
            return line(base::text("<30>", first ? "" : "host ", speaker, "[", record.pid, "]: ", text));
        }
        string_view rest = record.message;
        do line(base::text(front, base::take_line(rest)));
        while (!rest.empty());
    }

    std::string out_, boot_;
    bool used_ = false;  ///< the line that is being written has text
};

std::size_t count_lines(string_view text) {
    return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

// --- JSON -------------------------------------------------------------------------------------------------------

using nlohmann::json;

/// The value is a text, or bytes if it is not UTF-8, or a list of these; nullopt if journalctl left it out.
std::optional<std::string> text_of(const json& value) {
    if (value.is_string()) return value.get<std::string>();
    if (value.is_number_unsigned()) return std::to_string(value.get<std::uint64_t>());
    if (!value.is_array()) return std::nullopt;
    std::string all;
    for (const json& part : value) {
        if (part.is_number_unsigned() && part.get<std::uint64_t>() < 256)
            all += static_cast<char>(part.get<std::uint64_t>());
        else if (part.is_string())
            (all.empty() ? all : all += '\n') += part.get_ref<const std::string&>();
        else
            return std::nullopt;
    }
    return all;
}

// `seconds` is not negative.
std::uint64_t microseconds_of(double seconds) {
    const auto time = std::chrono::round<std::chrono::microseconds>(std::chrono::duration<double>(seconds));
    return static_cast<std::uint64_t>(time.count());
}

/// {"MESSAGE": …} of a journal, {"pri": 6, "time": 0.000000, "msg": …} of dmesg, {"log": …} of containers, {"message":
/// …} of what collects logs. nullopt: it is none of them.
std::optional<Record> record_of(string_view object) {
    const json parsed = json::parse(object, nullptr, false);
    if (!parsed.is_object()) return std::nullopt;
    Record record;
    for (const auto& [key, value] : parsed.items()) {
        const auto text = text_of(value);
        if (key == "MESSAGE" && !text) {
            record.lost = record.of_journal = true;
        } else if (text && (key == "msg" || key == "log" || key == "message")) {
            record.take("MESSAGE", *text, 0);
            while (record.message.ends_with('\n')) record.message.pop_back();
        } else if (key == "time" && value.is_number()) {
            const double seconds = value.get<double>();
            if (seconds >= 0 && seconds < 1e12) record.time_us = microseconds_of(seconds);
        } else if (text) {
            record.take(key, *text, 0);
        }
    }
    if (!record.said && !record.of_journal) return std::nullopt;
    for (const string_view key : {"\"MESSAGE\"", "\"msg\"", "\"log\"", "\"message\""})
        if (const auto at = object.find(key); at != object.npos) record.line = count_lines(object.substr(0, at));
    return record;
}

/// The offset behind the closing brace of the object that begins at `start`; or the offset of an inner object, or of
/// what cannot be JSON. No record is larger than one megabyte.
std::size_t object_end(string_view text, std::size_t start) {
    constexpr std::size_t most = 1 << 20;
    const std::size_t stop = std::min(text.size(), start + most);
    bool quoted = false;
    for (std::size_t i = start + 1; i < stop; ++i) {
        const char c = text[i];
        if (quoted && c == '\\') {
            ++i;
        } else if (c == '"') {
            quoted = !quoted;
        } else if (quoted && c == '\n') {
            return i;
        } else if (!quoted && (c == '{' || c == '}')) {
            return c == '}' ? i + 1 : i;
        }
    }
    return stop;
}

/// Whether `text` has only what may stand between the records of a document.
bool is_structure(string_view text) {
    constexpr string_view key = "\"dmesg\"";
    const auto is_punctuation = [](string_view part) {
        return part.find_first_not_of(" \t\r\n{}[],:\x1e") == part.npos;
    };
    const auto at = text.find(key);
    if (at == text.npos) return is_punctuation(text);
    return is_punctuation(text.substr(0, at)) && is_punctuation(text.substr(at + key.size()));
}

std::optional<std::string> lines_of_json(string_view text) {
    Writer out;
    bool any = false;
    std::size_t at = 0, line_end = 0;  // of the line that `at` is in
    const auto end_line = [&] {
        if (line_end < text.size()) out.end_lines(1);
        at = line_end + 1;
    };
    while (at < text.size()) {
        if (line_end < at || at == 0) line_end = std::min(text.find('\n', at), text.size());
        const string_view line = text.substr(at, line_end - at);
        const std::size_t lead = line.starts_with("data: {") ? 6 : line.find_first_not_of(" \t[,}]:\x1e");
        const bool leads = lead < line.size() && line[lead] == '{';
        const std::size_t start = leads ? at + lead : at;
        const std::size_t end = leads ? object_end(text, start) : at;
        // The outer braces of a document: what it has inside are the records.
        if (leads && end < text.size() && text[end] == '{' && is_structure(text.substr(at, end - at))) {
            out.end_lines(count_lines(text.substr(at, end - at)));
            at = end;
            continue;
        }
        const string_view object = text.substr(start, leads ? end - start : 0);
        const auto record = object.ends_with('}') ? record_of(object) : std::nullopt;
        if (record) {
            any = true;
            out.record(*record, count_lines(object));
            // On the same line others may follow, or the end of it.
            at = std::min(text.find_first_not_of(" \t\r,]}", end), text.size());
            line_end = std::max(line_end, at == text.size() ? at : 0);
            if (at < text.size() && text[at] == '\n') {
                line_end = at;
                end_line();
            }
            continue;
        }
        if (!any || !is_structure(line)) out.line(line);
        end_line();
    }
    return any ? std::optional(std::move(out).take()) : std::nullopt;
}

// --- the journal's own forms ------------------------------------------------------------------------------------

/// The name in front of '=', in capitals, digits and '_'; "" where the line is no field.
string_view field_name(string_view line) {
    const auto end = std::min(line.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"), line.size());
    return end == line.size() || line[end] == '=' ? line.substr(0, end) : string_view();
}

/// "KEY\n", the length as 64 bits, the first byte being the lowest, the value, "\n" (systemd's Journal Export Format).
std::optional<string_view> take_binary(string_view& text) {
    if (text.size() < 8) return std::nullopt;
    std::uint64_t size = 0;
    for (std::size_t i = 0; i < 8; ++i) size |= std::uint64_t{static_cast<unsigned char>(text[i])} << (8 * i);
    if (size >= text.size() - 8 || text[8 + size] != '\n') return std::nullopt;
    const string_view value = text.substr(8, size);
    text.remove_prefix(8 + size + 1);
    return value;
}

/// Fields, a line each, and an empty line behind each record.
std::string lines_of_export(string_view text) {
    Writer out;
    while (!text.empty()) {
        Record record;
        std::size_t lines = 0;
        while (!text.empty() && text.front() != '\n' && text.front() != '\r') {
            const string_view line = base::trimmed(base::take_line(text));
            const string_view name = field_name(line);
            const std::size_t at = lines++;
            if (!name.empty() && name.size() < line.size()) {
                record.take(name, line.substr(name.size() + 1), at);
            } else if (const auto value = name.empty() ? std::nullopt : take_binary(text)) {
                record.take(name, *value, at);
                lines += count_lines(*value) + count_lines(string_view(value->data() - 8, 8)) + 1;
            } else {
                record.take("MESSAGE", line, at);  // no field: it stays as it is
            }
        }
        out.record(record, lines);
        if (!text.empty()) {
            base::take_line(text);
            out.end_lines(1);
        }
    }
    return std::move(out).take();
}

/// "Thu 2024-05-14 10:21:07.123456 CEST [s=…;i=1;b=…;m=…;t=…;x=…]"
bool begins_verbose(string_view line) {
    return line.substr(0, 128).find(" [s=") != line.npos && base::trimmed(line).ends_with(']');
}

/// A line that begins a record, and its fields, each four blanks in. Of a value of several lines all but the first
/// stand further in.
std::string lines_of_verbose(string_view text) {
    Writer out;
    while (!text.empty()) {
        string_view line = base::take_line(text);
        if (!begins_verbose(line)) {
            out.line(line);
            out.end_lines(1);
            continue;
        }
        Record record;
        std::size_t lines = 1;
        bool in_message = false;
        for (; text.starts_with("    "); ++lines) {
            line = base::take_line(text).substr(4);
            line = base::trimmed(line);
            const string_view name = field_name(line);
            const bool field = !name.empty() && name.size() < line.size();
            if (field) in_message = name == "MESSAGE";
            if (field) record.take(name, line.substr(name.size() + 1), lines);
            if (!field && in_message) record.message += "\n" + std::string(line);
        }
        out.record(record, lines);
    }
    return std::move(out).take();
}

}  // namespace

std::optional<std::string> lines_of_records(string_view text) {
    const auto first = std::min(text.find_first_not_of(" \t\r\n"), text.size());
    string_view rest = text.substr(first);
    const string_view line = base::trimmed(base::take_line(rest));
    const string_view name = field_name(line);
    const bool of_journal =
        name.starts_with('_') || name == "MESSAGE" || name == "PRIORITY" || name.starts_with("SYSLOG_");
    if (of_journal && name.size() < line.size()) return lines_of_export(text);
    // A heading may stand before it: "-- Journal begins at …".
    if (begins_verbose(line) || begins_verbose(base::take_line(rest))) return lines_of_verbose(text);
    const auto names = [&](string_view key) { return text.find(key) != text.npos; };
    if (!names("\"MESSAGE\"") && !names("\"msg\"") && !names("\"log\"") && !names("\"message\"")) return std::nullopt;
    return lines_of_json(text);
}

}  // namespace e820
