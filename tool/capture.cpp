// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lib/load/image_record.hpp"
#include "lib/report/documents.hpp"
#include "lib/sources/capture.hpp"
#include "lib/sources/gather.hpp"
#include "tool/commands.hpp"
#include "tool/print.hpp"

namespace tool {

using base::Error;

namespace {

// Of a captured machine, what its capture has.
base::Result<std::string> images_of(const handoff::Host& host) {
    if (!host.live())
        if (auto text = host.read(handoff::image_record_path)) return text;
    const auto record = handoff::record_images(host, handoff::release_of(host));
    if (!record) return record.error();
    const bool any = record->image || record->initrd || record->loader != handoff::Loader::automatic ||
                     record->collector != handoff::Collector::unknown;
    if (!any) return Error{base::Errc::not_found, "", 0, "no crash kernel was found"};
    return handoff::text_of(*record);
}

}  // namespace

Status capture(const Options& options) {
    const auto opened = host_of(options);
    if (!opened) return fail(opened.error());
    const handoff::Host& host = *opened;
    std::vector<std::pair<std::string, std::string>> more;
    std::optional<Error> images_not_read;
    if (const auto images = images_of(host))
        more.emplace_back(handoff::image_record_path, *images);
    else if (images.error().code != base::Errc::not_found)
        images_not_read = images.error();
    auto report = handoff::capture(host, options.operands.front(), more);
    if (!report) return fail(report.error());
    if (images_not_read) report->not_read.push_back(*std::move(images_not_read));
    if (options.json) {
        print_json(handoff::capture_document(*report));
    } else {
        for (const std::string& path : report->written) field("written", path);
        for (const Error& e : report->not_read) field("not read", e.message());
    }
    const bool denied = std::any_of(report->not_read.begin(), report->not_read.end(),
                                    [](const Error& e) { return e.code == base::Errc::not_permitted; });
    if (!report->incomplete && !(denied && root_could_do_more(host))) return Status::ready;
    complain(root_could_do_more(host) ? "The capture is not complete. Run this command as root."
                                      : "The capture is not complete. No plan can be made with it.");
    return Status::not_permitted;
}

}  // namespace tool
