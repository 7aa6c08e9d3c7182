// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

namespace tool {

/// Switches on or off what the running kernel says about the segments of kexec_file_load: up to Linux 6.7 pr_debug() in
/// kernel/kexec_file.c and arch/x86/kernel/crash.c, by dynamic debug; later kernels go by kexec -d. False where it
/// cannot be done, or somebody had it on already: then it is left alone.
bool set_load_messages(bool on);

}  // namespace tool
