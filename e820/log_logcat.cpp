// SPDX-License-Identifier: GPL-2.0-or-later
#include "e820/log_logcat.hpp"

#include <cstddef>
#include <utility>

#include "base/scan.hpp"
#include "base/text.hpp"
#include "e820/blanks.hpp"
#include "e820/log_time.hpp"

namespace e820 {
namespace {

using std::string_view;

/// "[ 05-14 10:21:07.123     0:    0 I/tag ]".
struct Head {
    string_view process, tag;
};
std::optional<Head> head_of(string_view line) {
    if (!line.starts_with("[ ") || !line.ends_with(" ]")) return std::nullopt;
    string_view rest = line.substr(2, line.size() - 4);
    if (!is_date(take_word(rest)) || !is_clock(take_word(rest))) return std::nullopt;
    rest = trim(rest);
    const auto colon = rest.find(':');
    const string_view process = trim(rest.substr(0, colon));
    if (colon == rest.npos || !all_digits(process)) return std::nullopt;
    const auto level = rest.find('/', colon);
    return level == rest.npos ? std::nullopt : std::optional(Head{process, trim(rest.substr(level + 1))});
}

}  // namespace

std::optional<std::string> lines_of_logcat(string_view text) {
    if (text.substr(0, std::size_t{1} << 16).find(" ]") == text.npos) return std::nullopt;
    std::optional<Head> head;
    bool any = false;
    std::string out;
    while (!text.empty()) {
        const string_view line = base::trimmed(base::take_line(text));
        if (const auto next = head_of(line)) {
            head = next;
            any = true;
        } else if (head && !line.empty()) {
            const bool kernel = head->process == "0";
            out += kernel ? "kernel: " : base::text("<30>host ", head->tag, "[", head->process, "]: ");
            if (kernel && !head->tag.empty()) out += base::text(head->tag, ": ");
            out += line;
        } else {
            out += line;
            if (line.empty()) head.reset();
        }
        out += '\n';
    }
    return any ? std::optional(std::move(out)) : std::nullopt;
}

}  // namespace e820
