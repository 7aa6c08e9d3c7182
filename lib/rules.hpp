// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace handoff {

enum class Severity { info, warning, refusal };
/// "info", "warning", "refusal".
const char* name(Severity);

/// What a rule found on this machine.
struct Reason {
    std::string rule;  ///< an id of rules()
    Severity severity = Severity::info;
    std::string text;      ///< what was found, one line
    std::string evidence;  ///< where it was read: "proc/iomem:12"; "" where it follows from the rest
    std::string advice;    ///< what to do about it, one line; "" where there is nothing
    friend bool operator==(const Reason&, const Reason&) = default;
};

struct RuleInfo {
    std::string_view id;       ///< stable: scripts may rely on it
    std::string_view demands;  ///< what has to hold, and why
    /// The user may accept the risk by name (--accept ID): only where nothing is
    /// known to be wrong but nobody has shown it on real hardware.
    bool acceptable = false;
};

/// Every rule there is, in the order in which plan looks at them.
std::span<const RuleInfo> rules();
const RuleInfo* find_rule(std::string_view id);

}  // namespace handoff
