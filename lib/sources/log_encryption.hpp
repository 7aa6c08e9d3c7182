// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <span>

#include "lib/sources/log_reader.hpp"

namespace handoff {

/// The lines that tell of encryption, or of Hyper-V, which says less of it than there is.
std::span<const LogReader> encryption_readers();

/// Once a boot is read: what its lines about Hyper-V mean for its encryption.
void settle_encryption(KernelLog&);

/// What a guest of Hyper-V that says `encryption` is. Behind the paravisor an SEV-SNP guest says "AMD SEV", and Hyper-V
/// offers neither SEV nor SEV-ES by itself (Linux commit 812b0597fb40 ("x86/hyperv: Change vTOM handling to use
/// standard coco mechanisms") (in v6.4)).
Encryption behind_hyperv(Encryption encryption);

/// Whether `a` guards memory more than `b`. That nothing is known is more than that there is none.
bool is_stronger(Encryption a, Encryption b);

}  // namespace handoff
