// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lib/loader.hpp"

namespace handoff {

/// What a kexec command line asks for, read as kexec-tools does
/// (kexec/kexec.c, main(); getopt_long() with its abbreviations and permutation).
struct KexecArguments {
    bool panic_load = false;  ///< -p without -u: loads a crash kernel
    bool debug = false;       ///< -d
    /// -c, -s or -a; nullopt: kexec's own default, which differs by version.
    std::optional<Loader> loader;
    std::string kernel;
    std::optional<std::string> initrd;
    std::optional<std::string> append;  ///< the last --append or --command-line
    bool reuse_command_line = false;
    /// Options whose effect on the load is not modelled: "--mem-max", "--hotplug".
    std::vector<std::string> not_modelled;
};

/// `arguments` without the program's name. nullopt where kexec itself would
/// not understand them: then it is to say so.
std::optional<KexecArguments> read_kexec_arguments(const std::vector<std::string>& arguments);

/// The command line that kexec passes on: --reuse-cmdline's part and --append's
/// (kexec/kexec.c, get_command_line() and concat_cmdline()).
std::string kexec_command_line(const KexecArguments&, const std::string& running);

/// The same load with `command_line` instead, and with -d.
std::vector<std::string> with_command_line(const std::vector<std::string>& arguments, const KexecArguments&,
                                           const std::string& command_line);

}  // namespace handoff
