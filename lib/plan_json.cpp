// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include "lib/plan.hpp"

#include <algorithm>

namespace handoff {

std::string headline(const Plan& plan) {
    // What decided: a refusal, or the rule that the verdict rests on.
    const std::string_view rule = plan.verdict == Verdict::not_needed ? "pool-needed" : plan.loan ? "lend-gain" : "pool-exact";
    const auto refusal = std::find_if(plan.reasons.begin(), plan.reasons.end(),
                                      [](const Reason& r) { return r.severity == Severity::refusal; });
    const auto reason = refusal != plan.reasons.end()
                            ? refusal
                            : std::find_if(plan.reasons.begin(), plan.reasons.end(), [&](const Reason& r) { return r.rule == rule; });
    if (reason == plan.reasons.end()) return name(plan.verdict);
    return fmt::format("{}: {}: {}", name(plan.verdict), reason->rule, reason->text);
}

}  // namespace handoff
