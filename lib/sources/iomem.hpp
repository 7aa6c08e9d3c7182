// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "swiotlb-handoff/machine.hpp"
#include "swiotlb-handoff/result.hpp"

namespace handoff {

/// The text of /proc/iomem. Errors: a line that is not "start-end : name",
/// reversed bounds, more than 64 bits, a nesting that skips a level; and
/// Errc::not_permitted where every range is zero, which is what the kernel
/// shows without CAP_SYS_ADMIN (kernel/resource.c, r_show()). An empty text is an
/// input error.
base::Result<std::vector<IomemEntry>> parse_iomem(std::string_view text);

}  // namespace handoff
