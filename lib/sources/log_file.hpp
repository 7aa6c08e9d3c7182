// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "swiotlb-handoff/result.hpp"

namespace handoff {

/// The lines for parse_kernel_log() of a file that holds a kernel log in any form, as e820::plain_log(); also of one
/// that gzip compressed. Input errors as of gunzip() and plain_log().
base::Result<std::string> log_lines(std::string file);

}  // namespace handoff
