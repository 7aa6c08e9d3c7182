// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "lib/capture.hpp"
#include "tool/commands.hpp"
#include "tool/print.hpp"

namespace tool {

using e820::Error;
using nlohmann::json;

Status capture(const Options& options) {
    const auto report = handoff::capture(handoff::Host(options.root), options.operands.front());
    if (!report) return fail(report.error());
    if (options.json) {
        json j = {{"schema", 1}, {"written", report->written}, {"not_read", json::array()}};
        for (const Error& e : report->not_read) j["not_read"].push_back(e.message());
        print_json(j);
    } else {
        for (const std::string& path : report->written) field("written", path);
        for (const Error& e : report->not_read) field("not read", e.message());
    }
    return Status::ready;
}

}  // namespace tool
