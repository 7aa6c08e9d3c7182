// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace e820 {

/// What was taken off the front of a line so far.
struct LogPrefix {
    std::optional<std::uint64_t> time_us;  ///< the kernel's own, microseconds since boot
    std::string_view host;                 ///< whose log it is, as syslog and journald name it; "" where nobody does
    bool any = false;                      ///< there was something
    bool stamped = false;                  ///< a time of any kind
    bool tagged = false;                   ///< the kernel's name, or systemd's where it speaks through the kernel's log
    bool padded = false;                   ///< of logcat, which pads what it takes for a tag: see padding_of()
    bool has_pid = false;                  ///< and has the number of the process behind the tag
};

/// Takes one part of a prefix off the front of a line, and the blanks behind it: a time, a priority, a name. Every form
/// has a row in log_prefix.cpp. Whether there was one. Looks at the first bytes only, however long the line is.
bool take_prefix_part(std::string_view& text, LogPrefix& so_far);

/// What logcat put into a line, as offset and number of bytes. "efi     : EFI v2.7": it pads what stands before the
/// first colon to eight characters; in "efi     (    0): EFI v2.7" a process follows.
struct Padding {
    std::size_t at = 0;
    std::size_t blanks = 0;
};
Padding padding_of(std::string_view text, const LogPrefix& prefix);

}  // namespace e820
