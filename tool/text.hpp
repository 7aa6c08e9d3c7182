// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace tool {

/// `text` with a '?' for each byte that a terminal could obey or misread: C0 and C1 control characters, DEL, and bytes
/// that are no UTF-8. All other UTF-8 stays as it is, and so do the ends of lines and tabs where `lines` says so.
std::string printable(std::string_view text, bool lines);

/// `text` in lines of at most `width` columns, a byte each; each line but the first is indented by `indent`, and the
/// first one is expected to begin there. A word that is longer has a line of its own. No newline at the end.
std::string wrapped(std::string_view text, std::size_t indent, std::size_t width = 80);

/// "a", "a or b", "a, b or c".
std::string either(std::span<const std::string_view> words);

/// How many letters one has to insert, remove, change or swap with the next one to make `b` of `a`.
std::size_t edit_distance(std::string_view a, std::string_view b);

/// What somebody who wrote `text` may have meant: the candidate that it begins, or that is a few letters away.
std::optional<std::string_view> nearest(std::string_view text, std::span<const std::string_view> candidates);

}  // namespace tool
