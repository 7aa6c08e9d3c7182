// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>

#include "lib/report/audit.hpp"
#include "swiotlb-handoff/result.hpp"

namespace handoff {

/// What audit_document() said of a machine, out of a line of JSON. Input error: it is none, with what was expected.
base::Result<MachineAudit> parse_audit_line(std::string_view line);

/// The names of the columns, and a machine's values: RFC 4180 with a bare line feed, which is not part of the text.
/// Several names in one column have a blank between them.
std::string audit_csv_heading();
std::string audit_csv_line(const MachineAudit&);

}  // namespace handoff
