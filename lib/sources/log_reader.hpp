// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <utility>

#include "base/scan.hpp"
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
    bool wraps = false;  ///< what a mailer put on the next line is part of the value, and nothing shows that it lacks
};

/// The row that reads a line (LogLine::text); nullptr where none does.
const LogReader* reader_of(std::string_view line);

/// A line that says one thing by being there.
template <bool KernelLog::*what>
ReadResult says(KernelLog& log, std::string_view, std::size_t) {
    log.*what = true;
    return fine;
}

/// "START-END" or "START - END" in hexadecimal.
inline std::optional<std::pair<Address, Address>> take_bounds(base::Scan& scan) {
    const auto start = scan.hex();
    const bool dash = scan.take("-") || scan.take(" - ");
    const auto end = dash ? scan.hex() : std::nullopt;
    if (!start || !end) return std::nullopt;
    return std::pair(*start, *end);
}

/// The pool of "[mem 0xSTART-0xEND] (SIZEMB)", behind "[mem". swiotlb_print_info() in kernel/dma/swiotlb.c prints the
/// first byte behind the pool as its end; some older kernels print the last byte. The size tells. nullopt where it fits
/// neither.
std::optional<AddressRange> mapped_pool(std::string_view rest);

/// The whole MiB that stand behind a range.
inline std::optional<std::uint64_t> take_mib(base::Scan& scan, std::string_view open, std::string_view close) {
    if (!scan.take(open)) return std::nullopt;
    const auto mib = scan.decimal();
    return scan.take(close) ? mib : std::nullopt;
}

}  // namespace handoff
