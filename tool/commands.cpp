// SPDX-License-Identifier: GPL-2.0-or-later
// What several commands need.
#include <unistd.h>
#include <filesystem>

#include <fmt/format.h>

#include "lib/load/image_record.hpp"
#include "lib/service/service.hpp"
#include "lib/sources/gather.hpp"
#include "lib/sources/host.hpp"
#include "lib/sources/report.hpp"
#include "tool/commands.hpp"
#include "tool/help.hpp"
#include "tool/print.hpp"

namespace tool {

using base::Errc;
using base::Error;
using base::Result;
using handoff::Verdict;

Status fail(const Error& error) {
    complain(error.message());
    return status_of(error);
}

Status misused(const Options& options, const std::string& sentence) {
    complain(sentence + " " + see_help(&info(options.command)));
    return Status::usage;
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

Result<handoff::PlanRequest> request_from(const Options& options, const handoff::Host& host,
                                          const handoff::Machine& machine) {
    return handoff::request_for(host, machine, wishes_from(options));
}

bool root_could_do_more(const handoff::Host& host) { return host.live() && ::geteuid() != 0; }

Error with_cure(const handoff::Host& host, Error error) {
    if (error.code == Errc::not_permitted && root_could_do_more(host)) error.what += ". Run this command as root.";
    return error;
}

Error machine_error(const handoff::Host& host, Error error) {
    return with_cure(host, host.with_full_path(std::move(error)));
}

handoff::Reports reports() {
    auto paths = handoff::kdump_paths();
    paths.emplace_back(handoff::image_record_path);
    return handoff::Reports(paths);
}

Result<handoff::Host> host_of(const Options& options) { return reports().only(options.root); }

std::optional<Error> no_machine_to_act_on(const Options& options) {
    std::error_code ignored;
    // Where that cannot be told, the reads that follow say what is wrong, and 'kexec' loads.
    if (!std::filesystem::is_regular_file(options.root, ignored)) return std::nullopt;
    return Error{Errc::input, options.root, 0,
                 fmt::format("{} needs a directory that has the files of the machine at their own paths. Unpack the "
                             "archive first. The commands plan, recommend and status can read it as it is",
                             info(options.command).name)};
}

Result<handoff::Machine> machine_of(const handoff::Host& host) {
    if (auto error = host.unusable()) return std::move(*error);
    auto machine = handoff::gather(host);
    if (!machine) return machine_error(host, std::move(machine).error());
    return machine;
}

Result<Asked> asked(const Options& options) {
    auto host = host_of(options);
    if (!host) return std::move(host).error();
    auto machine = machine_of(*host);
    if (!machine) return std::move(machine).error();
    auto request = request_from(options, *host, *machine);
    if (!request) return std::move(request).error();
    handoff::look_where_asked(*host, *request, *machine);
    return Asked{*std::move(host), *std::move(machine), *std::move(request)};
}

Result<Asked> asked_with_sizes(const Options& options) {
    auto of = asked(options);
    if (of) handoff::look_at_sizes(of->host, of->machine, of->request);
    return of;
}

handoff::Recommendation recommendation_for(const Options& options, const Asked& of) {
    if (!options.count_on_loan) return handoff::recommend(of.machine, of.request, options.margin);
    handoff::PlanRequest request = of.request;
    request.leaves_pool_out = true;  // as 'kexec' does
    return handoff::recommend_on_loan(of.machine, request, options.margin);
}

}  // namespace tool
