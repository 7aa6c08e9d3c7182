// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "e820/log.hpp"
#include "lib/sources/gather.hpp"
#include "lib/sources/host.hpp"
#include "lib/sources/kernel_log.hpp"
#include "lib/sources/kernel_memory.hpp"
#include "swiotlb-handoff/machine.hpp"

// The steps of gather(): each reads a few sources and adds to the machine what they say.
namespace handoff {

/// What is gathered, and what the steps need of each other.
struct Gathering {
    const Host& host;
    Machine machine{};
    std::string log_text{};
    KernelLog log{};
    Symbols symbols{};
    std::optional<Core> core{};

    [[nodiscard]] std::string path(Source source) const { return std::string(host.path(source)); }

    void note(Error error, Source source) { machine.unread.push_back(std::move(error).at(host.path(source))); }

    /// A value that may be missing: where it cannot be had that is noted, unless
    /// there is no such file.
    template <class T>
    std::optional<T> optional(Result<T> result, Source source) {
        if (result) return *std::move(result);
        if (result.error().code != Errc::not_found) note(std::move(result).error(), source);
        return std::nullopt;
    }
    std::optional<std::string> text(Source source) { return optional(host.read(source), source); }
};

/// A step fails only where its source is malformed.
using Failure = std::optional<Error>;

/// System RAM, the reservation, the kernel's image and a pool, of /proc/iomem.
Failure read_iomem(Gathering&);
/// The kernel log; see Host::kernel_log() for `keep`.
Failure read_log(Gathering&, KeepMessage* keep = nullptr);
/// The same of a log in whatever form a file has it, and what of it was not understood.
Failure read_any_log(Gathering&);
/// Of its lines.
Failure take_log(Gathering&, std::string lines);
/// What only the log says, and what nobody else has said so far.
void take_log_facts(Gathering&);
/// What a crash kernel says whose boot is in the same log.
void take_last_crash(Gathering&);
/// The running kernel's, of the best source that has it.
Failure read_command_line(Gathering&);
/// The memory map, of the best source that has one.
Failure read_map(Gathering&);

/// What the log says of its kernel and its machine that /proc and /sys contradict. `map`: the log's of the firmware.
void compare_with_log(Gathering&, const std::optional<e820::LogMap>& map);

/// The kernel's memory and the addresses of its symbols, for those that follow.
void open_memory(Gathering&);
/// Reads the kernel's memory, which is open.
MemoryReader reader_of(const Gathering&);
/// Where the kernel's own variables say that the pool is.
void read_pool_in_memory(Gathering&);

/// Whether the kernel counts the most slabs of its pool that were ever in use.
void read_hiwater(Gathering&);

/// What the running kernel was configured for, of its release's files.
void read_configuration(Gathering&);

/// What guards the memory: of the log, the processor's flags and the kernel's variables.
void read_encryption(Gathering&);

/// What a capture says of the pool's content: of the running machine that is look_into_pool()'s.
void read_recorded_traces(Gathering&);

/// How far PCI devices can address memory, what drives those of the platform bus, and what an IOMMU is told of them.
void read_devices(Gathering&);

}  // namespace handoff
