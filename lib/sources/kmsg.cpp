// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/kmsg.hpp"

#include <sys/klog.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>

#include "base/number.hpp"
#include "base/scan.hpp"
#include "base/text.hpp"
#include "lib/sources/files.hpp"
#include "lib/sources/log_gaps.hpp"
#include "swiotlb-handoff/range.hpp"

namespace handoff {

using base::take_line;

using base::Result;

namespace {

/// `next` is the sequence number of the next record: each has the one behind the one before.
void append_lines(std::string& text, std::string_view records, std::optional<std::uint64_t>& next, KeepMessage* keep) {
    // Documentation/ABI/testing/dev-kmsg: "prefix,sequence,microseconds,flags[,…];text\n", then lines of the
    // dictionary, each with a leading blank. The prefix is (facility << 3) | level; /dev/kmsg does not let
    // programs write with facility 0.
    while (!records.empty()) {
        const std::string_view line = take_line(records);
        if (line.starts_with(' ')) continue;
        const auto semicolon = line.find(';');
        if (semicolon == std::string_view::npos) break;
        std::array<std::string_view, 3> fields;
        std::string_view header = line.substr(0, semicolon);
        for (auto& field : fields) {
            field = header.substr(0, header.find(','));
            header.remove_prefix(std::min(header.size(), field.size() + 1));
        }
        const auto prefix = base::parse_number(fields[0], 10);
        const auto microseconds = base::parse_number(fields[2], 10);
        if (const auto sequence = base::parse_number(fields[1], 10)) {
            if (next && *sequence > *next) text += dropped_line(*sequence - *next) + "\n";
            next = *sequence + 1;
        }
        if (!prefix || !microseconds || *prefix >> 3 != 0) continue;
        const std::string_view message = line.substr(semicolon + 1);
        if (!keep || keep(message)) {
            const std::string seconds = base::text(*microseconds / 1000000);
            text += base::text("[", std::string(seconds.size() < 5 ? 5 - seconds.size() : 0, ' '), seconds, ".",
                               base::Decimal{*microseconds % 1000000, 6}, "] ", message);
        }
        text += '\n';
    }
}

}  // namespace

std::string lines_of_kmsg(std::string_view records, KeepMessage* keep) {
    std::string text;
    std::optional<std::uint64_t> next;
    append_lines(text, records, next, keep);
    return text;
}

Result<std::string> read_kmsg(int fd, KeepMessage* keep) {
    // Each read() gives one whole record, of at most CONSOLE_EXT_LOG_MAX (8 KiB) bytes
    // (kernel/printk/printk.c, devkmsg_read()).
    std::array<char, 16 * base::KiB> record{};
    std::string text;
    std::optional<std::uint64_t> next;
    while (text.size() < file_limit) {
        const ssize_t got = ::read(fd, record.data(), record.size());
        if (got > 0) {
            append_lines(text, std::string_view(record.data(), static_cast<std::size_t>(got)), next, keep);
        } else if (got == 0 || errno == EAGAIN) {
            break;
        } else if (errno != EPIPE && errno != EINTR) {  // EPIPE: overwritten while we read; go on with the next
            return system_error("dev/kmsg", errno);
        }
    }
    return text;
}

Result<std::string> read_klog() {
    constexpr int read_all_action = 3, size_action = 10;  // SYSLOG_ACTION_*, include/linux/syslog.h
    const int size = ::klogctl(size_action, nullptr, 0);
    if (size < 0) return system_error("dmesg", errno);
    std::string text(static_cast<std::size_t>(size), '\0');
    const int got = ::klogctl(read_all_action, text.data(), size);
    if (got < 0) return system_error("dmesg", errno);
    text.resize(static_cast<std::size_t>(got));
    return text;
}

}  // namespace handoff
