// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "e820/log_line.hpp"

namespace handoff {

/// In a log whose lines have a prefix: the line has none that is known, so that it may be anything that the kernel
/// said. Not so what is printed without one: blank lines, what dmesg and journalctl indent as far as the message before
/// it, whose prefix ends at `column`, because it is of the same one, the first words of the early console, and printk's
/// notes about itself.
bool is_not_understood(const e820::LogLine&, std::size_t column);

/// How many messages of the kernel are missing, as this line (LogLine::text) says: "** 12 printk messages dropped **"
/// of the console (kernel/printk/printk.c), or "Missed 12 kernel messages" of systemd-journald; one where journalctl
/// shows "[4.1K blob data]" in place of it. 0 where it says nothing.
std::uint64_t messages_dropped(std::string_view text);

/// The first of the two lines above, for whoever notices a gap by himself or passes the second one on.
std::string dropped_line(std::uint64_t messages);

}  // namespace handoff
