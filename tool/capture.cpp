// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include "lib/capture.hpp"
#include "lib/documents.hpp"
#include "tool/commands.hpp"
#include "tool/print.hpp"

namespace tool {

using e820::Error;

Status capture(const Options& options) {
    const auto report = handoff::capture(handoff::Host(options.root), options.operands.front());
    if (!report) return fail(report.error());
    if (options.json) {
        print_json(handoff::capture_document(*report));
    } else {
        for (const std::string& path : report->written) field("written", path);
        for (const Error& e : report->not_read) field("not read", e.message());
    }
    return Status::ready;
}

}  // namespace tool
