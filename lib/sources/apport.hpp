// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "swiotlb-handoff/result.hpp"

namespace handoff {

/// It begins as the reports in /var/crash that apport writes.
bool is_apport_report(std::string_view text);

/// The fields of such a report that `wanted` asks for, in order: "Key: value" lines and those behind them that begin
/// with a blank; base64 of gzip, where the value is "base64" (apport's problem_report.py). Input error: damaged, or
/// more than 64 MiB in a field.
base::Result<std::vector<std::pair<std::string, std::string>>> apport_fields(std::string_view report,
                                                                             bool (*wanted)(std::string_view key));

}  // namespace handoff
