// SPDX-License-Identifier: GPL-2.0-or-later
#include "tool/load_messages.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <string>

#include <fmt/format.h>

#include "base/fd.hpp"
#include "lib/load/load_report.hpp"
#include "lib/sources/user_file.hpp"

namespace tool {

bool set_load_messages(bool on) {
    constexpr const char* control = "/proc/dynamic_debug/control";
    if (on) {
        const auto text = handoff::read_user_file(control, 64 * base::MiB);
        if (!text || handoff::load_messages_on(*text)) return false;
    }
    const base::Fd fd(::open(control, O_WRONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!fd) return false;
    bool done = false;
    for (const std::string_view file : handoff::load_message_files) {
        const std::string query = fmt::format("file {} {}p\n", file, on ? '+' : '-');
        done = ::write(fd.get(), query.data(), query.size()) == static_cast<ssize_t>(query.size()) || done;
    }
    return done;
}

}  // namespace tool
