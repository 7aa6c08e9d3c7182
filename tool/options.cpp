// SPDX-License-Identifier: GPL-2.0-or-later
#include "tool/options.hpp"

#include <algorithm>
#include <array>

#include "swiotlb-handoff/rules.hpp"

namespace tool {
namespace {

template <class... Commands>
constexpr CommandSet of(Commands... commands) {
    return (bit(commands) | ...);
}

using enum Command;

constexpr std::size_t any_number = ~std::size_t{0};

constexpr auto command_table = std::to_array<CommandInfo>({
    {show, "show", "", 0, 0, "Print the pool of the running kernel and the sources that show it."},
    {plan, "plan", "", 0, 0, "Decide about the handoff, and print the verdict and what to do next.",
     "The handoff is ready, not needed or refused. The exit status says which."},
    {cmdline, "cmdline", "", 0, 0, "Print only the words for the crash kernel's command line.",
     "If there are none, nothing is printed, standard error says why, and the exit status is 0."},
    {e820, "e820", "", 0, 0, "Print the crash kernel's memory map, in any form.",
     "With --input the map comes from a file, and --command-line and --pool are applied to it."},
    {map, "map", "", 0, 0, "Draw the memory before and after a crash."},
    {check, "check", "", 0, 0, "Judge a handoff that somebody else made.",
     "Only what is given is judged. Without --command-line, that of the running kernel is judged."},
    {verify, "verify", "", 0, 0, "In the crash kernel, compare its pool with the promised one."},
    {capture, "capture", "DIR", 1, 1, "Write what is read from this machine into DIR.",
     "The directory must be new or empty. --root DIR then plans for that machine.", Completes::directories},
    {audit, "audit", "[PATH]...", 0, any_number, "Plan for many captured machines, and add them up.",
     "PATH is a captured machine, a report such as a sosreport, a tar archive of these, or a directory of them. "
     "Without PATH, or for -, the paths come from standard input, one a line.",
     Completes::files},
    {kexec, "kexec", "-- ARGS", 0, any_number, "Run kexec with ARGS, with the handoff if it is proven.",
     "If the handoff is not proven, or what was loaded is not as planned, kexec loads without the handoff. If the pool "
     "that the crash kernel would make does not fit, it gets a word that makes its pool smaller.",
     Completes::nothing, true},
    {recommend, "recommend", "", 0, 0, "Print the crashkernel= for the next boot, and why."},
    {reserve, "reserve", "", 0, 0, "Set the recommended crashkernel= for the next boot.",
     "On Debian and Ubuntu, a file of its own for GRUB takes the place of every other crashkernel=, and update-grub is "
     "run. Elsewhere the commands are printed."},
    {shrink, "shrink", "[-- COMMAND]", 0, any_number,
     "Make the reservation smaller now, and load the crash kernel again.",
     "COMMAND loads the crash kernel again. The default is the one of the installed kdump service.", Completes::nothing,
     true},
    {test, "test", "", 0, 0, "Crash this machine on purpose, to see whether its dump is written.",
     "It says first what will happen, and asks. After the reboot, --result says what came of it."},
    {enable, "enable", "", 0, 0, "Make kdump load with the handoff from now on.",
     "The configuration of the distribution's kdump service is changed."},
    {disable, "disable", "", 0, 0, "Undo enable."},
    {status, "status", "", 0, 0, "Print whether the handoff is in use, and what to do next."},
    {explain, "explain", "[RULE]", 0, 1, "Print what a rule requires, why, and what to do.",
     "Without RULE, list all rules.", Completes::rules},
    {help, "help", "[COMMAND]", 0, 1, "Print the commands, or the options of one.", {}, Completes::commands},
    {version, "version", "", 0, 0, "Print the version."},
});

constexpr CommandSet every = (CommandSet{1} << command_table.size()) - 1;
constexpr CommandSet planning = of(plan, cmdline, e820, map, check, audit, recommend, shrink);
constexpr CommandSet reading =
    (planning - bit(audit)) | of(show, verify, capture, kexec, reserve, test, enable, disable, status);

constexpr auto option_table = std::to_array<OptionInfo>({
    // --- of one command, or of two
    {"strict", "", Group::own, of(cmdline),
     "Exit with the status of the command plan, also if the handoff is refused or not needed."},
    {"format", "NAME", Group::own, of(e820),
     "The form of the output. log is the default; log7 is the log of Linux 7.0 and later.", Completes::words,
     "log log7 memmap json binary"},
    {"before", "", Group::own, of(e820), "Print the table that plain kdump passes, without the handoff."},
    {"input", "FILE", Group::own, of(e820),
     "Read this table instead of predicting one. The file - is standard input, and a directory is read as "
     "/sys/firmware/memmap.",
     Completes::files},
    {"input-format", "NAME", Group::own, of(e820), "The form of FILE, if its contents do not show it.",
     Completes::words, "auto log iomem json binary"},
    {"verbose", "", Group::own, of(plan, recommend, audit),
     "Print everything: for plan all reasons, the words, where the loader puts what, and the memory map before and "
     "after; for recommend what takes how much memory, and what else was looked at; for audit the rules that refuse a "
     "machine or are assumed."},
    {"svg", "", Group::own, of(map), "Print a picture for a web page instead of text."},
    {"e820", "FILE", Group::own, of(check),
     "The memory map of the crash kernel, in any form that the command e820 reads.", Completes::files},
    {"elfcorehdr",
     "FILE",
     Group::own,
     of(check),
     "The ELF core headers of the crash kernel, or a dump that it wrote.",
     Completes::files,
     {},
     "vmcore"},
    {"record", "FILE", Group::own, of(check), "The record of a load, which the command kexec writes.",
     Completes::files},
    {"place", "", Group::own, of(check), "Judge for this machine even if its pool cannot be seen."},
    {"jobs", "N", Group::own, of(audit), "Look at N machines in parallel. The default is one for each processor."},
    {"csv", "", Group::own, of(audit), "Print comma-separated values, for a spreadsheet."},
    {"merge", "", Group::own, of(audit),
     "Add up what other audits printed with --json. Each PATH is such a file, and - is standard input."},
    {"kexec", "FILE", Group::own, of(kexec, shrink),
     "The kexec program to run, as an absolute path. The default is the installed one.", Completes::files},
    {"dry-run", "", Group::own, of(kexec, reserve, shrink, test, enable, disable),
     "Print what would be done, and do nothing."},
    {"to", "SIZE", Group::own, of(shrink),
     "The new size of the reservation, such as 256M. The default is the smallest that is proven."},
    {"margin", "SIZE", Group::own, of(recommend, reserve, shrink, audit),
     "The memory for programs and drivers, in addition to what can be counted. The default is 64M."},
    {"count-on-loan", "", Group::own, of(recommend, reserve, shrink),
     "Let the size count on the loan of the pool. If the loan ends later, the dump is lost for lack of memory."},
    {"undo", "", Group::own, of(reserve), "Remove what an earlier reserve wrote."},
    {"yes", "", Group::own, of(test), "Crash the machine without asking."},
    {"result", "", Group::own, of(test), "Print what came of the last test, and keep it."},
    {"report", "FILE", Group::own, of(test),
     "Write what the last test showed to FILE, for somebody else. What names the machine is not in it.",
     Completes::files},
    {"crash-log", "FILE", Group::own, of(recommend),
     "A log that a crash kernel of this machine wrote, such as that of a serial console. It shows how much memory "
     "there was, what ran out, and what would have helped. The default is the machine's own log, if it ends with the "
     "boot of a crash kernel.",
     Completes::files},
    {"prometheus", "", Group::own, of(status), "Print metrics in the text format of Prometheus."},
    {"output", "FILE", Group::own, of(status), "Write the metrics to FILE, which is replaced as a whole.",
     Completes::files},
    // --- what is planned for
    {"kernel", "FILE", Group::planning, planning,
     "The bzImage of the crash kernel. The default is the one that kdump would load.", Completes::files},
    {"initrd", "FILE", Group::planning, planning,
     "The initrd of the crash kernel. The default is the one that kdump would load.", Completes::files},
    {"loader", "NAME", Group::planning, planning,
     "The system call that loads the crash kernel. The default is auto, for a plan that is right for both.",
     Completes::words, "kexec_load kexec_file_load auto"},
    {"command-line", "WORDS", Group::planning, planning,
     "The command line of the crash kernel: with the handoff for check, without it for other commands. The default is "
     "made from that of the running kernel."},
    {"method", "NAME", Group::planning, planning,
     "How the crash kernel is told where the pool is. The default is auto, which is addr if its image knows that, else "
     "ram.",
     Completes::words, "auto ram addr e820"},
    {"pool", "START-END", Group::planning, planning - bit(audit),
     "The pool, by hand: two hexadecimal addresses. The second one is the first address after the pool."},
    {"accept",
     "RULE",
     Group::planning,
     planning | bit(kexec),
     "Accept the risk of a rule that refuses only because nobody has shown on real hardware that it works. The option "
     "may be repeated.",
     Completes::acceptable_rules,
     {},
     {},
     0,
     true},
    {"lend", "", Group::planning, (planning - of(check, recommend)) | bit(kexec),
     "Lend an unused pool as ordinary memory to a crash kernel that makes no pool."},
    {"collector", "NAME", Group::planning, planning,
     "How the program that saves the dump reads /proc/vmcore. The default is what kdump's configuration says.",
     Completes::words, "mmap read"},
    // --- common
    {"json", "", Group::common, every - of(kexec, help, version), "Print JSON for programs."},
    {"root", "PATH", Group::common, reading,
     "Read a captured machine instead of the running one: a directory, a report such as a sosreport, or a tar archive "
     "of one. Commands that change something take only a directory.",
     Completes::files},
    {"help", "", Group::common, every, "Print this help.", Completes::nothing, {}, {}, 'h'},
    {"version", "", Group::common, every, "Print the version.", Completes::nothing, {}, {}, 'V'},
});

using enum Restriction::Kind;

constexpr auto restriction_table = std::to_array<Restriction>({
    {audit, "csv", excludes, "json"},
    {audit, "jobs", excludes, "merge"},
    {audit, "margin", excludes, "merge"},
    {audit, "kernel", excludes, "merge"},
    {audit, "initrd", excludes, "merge"},
    {audit, "loader", excludes, "merge"},
    {audit, "command-line", excludes, "merge"},
    {audit, "method", excludes, "merge"},
    {audit, "accept", excludes, "merge"},
    {audit, "lend", excludes, "merge"},
    {audit, "collector", excludes, "merge"},
    {map, "svg", excludes, "json"},
    {plan, "verbose", excludes, "json"},
    {recommend, "verbose", excludes, "json"},
    {audit, "verbose", excludes, "json"},
    {audit, "verbose", excludes, "csv"},
    {reserve, "dry-run", excludes, "json"},
    {reserve, "margin", excludes, "undo"},
    {reserve, "count-on-loan", excludes, "undo"},
    {test, "yes", excludes, "dry-run"},
    {test, "yes", excludes, "result"},
    {test, "dry-run", excludes, "result"},
    {test, "report", excludes, "yes"},
    {test, "report", excludes, "dry-run"},
    {test, "report", excludes, "result"},
    {test, "report", excludes, "json"},
    {enable, "dry-run", excludes, "json"},
    {disable, "dry-run", excludes, "json"},
    {status, "prometheus", excludes, "json"},
    {status, "output", excludes, "json"},
    {e820, "format", excludes, "json"},
    {e820, "input-format", needs, "input"},
    {e820, "before", excludes, "input"},
    {e820, "root", excludes, "input"},
    {e820, "kernel", excludes, "input"},
    {e820, "initrd", excludes, "input"},
    {e820, "loader", excludes, "input"},
    {e820, "method", excludes, "input"},
    {e820, "accept", excludes, "input"},
    {e820, "lend", excludes, "input"},
    {e820, "collector", excludes, "input"},
});

}  // namespace

std::span<const CommandInfo> all_commands() { return command_table; }

std::span<const OptionInfo> all_options() { return option_table; }

std::span<const Restriction> all_restrictions() { return restriction_table; }

const CommandInfo& info(Command command) { return command_table[static_cast<std::size_t>(command)]; }

const CommandInfo* find_command(std::string_view name) {
    const auto found = std::find_if(command_table.begin(), command_table.end(),
                                    [&](const CommandInfo& command) { return command.name == name; });
    return found == command_table.end() ? nullptr : &*found;
}

std::vector<std::string_view> choices(Completes completes, std::string_view words) {
    std::vector<std::string_view> all;
    switch (completes) {
        case Completes::nothing:
        case Completes::files:
        case Completes::directories:
            break;
        case Completes::words:
            while (!words.empty()) {
                all.push_back(words.substr(0, words.find(' ')));
                words.remove_prefix(std::min(words.size(), all.back().size() + 1));
            }
            break;
        case Completes::commands:
            for (const CommandInfo& command : command_table) all.push_back(command.name);
            break;
        case Completes::rules:
        case Completes::acceptable_rules:
            for (const handoff::RuleInfo& rule : handoff::rules())
                if (rule.acceptable || completes == Completes::rules) all.push_back(rule.id);
            break;
    }
    return all;
}

}  // namespace tool
