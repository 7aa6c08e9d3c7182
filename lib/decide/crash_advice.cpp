// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/decide/crash_advice.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace handoff {
namespace {

bool has(const CrashLog& log, CrashLog::Kind kind) {
    return std::any_of(log.shortages.begin(), log.shortages.end(),
                       [kind](const CrashLog::Shortage& s) { return s.kind == kind; });
}

std::uint64_t pool_bytes(const CrashLog& log) { return log.pool ? log.pool->size() : 0; }

}  // namespace

std::uint64_t ran_out_with(const CrashLog& log) {
    const bool short_of_all = has(log, CrashLog::Kind::out_of_memory) || has(log, CrashLog::Kind::unpacking) ||
                              has(log, CrashLog::Kind::allocation);
    if (!short_of_all || log.dump_saved) return 0;
    // What the kernel counts lacks the ELF headers, up to 1 MiB, and what the firmware has for itself.
    constexpr std::uint64_t not_counted = 2 * base::MiB;
    const std::uint64_t counted = log.total_bytes == 0 ? 0 : log.total_bytes + not_counted;
    const std::uint64_t all = counted != 0 ? counted : log.reserved_bytes;
    return all - std::min(pool_bytes(log), all);
}

std::vector<std::string> what_would_help(const CrashLog& log) {
    using Kind = CrashLog::Kind;
    std::vector<std::string> help;
    if (has(log, Kind::no_pool))
        help.push_back(
            "The crash kernel found no memory below 4 GiB for its pool. A larger crashkernel=…,low gives it some, and "
            "with the handoff it needs none.");
    if (has(log, Kind::unpacking))
        help.push_back(
            "The initrd did not fit into memory while it was unpacked. A larger reservation or a smaller initrd "
            "helps.");
    if (has(log, Kind::out_of_memory) || has(log, Kind::allocation)) {
        help.push_back(log.dump_saved ? "Memory ran short, and the dump was saved all the same."
                       : ran_out_with(log) != 0
                           ? "The reservation was too small. No size that is recommended here is as small."
                           : "The reservation was too small. The log does not say how large it was, so the sizes that "
                             "are recommended here do not take it into account.");
        if (log.pool)
            help.push_back(
                fmt::format("The pool took {} MiB of that memory. With the handoff it takes none of the reservation.",
                            base::whole_mib(log.pool->size())));
        if (log.cpus.value_or(1) > 1)
            help.push_back(fmt::format(
                "The crash kernel prepared for {} CPUs. Add nr_cpus=1 to its command line: each CPU takes memory.",
                *log.cpus));
    }
    if (has(log, Kind::pool_full))
        help.push_back(
            "Transfers found no room in the pool, and were tried again or failed. A larger pool helps, such as the one "
            "that the handoff gives.");
    return help;
}

}  // namespace handoff
