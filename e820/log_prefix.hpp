// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace e820 {

/// What has been removed from the beginning of a line so far.
struct LogPrefix {
    std::optional<std::uint64_t> time_us;  ///< the kernel's own, microseconds since boot
    std::string_view host;                 ///< the machine, as syslog and journald name it; "" if nobody names it
    bool any = false;                      ///< something was removed
    bool stamped = false;                  ///< there was a time of any kind
    bool tagged = false;                   ///< there was the kernel's name, or systemd's in the kernel's log
    bool padded = false;                   ///< the line is of logcat, which pads tags: see padding_of()
    bool has_pid = false;                  ///< the number of the process follows the tag
};

/// Removes one part of a prefix from the beginning of a line, such as a time, a priority or a name, and the blanks
/// behind it. Returns whether there was one. Each form has a row in log_prefix.cpp. Only the first bytes are read.
bool take_prefix_part(std::string_view& text, LogPrefix& so_far);

/// What logcat put into a line, as offset and number of bytes. "efi     : EFI v2.7": it pads what stands before the
/// first colon to eight characters; in "efi     (    0): EFI v2.7" a process follows.
struct Padding {
    std::size_t at = 0;
    std::size_t blanks = 0;
};
Padding padding_of(std::string_view text, const LogPrefix& prefix);

}  // namespace e820
