// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string_view>

#include "swiotlb-handoff/facts.hpp"
#include "swiotlb-handoff/result.hpp"

namespace handoff {

/// The last boot of the log that is a crash kernel's (is_of_crash_kernel()). nullopt where there is none. The text has
/// any form that e820::LogLines reads.
std::optional<CrashLog> read_crash_log(std::string_view text);

/// The same where there has to be one. Input errors say what the text is instead: no log, the log of a kernel that
/// crashed (vmcore-dmesg.txt), or one whose beginning is lost.
base::Result<CrashLog> expect_crash_log(std::string_view text);

}  // namespace handoff
