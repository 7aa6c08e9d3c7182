// SPDX-License-Identifier: GPL-2.0-or-later
// Prints the completion of a shell, made from the tables of the tool (tool/options.hpp).
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "tool/options.hpp"

namespace {

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

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2 || std::strcmp(argv[1], "bash") != 0) {
        std::fprintf(stderr, "usage: %s bash\n", argv[0]);
        return 2;
    }
    const std::string text = bash();
    return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0 ? 0 : 1;
}
