// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "e820/range.hpp"
#include "e820/result.hpp"

namespace handoff {

/// What a line of /proc/iomem is about, as far as a pool is concerned.
enum class IomemKind {
    system_ram,
    crash_kernel,  ///< the reservation, or one of two
    kernel_image,  ///< code, data or bss of the running kernel
    pool,          ///< the swiotlb pool, which kernels with the patches in kernel/ list
    other,
};

/// One line of /proc/iomem.
struct IomemEntry {
    e820::AddressRange range;  ///< half-open; empty for the "0-0" lines that some drivers leave
    unsigned depth = 0;        ///< nesting, 0 at top level
    std::string name;          ///< "System RAM"
    std::size_t line = 0;      ///< 1-based

    /// By the name alone, at any depth.
    [[nodiscard]] IomemKind kind() const;
    friend bool operator==(const IomemEntry&, const IomemEntry&) = default;
};

/// The text of /proc/iomem. Errors: a line that is not "start-end : name",
/// reversed bounds, more than 64 bits, a nesting that skips a level; and
/// Errc::not_permitted where every range is zero, which is what the kernel
/// shows without CAP_SYS_ADMIN (kernel/resource.c, r_show()). An empty text is an
/// input error.
e820::Result<std::vector<IomemEntry>> parse_iomem(std::string_view text);

}  // namespace handoff
