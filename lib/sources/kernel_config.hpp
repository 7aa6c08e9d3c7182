// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "lib/sources/source.hpp"
#include "swiotlb-handoff/facts.hpp"
#include "swiotlb-handoff/result.hpp"

namespace handoff {

class Host;

/// The text of a kernel's configuration (.config), whole or as reduced_kernel_config() leaves it. Input errors name the
/// line: a value of another kind than the option has; a configuration that is not of x86-64, or that does not have its
/// end, so that an option that is not there might have been cut off.
base::Result<KernelConfig> parse_kernel_config(std::string_view text);

/// "6.1.170" of "# Linux/x86 6.1.170 Kernel Configuration": the version of the source that was configured
/// (scripts/kconfig/confdata.c), in one of the comments at the start. Empty without one.
std::string_view configured_version(std::string_view text);

/// The lines that parse_kernel_config() reads, and the version. Of the words of CONFIG_CMDLINE those that may name the
/// machine keep only their keys (redacted_command_line()).
std::string reduced_kernel_config(std::string_view text);

/// A configuration, and the file that has it.
struct FoundConfig {
    KernelConfig config;
    std::string file;  ///< at the machine's own path, without the leading slash; a path of the user's as it was given
    friend bool operator==(const FoundConfig&, const FoundConfig&) = default;
};

/// Where a kernel of this release has a source: its path, in which "{}" stands for the release.
std::string path_of(Source, std::string_view release);

/// The text of a configuration, which may be compressed by gzip: boot_config, modules_config or running_config. Errors:
/// those of Host::read(), and input where what is compressed is damaged; not_found where the release is no name of a
/// file.
base::Result<std::string> read_config_text(const Host&, Source, std::string_view release);

/// The configuration of the running kernel, which is of this release: as it is installed, else /proc/config.gz. nullopt
/// where there is none. An error names the file that is there and cannot be used.
base::Result<std::optional<FoundConfig>> read_running_config(const Host&, std::string_view release);

/// The same of an image that says that it is of this release: in a file beside it (`look_beside`), as it is installed,
/// or in the image itself.
base::Result<std::optional<FoundConfig>> read_image_config(const Host&, const std::filesystem::path& image,
                                                           bool look_beside, std::string_view release);

/// What CONFIG_IKCONFIG puts into an image (kernel/configs.c, between "IKCFG_ST" and "IKCFG_ED"). Only an image that is
/// compressed by gzip is looked into. nullopt where there is none.
std::optional<std::string> embedded_config(std::string_view image);

}  // namespace handoff
