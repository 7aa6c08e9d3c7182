// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "swiotlb-handoff/result.hpp"

namespace handoff {

class Host;

/// Where distributions install kexec, without the leading slash, and where dpkg-divert(1) puts it when another program
/// is given its place (.distrib). The first is where a capture keeps the version.
std::span<const std::string_view> kexec_paths();

struct KexecProgram {
    std::string path;     ///< to run it
    std::string version;  ///< of kexec-tools, from the program's own text: "2.0.25"
};

/// The kexec program that is installed: no script in its place, which has no version, and not this program. Error:
/// not_found.
base::Result<KexecProgram> find_kexec(const Host&);

/// "2.0.25" out of the kexec program: `kexec --version` prints "kexec-tools 2.0.25",
/// which is one of its strings. nullopt where it is not there, and of a script, whatever it says.
std::optional<std::string> kexec_tools_version(std::string_view program);

/// `path` is the program that is running now, by whatever name.
bool is_this_program(const std::filesystem::path& path);

}  // namespace handoff
