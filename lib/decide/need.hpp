// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <vector>

#include "lib/sources/devices.hpp"
#include "swiotlb-handoff/request.hpp"

namespace handoff {

/// What the crash kernel's memory has to hold besides the pool. Bytes.
struct Need {
    static constexpr std::uint64_t unpack_factor = 4;
    static constexpr std::uint64_t default_margin = 64 * base::MiB;

    std::uint64_t image = 0;                ///< init_size: what the image says it takes
    std::uint64_t initrd = 0;               ///< as loaded
    std::uint64_t unpacked = 0;             ///< unpack_factor times as much
    std::uint64_t early = 0;                ///< early_demand() of a reservation of this size
    std::uint64_t bitmaps = 0;              ///< makedumpfile's: two bits a page of the machine
    std::uint64_t own_pool = 0;             ///< a pool that the crash kernel makes without need
    std::uint64_t margin = default_margin;  ///< programs, drivers, buffers
    [[nodiscard]] std::uint64_t total() const {
        return image + initrd + unpacked + early + bitmaps + own_pool + margin;
    }
};

/// For a reservation of this size; what the request does not name is assumed, as plan() does.
Need need_for(const Machine&, const PlanRequest&, std::uint64_t reservation_bytes, std::uint64_t margin);

/// How much memory below 4 GiB a reservation above it should have.
struct LowPart {
    std::uint64_t bytes = 0;
    bool known = false;              ///< the devices are known
    std::vector<DmaDevice> because;  ///< those that need some
};
LowPart low_part(const Machine&, std::uint64_t pool_bytes);

}  // namespace handoff
