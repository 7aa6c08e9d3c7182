// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>

namespace tool {

/// `text` with a '?' for each byte that a terminal could obey or misread: C0 and C1 control characters, DEL, and bytes
/// that are no UTF-8. All other UTF-8 stays as it is, and so does the end of a line where `lines` says so.
std::string printable(std::string_view text, bool lines);

}  // namespace tool
