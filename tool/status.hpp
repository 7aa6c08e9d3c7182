// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "lib/report/status.hpp"
#include "lib/sources/host.hpp"

namespace tool {

/// How things stand with the handoff on a machine.
handoff::StatusFacts status_facts(const handoff::Host&);

/// What would be tested now, as the facts have it.
handoff::Tested tested_now(const handoff::Host&, const handoff::StatusFacts&);
/// A crash kernel runs: it has the memory of the one that crashed.
bool is_crash_kernel(const handoff::Host&);

}  // namespace tool
