// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>

#include "swiotlb-handoff/result.hpp"

namespace handoff {

/// The lines for parse_kernel_log() of a file that holds a kernel log in any form, as e820::plain_log(); also of one
/// that is_packed(), and of text_of_mail() and without_markup(). Input errors as of unpacked() and plain_log().
base::Result<std::string> log_lines(std::string file);

/// A line of them is one that parse_kernel_log() takes something from.
bool is_kernel_log(std::string_view lines);

}  // namespace handoff
