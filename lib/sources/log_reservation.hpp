// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <span>

#include "lib/sources/log_reader.hpp"

namespace handoff {

/// The lines that tell what was reserved for a crash kernel.
std::span<const LogReader> reservation_readers();

/// Those that tell why nothing was, or a part only.
std::span<const LogReader> reservation_failure_readers();

}  // namespace handoff
