// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "lib/kernel/command_line.hpp"
#include "swiotlb-handoff/range.hpp"
#include "swiotlb-handoff/result.hpp"

namespace handoff {

struct Machine;

/// What the crashkernel= words of a boot come to. Bytes.
struct Reservation {
    std::uint64_t size = 0;
    bool high = false;                  ///< ",high"
    std::optional<std::uint64_t> low;   ///< ",low"; none: default_low()
    std::optional<base::Address> base;  ///< "@offset"
    /// "crashkernel=256M,high crashkernel=32M,low".
    [[nodiscard]] std::string text() const;
    friend bool operator==(const Reservation&, const Reservation&) = default;
};

/// As parse_crashkernel() reads them (kernel/crash_core.c; kernel/crash_reserve.c since 6.9): the
/// last word without a suffix, else the last ",high" and ",low". `ram_bytes` is what the
/// "range:size" form is compared with. nullopt: nothing is asked for. Input error: a word that
/// the kernel would not understand.
base::Result<std::optional<Reservation>> reservation_of(const CommandLine&, std::uint64_t ram_bytes);

/// The part below 4 GiB that the kernel adds to a reservation above it where no ",low" says
/// otherwise: crash_low_size_default() in arch/x86/include/asm/crash_reserve.h; before 6.8
/// reserve_crashkernel_low() in arch/x86/kernel/setup.c.
std::uint64_t default_low(std::uint64_t pool_bytes);

/// What the running kernel has reserved, in all its parts, bytes; 0 where nothing is seen to be reserved.
std::uint64_t reserved_bytes(const Machine&);

}  // namespace handoff
