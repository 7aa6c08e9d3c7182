// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace handoff {

/// What was seen of a crash kernel's memory while it saved its dump: `verify --watch` writes it, and a later boot reads
/// it (swiotlb-handoff-record(5)). Sizes are bytes.
struct WatchedMemory {
    static constexpr std::uint64_t schema = 2;

    std::string time;          ///< of the last change, UTC by the machine's clock: "2026-11-20T03:05:00Z"
    std::string release;       ///< of the crash kernel
    std::string command_line;  ///< with what the loader added
    std::string possible_cpus, running_cpus;  ///< lists, as sysfs has them: "0-3,6"
    std::optional<std::uint64_t> ram_bytes;   ///< System RAM of its /proc/iomem, a handed-over pool included
    std::uint64_t total_bytes = 0;            ///< MemTotal
    std::uint64_t first_free_bytes = 0, first_available_bytes = 0;    ///< MemFree, MemAvailable at the first look
    std::uint64_t lowest_free_bytes = 0, lowest_available_bytes = 0;  ///< each by itself
    std::optional<std::uint64_t> slabs, slabs_used;  ///< of the pool, and the most in use; nullopt without debugfs
    std::optional<std::uint64_t> oom_kills;          ///< processes that the kernel ended for want of memory
    std::optional<std::uint64_t> vmcore_bytes;       ///< of /proc/vmcore
    /// The program that read /proc/vmcore and wrote most, with its arguments; "" where none was seen.
    std::string collector;
    std::uint64_t dump_bytes = 0;    ///< that it wrote
    std::uint64_t dump_seconds = 0;  ///< from its start until it was last seen
    bool dump_done = false;          ///< it has ended, and this was written after that
    std::uint64_t looks = 0;         ///< how often memory was looked at
    friend bool operator==(const WatchedMemory&, const WatchedMemory&) = default;
};

/// The document, a member a line. Only printable ASCII is kept of texts. It is made here and not with the other
/// documents, since verify has no library of JSON.
std::string to_text(const WatchedMemory&);

/// The number of a member in such a document; nullopt where it has none. For verify, which reads what it wrote.
std::optional<std::uint64_t> number_in(std::string_view document, std::string_view member);

/// "2026-11-20T03:05:00Z" of seconds since 1970.
std::string utc_text(std::uint64_t seconds);

}  // namespace handoff
