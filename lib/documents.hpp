// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "lib/audit.hpp"
#include "lib/capture.hpp"
#include "lib/decide/check.hpp"
#include "lib/decide/verify.hpp"
#include "lib/machine.hpp"
#include "lib/picture.hpp"
#include "lib/decide/plan.hpp"
#include "lib/decide/recommend.hpp"
#include "lib/decide/rules.hpp"
#include "lib/shrink.hpp"
#include "lib/status.hpp"

// What the commands print with --json: one function for each document, all in one place, so that the same thing is
// called the same in all of them. swiotlb-handoff(8), "JSON"; the record of a load is in record.hpp.
namespace handoff {

nlohmann::json show_document(const Machine&);
nlohmann::json plan_document(const Plan&);
nlohmann::json cmdline_document(const Plan&);
nlohmann::json map_document(const Plan&, const Picture&);
nlohmann::json check_document(const CheckResult&);
nlohmann::json verify_document(const Verification&);
nlohmann::json capture_document(const CaptureReport&);
nlohmann::json recommend_document(const Recommendation&);
/// `result`: what came of it; none where nothing was to be done.
nlohmann::json shrink_document(const ShrinkPlan&, const std::optional<ShrinkResult>& result);
nlohmann::json audit_document(const Audited&);
nlohmann::json status_document(const StatusReport&);
/// Of enable and disable.
nlohmann::json enable_document(std::string_view service, std::string_view config, bool enabled, bool changed);

/// A rule and what docs/rules.md says of it.
struct ExplainedRule {
    RuleInfo rule;
    std::string_view means, why, what_to_do;  ///< "" where the page has nothing
};
nlohmann::json explain_document(const ExplainedRule&);
/// Of explain without a rule: all of them.
nlohmann::json rules_document(std::span<const RuleInfo>);

}  // namespace handoff
