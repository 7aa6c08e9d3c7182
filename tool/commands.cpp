// SPDX-License-Identifier: GPL-2.0-or-later
// What several commands need.
#include "lib/host.hpp"
#include "lib/record.hpp"
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

handoff::Wishes wishes_from(const Options& options) {
    handoff::Wishes wishes;
    wishes.kernel = options.kernel;
    wishes.initrd = options.initrd;
    wishes.command_line = options.command_line;
    wishes.loader = options.loader;
    wishes.method = options.method;
    wishes.pool = options.pool;
    wishes.accept = options.accept;
    wishes.lend = options.lend;
    wishes.collector = options.collector;
    return wishes;
}

Result<handoff::PlanRequest> request_from(const Options& options, const handoff::Host& host, const handoff::Machine& machine) {
    return handoff::request_for(host, machine, wishes_from(options));
}

Result<handoff::Plan> plan_from(const Options& options) {
    const handoff::Host host(options.root);
    const auto machine = handoff::gather(host);
    if (!machine) return machine.error();
    const auto request = request_from(options, host, *machine);
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
