// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace e820 {

/// The text of a log that is made of records, or has records in it, as plain lines: "[    0.000000] text" for what the
/// kernel said, with the host's name where there is one, "host program[pid]: text" for others. Line N of the result is
/// line N of the text, empty where nothing is said there; see same_line for messages of several lines. The forms, a
/// table in log_record.cpp: journalctl -o json, json-pretty, json-sse and json-seq, export, verbose; dmesg --json; the
/// JSON that containers' logs are kept in. What is no record stays as it is. A message that journalctl left out
/// for its length is a line that says so (messages_dropped()), and another boot is announced as journalctl does it,
/// "-- Boot … --". nullopt: the text has no record.
std::optional<std::string> lines_of_records(std::string_view text);

}  // namespace e820
