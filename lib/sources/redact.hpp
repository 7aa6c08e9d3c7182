// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>

#include "swiotlb-handoff/result.hpp"

namespace handoff {

// What of a machine's texts may be shown to others. Each of these is again what it was where it is done twice.

/// A command line of the same length without what could name the machine: words that decide about memory
/// (lib/kernel/boot_words.hpp), consoles and the like stay, of other words only the keys. Errors: those of
/// CommandLine::parse().
base::Result<std::string> redacted_command_line(std::string_view);

/// The lines of a kernel log that are read, without host names and dates in front;
/// command lines in it are redacted.
std::string redacted_log(std::string_view);

/// The first line of /proc/version up to the release: behind it stand the builder's name and the compiler's.
std::string redacted_version(std::string_view);

/// The number, vendor or implementer, and flags of the first processor in /proc/cpuinfo, and of each that is of another
/// kind than those before it.
std::string kinds_of_processors(std::string_view cpuinfo);

/// An ACPI table without the names of its makers and their versions (struct acpi_table_header), and without the
/// checksum.
std::string anonymous_table(std::string table);

}  // namespace handoff
