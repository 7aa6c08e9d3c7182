// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/service/service.hpp"
#include "swiotlb-handoff/request.hpp"

// What the rows of kdump_services() read their configuration with: files of a shell's assignments.
namespace handoff {

/// The value of the last assignment NAME=value in a shell file, quotes off; nullopt where there is none, or where it
/// takes a shell to know: a value with $, ` or \; any other mention of the name behind it, such as +=, unset, or a
/// second command in a line; and a mention behind a line that goes on in others (if, a function, a here-document, an
/// open quote) or may end the file.
std::optional<std::string> assigned(std::string_view config, std::string_view name);
/// The same, or `otherwise` where that is nothing.
std::string assigned_or(std::string_view config, std::string_view name, std::string_view otherwise);
/// The name is mentioned, and it takes a shell to know its value.
bool takes_a_shell(std::string_view config, std::string_view name);

/// The words that blanks separate.
std::vector<std::string_view> split(std::string_view words);
/// A kernel command line without the words that have one of these keys; as it is where it cannot be parsed.
std::string without_words(const std::string& command_line, const std::vector<std::string_view>& keys);

/// makedumpfile maps /proc/vmcore unless its options say --non-mmap (its initialize_mmap()).
Collector collector_of_makedumpfile(std::string_view options);
/// --num-threads and --cyclic-buffer, whose value is KiB (makedumpfile(8)).
CollectorOptions memory_of_makedumpfile(std::string_view options);

/// What kexec's options -s, -c and -a, or their long forms, say: the last one counts.
Loader loader_of_kexec(std::string_view options);

/// A directory of this machine, which is given with its full path; of any other text nothing is known.
DumpTarget directory_target(std::string_view path);

}  // namespace handoff
