// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "swiotlb-handoff/rules.hpp"

namespace handoff {

/// The id of the rule that found this.
inline std::string_view id_of(const Reason& reason) { return reason.rule; }

/// The rules that refuse.
inline std::set<std::string> refusals(const std::vector<Reason>& reasons) {
    std::set<std::string> ids;
    for (const Reason& r : reasons)
        if (r.severity == Severity::refusal) ids.emplace(id_of(r));
    return ids;
}

inline bool has(const std::vector<Reason>& reasons, std::string_view rule, Severity severity) {
    return std::any_of(reasons.begin(), reasons.end(),
                       [&](const Reason& r) { return id_of(r) == rule && r.severity == severity; });
}

/// All of it, for the message of a test that fails.
inline std::string text_of(const std::vector<Reason>& reasons) {
    std::string text;
    for (const Reason& r : reasons)
        text += "  " + std::string(name(r.severity)) + ": " + std::string(id_of(r)) + ": " + r.text + "\n";
    return text;
}

}  // namespace handoff
