// SPDX-License-Identifier: GPL-2.0-or-later
#include "tool/arguments.hpp"

#include <algorithm>
#include <map>
#include <memory>

#include <fmt/format.h>
#include <boost/make_shared.hpp>
#include <boost/program_options.hpp>

#include "base/number.hpp"
#include "tool/help.hpp"
#include "tool/text.hpp"

namespace tool {
namespace {

namespace po = boost::program_options;

std::string did_you_mean(std::string_view text, std::string_view dashes, std::span<const std::string_view> candidates) {
    const auto meant = nearest(text, candidates);
    return meant ? fmt::format(" Did you mean '{}{}'?", dashes, *meant) : std::string();
}

// --- which words are options, and which are operands

struct Given {
    std::map<std::string, std::vector<std::string>> options;  // with all values of each; "" for a switch
    std::vector<std::string> words;                           // the command and its operands
};

std::vector<std::string_view> names_of_options(const CommandInfo* command) {
    std::vector<std::string_view> names;
    for (const OptionInfo& option : all_options())
        if (!command || takes(*command, option)) names.push_back(option.name);
    return names;
}

std::string_view without_dashes(std::string_view option) {
    return option.substr(std::min(option.find_first_not_of('-'), option.size()));
}

const OptionInfo* find_option(std::string_view name) {
    for (const OptionInfo& option : all_options())
        if (name == option.name || (!name.empty() && name == option.alias)) return &option;
    return nullptr;
}

std::string values_of(std::string_view name) {
    const OptionInfo* option = find_option(name);
    const auto all = option ? choices(option->completes, option->words) : std::vector<std::string_view>();
    return all.empty() ? "" : fmt::format(" It takes {}.", either(all));
}

po::options_description all_described() {
    po::options_description all;
    for (const OptionInfo& option : all_options()) {
        std::string names(option.name);
        if (!option.alias.empty()) names += fmt::format(",{}", option.alias);
        if (option.letter) names += fmt::format(",{}", option.letter);
        const auto* value = new po::untyped_value(option.value.empty());  // which the description owns
        all.add(boost::make_shared<po::option_description>(names.c_str(), value));
    }
    return all;
}

Given split(const std::vector<std::string>& arguments, const CommandInfo* command) {
    po::options_description described = all_described();
    described.add_options()("word", po::value<std::string>());
    po::positional_options_description positional;
    positional.add("word", -1);
    const auto style = po::command_line_style::unix_style & ~po::command_line_style::allow_guessing;
    try {
        const auto parsed =
            po::command_line_parser(arguments).options(described).positional(positional).style(style).run();
        Given given;
        for (const po::option& option : parsed.options) {
            if (option.position_key >= 0)
                given.words.insert(given.words.end(), option.value.begin(), option.value.end());
            else
                given.options[option.string_key].push_back(option.value.empty() ? "" : option.value.front());
        }
        return given;
    } catch (const po::unknown_option& error) {
        const std::string name = error.get_option_name();
        throw UsageError{fmt::format(
            "There is no option '{}'.{}{}", name, did_you_mean(without_dashes(name), "--", names_of_options(command)),
            command && command->passes_on ? " Options for the other program go after --." : "")};
    } catch (const po::invalid_command_line_syntax& error) {
        const std::string name = error.get_option_name();
        if (error.kind() == po::invalid_syntax::extra_parameter)
            throw UsageError{fmt::format("{} takes no value.", name)};
        throw UsageError{fmt::format("{} needs a value.{}", name, values_of(without_dashes(name)))};
    } catch (const po::error& error) {
        throw UsageError{fmt::format("{}.", error.what())};
    }
}

// --- whether the command takes them

const CommandInfo& named_command(const std::string& name) {
    if (const CommandInfo* command = find_command(name)) return *command;
    throw UsageError{
        fmt::format("There is no command '{}'.{}", name, did_you_mean(name, "", choices(Completes::commands)))};
}

void require_taken(const CommandInfo& command, const OptionInfo& option, const std::vector<std::string>& values) {
    if (!takes(command, option))
        throw UsageError{fmt::format("{} does not take the option --{}.", command.name, option.name)};
    if (values.size() > 1 && !option.repeats)
        throw UsageError{fmt::format("--{} is given more than once.", option.name)};
    const auto allowed = choices(option.completes, option.words);
    for (const std::string& value : values)
        if (!allowed.empty() && std::find(allowed.begin(), allowed.end(), value) == allowed.end())
            throw UsageError{fmt::format("--{} takes {}, not '{}'.", option.name, either(allowed), value)};
}

void require_effect(const CommandInfo& command, const Given& given) {
    const auto has = [&](std::string_view option) { return given.options.count(std::string(option)) != 0; };
    for (const Restriction& r : all_restrictions()) {
        if (r.command != command.command || !has(r.option) || (!r.unless.empty() && has(r.unless))) continue;
        const bool excludes = r.kind == Restriction::Kind::excludes;
        if (has(r.other) != excludes) continue;
        const std::string unless = r.unless.empty() ? "" : fmt::format(", unless --{} is given", r.unless);
        throw UsageError{fmt::format("{} cannot use --{} {} --{}{}.", command.name, r.option,
                                     excludes ? "together with" : "without", r.other, unless)};
    }
}

void require_operands(const CommandInfo& command, const std::vector<std::string>& operands) {
    if (operands.size() < command.fewest)
        throw UsageError{fmt::format("{} needs an operand, {}.", command.name, command.operands)};
    if (operands.size() > command.most)
        throw UsageError{fmt::format("{} takes {} operand, found '{}'.", command.name,
                                     command.most == 0 ? "no" : "only one", operands[command.most])};
    const auto known = choices(command.completes);
    for (const std::string& operand : operands)
        if (!known.empty() && std::find(known.begin(), known.end(), operand) == known.end())
            throw UsageError{fmt::format("There is no {} '{}'.{}",
                                         command.completes == Completes::rules ? "rule" : "command", operand,
                                         did_you_mean(operand, "", known))};
}

// --- what the values say

// "6017c000-6417c000", each with or without 0x: half-open.
base::AddressRange range_from(std::string_view option, std::string_view text) {
    const auto address = [](std::string_view digits) {
        if (digits.starts_with("0x") || digits.starts_with("0X")) digits.remove_prefix(2);
        return base::parse_number(digits, 16);
    };
    const auto dash = std::min(text.find('-'), text.size());
    const auto start = address(text.substr(0, dash));
    const auto end = address(text.substr(std::min(dash + 1, text.size())));
    if (!start || !end)
        throw UsageError{
            fmt::format("{} needs two hexadecimal addresses, such as 0x6017c000-0x6417c000, not '{}'.", option, text)};
    if (*end < *start) throw UsageError{fmt::format("{}: the range ends before it begins: '{}'.", option, text)};
    if (*end == *start) throw UsageError{fmt::format("{}: the range is empty: '{}'.", option, text)};
    return *base::AddressRange::from_bounds(*start, *end);
}

// "64M", "0x4000000": bytes, as the kernel's command line has sizes.
std::uint64_t size_from(std::string_view option, std::string_view text) {
    std::string_view rest = text;
    const auto size = base::take_memparse(rest);
    if (!size || !rest.empty()) throw UsageError{fmt::format("{} needs a size such as 64M, not '{}'.", option, text)};
    return *size;
}

unsigned count_from(std::string_view option, std::string_view text, unsigned most) {
    const auto number = base::parse_number(text, 10);
    if (!number || *number == 0 || *number > most)
        throw UsageError{fmt::format("{} needs a number from 1 to {}, not '{}'.", option, most, text)};
    return static_cast<unsigned>(*number);
}

Options options_from(const Given& given) {
    const auto has = [&](const char* name) { return given.options.count(name) != 0; };
    const auto text = [&](const char* name) -> std::optional<std::string> {
        const auto found = given.options.find(name);
        return found == given.options.end() ? std::nullopt : std::optional(found->second.front());
    };
    Options options;
    options.json = has("json");
    options.verbose = has("verbose");
    options.root = text("root").value_or(options.root);
    options.kernel = text("kernel");
    options.initrd = text("initrd");
    options.command_line = text("command-line");
    if (const auto range = text("pool")) options.pool = range_from("--pool", *range);
    // Their words are among those of the table.
    if (const auto name = text("loader")) options.loader = handoff::loader_from(*name).value();
    if (const auto name = text("method")) options.method = handoff::method_from(*name).value();
    if (const auto name = text("collector")) options.collector = handoff::collector_from(*name).value();
    if (has("accept")) options.accept = given.options.at("accept");
    options.lend = has("lend");
    options.strict = has("strict");
    options.kexec = text("kexec");
    if (options.kexec && !options.kexec->starts_with('/'))
        throw UsageError{
            fmt::format("--kexec needs an absolute path, not '{}'. $PATH is not searched.", *options.kexec)};
    options.dry_run = has("dry-run");
    options.input = text("input");
    options.input_format = text("input-format").value_or(options.input_format);
    options.format = options.json ? "json" : text("format").value_or(options.format);
    options.before = has("before");
    options.map_file = text("e820");
    options.core_file = text("elfcorehdr");
    options.record_file = text("record");
    options.place = has("place");
    options.crash_log = text("crash-log");
    if (const auto size = text("margin")) options.margin = size_from("--margin", *size);
    if (const auto size = text("to")) options.to = size_from("--to", *size);
    if (const auto number = text("jobs")) options.jobs = count_from("--jobs", *number, 1024);
    options.count_on_loan = has("count-on-loan");
    options.undo = has("undo");
    options.yes = has("yes");
    options.result = has("result");
    options.report = text("report");
    options.svg = has("svg");
    options.csv = has("csv");
    options.merge = has("merge");
    options.prometheus = has("prometheus");
    options.output = text("output");
    return options;
}

// The command that is asked for help or for its version is not run, and nothing else is asked of it.
Options help_for(Command which, const std::string& name) {
    Options options;
    options.command = which;
    if (!name.empty()) options.operands = {std::string(named_command(name).name)};
    return options;
}

Options read(const std::vector<std::string>& arguments, const CommandInfo* named) {
    // For some commands what follows "--" is for another program.
    const auto dashes =
        named && named->passes_on ? std::find(arguments.begin(), arguments.end(), "--") : arguments.end();
    Given given = split({arguments.begin(), dashes}, named);
    const std::string name = given.words.empty() ? "" : given.words.front();
    if (given.options.count("version")) return help_for(Command::version, "");
    if (given.options.count("help"))
        return help_for(Command::help, name == "help" && given.words.size() > 1 ? given.words[1] : name);
    if (name.empty()) throw UsageError{"A command is missing."};

    const CommandInfo& command = named_command(name);
    for (const auto& [option, values] : given.options) require_taken(command, *find_option(option), values);
    require_effect(command, given);
    given.words.erase(given.words.begin());
    require_operands(command, given.words);

    Options options = options_from(given);
    options.command = command.command;
    options.operands = std::move(given.words);
    if (dashes != arguments.end()) options.operands.insert(options.operands.end(), dashes + 1, arguments.end());
    return options;
}

}  // namespace

Options read_arguments(const std::vector<std::string>& arguments) {
    // The command of which errors name the help: the first word that is one.
    const CommandInfo* named = nullptr;
    for (const std::string& word : arguments)
        if (!named && word != "--") named = find_command(word);
    try {
        return read(arguments, named);
    } catch (UsageError& error) {
        error.text += " " + see_help(named);
        throw;
    }
}

}  // namespace tool
