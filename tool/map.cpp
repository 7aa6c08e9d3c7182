// SPDX-License-Identifier: GPL-2.0-or-later
// Memory before and after a crash, to look at.
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>

#include "lib/report/documents.hpp"
#include "lib/report/picture.hpp"
#include "tool/commands.hpp"
#include "tool/print.hpp"

namespace tool {
namespace {

bool set(const char* name) {
    const char* value = std::getenv(name);
    return value && *value;
}

// A terminal that has colours, and somebody who wants them (no-color.org).
bool colour_wanted() {
    const char* terminal = std::getenv("TERM");
    return ::isatty(STDOUT_FILENO) == 1 && terminal && std::string_view(terminal) != "dumb" && !set("NO_COLOR");
}

// 64 make each character of the first bar 64 MiB.
unsigned columns() {
    winsize size{};
    const unsigned wide = ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col != 0 ? size.ws_col : 80;
    const unsigned room = std::max(wide, 31U) - 11;
    return room < 64 ? room : std::min(room / 64 * 64, 128U);
}

}  // namespace

Status map(const Options& options) {
    const auto of = asked(options);
    if (!of) return fail(of.error());
    const handoff::Plan plan = handoff::plan(of->machine, of->request);
    const handoff::Picture picture = handoff::picture_of(of->machine, plan);
    if (options.json) {
        print_json(handoff::map_document(plan, picture));
    } else if (options.svg) {
        print(handoff::render_svg(picture));
    } else {
        print_bytes(handoff::render_text(picture, columns(), colour_wanted()));
        print("\n");
        print_line(headline(plan));
    }
    return status_of(plan.verdict);
}

}  // namespace tool
