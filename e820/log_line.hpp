// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "e820/log_prefix.hpp"

namespace e820 {

/// One line of a kernel log: what the kernel said, without the prefixes that
/// other programs put before it.
struct LogLine {
    std::size_t number = 0;                ///< counted from 1
    std::optional<std::uint64_t> time_us;  ///< the kernel's own time stamp, microseconds since boot
    std::string_view text;                 ///< without blanks at its ends; valid until the next call of next()
    bool prefixed = false;                 ///< there was a time, a priority or the kernel's name before it
    std::string_view host;                 ///< the machine, as syslog and journald name it; "" if nobody names it
    std::size_t indent = 0;                ///< number of blanks at the beginning of the line
    std::size_t column = 0;                ///< end of the prefix, in bytes of the cleaned line
    Padding padding;                       ///< next() removes it from the text, and strip_prefix() leaves it there
};

/// The first byte of a line that belongs to the line before it. lines_of_records() puts it before the second and later
/// lines of one message, so that the numbers of lines stay those of the file.
inline constexpr char same_line = '\x1e';

/// The lines of a log in any form that puts something before each line: printk time stamps and callers
/// (`[    0.000000][    T0]`), `<6>`, `dmesg -x`, `-T`, `-d`, `-H`, /dev/kmsg and netconsole records, syslog, rsyslog
/// and journald prefixes in any language, RFC 5424, ISO 8601, anaconda's, talosctl's, logcat's, what containers put
/// before them, mail quoting, numbers of lines, and whatever else stands before printk's own time; control sequences of
/// terminals anywhere in the line, NULs, no-break spaces, CRLF. A carriage return separates lines, which then have the
/// same number. The forms are a table in
/// log_prefix.cpp; for JSON and the journal's records see log_record.hpp. Userspace's lines of a journal keep
/// "host program[pid]:" in front, so that they cannot be taken for the kernel's. Linear in the size of the text.
class LogLines {
public:
    explicit LogLines(std::string_view text) : rest_(text) {}

    /// The next line, which may be blank; nullopt at the end of the text.
    std::optional<LogLine> next();

private:
    std::string_view rest_;
    std::string_view line_;  ///< the rest of a line that has carriage returns
    std::size_t number_ = 0;
    std::string scratch_;
    std::string unpadded_;
};

/// Removes the prefix from one line, as LogLines does with each line. `line` must have no control sequences any more.
/// The number of the result is 0.
LogLine strip_prefix(std::string_view line);

}  // namespace e820
