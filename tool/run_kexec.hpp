// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/process.hpp"
#include "lib/load/crash_load.hpp"

namespace tool {

/// Runs kexec, waits for it, and keeps what it prints: with -d that is for us, not for the caller. Standard output and
/// error share one pipe where the caller's are one file, so that their order is kept. `iomem`: what it sees as
/// /proc/iomem, by a mount namespace of its own.
handoff::KexecRun run_kexec(base::Argv&, const std::optional<std::string>& iomem);

/// Writes all of it, or as much as can be written.
void write_all(int fd, std::string_view text);

}  // namespace tool
