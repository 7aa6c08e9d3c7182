// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace handoff {

/// Paths that no machine has, for what reports have beside a machine's files: a listing of /boot, `uname -a`, and what
/// the crash kernel said when it saved the last dump.
inline constexpr std::string_view boot_listing = "swiotlb-handoff/ls-boot", uname_output = "swiotlb-handoff/uname",
                                  crash_kernel_log = "swiotlb-handoff/kexec-dmesg.log";

/// Where a report has a file of the machine. Patterns are of fnmatch(3); "*" is within one component of a path.
struct ReportRow {
    std::string_view place;    ///< pattern of the file's path below the report's top
    std::string_view section;  ///< pattern of the name of a section in it, as supportconfig writes them; "": all of it
    std::string_view path;     ///< on the machine, without the leading slash
};

/// How a kind of report is laid out.
struct ReportLayout {
    std::string_view name;  ///< "a sosreport"
    std::string_view mark;  ///< what it is known by, for people: "sos_commands"
    /// Patterns of what is at its top: one that is there is enough.
    std::vector<std::string_view> signs;
    /// It has files at the machine's own paths as well: those of own_paths().
    bool own_paths = false;
    /// Where several rows name the same file of the machine, the first one that is there counts; of logs, the first one
    /// that shows the boot.
    std::vector<ReportRow> rows;
    /// In an archive, so many directories may stand above its top.
    std::size_t deepest = 2;
};

/// All kinds, in the order in which they are looked for.
std::span<const ReportLayout> layouts();

/// Patterns of the files that sources and kexec have on the machine.
std::vector<std::string> own_paths();
/// Of these, patterns of directories that tell something by being there.
std::span<const std::string_view> telling_directories();

/// Where the first wildcard of a pattern stands; npos where there is none.
inline std::size_t first_wildcard(std::string_view pattern) { return pattern.find_first_of("*[?"); }

/// As fnmatch(3), without wildcards over a slash.
bool matches(std::string_view pattern, const std::string& path);
/// The same of a name in which a slash is a letter as others.
bool matches_name(std::string_view pattern, std::string_view name);
/// The sign stands for `path` or for a directory above it.
bool is_sign(std::string_view sign, const std::string& path);

/// A section of a file of supportconfig: "#==[ Command ]===…#", "# NAME", text.
struct Section {
    std::string_view name;
    std::string_view text;
    std::size_t lines_before = 0;  ///< of the file
};
std::vector<Section> sections_of(std::string_view file);

}  // namespace handoff
