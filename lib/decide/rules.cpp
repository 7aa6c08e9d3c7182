// SPDX-License-Identifier: GPL-2.0-or-later
#include "swiotlb-handoff/rules.hpp"

#include <algorithm>

namespace handoff {

const char* name(Severity severity) {
    switch (severity) {
        case Severity::info:
            return "info";
        case Severity::warning:
            return "warning";
        case Severity::refusal:
            return "refusal";
    }
    return "unknown";
}

std::span<const RuleInfo> rules() { return rule_table; }

const RuleInfo* find_rule(std::string_view id) {
    const auto it = std::find_if(rule_table.begin(), rule_table.end(), [&](const RuleInfo& r) { return r.id == id; });
    return it == rule_table.end() ? nullptr : &*it;
}

}  // namespace handoff
