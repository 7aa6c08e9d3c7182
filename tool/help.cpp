// SPDX-License-Identifier: GPL-2.0-or-later
#include "tool/help.hpp"

#include <utility>

#include <fmt/format.h>

#include "tool/text.hpp"

namespace tool {
namespace {

// Two columns; the second one begins in a line of its own where the first is too wide.
std::string entry(const std::string& left, std::string_view right, std::size_t column) {
    const std::string gap =
        left.size() + 2 > column ? '\n' + std::string(column, ' ') : std::string(column - left.size(), ' ');
    return left + gap + wrapped(right, column) + '\n';
}

std::string spelling(const OptionInfo& option) {
    std::string text = option.letter ? fmt::format("  -{}, ", option.letter) : std::string(6, ' ');
    text += fmt::format("--{}", option.name);
    if (!option.alias.empty()) text += fmt::format(", --{}", option.alias);
    if (!option.value.empty()) text += fmt::format(" {}", option.value);
    return text;
}

std::string sentences(const OptionInfo& option) {
    std::string text(option.help);
    if (const auto words = choices(option.completes, option.words); !words.empty())
        text += fmt::format(" {} is {}.", option.value, either(words));
    return text;
}

}  // namespace

std::string help_text() {
    std::string text =
        "Usage: swiotlb-handoff COMMAND [OPTION]...\n"
        "Hand the running kernel's swiotlb pool to the crash kernel.\n\nCommands:\n";
    for (const CommandInfo& command : all_commands()) {
        const std::string left =
            fmt::format("  {}{}{}", command.name, command.operands.empty() ? "" : " ", command.operands);
        text += entry(left, command.help, 22);
    }
    return text +
           "\n'swiotlb-handoff COMMAND --help' prints the options of a command.\nMore is in the manual page, "
           "swiotlb-handoff(8).\n";
}

std::string help_text(const CommandInfo& command) {
    const std::string does = fmt::format("{}{}{}", command.help, command.more.empty() ? "" : " ", command.more);
    std::string text = fmt::format("Usage: swiotlb-handoff {} [OPTION]...{}{}\n{}\n", command.name,
                                   command.operands.empty() ? "" : " ", command.operands, wrapped(does, 0));
    for (const auto& [group, heading] :
         {std::pair{Group::own, "Options"}, {Group::planning, "Planning options"}, {Group::common, "Common options"}}) {
        std::string part;
        for (const OptionInfo& option : all_options())
            if (option.group == group && takes(command, option)) part += entry(spelling(option), sentences(option), 28);
        if (!part.empty()) text += fmt::format("\n{}:\n{}", heading, part);
    }
    return text;
}

std::string see_help(const CommandInfo* command) {
    if (!command || command->command == Command::help) return "See 'swiotlb-handoff --help'.";
    return fmt::format("See 'swiotlb-handoff {} --help'.", command->name);
}

}  // namespace tool
