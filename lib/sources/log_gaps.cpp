// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/log_gaps.hpp"

#include <utility>

#include "base/scan.hpp"
#include "base/text.hpp"

namespace handoff {

using base::Scan;
using std::string_view;

bool is_not_understood(const e820::LogLine& line, std::size_t column) {
    const string_view text = line.text;
    if (line.prefixed || text.empty() || (column != 0 && line.indent > column)) return false;
    // arch/x86/lib/kaslr.c, kaslr_get_random_long()
    const bool early_console = text.find("KASLR using") != text.npos;
    return !early_console && text != "** replaying previous printk message **" && messages_dropped(text) == 0;
}

std::uint64_t messages_dropped(string_view text) {
    for (const auto& [before, after] :
         {std::pair<string_view, string_view>{"** ", " printk messages dropped"}, {"Missed ", " kernel messages"}}) {
        const auto at = text.find(before);
        if (at == text.npos || (before == "** " && at != 0)) continue;
        Scan scan(text.substr(at + before.size()));
        const auto count = scan.decimal();
        if (count && scan.take(after)) return *count;
    }
    return text.starts_with('[') && text.ends_with(" blob data]") ? 1 : 0;
}

std::string dropped_line(std::uint64_t messages) { return base::text("** ", messages, " printk messages dropped **"); }

}  // namespace handoff
