// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "swiotlb-handoff/result.hpp"

namespace e820 {

/// The file of a kernel log as lines for LogLines, with the numbers that they have in the file: UTF-8 of UTF-16,
/// lines_of_records() where it has records, else the text as it is. Input errors for what is no text, with what to do:
/// the journal's own files, and compressed ones.
base::Result<std::string> plain_log(std::string file);

}  // namespace e820
