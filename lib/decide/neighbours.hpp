// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <vector>

#include "lib/decide/findings.hpp"
#include "lib/kernel/command_line.hpp"
#include "swiotlb-handoff/machine.hpp"

namespace handoff {

/// Who else claims memory over kexec, or changes what the crash kernel is told while it is loaded: refusals where one
/// of them has memory of the pool or of the fences, or changes the crash kernel's map in a way that is not modelled.
/// `crash_release`: uname -r of the crash kernel, "" where unknown. `file_load`: the crash kernel is, or may be, loaded
/// by kexec_file_load. Rules cma-apart, kho-apart, reserve-mem-apart, hotplug-sound.
void judge_neighbours(const Machine&, const CommandLine& crash_kernel, const std::string& crash_release, bool file_load,
                      const AddressRange& pool, const std::vector<AddressRange>& fences, Findings&);

/// Where it was read that Kexec HandOver is on in the running kernel; "" where nothing says so.
std::string handover_evidence(const Machine&);

}  // namespace handoff
