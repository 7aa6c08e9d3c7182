// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string_view>
#include <vector>

#include "e820/json.hpp"
#include "lib/decide/recommend.hpp"
#include "lib/decide/verify.hpp"
#include "lib/load/crash_test.hpp"
#include "lib/load/reserve.hpp"
#include "lib/load/shrink.hpp"
#include "lib/report/audit.hpp"
#include "lib/report/picture.hpp"
#include "lib/report/status.hpp"
#include "lib/sources/capture.hpp"
#include "swiotlb-handoff/check.hpp"
#include "swiotlb-handoff/machine.hpp"
#include "swiotlb-handoff/plan.hpp"
#include "swiotlb-handoff/rules.hpp"

// What the commands print with --json: one function for each document, all in one place, so that the same thing is
// called the same in all of them. swiotlb-handoff-json(5) describes them, and so does schema/ for programs. The record
// of a load is in record.hpp.
namespace handoff {

using e820::Json;

Json show_document(const Machine&);
Json plan_document(const Plan&);
Json cmdline_document(const Plan&);
Json e820_document(const e820::Table&);
Json map_document(const Plan&, const Picture&);
Json check_document(const CheckResult&);
Json verify_document(const Verification&);
Json capture_document(const CaptureReport&);
Json recommend_document(const Recommendation&);
Json reserve_document(const ReservationChange&);
/// `result`: what came of it; none where nothing was to be done.
Json shrink_document(const ShrinkPlan&, const std::optional<ShrinkResult>& result);
/// `plan`: none where a test is only looked at. `view`: of the last one.
Json test_document(const std::optional<TestPlan>& plan, const std::optional<TestView>& view);
Json audit_document(const MachineAudit&);
Json status_document(const StatusReport&);
/// `command`: enable or disable. `config`: the file, `changed`: whether it is another one now.
Json enable_document(std::string_view command, std::string_view service, std::string_view config, bool changed);

/// A rule and what docs/rules.md says of it.
struct ExplainedRule {
    RuleInfo rule;
    std::string_view means, why, what_to_do;
};
Json explain_document(const std::vector<ExplainedRule>&);

}  // namespace handoff
