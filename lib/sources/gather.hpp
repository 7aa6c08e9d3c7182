// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "swiotlb-handoff/machine.hpp"

namespace handoff {

class Host;

/// The machine that this host shows: gather() of the installed header, for who has a Host already.
Result<Machine> gather(const Host&);

/// The running kernel's release, by the files that have it alone; "" where there are none.
std::string release_of(const Host&);

}  // namespace handoff
