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
/// The same for a text that people read: in lines of text_width() columns, which begin below `value`.
std::string sentence_text(std::string_view label, std::string_view text);
/// The same, printed.
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

/// In which colour a word is printed, where colours are wanted: colour_wanted().
enum class Tone { plain, good, bad };
/// sentence() whose first word says how things are.
void verdict_line(std::string_view label, std::string_view text, Tone tone);
Tone tone_of(handoff::Verdict);
/// As one line, its first word in this tone.
void toned_line(std::string_view text, Tone tone);
/// "42 MiB  read      the kernel: …": what a row of a table of sizes begins with, and a text that is wrapped below
/// itself.
void size_row(std::uint64_t mib, std::string_view kind, std::string_view text);
/// The last lines: an empty one, and "Next: text".
void next(std::string_view text);
/// "0x000071000000-0x000075000000     64 MiB"
std::string row(const base::AddressRange&);

void print_pool(const handoff::Machine&);

/// What is known besides a plan, to say what to do next.
struct PlanNews {
    /// What lending the pool would come to, where nothing has to be handed over.
    std::optional<handoff::LoanOutlook> loan;
    std::optional<base::AddressRange> pool;  ///< of the running kernel, also where the plan did not ask for it
    std::string
        reload;  ///< the command that loads the crash kernel anew: "kdump-config reload"; "" without a kdump service
    bool enabled = false;  ///< that service hands the pool over
};
/// On one screen, or with `verbose` all of it.
void print_plan(const handoff::Plan&, const PlanNews&, bool verbose);

/// What is known besides a recommendation, to say what to do next.
struct RecommendNews {
    bool reserve = false;     ///< 'reserve' can set it for the next boot
    std::string_view undone;  ///< what puts the distribution's own crashkernel= back; "" where nothing does
};
/// On one screen, or with `verbose` all of it.
void print_recommendation(const handoff::Recommendation&, const handoff::Machine&, const RecommendNews&, bool verbose);
/// The verdict, and where it rests on assumptions the first of these.
void print_verdict(handoff::Verdict, const std::vector<handoff::Assumption>&, std::string_view meaning = {});
/// The first few reasons of this severity, and how many more --verbose prints.
void print_first(const std::vector<handoff::Reason>&, handoff::Severity);
void print_assumptions(const std::vector<handoff::Assumption>&);
/// Of a refusal, "requires pool-exact: …", since a rule is a requirement.
void print_reason(const handoff::Reason&);
/// Refusals first.
void print_reasons(const std::vector<handoff::Reason>&);
void print_status(const handoff::StatusReport&);
void print_verification(const handoff::Verification&);

}  // namespace tool
