// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "e820/json.hpp"
#include "lib/decide/recommend.hpp"
#include "lib/decide/verify.hpp"
#include "lib/report/status.hpp"
#include "swiotlb-handoff/machine.hpp"
#include "swiotlb-handoff/plan.hpp"
#include "swiotlb-handoff/result.hpp"

namespace tool {

// The one place that writes to the user. Whatever it is given, no control character leaves the program (printable()):
// what is read may be meant for the terminal rather than for the reader.

/// To standard output, any number of lines.
void print(std::string_view text);
/// To standard output, as one line whatever is in it.
void print_line(std::string_view text);
/// "label       value", as one line, to be printed later.
std::string field_text(std::string_view label, std::string_view value);
/// The same, printed.
void field(std::string_view label, std::string_view value);
/// The same for a text that people read: in lines of at most 100 columns, which begin below `value`.
void sentence(std::string_view label, std::string_view text);
/// Indented, and UTF-8 whatever is in it.
void print_json(const e820::Json&);
/// To standard output as it is: a binary table, or colours that are ours.
void print_bytes(std::string_view bytes);
/// Writes out what was printed; an error where standard output did not take all of it (disk full, closed).
std::optional<base::Error> flush();

/// "swiotlb-handoff: text" to standard error, as one line.
void complain(std::string_view text);
/// complain() where no memory is left.
void complain_of_memory() noexcept;
/// complain(), and the same to syslog(3) for scripts whose output nobody reads.
void report(std::string_view text);
/// How far long work is: a line on standard error over the last one, "" to take it away. Only where that is a terminal
/// and standard output, whose lines it would cut, is none.
void progress(std::string_view text);
/// To syslog(3) alone: standard error belongs to somebody else.
void note(std::string_view text);

void print_pool(const handoff::Machine&);
/// `loan`: what lending the pool would come to, where nothing has to be handed over.
void print_plan(const handoff::Plan&, const std::optional<handoff::LoanOutlook>& loan);
void print_assumptions(const std::vector<handoff::Assumption>&);
void print_reasons(const std::vector<handoff::Reason>&);
void print_status(const handoff::StatusReport&);
void print_verification(const handoff::Verification&);

}  // namespace tool
