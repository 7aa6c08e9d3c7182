// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>

#include "lib/report/audit.hpp"

namespace tool {

// An audit as people read it.

inline constexpr std::string_view audit_heading = "verdict     pool MiB  crashkernel  gives back  machine\n";
/// A machine as one line, without its end.
std::string audit_line(const handoff::MachineAudit&);
/// The sums, several lines.
std::string audit_text(const handoff::AuditSummary&);

}  // namespace tool
