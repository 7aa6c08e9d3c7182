// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>

#include "lib/sources/host.hpp"
#include "swiotlb-handoff/result.hpp"

namespace handoff {

/// The records that read() gives on /dev/kmsg, one after another, as lines of
/// dmesg: "[    0.000000] text". Records of programs (a facility other than 0) are
/// left out; a record without ';' ends the text. Where `keep` is given and says no of a message, its line is empty.
std::string lines_of_kmsg(std::string_view records, KeepMessage* keep = nullptr);

/// The kernel's messages from an open /dev/kmsg, as lines_of_kmsg().
base::Result<std::string> read_kmsg(int fd, KeepMessage* keep = nullptr);

/// The same from the system call syslog(2), where there is no such device; with those of programs.
base::Result<std::string> read_klog();

}  // namespace handoff
