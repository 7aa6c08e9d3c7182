// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib/service/boot_config.hpp"
#include "swiotlb-handoff/machine.hpp"
#include "swiotlb-handoff/request.hpp"

namespace handoff {

class Host;

/// Where a kdump service puts a dump.
struct DumpTarget {
    enum class Kind {
        directory,  ///< of this machine: each dump has a directory of its own in `path`
        device,     ///< `path` is on a file system that the configuration names, and that may be mounted elsewhere
        elsewhere,  ///< on another machine, or on a device without a file system
        unknown     ///< it takes a shell to know
    };
    Kind kind = Kind::unknown;
    std::string path;  ///< without the leading slash: "var/crash"; "" for the last two kinds
    std::string text;  ///< for people: "/var/crash", "by ssh"; without the name of another machine
    friend bool operator==(const DumpTarget&, const DumpTarget&) = default;
};

/// The kdump service of a family of distributions: everything in which one differs from another. Each is a row of
/// kdump_services(), in a file of its own beside this one. Paths are those of the machine without the leading slash, as
/// Host has them.
struct KdumpService {
    std::string_view name;  ///< in the tool's output: "kdump-tools"
    /// The values of ID and ID_LIKE in os-release(5) of the distributions that have it.
    std::vector<std::string_view> distributions;
    std::string_view script;  ///< the service is installed where this file is

    std::string_view config;            ///< the file that its scripts source: "etc/default/kdump-tools"
    std::string_view collector_config;  ///< a second file, which says what saves the dump; "" where there is none
    /// The script sources `config`, or another script that does, where a line ". FILE" or "source FILE" names one of
    /// these.
    std::vector<std::string_view> sourced_as;
    std::string_view not_sourced;  ///< what a script without such a line is, as far as that is known: sentences
    /// What the handoff's block in `config` sources, in the helpers' directory: "kdump-tools.sh". "" where programs
    /// that know nothing but comments and assignments write `config` anew: there the block assigns `variable`.
    std::string_view snippet;
    std::string_view variable;  ///< that the block sets, and that names the program to load with; "" where it is none

    std::vector<std::string>
        load;                  ///< loads the crash kernel where none is loaded: a program with its full path, and words
    std::string_view reload;   ///< what the user runs to load it anew: "kdump-config reload"
    std::string_view rebuild;  ///< what the user runs to build its initrd anew

    /// Where the image that it loads may lie; the first that is there counts. "{0}" is the kernel's release, "{1}" the
    /// machine's id, and a component "*" any name.
    std::vector<std::string_view> kernels;
    std::vector<std::string_view> initrds;  ///< the same; the first beside the image, else the first
    std::string_view release_variable;      ///< in `config`, names another release to load; "" where there is none

    /// The crash kernel's command line. `config` is the text of that file, `inherited` what is left of the running
    /// kernel's line without the words that no crash kernel gets.
    std::string (*command_line)(std::string_view config, const std::string& inherited) = nullptr;
    /// The variable in `config` that has options for kexec.
    std::string_view kexec_options;
    /// What saves the dump, by the texts of both configuration files; "" for one that is not there.
    Collector (*collector)(std::string_view config, std::string_view collector_config) = nullptr;
    /// What it is told about its memory, by the same texts; nullopt where it takes a shell to know.
    std::optional<CollectorOptions> (*collector_options)(std::string_view config,
                                                         std::string_view collector_config) = nullptr;
    /// Where it puts a dump, by the same texts.
    DumpTarget (*dump_target)(std::string_view config, std::string_view collector_config) = nullptr;
    /// What puts the distribution's own crashkernel= back, and how to keep another: a sentence; "" where nothing does.
    /// By the same texts.
    std::string_view (*undoes_crashkernel)(std::string_view config, std::string_view collector_config) = nullptr;
    /// The boot loader's configuration that the service's own crashkernel= is in, where a file of ours can supersede
    /// it.
    std::optional<BootConfig> boot = std::nullopt;
    /// What sets another crashkernel=, `words`, for somebody who does it by hand: commands, or what to write where.
    /// `undone`: undoes_crashkernel() says that something would put the distribution's own back.
    std::vector<std::string> (*reserve_by_hand)(std::string_view words, bool undone) = nullptr;
    /// Changes what differs in older versions of the script, whose text this is.
    void (*as_old_as)(KdumpService&, std::string_view script) = nullptr;
};

/// The services that are known here.
std::span<const KdumpService> kdump_services();

/// The one that is installed, in the version that is installed: by the scripts that are there, and where there are
/// several, by ID and ID_LIKE of os-release(5). A report has no scripts: there it is by the configuration files.
/// Errors, which name what was looked for: not_found where no script is there, input where several are and os-release
/// names none of them.
Result<KdumpService> find_kdump_service(const Host&);

/// The files that all services read.
std::vector<std::string> kdump_paths();

/// The command that loads the crash kernel where none is loaded. Errors: those of find_kdump_service(), and not_found
/// where the program is not there.
Result<std::vector<std::string>> kdump_load_command(const Host&);

/// The crash kernel's files, as paths to open.
struct CrashImage {
    std::optional<std::filesystem::path> kernel;
    std::optional<std::filesystem::path> initrd;
};
/// What the installed service loads for a kernel of this release. Where no service is known, only the image of that
/// kernel.
CrashImage crash_image(const Host&, std::string_view release);

/// The size of that initrd, in bytes, by the listing of /boot that a report has (boot_listing); nullopt where it is not
/// in it.
std::optional<std::uint64_t> listed_initrd_bytes(const Host&, std::string_view release);

/// The crash kernel's command line as the service derives it from the running kernel's and from `config`, the text of
/// its configuration. For a look ahead, not for a load, which has the real one.
std::string likely_command_line(const KdumpService&, std::string_view config, const std::string& running);

/// What the configuration of a kdump service says about how the crash kernel is loaded, and what it then does.
struct LoadSettings {
    bool lend = false;  ///< SWIOTLB_HANDOFF_LEND=yes
    Collector collector = Collector::unknown;
    /// By the options for kexec; automatic where they leave it to kexec.
    Loader loader = Loader::automatic;
    friend bool operator==(const LoadSettings&, const LoadSettings&) = default;
};
/// By the texts of both configuration files; "" for one that is not there.
LoadSettings load_settings(const KdumpService&, std::string_view config, std::string_view collector_config);
/// The same of the service that is installed, where there is one.
LoadSettings load_settings(const Host&);

/// Why a block in the configuration would have no effect: the service's script, where it can be read, does not run that
/// file in a shell. nullopt: it would have one. The error is an input error of the script.
std::optional<Error> ignores_block(const Host&, const KdumpService&);

/// What would undo another crashkernel= on this machine, and how to keep it: a sentence; "" where nothing would.
std::string_view undoes_crashkernel(const Host&, const KdumpService&);

/// Where the service puts a dump, by its configuration as it is on this machine.
DumpTarget dump_target(const Host&, const KdumpService&);

/// How the handoff stands in the text of a configuration file.
enum class ConfigState { absent, present };

/// Error (input, with the line) where the marked block is damaged: begun twice, not ended, or with other lines in it
/// than `enable` writes for `helpers`; or where it would have no effect, since the file sets what the block sets.
Result<ConfigState> handoff_in(std::string_view config, const KdumpService&, std::string_view helpers);
/// The text with the block at its beginning, or behind a plain line that names the program to load with; as it is where
/// the block is there. The same errors, and where it takes a shell to know whether the block would have an effect.
Result<std::string> with_handoff(std::string_view config, const KdumpService&, std::string_view helpers);
/// The text without it: for every text, without_handoff(with_handoff(text)) == text. Error where the block is damaged.
Result<std::string> without_handoff(std::string_view config, const KdumpService&, std::string_view helpers);

/// What of swiotlb-handoff itself an enabled service needs and is not there, as full paths: its own program, what the
/// service sources and runs, in `helpers`, and the hooks of each generator of an initial RAM disk that is installed.
std::vector<std::string> not_installed(const Host&, const KdumpService&, std::string_view program,
                                       std::string_view helpers);

}  // namespace handoff
