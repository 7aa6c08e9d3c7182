// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/log_file.hpp"

#include <utility>

#include "e820/log_text.hpp"
#include "lib/sources/files.hpp"
#include "lib/sources/gzip.hpp"

namespace handoff {

base::Result<std::string> log_lines(std::string file) {
    if (!is_gzip(file)) return e820::plain_log(std::move(file));
    auto text = gunzip(file, file_limit);
    if (!text) return text;
    return e820::plain_log(*std::move(text));
}

}  // namespace handoff
