// SPDX-License-Identifier: GPL-2.0-or-later
// What several commands need.
#include "lib/host.hpp"
#include "lib/image.hpp"
#include "lib/record.hpp"
#include "lib/service/service.hpp"
#include "tool/commands.hpp"
#include "tool/print.hpp"

namespace tool {

using e820::Errc;
using e820::Error;
using e820::Result;
using handoff::Verdict;

Status fail(const Error& error) {
    complain(error.message());
    return status_of(error);
}

Status status_of(const Error& error) {
    return error.code == Errc::not_permitted ? Status::not_permitted : Status::input;
}

Status status_of(Verdict verdict) {
    switch (verdict) {
        case Verdict::ready:
            return Status::ready;
        case Verdict::not_needed:
            return Status::not_needed;
        case Verdict::refused:
            return Status::refused;
    }
    return Status::refused;
}

Result<handoff::PlanRequest> request_from(const Options& options) {
    handoff::PlanRequest request;
    request.loader = options.loader;
    request.method = options.method;
    request.command_line = options.command_line;
    request.accept = options.accept;
    request.lend = options.lend;
    request.collector = options.collector;
    if (options.kernel) {
        const auto image = handoff::read_image(*options.kernel);
        if (!image) return image.error();
        request.image = *image;
    }
    if (options.initrd) {
        const auto head = handoff::read_user_file_head(*options.initrd, 1);
        if (!head) return head.error();
        request.initrd_bytes = head->size;
    }
    request.pool = options.pool;
    return request;
}

// Where the user names no image: what kdump would load, where it is found. The kdump configuration may ask to lend, too.
Result<handoff::PlanRequest> request_from(Options options, const handoff::Host& host, const std::string& release) {
    const handoff::CrashImage image = handoff::crash_image(host, release);
    if (!options.kernel && image.kernel) options.kernel = image.kernel->string();
    if (!options.initrd && image.initrd) options.initrd = image.initrd->string();
    auto request = request_from(options);
    if (request) handoff::add_lend_settings(*request, host);
    return request;
}

Result<handoff::Plan> plan_from(const Options& options) {
    const handoff::Host host(options.root);
    const auto machine = handoff::gather(host);
    if (!machine) return machine.error();
    const auto request = request_from(options, host, machine->release);
    if (!request) return request.error();
    return handoff::plan(*machine, *request);
}

std::optional<handoff::Record> last_record(const handoff::Host& host) {
    const auto text = host.read(handoff::Source::load_record);
    if (!text) return std::nullopt;
    auto record = handoff::parse_record(*text);
    if (!record) return std::nullopt;
    return std::move(*record);
}

}  // namespace tool
