// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "lib/load/record.hpp"
#include "lib/machine/watched_memory.hpp"
#include "lib/sources/file_sum.hpp"
#include "swiotlb-handoff/request.hpp"

// What crashes of a machine showed of the memory that its crash kernel takes: swiotlb-handoff-record(5).
namespace handoff {

class Host;

/// What lies beside a dump: what `verify --watch` saw, and the record of the load.
inline constexpr std::string_view memory_record_file = "swiotlb-handoff-memory.json";
inline constexpr std::string_view load_record_file = "swiotlb-handoff.json";

/// Reads a document that anybody may have written. Input errors: as of parse_record(); and sizes that contradict each
/// other, or a time in another form.
Result<WatchedMemory> parse_watched_memory(std::string_view text);

/// The one in the directory of a dump. not_found where there is none; not_permitted, on the running machine, where
/// others than root can have written it. Errors besides: as of parse_watched_memory().
Result<WatchedMemory> memory_beside_dump(const Host&, const std::string& directory);

/// What a load would be now, as far as a record has to be of the same; nullopt for what is not known.
struct PresentLoad {
    std::string release;
    std::optional<FileSum> kernel, initrd;
    std::optional<unsigned> cpus;  ///< that the crash kernel prepares for
    Loader loader = Loader::automatic;
    std::uint64_t ram_bytes = 0;  ///< of the machine
    std::optional<CollectorOptions> collector;
};

/// Why what was seen does not hold for this load, one clause; "" where it does. It holds where the dump was done and
/// nothing was ended for want of memory, for the same image, initrd, CPUs and system call, for at most 1 GiB more
/// memory of the machine (its bitmaps grow with that), and for a makedumpfile with the same threads and buffer.
std::string why_not_used(const WatchedMemory&, const Record& load, const PresentLoad&);

/// Bytes that were not available when least was, besides a pool that was handed over or that the crash kernel made. Of
/// a pool whose size nobody saw they are among them.
std::uint64_t bytes_taken(const WatchedMemory&, const Record& load);

/// Looks for such records where the installed kdump service puts its dumps, in /var/crash where none is installed, and
/// sets PlanRequest::measured and crash_records. Of several that hold the one that took most counts: it is of the same
/// load. At most the 64 newest directories are looked at, by their names. Of the running machine only records count
/// that nobody but root can have written.
void look_for_crash_records(const Host&, const Machine&, PlanRequest&);

}  // namespace handoff
