// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lib/decide/recommend.hpp"
#include "lib/load/wishes.hpp"
#include "lib/sources/host.hpp"
#include "lib/sources/report.hpp"
#include "swiotlb-handoff/plan.hpp"
#include "tool/options.hpp"

namespace tool {

/// Exit statuses: swiotlb-handoff(8).
enum class Status { ready = 0, input = 1, usage = 2, refused = 3, not_needed = 4, not_permitted = 5 };

/// What the command line of the tool says: read_arguments().
struct Options {
    Command command = Command::help;
    std::vector<std::string> operands;
    bool json = false;
    bool verbose = false;
    std::string root = "/";
    std::optional<std::string> kernel, initrd, command_line;
    std::optional<base::AddressRange> pool;
    handoff::Loader loader = handoff::Loader::automatic;
    handoff::Method method = handoff::Method::automatic;
    std::vector<std::string> accept;
    bool lend = false;
    handoff::Collector collector = handoff::Collector::unknown;
    bool strict = false;
    std::optional<std::string> kexec;  // the program, by hand
    bool dry_run = false;
    // e820
    std::optional<std::string> input;
    std::string input_format = "auto";
    std::string format = "log";
    bool before = false;
    // check
    std::optional<std::string> map_file, core_file, record_file;
    bool place = false;
    // recommend
    std::optional<std::string> crash_log;
    // recommend, shrink
    std::uint64_t margin = handoff::Need::default_margin;  // bytes
    std::optional<std::uint64_t> to;                       // bytes
    // recommend, reserve, shrink
    bool count_on_loan = false;
    // reserve
    bool undo = false;
    // test
    bool yes = false, result = false;
    std::optional<std::string> report;
    // audit
    std::optional<unsigned> jobs;
    bool csv = false, merge = false;
    // map
    bool svg = false;
    // status
    bool prometheus = false;
    std::optional<std::string> output;
};

/// A command prints what it found, and answers with the exit status.
Status show(const Options&);
Status plan(const Options&);
Status cmdline(const Options&);
Status e820(const Options&);
Status check(const Options&);
Status verify(const Options&);
Status capture(const Options&);
Status explain(const Options&);
Status kexec(const Options&);
Status map(const Options&);
Status audit(const Options&);
Status recommend(const Options&);
Status reserve(const Options&);
Status shrink(const Options&);
Status test(const Options&);
Status enable(const Options&);
Status disable(const Options&);
Status status(const Options&);

/// What the planning options say.
handoff::Wishes wishes_from(const Options&);
/// The request that they make on this machine.
base::Result<handoff::PlanRequest> request_from(const Options&, const handoff::Host&, const handoff::Machine&);

/// The machine at --root: a directory, a report or an archive.
base::Result<handoff::Host> host_of(const Options&);
/// Reads machines with all that a command asks for.
handoff::Reports reports();
/// An input error where --root is a report or an archive, of which a command that acts on a machine can make no use.
std::optional<base::Error> no_machine_to_act_on(const Options&);

/// What is read of a machine; errors are those of machine_error().
base::Result<handoff::Machine> machine_of(const handoff::Host&);

/// Somebody else than root runs the command, on the running machine.
bool root_could_do_more(const handoff::Host&);
/// The error, with the advice to run the command as root where that helps.
base::Error with_cure(const handoff::Host&, base::Error);
/// The same of an error in one of the machine's own files, which then has its full path.
base::Error machine_error(const handoff::Host&, base::Error);

/// What a command that plans begins with: the machine at --root, and what the planning options ask of it.
struct Asked {
    handoff::Host host;
    handoff::Machine machine;
    handoff::PlanRequest request;
};
base::Result<Asked> asked(const Options&);
/// The same for who says how much memory is needed, at the cost of reading the whole initrd: plan(), recommend().
/// Verdicts, words and maps do not depend on what is in it: decide().
base::Result<Asked> asked_with_sizes(const Options&);
/// What is recommended to somebody who counts on a loan, by these options, or does not. For a loan somebody has looked
/// into the pool: look_into_pool().
handoff::Recommendation recommendation_for(const Options&, const Asked&);

/// To the user, and the status that goes with it.
Status fail(const base::Error&);
/// The command was asked for something that it cannot do on this machine: says so, and names its help.
Status misused(const Options&, const std::string& sentence);
Status status_of(const base::Error&);
Status status_of(handoff::Verdict);

}  // namespace tool
