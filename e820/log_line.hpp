// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "e820/log_prefix.hpp"

namespace e820 {

/// One line of a kernel log: what the kernel said, without what was put in
/// front of it on the way here.
struct LogLine {
    std::size_t number = 0;                ///< 1-based
    std::optional<std::uint64_t> time_us;  ///< the kernel's own time stamp, microseconds since boot
    std::string_view text;                 ///< cleaned, no blanks at either end; valid until the next call of next()
    bool prefixed = false;                 ///< a time, a priority or the kernel's name was in front of it
    std::string_view host;                 ///< whose log it is, as syslog and journald name it; "" where nobody does
    std::size_t indent = 0;                ///< blanks at the very front
    std::size_t column = 0;                ///< end of the prefix, in bytes of the cleaned line
    Padding padding;                       ///< that next() takes out of the text, and strip_prefix() leaves in
};

/// The first byte of a line that is a part of the line before it: lines_of_records() puts the second and later lines of
/// one message behind it, and numbers of lines stay what they are in the file.
inline constexpr char same_line = '\x1e';

/// The lines of a log in any dress that puts something in front of each: printk time stamps and callers
/// (`[    0.000000][    T0]`), `<6>`, `dmesg -x`, `-T`, `-d`, `-H`, /dev/kmsg and netconsole records, syslog, rsyslog
/// and journald prefixes in any language, RFC 5424, ISO 8601, anaconda's, talosctl's, logcat's, what containers put
/// before them, mail quoting, numbers of lines, and whatever else stands before printk's own time; control sequences of
/// terminals anywhere in the line, NULs, no-break spaces, CRLF. What a carriage return separates are several lines with
/// one number. The forms are a table in
/// log_prefix.cpp; for JSON and the journal's records see log_record.hpp. Userspace's lines of a journal keep
/// "host program[pid]:" in front, so that they cannot be taken for the kernel's. Linear in the size of the text.
class LogLines {
public:
    explicit LogLines(std::string_view text) : rest_(text) {}

    /// The next line, blank ones included; nullopt at the end of the text.
    std::optional<LogLine> next();

private:
    std::string_view rest_;
    std::string_view line_;  ///< what is left of the line that a carriage return has cut
    std::size_t number_ = 0;
    std::string scratch_;
    std::string unpadded_;
};

/// `line`, already free of colour codes and the like, without its prefix; number 0.
/// What LogLines does to each line; for a line that stands alone.
LogLine strip_prefix(std::string_view line);

}  // namespace e820
