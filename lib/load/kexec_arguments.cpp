// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/load/kexec_arguments.hpp"

#include <algorithm>
#include <array>
#include <span>

#include <getopt.h>

#include "lib/kernel/behaviour.hpp"

namespace handoff {
namespace {

// What an option means here; short options have their letter.
enum Meaning { append = 256, initrd, reuse, alters_load, no_load, only_asks, keeps_load };

// KEXEC_ALL_OPTIONS for x86-64 of kexec-tools 2.0.32 and its development after that (kexec/kexec.h,
// kexec/arch/x86_64/include/arch/options.h). 2.0.32 lacks the first two here, 2.0.20 to 2.0.25 the first four.
constexpr std::array<option, 50> newest_options = {{
    {"force-dtb", 0, nullptr, alters_load},
    {"no-cma", 0, nullptr, alters_load},
    {"hotplug", 0, nullptr, alters_load},
    {"dtb", 1, nullptr, alters_load},
    {"help", 0, nullptr, only_asks},
    {"version", 0, nullptr, only_asks},
    {"force", 0, nullptr, no_load},
    {"no-checks", 0, nullptr, 'i'},
    {"no-ifdown", 0, nullptr, 'x'},
    {"no-sync", 0, nullptr, 'y'},
    {"load", 0, nullptr, 'l'},
    {"unload", 0, nullptr, 'u'},
    {"exec", 0, nullptr, no_load},
    {"exec-live-update", 0, nullptr, no_load},
    {"load-preserve-context", 0, nullptr, alters_load},
    {"load-jump-back-helper", 0, nullptr, no_load},
    {"load-live-update", 0, nullptr, alters_load},
    {"entry", 1, nullptr, alters_load},
    {"type", 1, nullptr, alters_load},
    {"load-panic", 0, nullptr, 'p'},
    {"mem-min", 1, nullptr, alters_load},
    {"mem-max", 1, nullptr, alters_load},
    {"reuseinitrd", 0, nullptr, alters_load},
    {"kexec-file-syscall", 0, nullptr, 's'},
    {"kexec-syscall", 0, nullptr, 'c'},
    {"kexec-syscall-auto", 0, nullptr, 'a'},
    {"debug", 0, nullptr, 'd'},
    {"status", 0, nullptr, only_asks},
    {"print-ckr-size", 0, nullptr, only_asks},
    {"reset-vga", 0, nullptr, alters_load},
    {"serial", 1, nullptr, alters_load},
    {"serial-baud", 1, nullptr, alters_load},
    {"console-vga", 0, nullptr, alters_load},
    {"console-serial", 0, nullptr, alters_load},
    {"elf32-core-headers", 0, nullptr, alters_load},
    // CORE_TYPE_ELF64 is the default (kexec/arch/x86_64/kexec-x86_64.c).
    {"elf64-core-headers", 0, nullptr, keeps_load},
    {"pass-memmap-cmdline", 0, nullptr, alters_load},
    {"noefi", 0, nullptr, alters_load},
    {"reuse-video-type", 0, nullptr, alters_load},
    {"command-line", 1, nullptr, append},
    {"append", 1, nullptr, append},
    {"reuse-cmdline", 0, nullptr, reuse},
    {"initrd", 1, nullptr, initrd},
    {"ramdisk", 1, nullptr, initrd},
    {"args-elf", 0, nullptr, alters_load},
    {"args-linux", 0, nullptr, alters_load},
    {"args-none", 0, nullptr, alters_load},
    {"module", 1, nullptr, alters_load},
    {"real-mode", 0, nullptr, alters_load},
    {"entry-32bit", 0, nullptr, alters_load},
}};
constexpr std::size_t added_since_2_0_25 = 4;
constexpr const char* short_options = "h?vdfixyluet:pscaS";  // KEXEC_OPT_STR, all the time

// main() of kexec-tools answers and exits at once, or leaves out everything else (do_status).
bool only_answers(int option) { return option == only_asks || option == 'h' || option == 'v' || option == 'S'; }

std::optional<KexecArguments> read(const std::vector<std::string>& arguments, std::span<const option> known) {
    std::vector<option> options(known.begin(), known.end());
    options.push_back({nullptr, 0, nullptr, 0});
    std::vector<std::string> copy = arguments;
    std::string program = "kexec";
    std::vector<char*> argv{program.data()};
    for (std::string& a : copy) argv.push_back(a.data());
    argv.push_back(nullptr);

    KexecArguments found;
    found.given = arguments;
    bool panic = false, load = false, unload = false, other = false, asks = false;
    optind = 0;  // glibc: begin anew
    opterr = 0;
    while (true) {
        int index = -1;
        const int c =
            getopt_long(static_cast<int>(argv.size()) - 1, argv.data(), short_options, options.data(), &index);
        if (c == -1) break;
        switch (c) {
            case 'p':
                panic = true;
                break;
            case 'u':
                unload = true;
                break;
            case 'd':
                found.debug = true;
                break;
            case 's':
                found.loader = Loader::kexec_file_load;
                break;
            case 'c':
                found.loader = Loader::kexec_load;
                break;
            case 'a':
                found.loader = Loader::automatic;
                break;
            case 'l':
                load = true;
                [[fallthrough]];
            case 'x':
            case 'y':
            case 'i':
                found.switches.push_back({'-', static_cast<char>(c)});
                break;
            case append:
                found.append = optarg;
                break;
            case initrd:
                found.initrd = optarg;
                break;
            case reuse:
                found.reuse_command_line = true;
                break;
            case keeps_load:
                found.switches.push_back(std::string("--") + options[static_cast<std::size_t>(index)].name);
                break;
            case alters_load:
                found.not_modelled.push_back(std::string("--") + options[static_cast<std::size_t>(index)].name);
                break;
            case 't':
                found.not_modelled.emplace_back("--type");
                break;
            case '?':
                return std::nullopt;  // "-?" asks for help, everything else is an error
            default:
                other = true;
                asks = asks || only_answers(c);
                break;
        }
    }
    for (auto i = static_cast<std::size_t>(optind); argv[i] != nullptr; ++i) found.operands.emplace_back(argv[i]);
    if (!found.operands.empty()) found.kernel = found.operands.front();
    found.panic_load = panic && !unload && !other && !found.kernel.empty();
    found.next_load = load && !panic && !unload && !other && !found.kernel.empty();
    found.panic_unload = panic && unload && !other;
    found.may_change_load = panic && !asks;
    return found;
}

// kexec-tools' remove_parameter(): the word at the first place where `name` stands, if a
// word begins there; then, in newer versions, the next one.
void remove_parameter(std::string& line, std::string_view name, bool every) {
    do {
        const auto at = line.find(name);
        if (at == line.npos || (at != 0 && line[at - 1] != ' ' && line[at - 1] != '\t')) return;
        const auto end = line.find(' ', at);
        line.erase(at, end == line.npos ? line.npos : end - at + 1);
    } while (every);
}

std::string reused(const std::string& running, bool panic, bool every) {
    std::string line = running.substr(0, running.find_first_of("\r\n"));
    remove_parameter(line, "BOOT_IMAGE", every);
    if (panic) remove_parameter(line, "crashkernel", every);
    return line;
}

std::string append_option(const KexecArguments& arguments, std::string_view words) {
    std::string line = arguments.append.value_or("");
    if (!words.empty() && !line.empty() && !line.ends_with(' ')) line += ' ';
    return "--append=" + line.append(words);
}

std::optional<std::uint64_t> release_of(const std::optional<std::string>& version) {
    return version ? kexec_tools_release(*version) : std::nullopt;
}

}  // namespace

std::optional<KexecArguments> read_kexec_arguments(const std::vector<std::string>& arguments) {
    auto newest = read(arguments, newest_options);
    if (newest != read(arguments, std::span(newest_options).subspan(added_since_2_0_25))) {
        // An option that only newer versions have is no reason for doubt: it is not modelled.
        if (!newest || newest->not_modelled.empty()) return std::nullopt;
    }
    return newest;
}

Loader loader_of(const KexecArguments& arguments, const std::optional<std::string>& version) {
    if (arguments.loader) return *arguments.loader;
    const auto release = release_of(version);
    return release && *release <= 26 ? Loader::kexec_load : Loader::automatic;
}

const char* loader_option(Loader loader) {
    return loader == Loader::kexec_load ? "-c" : loader == Loader::kexec_file_load ? "-s" : "-a";
}

std::optional<std::string> kexec_command_line(const KexecArguments& arguments, const std::string& running,
                                              const std::optional<std::string>& version) {
    std::string line;
    if (arguments.reuse_command_line) {
        const bool panic = arguments.panic_load;
        const std::string first = reused(running, panic, false), every = reused(running, panic, true);
        const auto release = release_of(version);
        if (first != every && (!release || (*release > 25 && *release < 32))) return std::nullopt;
        line = first != every && *release <= 25 ? first : every;
    }
    if (arguments.append) {
        if (arguments.reuse_command_line) line += ' ';
        line += *arguments.append;
    }
    return line;
}

bool needs_load_messages(const KexecArguments& arguments, std::string_view release) {
    return arguments.loader != Loader::kexec_load && !takes_file_debug(release);
}

std::string not_modelled_text(const KexecArguments& arguments) {
    return arguments.not_modelled.front() + " changes the load in a way that is not modelled";
}

std::vector<std::string> with_words(const KexecArguments& arguments, std::string_view words, std::string_view release) {
    std::vector<std::string> made;
    if (arguments.panic_load) made.emplace_back("-p");
    if (arguments.debug || arguments.loader != Loader::kexec_file_load || takes_file_debug(release))
        made.emplace_back("-d");
    if (arguments.loader) made.emplace_back(loader_option(*arguments.loader));
    made.insert(made.end(), arguments.switches.begin(), arguments.switches.end());
    if (arguments.initrd) made.push_back("--initrd=" + *arguments.initrd);
    if (arguments.reuse_command_line) made.emplace_back("--reuse-cmdline");
    made.push_back(append_option(arguments, words));
    if (std::any_of(arguments.operands.begin(), arguments.operands.end(),
                    [](const std::string& o) { return o.starts_with('-'); }))
        made.emplace_back("--");
    made.insert(made.end(), arguments.operands.begin(), arguments.operands.end());
    return made;
}

std::vector<std::string> given_with_words(const KexecArguments& arguments, std::string_view words) {
    // Behind "--" there are no options. Where that is an option's value the load fails, and is run as it was given.
    std::vector<std::string> made = arguments.given;
    made.insert(std::find(made.begin(), made.end(), "--"), append_option(arguments, words));
    return made;
}

}  // namespace handoff
