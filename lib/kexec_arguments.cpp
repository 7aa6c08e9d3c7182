// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/kexec_arguments.hpp"

#include <algorithm>
#include <array>

#include <getopt.h>

namespace handoff {
namespace {

enum Long { mem_min = 256, mem_max, entry, append, initrd, reuse, taken, takes_value, hotplug, other_boot };

// KEXEC_ALL_OPTIONS of kexec-tools 2.0.20 to 2.0.32, x86-64.
constexpr std::array<option, 52> options = {{
    {"help", 0, nullptr, 'h'}, {"version", 0, nullptr, 'v'}, {"force", 0, nullptr, 'f'}, {"no-checks", 0, nullptr, 'i'},
    {"no-ifdown", 0, nullptr, 'x'}, {"no-sync", 0, nullptr, 'y'}, {"load", 0, nullptr, 'l'}, {"unload", 0, nullptr, 'u'},
    {"exec", 0, nullptr, 'e'}, {"exec-live-update", 0, nullptr, taken}, {"load-preserve-context", 0, nullptr, other_boot},
    {"load-jump-back-helper", 0, nullptr, other_boot}, {"load-live-update", 0, nullptr, other_boot}, {"entry", 1, nullptr, entry},
    {"type", 1, nullptr, 't'}, {"load-panic", 0, nullptr, 'p'}, {"mem-min", 1, nullptr, mem_min}, {"mem-max", 1, nullptr, mem_max},
    {"reuseinitrd", 0, nullptr, other_boot}, {"kexec-file-syscall", 0, nullptr, 's'}, {"kexec-syscall", 0, nullptr, 'c'},
    {"kexec-syscall-auto", 0, nullptr, 'a'}, {"debug", 0, nullptr, 'd'}, {"status", 0, nullptr, 'S'},
    {"print-ckr-size", 0, nullptr, 'S'}, {"hotplug", 0, nullptr, hotplug}, {"dt-no-old-root", 0, nullptr, taken},
    {"reset-vga", 0, nullptr, taken}, {"serial", 1, nullptr, takes_value}, {"serial-baud", 1, nullptr, takes_value},
    {"console-vga", 0, nullptr, taken}, {"console-serial", 0, nullptr, taken}, {"elf32-core-headers", 0, nullptr, taken},
    {"elf64-core-headers", 0, nullptr, taken}, {"pass-memmap-cmdline", 0, nullptr, other_boot}, {"noefi", 0, nullptr, other_boot},
    {"reuse-video-type", 0, nullptr, taken}, {"command-line", 1, nullptr, append}, {"append", 1, nullptr, append},
    {"reuse-cmdline", 0, nullptr, reuse}, {"initrd", 1, nullptr, initrd}, {"ramdisk", 1, nullptr, initrd},
    {"args-elf", 0, nullptr, other_boot}, {"args-linux", 0, nullptr, other_boot}, {"args-none", 0, nullptr, other_boot},
    {"module", 1, nullptr, other_boot}, {"real-mode", 0, nullptr, other_boot}, {"entry-32bit", 0, nullptr, other_boot},
    {"dtb", 1, nullptr, other_boot}, {"video", 1, nullptr, takes_value}, {"no-kexec-jump", 0, nullptr, taken},
    {nullptr, 0, nullptr, 0},
}};
constexpr const char* short_options = "h?vdfixyluet:pscaS";

// kexec-tools' remove_parameter(): the first word that begins with `name`, where
// the first occurrence of the letters is one.
void remove_first(std::string& line, const std::string& name) {
    const auto at = line.find(name);
    if (at == line.npos || (at != 0 && line[at - 1] != ' ')) return;
    const auto end = line.find(' ', at);
    line.erase(at, end == line.npos ? line.npos : end - at + 1);
}

}  // namespace

std::optional<KexecArguments> read_kexec_arguments(const std::vector<std::string>& arguments) {
    std::vector<std::string> copy = arguments;
    std::string program = "kexec";
    std::vector<char*> argv{program.data()};
    for (std::string& a : copy) argv.push_back(a.data());
    argv.push_back(nullptr);

    KexecArguments found;
    bool panic = false, unload = false;
    optind = 0;  // glibc: begin anew
    opterr = 0;
    int index = 0;
    for (int c; (c = getopt_long(static_cast<int>(argv.size()) - 1, argv.data(), short_options, options.data(), &index)) != -1;) {
        switch (c) {
            case '?': return std::nullopt;
            case 'p': panic = true; break;
            case 'u': unload = true; break;
            case 'd': found.debug = true; break;
            case 's': found.loader = Loader::kexec_file_load; break;
            case 'c': found.loader = Loader::kexec_load; break;
            case 'a': found.loader = Loader::automatic; break;
            case append: found.append = optarg; break;
            case initrd: found.initrd = optarg; break;
            case reuse: found.reuse_command_line = true; break;
            case mem_min: case mem_max: case entry: case hotplug: case other_boot:
                found.not_modelled.push_back(std::string("--") + options[static_cast<std::size_t>(index)].name);
                break;
            case 't': found.not_modelled.emplace_back("--type"); break;
            default: break;
        }
    }
    if (optind < static_cast<int>(argv.size()) - 1) found.kernel = argv[static_cast<std::size_t>(optind)];
    found.panic_load = panic && !unload && !found.kernel.empty();
    return found;
}

std::string kexec_command_line(const KexecArguments& arguments, const std::string& running) {
    std::string line;
    if (arguments.reuse_command_line) {
        line = running;
        remove_first(line, "BOOT_IMAGE");
        remove_first(line, "crashkernel");
    }
    if (arguments.append) {
        if (!line.empty()) line += ' ';
        line += *arguments.append;
    }
    return line;
}

std::vector<std::string> with_command_line(const std::vector<std::string>& arguments, const KexecArguments& read,
                                           const std::string& command_line) {
    // The last --append wins, and --reuse-cmdline would come on top of it: it is
    // part of the new line. getopt takes options behind operands, but not behind "--".
    std::vector<std::string> changed;
    for (const std::string& a : arguments) {
        const bool reuses = read.reuse_command_line && a.size() >= 5 && std::string("--reuse-cmdline").rfind(a, 0) == 0 && a != "--reuse";
        if (!reuses) changed.push_back(a);
    }
    const auto end = std::find(changed.begin(), changed.end(), "--");
    changed.insert(end, {"--append=" + command_line, "-d"});
    return changed;
}

}  // namespace handoff
