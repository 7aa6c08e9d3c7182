// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "swiotlb-handoff/machine.hpp"

namespace handoff {

class Host;

/// The machine that this host shows: gather() of the installed header, for who has a Host already.
Result<Machine> gather(const Host&);

}  // namespace handoff
