// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "lib/decide/question.hpp"

namespace handoff {

/// The machine is not under Xen PV, where no crash kernel gets memory of this kernel's. Rule xen-none.
bool judge_hypervisor(const Machine&, Findings&);

/// There is memory for a crash kernel, of a size that a machine can have. Where there is none, the refusal says why, by
/// the kernel's own words, and what to do on a kernel of this release; or that no source shows it. Rule
/// crashkernel-reserved.
bool judge_reservation(const Question&, Findings&);

/// Why nothing can be said of the size of the reservation, in a clause: what the crash kernel gets is not known, or is
/// not what the model is of. "" where it can; nothing may be reserved then, which is known, too.
std::string why_size_unknown(const Question&);

}  // namespace handoff
