// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "swiotlb-handoff/result.hpp"

namespace handoff {

/// The configuration of a boot loader of which a file of our own can be a part. Paths are those of the machine without
/// the leading slash.
struct BootConfig {
    std::string_view file;       ///< ours; by its name it is read last
    std::string_view program;    ///< makes `written` of all such files, with its full path
    std::string_view written;    ///< what the boot loader reads
    std::string_view directory;  ///< of `file`; where it is not there, nobody reads the file
};

/// What grub-mkconfig of Debian and Ubuntu sources from /etc/default/grub.d: every crashkernel= of other files is taken
/// out of both variables, and `words` stand in front, where no "--" comes before them. They stand where the others
/// stood: in GRUB_CMDLINE_LINUX, which a recovery boot has as well, or else in GRUB_CMDLINE_LINUX_DEFAULT.
std::string grub_file_with(std::string_view words);
/// The first line of a text that grub_file_with() made.
bool is_our_grub_file(std::string_view text);

/// The kernels' lines in a grub.cfg, by their crashkernel= words.
struct BootEntries {
    unsigned as_asked = 0;   ///< exactly these words
    unsigned otherwise = 0;  ///< other ones
    unsigned without = 0;    ///< none, such as a recovery entry
};
BootEntries boot_entries(std::string_view grub_cfg, std::string_view words);
/// The same in sentences.
std::string to_text(const BootEntries&);

/// "crashkernel=256M,high crashkernel=32M,low": what a kernel reads of this kind on its command line, in its order.
/// Input errors: those of CommandLine::parse().
base::Result<std::string> crashkernel_words(std::string_view command_line);

}  // namespace handoff
