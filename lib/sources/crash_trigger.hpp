// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string_view>

#include "swiotlb-handoff/result.hpp"

namespace handoff {

class Host;

// What crashes a machine on purpose. Of a machine that is a directory, only the directory's own files are written: the
// running kernel's, which may be mounted in it, are refused.

/// Writes "c" to /proc/sysrq-trigger. The running machine does not come back from that. The kernel takes this from root
/// whatever kernel.sysrq says (drivers/tty/sysrq.c, write_sysrq_trigger()). Errors: it cannot be written.
[[nodiscard]] std::optional<base::Error> trigger_crash(const Host&);

/// Adds a line to the kernel's log: to /dev/kmsg, as critical (Documentation/ABI/testing/dev-kmsg).
[[nodiscard]] std::optional<base::Error> add_to_kernel_log(const Host&, std::string_view line);

}  // namespace handoff
