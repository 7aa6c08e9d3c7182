// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "swiotlb-handoff/result.hpp"

namespace e820 {

/// The file of a kernel log as lines for LogLines, with the numbers that they have in the file: UTF-8 of UTF-16,
/// text_of_document(), lines_of_logcat(), lines_of_records() where it has records, else the text as it is. Input error,
/// with what to do, for the journal's own files.
base::Result<std::string> plain_log(std::string file);

}  // namespace e820
