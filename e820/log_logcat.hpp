// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace e820 {

/// The text of logcat's form "long", "[ 05-14 10:21:07.123     0:    0 I/tag ]", the message on the lines below it and
/// an empty one, as plain lines with the numbers that they have in the text: "kernel: tag: message", and "program[pid]:
/// message" for other programs. nullopt: the text has no such head.
std::optional<std::string> lines_of_logcat(std::string_view text);

}  // namespace e820
