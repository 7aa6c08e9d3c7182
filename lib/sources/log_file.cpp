// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/log_file.hpp"

#include <utility>

#include "e820/log_line.hpp"
#include "e820/log_text.hpp"
#include "lib/sources/archive.hpp"
#include "lib/sources/files.hpp"
#include "lib/sources/kernel_log.hpp"
#include "lib/sources/mail.hpp"
#include "lib/sources/markup.hpp"

namespace handoff {

base::Result<std::string> log_lines(std::string file) {
    if (is_packed(file)) {
        auto text = unpacked(file, file_limit);
        if (!text) return text;
        file = *std::move(text);
    }
    return e820::plain_log(without_markup(text_of_mail(std::move(file))));
}

bool is_kernel_log(std::string_view lines) {
    e820::LogLines all(lines);
    while (const auto line = all.next())
        if (is_known_log_line(line->text)) return true;
    return false;
}

}  // namespace handoff
