// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "lib/machine.hpp"

namespace handoff {

/// Who loads crash kernels on a machine.
enum class KdumpFamily {
    kdump_tools,  ///< Debian and Ubuntu: kdump-config
    kdumpctl,     ///< Fedora, RHEL and what derives from it: kdump-utils, before that kexec-tools
    suse,         ///< openSUSE and SLES: kdump
};
/// "kdump-tools", "kdumpctl", "suse".
const char* name(KdumpFamily);

/// What there is to know of a kdump service. Paths as of Host: without the leading slash.
struct KdumpService {
    KdumpFamily family = KdumpFamily::kdump_tools;
    std::string_view config;   ///< the file that its scripts source: "etc/default/kdump-tools"
    std::string_view snippet;  ///< what the block in it sources, in the helpers' directory: "kdump-tools.sh"
    std::string_view reload;   ///< what loads the crash kernel anew: "kdump-config reload"
    std::string_view rebuild;  ///< what builds its initrd anew
};
KdumpService service_of(KdumpFamily);

/// By the scripts that are installed, and only where that does not tell by ID and
/// ID_LIKE of os-release(5). nullopt: no kdump service that is known here.
std::optional<KdumpService> find_kdump_service(const Host&);
/// Of os-release(5) alone.
std::optional<KdumpFamily> family_of(std::string_view os_release);

/// How the handoff stands in the text of a configuration file.
enum class ConfigState { absent, present };

/// Error (input, with the line) where the marked block is damaged: begun twice,
/// not ended, or with other lines in it than `enable` writes for `helpers`.
Result<ConfigState> handoff_in(std::string_view config, const KdumpService&, std::string_view helpers);
/// The text with the block at its end; as it is where the block is there.
Result<std::string> with_handoff(std::string_view config, const KdumpService&, std::string_view helpers);
/// The text without it: for every text, without_handoff(with_handoff(text)) == text.
Result<std::string> without_handoff(std::string_view config, const KdumpService&, std::string_view helpers);

/// The value of the last plain assignment NAME=value in a shell file, quotes off;
/// nullopt where there is none, or where it takes a shell to know ($, `, \).
std::optional<std::string> assigned(std::string_view config, std::string_view name);

/// The crash kernel's command line as the service derives it from the running
/// kernel's and its configuration; for a look ahead, not for a load: the load has the real one.
std::string likely_command_line(const KdumpService&, std::string_view config, const std::string& running);

}  // namespace handoff
