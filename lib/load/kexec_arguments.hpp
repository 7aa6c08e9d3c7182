// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/kernel/loader.hpp"

namespace handoff {

/// What a kexec command line asks for, read as kexec-tools does
/// (kexec/kexec.c, main(); getopt_long() with its abbreviations and permutation).
struct KexecArguments {
    std::vector<std::string> given;  ///< all of them, as they are
    bool panic_load = false;         ///< loads a crash kernel, and does nothing else
    bool next_load = false;          ///< loads what a reboot by kexec starts (-l), and does nothing else
    bool panic_unload = false;       ///< unloads it, and does nothing else
    /// May load or unload a crash kernel, alone or with other things: everything with -p that does not only ask.
    bool may_change_load = false;
    bool debug = false;  ///< -d
    /// -c, -s or -a; nullopt: kexec's own default, which differs by version.
    std::optional<Loader> loader;
    std::string kernel;
    std::optional<std::string> initrd;
    std::optional<std::string> append;  ///< the last --append or --command-line
    bool reuse_command_line = false;
    std::vector<std::string> switches;  ///< others that are kept as they are: "-l", "-x", "-y", "-i"
    std::vector<std::string> operands;  ///< the kernel and whatever follows it
    /// Options whose effect on the load is not modelled: "--mem-max", "--hotplug".
    std::vector<std::string> not_modelled;
    friend bool operator==(const KexecArguments&, const KexecArguments&) = default;
};

/// `arguments` without the program's name. nullopt where kexec itself would
/// not understand them, or where its versions from 2.0.20 to 2.0.32 would not
/// understand the same (`--h` is --help, and ambiguous since there is --hotplug):
/// then it is to see them as they are.
std::optional<KexecArguments> read_kexec_arguments(const std::vector<std::string>& arguments);

/// Why a load with an option that is not modelled is not planned, as a clause. There has to be such an option.
std::string not_modelled_text(const KexecArguments&);

/// The system call that the arguments choose, with kexec's default where they do
/// not: kexec_load up to 2.0.26, as with -a later (`version` is "2.0.25"; unknown: either).
Loader loader_of(const KexecArguments&, const std::optional<std::string>& version);

/// The command line that kexec passes on: --reuse-cmdline's part of `running` and
/// --append's (kexec/kexec.c, get_command_line() and concat_cmdline()). Only a crash kernel's lacks crashkernel=.
/// nullopt where that depends on a version of kexec-tools that is not known: up to 2.0.25
/// only the first crashkernel= is left out, in 2.0.32 every one.
std::optional<std::string> kexec_command_line(const KexecArguments&, const std::string& running,
                                              const std::optional<std::string>& version);

/// "-c", "-s" or "-a".
const char* loader_option(Loader);

/// The same load with `words` at the end of its command line, every option spelled out; and with -d, for
/// the segments to be reported. Not with -s where the running kernel (`release`, uname -r) is older than 6.8:
/// -d says nothing of segments there, and with kexec-tools 2.0.28 and later it is KEXEC_FILE_DEBUG, with which the
/// older kernels refuse the load (Linux commit cbc2fe9d9cb2 ("kexec_file: add kexec_file flag to control debug
/// printing") (in v6.8)).
std::vector<std::string> with_words(const KexecArguments&, std::string_view words, std::string_view release);

/// Whether the segments of such a load are only in the kernel's debug messages (load_message_files): kexec_file_load up
/// to 6.7. `release` as above.
bool needs_load_messages(const KexecArguments&, std::string_view release);

/// The arguments as they were given, and `words` at the end of the command line: by a last --append, since kexec takes
/// the last one.
std::vector<std::string> given_with_words(const KexecArguments&, std::string_view words);

}  // namespace handoff
