// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>

#include "lib/report/documents.hpp"
#include "lib/sources/capture.hpp"
#include "tool/commands.hpp"
#include "tool/print.hpp"

namespace tool {

using base::Error;

Status capture(const Options& options) {
    const handoff::Host host(options.root);
    const auto report = handoff::capture(host, options.operands.front());
    if (!report) return fail(report.error());
    if (options.json) {
        print_json(handoff::capture_document(*report));
    } else {
        for (const std::string& path : report->written) field("written", path);
        for (const Error& e : report->not_read) field("not read", e.message());
    }
    const bool denied = std::any_of(report->not_read.begin(), report->not_read.end(),
                                    [](const Error& e) { return e.code == base::Errc::not_permitted; });
    if (!denied || !root_could_do_more(host)) return Status::ready;
    complain("The capture is not complete. Run this command as root.");
    return Status::not_permitted;
}

}  // namespace tool
