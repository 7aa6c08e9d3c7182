// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <array>
#include <cerrno>
#include <exception>
#include <iterator>
#include <new>
#include <sstream>
#include <string_view>

#include <fcntl.h>
#include <unistd.h>

#include <boost/program_options.hpp>
#include <fmt/format.h>

#include "tool/commands.hpp"
#include "tool/print.hpp"

namespace {

namespace po = boost::program_options;
using tool::Options;
using tool::Status;

enum Group : unsigned {
    everywhere = 1, planning = 2, table = 4, checking = 8, strictness = 16, wrapping = 32, sizing = 64, shrinking = 128, reporting = 256, drawing = 512,
    auditing = 1024
};

constexpr std::size_t any_number = ~std::size_t{0};

struct Command {
    const char* name;
    const char* operands;
    const char* help;
    Status (*run)(const Options&);
    unsigned groups;
    std::size_t operand_count;
};

constexpr std::array<Command, 16> commands = {{
    {"show", "", "the pool of the running kernel, and who says so", tool::show, everywhere, 0},
    {"plan", "", "decide: ready, not needed or refused, with the reasons", tool::plan, everywhere | planning, 0},
    {"cmdline", "", "only the words to append to the crash kernel's command line", tool::cmdline, everywhere | planning | strictness, 0},
    {"e820", "", "the crash kernel's memory map with the handoff, in any form", tool::e820, everywhere | planning | table, 0},
    {"map", "", "draw memory before and after: RAM, crashkernel, pool, what is loaded where", tool::map, everywhere | planning | drawing, 0},
    {"check", "", "validate a handoff that somebody else made", tool::check, everywhere | planning | checking, 0},
    {"verify", "", "in the crash kernel: is the pool where the handoff said?", tool::verify, everywhere, 0},
    {"capture", "DIR", "write what is read from this machine into DIR, to be replayed with --root", tool::capture, everywhere, 1},
    {"audit", "DIR...", "plan for many captured machines, and add up what they could give back", tool::audit,
     everywhere | planning | sizing | auditing, any_number},
    {"kexec", "-- ARGS", "kexec, with the handoff where it is proven and the load agrees", tool::kexec, wrapping, any_number},
    {"recommend", "", "what crashkernel= to boot with, given the handoff, and why", tool::recommend, everywhere | planning | sizing, 0},
    {"shrink", "[-- COMMAND]", "make the reservation smaller now, and load the crash kernel again", tool::shrink,
     everywhere | planning | sizing | shrinking, any_number},
    {"enable", "", "have the distribution's kdump load the crash kernel with the handoff, from now on", tool::enable, everywhere, 0},
    {"disable", "", "undo enable: the configuration is what it was", tool::disable, everywhere, 0},
    {"status", "", "is the handoff enabled, does the loaded crash kernel have it, and what to do next", tool::status, everywhere | reporting, 0},
    {"explain", "RULE", "what a rule demands, why, and what to do", tool::explain, everywhere, 1},
}};

struct UsageError {
    std::string text;
};

po::options_description options_for(unsigned groups) {
    po::options_description all;
    po::options_description common("Common options");
    common.add_options()("help,h", "this text")("json", "output for programs")(
        "root", po::value<std::string>()->value_name("DIR"), "a captured machine instead of /");
    all.add(common);
    if (groups & (planning | strictness)) {
        po::options_description group("Planning");
        group.add_options()("kernel", po::value<std::string>()->value_name("FILE"), "the crash kernel's bzImage")(
            "initrd", po::value<std::string>()->value_name("FILE"), "its initrd")(
            "loader", po::value<std::string>()->value_name("NAME"), "kexec_load, kexec_file_load or auto (default: both must work)")(
            "command-line", po::value<std::string>()->value_name("WORDS"),
            "the crash kernel's command line without the handoff (default: the running kernel's, as kdump derives it)")(
            "method", po::value<std::string>()->value_name("NAME"), "auto (default: addr where the image takes it, else ram), ram, addr or e820")(
            "pool", po::value<std::string>()->value_name("START-END"), "the pool, by hand; half-open, hexadecimal with 0x")(
            "accept", po::value<std::vector<std::string>>()->value_name("RULE"), "take the risk of a rule that allows it")(
            "lend", "lend an idle pool as ordinary memory to a crash kernel that makes none")(
            "collector", po::value<std::string>()->value_name("NAME"), "what saves the dump: mmap (makedumpfile) or read (default: what kdump's configuration says)");
        all.add(group);
    }
    if (groups & strictness) {
        po::options_description group("Cmdline");
        group.add_options()("strict", "exit non-zero when refused or not needed");
        all.add(group);
    }
    if (groups & table) {
        po::options_description group("Tables");
        group.add_options()("input", po::value<std::string>()->value_name("FILE"),
                            "rewrite this table instead of the predicted one; - is standard input, a directory is like /sys/firmware/memmap")(
            "input-format", po::value<std::string>()->value_name("NAME"), "auto (default), log, iomem, json or binary")(
            "format", po::value<std::string>()->value_name("NAME"), "log (default), log7, memmap, json or binary")(
            "before", "the table without the handoff");
        all.add(group);
    }
    if (groups & wrapping) {
        po::options_description group("Kexec");
        group.add_options()("kexec", po::value<std::string>()->value_name("FILE"), "the kexec program, an absolute path (default: the installed one)")(
            "dry-run", "print the kexec command, run nothing")(
            "accept", po::value<std::vector<std::string>>()->value_name("RULE"), "take the risk of a rule that allows it")(
            "lend", "lend an idle pool as ordinary memory to a crash kernel that makes none");
        all.add(group);
    }
    if (groups & sizing) {
        po::options_description group("Sizes");
        group.add_options()("margin", po::value<std::string>()->value_name("SIZE"),
                            "for programs and drivers, besides what can be counted (default: 64M)");
        all.add(group);
    }
    if (groups & shrinking) {
        po::options_description group("Shrink");
        group.add_options()("to", po::value<std::string>()->value_name("SIZE"), "how large the reservation shall be (default: as small as is proven)")(
            "dry-run", "say what would be done")(
            "kexec", po::value<std::string>()->value_name("FILE"), "the kexec program that unloads (default: the installed one)");
        all.add(group);
    }
    if (groups & reporting) {
        po::options_description group("Status");
        group.add_options()("prometheus", "metrics in the text format of Prometheus, for node_exporter")(
            "output", po::value<std::string>()->value_name("FILE"), "write the metrics to FILE, which is replaced as a whole");
        all.add(group);
    }
    if (groups & auditing) {
        po::options_description group("Audit");
        group.add_options()("jobs", po::value<std::string>()->value_name("N"), "machines at a time (default: one a processor)");
        all.add(group);
    }
    if (groups & drawing) {
        po::options_description group("Drawing");
        group.add_options()("svg", "a picture for a page instead of text");
        all.add(group);
    }
    if (groups & checking) {
        po::options_description group("Check");
        group.add_options()("e820", po::value<std::string>()->value_name("FILE"), "the crash kernel's table, in any form")(
            "elfcorehdr,vmcore", po::value<std::string>()->value_name("FILE"), "its ELF core headers, or a vmcore")(
            "record", po::value<std::string>()->value_name("FILE"), "the record of a load, as kexec writes it")(
            "place", "prove for this machine where the pool lands");
        all.add(group);
    }
    return all;
}

void print_usage() {
    std::string text =
        "Usage: swiotlb-handoff COMMAND [OPTION]...\n"
        "Hand the running kernel's swiotlb pool to the crash kernel.\n\nCommands:\n";
    for (const Command& c : commands) text += fmt::format("  {:<14} {}\n", fmt::format("{} {}", c.name, c.operands), c.help);
    text += "\n'swiotlb-handoff COMMAND --help' shows the options of a command. See swiotlb-handoff(8).\n";
    tool::print(text);
}

std::optional<std::string> text(const po::variables_map& values, const char* name) {
    if (!values.count(name)) return std::nullopt;
    return values[name].as<std::string>();
}

Options options_from(const Command& command, const std::vector<std::string>& arguments, bool& help) {
    po::options_description all = options_for(command.groups);
    po::options_description hidden;
    hidden.add_options()("operand", po::value<std::vector<std::string>>());
    po::positional_options_description positional;
    positional.add("operand", -1);
    po::options_description parsed;
    parsed.add(all).add(hidden);

    po::variables_map values;
    const auto style = po::command_line_style::unix_style & ~po::command_line_style::allow_guessing;
    po::store(po::command_line_parser(arguments).options(parsed).positional(positional).style(style).run(), values);
    help = values.count("help") != 0;

    Options options;
    options.command = command.name;
    if (values.count("operand")) options.operands = values["operand"].as<std::vector<std::string>>();
    if (!help && command.operand_count != any_number && options.operands.size() != command.operand_count)
        throw UsageError{command.operand_count == 0 ? fmt::format("{} takes no operand, found '{}'", command.name, options.operands.front())
                                                    : fmt::format("{} takes one operand, {}", command.name, command.operands)};
    options.json = values.count("json") != 0;
    options.root = text(values, "root").value_or("/");
    options.kernel = text(values, "kernel");
    options.initrd = text(values, "initrd");
    options.command_line = text(values, "command-line");
    options.pool = text(values, "pool");
    if (const auto name = text(values, "loader")) {
        const auto loader = handoff::loader_from(*name);
        if (!loader) throw UsageError{fmt::format("--loader is kexec_load, kexec_file_load or auto, not '{}'", *name)};
        options.loader = *loader;
    }
    if (const auto name = text(values, "method")) {
        const auto method = handoff::method_from(*name);
        if (!method) throw UsageError{fmt::format("--method is auto, ram, addr or e820, not '{}'", *name)};
        options.method = *method;
    }
    if (values.count("accept")) options.accept = values["accept"].as<std::vector<std::string>>();
    for (const std::string& rule : options.accept)
        if (const auto* info = handoff::find_rule(rule); !info || !info->acceptable)
            throw UsageError{fmt::format("--accept takes a rule whose risk can be taken, not '{}'", rule)};
    options.lend = values.count("lend") != 0;
    if (const auto name = text(values, "collector")) {
        const auto collector = handoff::collector_from(*name);
        if (!collector) throw UsageError{fmt::format("--collector is mmap or read, not '{}'", *name)};
        options.collector = *collector;
    }
    options.strict = values.count("strict") != 0;
    options.kexec = text(values, "kexec");
    options.dry_run = values.count("dry-run") != 0;
    options.record_file = text(values, "record");
    options.input = text(values, "input");
    options.input_format = text(values, "input-format").value_or("auto");
    options.format = text(values, "format").value_or("log");
    options.before = values.count("before") != 0;
    options.map_file = text(values, "e820");
    options.core_file = text(values, "elfcorehdr");
    options.place = values.count("place") != 0;
    options.margin = text(values, "margin");
    options.to = text(values, "to");
    options.jobs = text(values, "jobs");
    options.svg = values.count("svg") != 0;
    options.prometheus = values.count("prometheus") != 0;
    options.output = text(values, "output");
    return options;
}

Status run(const std::vector<std::string>& arguments) {
    if (arguments.empty()) throw UsageError{"a command is missing"};
    if (arguments[0] == "--help" || arguments[0] == "-h" || arguments[0] == "help") {
        print_usage();
        return Status::ready;
    }
    if (arguments[0] == "--version") {
        tool::print("swiotlb-handoff " HANDOFF_VERSION "\n");
        return Status::ready;
    }
    const auto command =
        std::find_if(commands.begin(), commands.end(), [&](const Command& c) { return arguments[0] == c.name; });
    if (command == commands.end()) throw UsageError{fmt::format("there is no command '{}'", arguments[0])};
    bool help = false;
    std::vector<std::string> own(arguments.begin() + 1, arguments.end());
    std::vector<std::string> passed;
    if (command->groups & (wrapping | shrinking)) {  // what follows "--" is for another program
        const auto dashes = std::find(own.begin(), own.end(), "--");
        if (dashes != own.end()) passed.assign(dashes + 1, own.end());
        own.erase(dashes, own.end());
    }
    Options options = options_from(*command, own, help);
    options.operands.insert(options.operands.end(), passed.begin(), passed.end());
    if (help) {
        std::ostringstream described;
        described << options_for(command->groups);
        tool::print(fmt::format("Usage: swiotlb-handoff {} [OPTION]... {}\n{}.\n\n{}", command->name, command->operands, command->help, described.str()));
        return Status::ready;
    }
    return command->run(options);
}

// A file that is opened later must not become standard output. What was closed still fails when it is written to.
void open_standard_descriptors() {
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
        while (::fcntl(fd, F_GETFD) == -1 && errno == EBADF && ::open("/dev/null", O_RDONLY) >= 0) {}
}

Status run_and_flush(const std::vector<std::string>& arguments) {
    const Status status = run(arguments);
    const auto failed = tool::flush();
    if (failed) tool::complain(failed->message());
    return failed ? Status::input : status;
}

}  // namespace

int main(int argc, char** argv) {
    open_standard_descriptors();
    // The script that stands for kexec runs kexec itself after this status: what fails here must not cost the crash kernel.
    const bool wraps_kexec = argc > 1 && std::string_view(argv[1]) == "kexec";
    const int failure = wraps_kexec ? 126 : static_cast<int>(Status::input);
    try {
        return static_cast<int>(run_and_flush({argv + 1, argv + argc}));
    } catch (const UsageError& error) {
        tool::complain(error.text + "; see 'swiotlb-handoff --help'");
        return static_cast<int>(Status::usage);
    } catch (const po::error& error) {
        tool::complain(std::string(error.what()) + "; see 'swiotlb-handoff --help'");
        return static_cast<int>(Status::usage);
    } catch (const std::bad_alloc&) {
        tool::complain_of_memory();
    } catch (const std::exception& error) {
        tool::complain(error.what());
    }
    return failure;
}
