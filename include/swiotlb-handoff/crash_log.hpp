// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "swiotlb-handoff/range.hpp"

namespace handoff {

/// What a crash kernel says in its own log: on a serial console, in kexec-dmesg.log, or in the lines of its program
/// that saves the dump. Lines are 1-based, of the whole text.
struct CrashLog {
    /// In the order in which they make a dump unlikely.
    enum class Kind {
        no_pool,       ///< it could not make the pool that it wanted
        pool_full,     ///< a transfer found no room in the pool
        unpacking,     ///< the initrd was not unpacked as a whole, since memory ran out
        allocation,    ///< an allocation failed, and the kernel went on
        out_of_memory  ///< a process was killed, or the kernel gave up
    };
    struct Shortage {
        Kind kind = Kind::allocation;
        std::string text;       ///< the first line of this kind, as the kernel wrote it
        std::size_t line = 0;   ///< of it
        std::size_t times = 1;  ///< lines of this kind
        friend bool operator==(const Shortage&, const Shortage&) = default;
    };

    std::string file;                        ///< that has it; its reader's to fill in
    std::size_t line = 0;                    ///< where its boot begins
    std::uint64_t total_bytes = 0;           ///< RAM that it manages; 0 where no line says so
    std::uint64_t available_bytes = 0;       ///< of that, free when memory management began
    std::uint64_t reserved_bytes = 0;        ///< by the boot before it in the same log; 0 where that is not known
    std::optional<base::AddressRange> pool;  ///< the last one that it has
    std::optional<std::uint64_t> cpus;       ///< that it prepared for
    std::vector<Shortage> shortages;         ///< at most one of a kind, by the line
    bool dump_saved = false;                 ///< a program says that the dump was saved

    friend bool operator==(const CrashLog&, const CrashLog&) = default;
};
/// "no-pool", "pool-full", "initrd-not-unpacked", "allocation-failed", "out-of-memory".
const char* name(CrashLog::Kind);

}  // namespace handoff
