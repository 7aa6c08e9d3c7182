// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "lib/sources/read_at.hpp"
#include "swiotlb-handoff/machine.hpp"

namespace handoff {

class Host;

/// How long read_pool_traces() may take to read the pool: 64 MiB took 0.7 to 1.2 s in an emulated machine.
inline constexpr std::chrono::milliseconds pool_reading_at_most{20000};

/// Whether the running kernel's default pool was ever used, by what use leaves behind: the search indices, and the pool
/// itself, which is read through /proc/kcore up to the first byte that is not 0. It is not read where an index has
/// moved; and not before /proc/kpageflags has shown that each page is there, reserved, and known to be sound:
/// /proc/kcore gives zeros for a page that it cannot read (fs/proc/kcore.c, read_kcore_iter()), and memory that is
/// broken is better left alone. not_found where the kernel has no pool; errors of any other code say what could not be
/// seen.
Result<PoolTraces> read_pool_traces(const Host&, std::chrono::milliseconds at_most = pool_reading_at_most);

/// The same of the running machine, into its pool_traces or pool_traces_problem. Nothing of a captured one, which has
/// them, or has them not.
void look_into_pool(const Host&, Machine&);

/// Why the pool should not be read, or why what is read would say nothing, by /proc/kpageflags (one number of 64 bits
/// for each page of memory) and /proc/meminfo: an error that says it; nullopt where nothing speaks against it.
std::optional<Error> unfit_page(const ReadAt& flags, const AddressRange& pool);
std::optional<Error> broken_memory(std::string_view meminfo);

/// What a capture keeps: a line for each member, "blank-bytes: 67108864". Input errors name the line.
std::string to_text(const PoolTraces&);
Result<PoolTraces> parse_pool_traces(std::string_view text);
/// The first word of what a capture keeps where the pool could not be read; the reason follows.
inline constexpr std::string_view traces_not_read = "not-read: ";

}  // namespace handoff
