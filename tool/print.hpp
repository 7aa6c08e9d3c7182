// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "lib/check.hpp"
#include "lib/machine.hpp"
#include "lib/plan.hpp"
#include "lib/status.hpp"

namespace tool {

// The one place that writes to the user.

/// To standard output, as it is.
void print(std::string_view text);
/// Indented, and UTF-8 whatever is in it.
void print_json(const nlohmann::json&);
/// Without control characters: what is read may be meant for the terminal rather than for the reader.
std::string printable(std::string_view text);
/// "swiotlb-handoff: text" to standard error.
void complain(std::string_view text);
/// complain(), and the same to syslog(3) for scripts whose output nobody reads.
void report(std::string_view text);
/// How far long work is: a line on standard error over the last one, "" to take it away. Only where that is a terminal and
/// standard output, whose lines it would cut, is none.
void progress(std::string_view text);
/// To syslog(3) alone: standard error belongs to somebody else.
void note(std::string_view text);
/// False where standard output could not take everything (disk full, closed pipe).
bool flush();

void print_pool(const handoff::Machine&);
void print_plan(const handoff::Plan&);
void print_reasons(const std::vector<handoff::Reason>&);
void print_status(const handoff::StatusReport&);
void print_verification(const handoff::Verification&);

}  // namespace tool
