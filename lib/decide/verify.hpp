// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "swiotlb-handoff/machine.hpp"

namespace handoff {

/// In the crash kernel: is the pool where the handoff said?
enum class Landing {
    exact,       ///< yes
    elsewhere,   ///< there is one, at another address or of another size
    no_pool,     ///< the kernel made none, or nobody can see it
    no_handoff,  ///< no marker on the command line: nothing was promised
    lent,        ///< it was lent: it is RAM of this kernel, which has no pool
    not_lent,    ///< it was lent, and is no RAM here, or this kernel has a pool after all
};
/// "exact", "elsewhere", "no-pool", "no-handoff", "lent", "not-lent".
const char* name(Landing);
/// The one of this name().
std::optional<Landing> landing_from(std::string_view name);

/// A pool of single devices that the command line hands over: exact, elsewhere or no_pool.
struct DeviceLanding {
    Landing landing = Landing::no_pool;
    DevicePool promised;
    std::optional<DevicePool> found;
};

struct Verification {
    Landing landing = Landing::no_handoff;
    std::optional<AddressRange> promised;
    std::optional<PoolSighting> found;  ///< by the most trusted source
    std::vector<DeviceLanding> devices;
};
/// What the exit status says: all that was promised is there; nothing was promised; something is not there.
enum class Promises { kept, none, broken };
Promises promises_of(const Verification&);

/// An input error where the marker cannot be read. `asked`: what is promised where there is no marker, as
/// asked_by_addr() has it for a kernel that an ordinary kexec started.
Result<Verification> verify(const Machine&, const std::optional<AddressRange>& asked = std::nullopt);

}  // namespace handoff
