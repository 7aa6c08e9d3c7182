// SPDX-License-Identifier: GPL-2.0-or-later
#include "tool/rule_page.hpp"

#include <algorithm>
#include <string>

namespace tool {
namespace {

// The text below a heading, up to the next one that begins with `until`; "" where the heading is missing.
std::string_view below(std::string_view text, const std::string& heading, std::string_view until) {
    const auto at = text.find(heading + '\n');
    if (at == text.npos) return {};
    text.remove_prefix(at + heading.size());
    return text.substr(0, text.find(until));
}

std::string_view trimmed(std::string_view text) {
    const auto start = std::min(text.find_first_not_of('\n'), text.size());
    return text.substr(start, text.find_last_not_of('\n') + 1 - start);
}

}  // namespace

std::optional<RulePage> rule_page(std::string_view markdown, std::string_view rule) {
    const std::string_view section = below(markdown, "\n## " + std::string(rule), "\n## ");
    const auto part = [&](const char* heading) {
        return trimmed(below(section, std::string("\n### ") + heading, "\n### "));
    };
    const RulePage page{part("What it means"), part("Why"), part("What to do")};
    if (page.means.empty() || page.why.empty() || page.what_to_do.empty()) return std::nullopt;
    return page;
}

}  // namespace tool
