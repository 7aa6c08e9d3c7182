// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

// How logs write times, and the words of a prefix.
namespace e820 {

/// The longest parts of a prefix are dates. Nothing looks further than this for the end of a part, so that
/// the time for a hostile line stays linear.
inline constexpr std::size_t longest_part = 96;

inline bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool all_digits(std::string_view text);

/// Removes the first word from `text`, together with the blanks before it, and returns the word.
std::string_view take_word(std::string_view& text);

/// Whether `text` begins like `form`, in which 'd' stands for a digit.
bool has_form(std::string_view text, std::string_view form);

/// Reads seconds as printk and dmesg print them, "0.000000" or "+0.000000". The result is in microseconds.
std::optional<std::uint64_t> parse_seconds(std::string_view text);

/// "10:21:07", "10:21:07.123456", "10:21:07,559", "10:21:07+0100", "10:21:07Z", and "10:21:07.12+0000:" of libvirt.
bool is_clock(std::string_view word);
/// "2024-05-14", "05-14" of logcat, and what programs that record a console write.
bool is_date(std::string_view word);
/// "2024-05-14T10:21:07.123456+02:00".
bool is_iso_time(std::string_view word);

/// Removes a time up to the end of its clock: "May 14 10:21:07", "Thu 2024-05-14 10:21:07 CEST", "10:21:07", ISO 8601.
bool take_clock(std::string_view& text);

/// "Nov13 14:11", "Nov 3 14:11", "11月13 14:11": dmesg -H writes it before the first line of each minute.
bool is_minute(std::string_view text);

}  // namespace e820
