// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

namespace handoff {

class Host;

/// 16 hexadecimal digits that stand for what a machine's sources say: the same for copies of a report, in whatever form
/// they are. A log has times in it, and /proc/iomem has the place of the kernel, so that two boots, or two machines,
/// are not the same. It is FNV-1a of 64 bits, which is no protection against somebody who wants two reports to look
/// alike.
std::string digest_of(const Host&);

}  // namespace handoff
