// SPDX-License-Identifier: GPL-2.0-or-later
// Prints the completion of a shell, made from the tables of the tool (tool/options.hpp): bash, zsh or fish.
#include <algorithm>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/wording.hpp"
#include "tool/options.hpp"

namespace {

using base::shell_quoted;
using tool::CommandInfo;
using tool::Completes;
using tool::OptionInfo;

std::string joined(const std::vector<std::string_view>& words) { return fmt::format("{}", fmt::join(words, " ")); }

std::string spellings(const OptionInfo& option, std::string_view separator) {
    std::string text = fmt::format("--{}", option.name);
    if (!option.alias.empty()) text += fmt::format("{}--{}", separator, option.alias);
    return text;
}

std::string options_of(const CommandInfo* command) {
    std::string text;
    for (const OptionInfo& option : tool::all_options())
        if (!command || takes(*command, option)) text += (text.empty() ? "" : " ") + spellings(option, " ");
    return text;
}

// The shell commands that complete a value of this kind; "" where there is nothing to offer.
std::string bash_for(Completes completes, std::string_view words) {
    if (completes == Completes::files) return "_filedir";
    if (completes == Completes::directories) return "_filedir -d";
    const auto all = tool::choices(completes, words);
    return all.empty() ? "" : fmt::format("mapfile -t COMPREPLY < <(compgen -W \"{}\" -- \"$cur\")", joined(all));
}

// The branches of a case statement for all options with a value, those that are completed alike in one.
std::string bash_values() {
    std::vector<std::pair<std::string, std::string>> branches;  // pattern, commands
    for (const OptionInfo& option : tool::all_options()) {
        if (option.value.empty()) continue;
        const std::string commands = bash_for(option.completes, option.words);
        std::pair<std::string, std::string>* same = nullptr;
        for (auto& branch : branches)
            if (branch.second == commands) same = &branch;
        if (same)
            same->first += " | " + spellings(option, " | ");
        else
            branches.emplace_back(spellings(option, " | "), commands);
    }
    std::string text;
    for (const auto& [pattern, commands] : branches)
        text += fmt::format("        {}) {}{}return ;;\n", pattern, commands, commands.empty() ? "" : "; ");
    return text;
}

std::string bash_with_value() {
    std::string pattern;
    for (const OptionInfo& option : tool::all_options())
        if (!option.value.empty()) pattern += (pattern.empty() ? "" : " | ") + spellings(option, " | ");
    return pattern;
}

std::string bash_commands() {
    std::string text;
    for (const CommandInfo& command : tool::all_commands()) {
        const std::string operands = bash_for(command.completes, {});
        text += fmt::format("        {}) options=\"{}\"", command.name, options_of(&command));
        if (!operands.empty()) text += fmt::format("; [[ $cur == -* ]] || {{ {}; return; }}", operands);
        text += " ;;\n";
    }
    return text;
}

std::string bash() {
    return fmt::format(R"(# bash completion for swiotlb-handoff(8)                  -*- shell-script -*-
# SPDX-License-Identifier: GPL-2.0-or-later
# Made from the tables in tool/options.cpp.
_swiotlb_handoff() {{
    local cur prev words cword split
    _init_completion -s || return
    local at command=
    for ((at = 1; at < cword; at++)); do
        case ${{words[at]}} in
        --) _filedir; return ;; # for another program
        {}) ((at++)) ;;
        -*) ;;
        *) [[ $command ]] || command=${{words[at]}} ;;
        esac
    done
    case $prev in
{}    esac
    [[ $split == true ]] && return
    local options
    case $command in
{}        *) options="{}"; [[ $cur == -* ]] || options="{}" ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
}} &&
    complete -F _swiotlb_handoff swiotlb-handoff
)",
                       bash_with_value(), bash_values(), bash_commands(), options_of(nullptr),
                       joined(tool::choices(Completes::commands)));
}

// --- zsh and fish

std::string_view first_sentence(std::string_view help) {
    const auto end = std::min(help.find(". "), help.find("; "));
    help = help.substr(0, end);
    if (help.ends_with('.')) help.remove_suffix(1);
    return help;
}

// What _arguments offers for a value or an operand.
std::string zsh_for(Completes completes, std::string_view words) {
    if (completes == Completes::files) return "_files";
    if (completes == Completes::directories) return "_path_files -/";
    const auto all = tool::choices(completes, words);
    return all.empty() ? " " : fmt::format("({})", joined(all));
}

// The specifications of the options of a command, or of all.
std::string zsh_options(const CommandInfo* command) {
    std::string text;
    for (const OptionInfo& option : tool::all_options()) {
        if (command && !takes(*command, option)) continue;
        std::string help;
        for (const char c : first_sentence(option.help))
            help += c == '[' || c == ']' || c == ':' ? std::string("\\") + c : std::string(1, c);
        for (const std::string_view name : {option.name, option.alias}) {
            if (name.empty()) continue;
            std::string spec = fmt::format("{}--{}", option.repeats ? "*" : "", name);
            spec += fmt::format("{}[{}]", option.value.empty() ? "" : "=", help);
            if (!option.value.empty())
                spec += fmt::format(":{}:{}", option.value, zsh_for(option.completes, option.words));
            text += " \\\n            " + shell_quoted(spec);
        }
    }
    return text;
}

std::string zsh() {
    std::string commands, branches;
    for (const CommandInfo& command : tool::all_commands()) {
        commands +=
            fmt::format("        {}\n", shell_quoted(fmt::format("{}:{}", command.name, first_sentence(command.help))));
        const std::string operands = command.passes_on ? "'*:argument:_files'"
                                     : command.most == 0
                                         ? ""
                                         : shell_quoted(fmt::format("{}:{}:{}", command.most == 1 ? "1" : "*",
                                                                    command.name, zsh_for(command.completes, {})));
        branches += fmt::format("        {}) _arguments{}{} && ret=0 ;;\n", command.name, zsh_options(&command),
                                operands.empty() ? "" : " \\\n            " + operands);
    }
    return fmt::format(R"(#compdef swiotlb-handoff
# zsh completion for swiotlb-handoff(8)
_swiotlb_handoff() {{
    local curcontext="$curcontext" state line ret=1
    local -a commands
    commands=(
{0})
    _arguments -C{1} \
            '1:command:->command' '*::argument:->argument' && ret=0
    case $state in
    command) _describe -t commands command commands && ret=0 ;;
    argument)
        curcontext="${{curcontext%:*:*}}:swiotlb-handoff-$words[1]:"
        case $words[1] in
{2}        esac
        ;;
    esac
    return ret
}}
if [[ $funcstack[1] == _swiotlb-handoff ]]; then _swiotlb_handoff "$@"; fi
)",
                       commands, zsh_options(nullptr), branches);
}

std::string fish() {
    std::string text = fmt::format(R"(# fish completion for swiotlb-handoff(8)
function __swiotlb_handoff_command --description 'The command on the line, or nothing'
    set -l value
    for word in (commandline -opc)[2..-1]
        if test -n "$value"
            set value
            continue
        end
        switch $word
            case {}
                set value yes
            case '-*'
            case '*'
                echo $word
                return
        end
    end
end
function __swiotlb_handoff_is --description 'Whether the command is one of these; an empty word is none'
    set -l command (__swiotlb_handoff_command)
    contains -- "$command" $argv
end
complete -c swiotlb-handoff -f
)",
                                   [] {
                                       std::string with_value;
                                       for (const OptionInfo& option : tool::all_options())
                                           if (!option.value.empty())
                                               with_value += (with_value.empty() ? "" : " ") + spellings(option, " ");
                                       return with_value;
                                   }());
    const auto line = [&](std::string_view condition, std::string_view rest) {
        text += fmt::format("complete -c swiotlb-handoff -n {} {}\n", shell_quoted(condition), rest);
    };
    for (const CommandInfo& command : tool::all_commands()) {
        line("__swiotlb_handoff_is ''",
             fmt::format("-a {} -d {}", command.name, shell_quoted(first_sentence(command.help))));
        const std::string here = fmt::format("__swiotlb_handoff_is {}", command.name);
        const auto words = tool::choices(command.completes);
        if (command.passes_on)
            line(here + "; and contains -- -- (commandline -opc)", "-F");
        else if (command.completes == Completes::files)
            line(here, "-F");
        else if (command.completes == Completes::directories)
            line(here, "-a '(__fish_complete_directories (commandline -ct))'");
        else if (!words.empty())
            line(here, fmt::format("-a {}", shell_quoted(joined(words))));
    }
    for (const OptionInfo& option : tool::all_options()) {
        std::string commands;
        for (const CommandInfo& command : tool::all_commands())
            if (takes(command, option)) commands += fmt::format(" {}", command.name);
        std::string value;
        if (!option.value.empty()) {
            const auto words = tool::choices(option.completes, option.words);
            value = option.completes == Completes::files ? " -r -F"
                    : words.empty()                      ? " -x"
                                                         : " -x -a " + shell_quoted(joined(words));
        }
        for (const std::string_view name : {option.name, option.alias})
            if (!name.empty())
                line("__swiotlb_handoff_is ''" + commands,
                     fmt::format("-l {}{} -d {}", name, value, shell_quoted(first_sentence(option.help))));
    }
    return text;
}

}  // namespace

int main(int argc, char** argv) {
    const std::string_view shell = argc == 2 ? argv[1] : "";
    const std::string text = shell == "bash" ? bash() : shell == "zsh" ? zsh() : shell == "fish" ? fish() : "";
    if (text.empty()) {
        std::fprintf(stderr, "usage: %s bash | zsh | fish\n", argv[0]);
        return 2;
    }
    return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0 ? 0 : 1;
}
