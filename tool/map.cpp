// SPDX-License-Identifier: GPL-2.0-or-later
// Memory before and after a crash, to look at.
#include <algorithm>
#include <filesystem>

#include "lib/report/documents.hpp"
#include "lib/report/picture.hpp"
#include "tool/commands.hpp"
#include "tool/print.hpp"
#include "tool/terminal.hpp"
#include "tool/text.hpp"

namespace tool {
namespace {

// 64 make each character of the first bar 64 MiB.
unsigned columns() {
    const unsigned room = terminal_width() - 11;
    return room < 64 ? room : std::min(room / 64 * 64, 128U);
}

}  // namespace

Status map(const Options& options) {
    const auto of = asked(options);
    if (!of) return fail(of.error());
    const handoff::Plan plan = handoff::decide(of->machine, of->request);
    handoff::Picture picture = handoff::picture_of(of->machine, plan);
    // Which captured machine it is; the running one has no such name.
    if (const auto name = std::filesystem::path(options.root).filename().string(); !name.empty())
        picture.title.front().insert(0, name + ": ");
    if (options.json) {
        print_json(handoff::map_document(plan, picture));
    } else if (options.svg) {
        print(handoff::render_svg(picture));
    } else {
        for (const std::string& sentence : picture.title) print(wrapped(sentence, 0, terminal_width()) + '\n');
        print("\n");
        print_bytes(handoff::render_text(picture, columns(), colour_wanted()));
    }
    return status_of(plan.verdict);
}

}  // namespace tool
