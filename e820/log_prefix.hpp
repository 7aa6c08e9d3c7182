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
    bool padded = false;                   ///< of logcat, which pads what it takes for a tag: see without_padding()
};

/// Takes one part of a prefix off the front of a line, and the blanks behind it: a time, a priority, a name. Every form
/// has a row in log_prefix.cpp. Whether there was one. Looks at the first bytes only, however long the line is.
bool take_prefix_part(std::string_view& text, LogPrefix& so_far);

/// Where logcat's padding stands in "efi     : EFI v2.7", as offset and number of blanks: it pads what stands before
/// the first colon to eight characters.
struct Padding {
    std::size_t at = 0;
    std::size_t blanks = 0;
};
Padding padding_of(std::string_view text);

}  // namespace e820
