// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tool {

// What the command line of the tool can say, as data: it is read by it, and help and completions are made from it.

enum class Command {
    show,
    plan,
    cmdline,
    e820,
    map,
    check,
    verify,
    capture,
    audit,
    kexec,
    recommend,
    reserve,
    shrink,
    test,
    enable,
    disable,
    status,
    explain,
    help,
    version
};

/// What a shell offers for an operand or for the value of an option.
enum class Completes {
    nothing,
    files,
    directories,
    words,             ///< those of OptionInfo::words
    commands,          ///< names of all_commands()
    rules,             ///< ids of handoff::rules()
    acceptable_rules,  ///< of these, those that can be accepted
};

struct CommandInfo {
    Command command;
    std::string_view name;
    std::string_view operands;                 ///< as a usage line has them: "DIR", "[RULE]"
    std::size_t fewest, most;                  ///< operands; what follows "--" is not counted where passes_on is set
    std::string_view help;                     ///< one short sentence
    std::string_view more = {};                ///< further sentences
    Completes completes = Completes::nothing;  ///< for the operands
    bool passes_on = false;                    ///< what follows "--" is for another program
};

/// The heading under which help and the man page have an option.
enum class Group { own, planning, common };

/// One bit for each command that takes an option.
using CommandSet = std::uint32_t;
constexpr CommandSet bit(Command command) { return CommandSet{1} << static_cast<unsigned>(command); }

struct OptionInfo {
    std::string_view name;   ///< without the dashes
    std::string_view value;  ///< what help calls its value; "" for a switch
    Group group;
    CommandSet commands;
    std::string_view help;  ///< sentences
    Completes completes = Completes::nothing;
    std::string_view words = {};  ///< all values there are, separated by blanks; "" where any will do
    std::string_view alias = {};  ///< another name of it
    char letter = 0;              ///< its short form
    bool repeats = false;
};

/// Two options of one command of which the first does nothing with the second, or without it.
struct Restriction {
    enum class Kind { excludes, needs };
    Command command;
    std::string_view option;
    Kind kind;
    std::string_view other;
    std::string_view unless = {};  ///< where this one is given it does something all the same
};

/// In the order of enum Command, and in which help lists them.
std::span<const CommandInfo> all_commands();
std::span<const OptionInfo> all_options();
std::span<const Restriction> all_restrictions();

const CommandInfo& info(Command);
/// nullptr where there is none.
const CommandInfo* find_command(std::string_view name);
inline bool takes(const CommandInfo& command, const OptionInfo& option) {
    return (option.commands & bit(command.command)) != 0;
}

/// All that a value of this kind can be, in the order of its table; empty where anything can stand there.
std::vector<std::string_view> choices(Completes, std::string_view words = {});

}  // namespace tool
