// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>

#include "swiotlb-handoff/machine.hpp"

namespace handoff {

/// The first processor in /proc/cpuinfo is none of x86: it has no vendor, or is one of s390.
bool names_another_architecture(std::string_view cpuinfo);

/// What the flags of the processors in /proc/cpuinfo prove: tdx where one says so, none where each does, else unknown.
/// A TDX guest has "tdx_guest" (arch/x86/coco/tdx/tdx.c, tdx_early_init(), 5.19 and later; no kernel before runs in
/// one). The flags of AMD, "sme" and "sev", say what the processor could do, not what is in use; without "sme" on bare
/// metal there is nothing to use.
Encryption encryption_by_flags(std::string_view cpuinfo);

}  // namespace handoff
