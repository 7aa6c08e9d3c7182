// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "swiotlb-handoff/machine.hpp"

namespace handoff {

class Host;

/// The machine that this host shows: gather() of the installed header, for who has a Host already.
Result<Machine> gather(const Host&);

/// The running kernel's release, by the files that have it alone; "" where there are none.
std::string release_of(const Host&);

/// Of it only what verify() asks: where the pool is, by the best source that knows, RAM and reservation of /proc/iomem,
/// the command line. In little memory, which a crash kernel has not to spare: nothing large is kept, and the kernel log
/// is read only where the kernel's own memory did not tell.
Result<Machine> gather_pool(const Host&);

/// How many numbers a list such as "0-3,5" names (Documentation/admin-guide/cputopology.rst); nullopt where it is none.
std::optional<unsigned> count_of_list(std::string_view list);

/// Of the paths that a capture was not permitted to read, a line each, the first one without which no plan can be made;
/// "" where there is none.
std::string_view denied_need(std::string_view paths);

}  // namespace handoff
