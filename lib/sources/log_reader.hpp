// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "lib/sources/kernel_log.hpp"

namespace handoff {

/// What a reader made of its line: nullopt where the line, after all, is another
/// one that begins alike.
struct Malformed {
    const char* expected;
};
using ReadResult = std::optional<Malformed>;
inline constexpr ReadResult fine = std::nullopt;

/// Where in a boot a line stands. Of all but the last each boot has one at most, in this order and
/// before every other line here; so whichever comes again, or late, begins another boot.
enum class Stage { before_version, version, command_line, map, later };

/// How the lines that begin with `prefix` are read; `rest` is what stands behind it.
struct LogReader {
    std::string_view prefix;
    ReadResult (*read)(KernelLog&, std::string_view rest, std::size_t line);
    Stage stage = Stage::later;
};

/// A line that says one thing by being there.
template <bool KernelLog::*what>
ReadResult says(KernelLog& log, std::string_view, std::size_t) {
    log.*what = true;
    return fine;
}

}  // namespace handoff
