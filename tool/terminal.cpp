// SPDX-License-Identifier: GPL-2.0-or-later
#include "tool/terminal.hpp"

#include <algorithm>
#include <cstdlib>
#include <string_view>

#include <sys/ioctl.h>
#include <unistd.h>

namespace tool {
namespace {

constexpr unsigned narrowest = 31, usual = 80;
constexpr std::size_t widest_text = 100;

bool set(const char* name) {
    const char* value = std::getenv(name);
    return value && *value;
}

bool to_terminal() { return ::isatty(STDOUT_FILENO) == 1; }

}  // namespace

unsigned terminal_width() {
    winsize size{};
    const bool known = ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col != 0;
    return known ? std::max<unsigned>(size.ws_col, narrowest) : usual;
}

std::size_t text_width() { return to_terminal() ? std::min<std::size_t>(terminal_width(), widest_text) : widest_text; }

bool colour_wanted() {
    const char* terminal = std::getenv("TERM");
    return to_terminal() && terminal && std::string_view(terminal) != "dumb" && !set("NO_COLOR");
}

}  // namespace tool
