// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "e820/result.hpp"
#include "lib/host.hpp"

namespace handoff {

struct CaptureReport {
    std::vector<std::string> written;   ///< paths in the directory, which are the machine's own
    std::vector<e820::Error> not_read;  ///< sources that are there and could not be taken, and why
};

/// Writes what gather() reads of a machine into `directory`, so that a Host on
/// it gives the same answers. The directory must not exist, or be empty and the
/// caller's own; it becomes 0700. No file outside of it is touched.
///
/// Only what is needed is taken: of the kernel log the lines that are read
/// (redacted_log()), of the command line the words about memory
/// (redacted_command_line()), of the symbols those of the pool, of the kernel's
/// memory and BTF the few words that tell where the pool is.
///
/// Errors: the directory cannot be made or is not empty, a file cannot be written.
e820::Result<CaptureReport> capture(const Host&, const std::filesystem::path& directory);

/// A command line of the same length without what could name the machine: words about
/// memory, consoles and the like stay, of other words only the keys.
e820::Result<std::string> redacted_command_line(std::string_view);

/// The lines of a kernel log that are read, without host names and dates in front;
/// command lines in it are redacted.
std::string redacted_log(std::string_view);

}  // namespace handoff
