// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "lib/report/audit.hpp"

namespace tool {

// An audit as people read it.

void print_audit_heading();
/// A machine in a line, with a second one if it could not be read. With `verbose` further lines have the whole reason,
/// or the rules that decided.
void print_audited(const handoff::MachineAudit&, bool verbose);
/// The sums, and what to do next.
void print_audit_sums(const handoff::AuditSummary&);

}  // namespace tool
