// SPDX-License-Identifier: GPL-2.0-or-later
// enable, disable and status: the handoff in the configuration of a distribution's kdump.
#include <ctime>
#include <filesystem>
#include <string>

#include <fmt/format.h>

#include "lib/load/record.hpp"
#include "lib/report/documents.hpp"
#include "lib/report/status.hpp"
#include "lib/service/service.hpp"
#include "lib/sources/host.hpp"
#include "tool/atomic_file.hpp"
#include "tool/commands.hpp"
#include "tool/print.hpp"

namespace tool {
namespace {

using base::Errc;
using base::Error;
using base::Result;
using handoff::KdumpService;

constexpr std::string_view helpers = HANDOFF_HELPERS;

std::filesystem::path config_path(const Options& options, const KdumpService& service) {
    return std::filesystem::path(options.root) / service.config;
}

std::filesystem::path backup_of(std::filesystem::path config) { return config += ".before-swiotlb-handoff"; }

void say_done(const Options& options, const KdumpService& service, bool enabled, bool changed) {
    const std::string config = config_path(options, service).string();
    if (options.json) {
        print_json(handoff::enable_document(enabled ? "enable" : "disable", service.name, config, changed));
        return;
    }
    field(enabled ? "enabled" : "disabled", config + (changed ? "" : "  (it was already)"));
    if (!enabled) {
        if (changed) print(fmt::format("\nNext: {}\n", service.reload));
        return;
    }
    field("backup", backup_of(config).string());
    print(
        fmt::format("\nNext: {}\n      so that the crash kernel takes over the pool where that is proven;\n"
                    "      {}\n      so that it says early where its pool is; and swiotlb-handoff status.\n",
                    service.reload, service.rebuild));
}

handoff::StatusFacts facts_of(const Options& options) {
    const handoff::Host host(options.root);
    handoff::StatusFacts facts;
    if (const auto service = handoff::find_kdump_service(host))
        facts.service = *service;
    else
        facts.service_problem = service.error();
    std::string config;
    if (facts.service) {
        if (auto text = host.read(facts.service->config)) {
            config = *std::move(text);
            if (const auto state = handoff::handoff_in(config, *facts.service, helpers))
                facts.enabled = *state == handoff::ConfigState::present;
            else
                facts.config_problem = machine_error(host, Error(state.error()).at(facts.service->config)).message();
        } else {
            facts.config_problem = machine_error(host, text.error()).message();
        }
    }
    static_cast<handoff::HandoffEvidence&>(facts) = handoff::read_handoff_evidence(host);
    facts.now = static_cast<std::int64_t>(std::time(nullptr));

    const auto machine = machine_of(host);
    if (!machine) {
        facts.plan_problem = machine.error().message();
        facts.needs_root = machine.error().code == Errc::not_permitted && root_could_do_more(host);
        return facts;
    }
    if (!machine->pool.empty()) facts.pool = machine->pool.front().range;
    facts.crashkernel_bytes = 0;
    for (const auto& range : machine->crash_kernel) *facts.crashkernel_bytes += range.size();

    handoff::Wishes wishes;
    if (facts.service)
        wishes.command_line = handoff::likely_command_line(*facts.service, config, machine->command_line);
    wishes.leaves_pool_out = true;
    if (facts.record && facts.record->loan) {
        wishes.lend = true;  // perhaps by --lend
        wishes.loader = facts.record->loader;
    }
    if (const auto request = handoff::request_for(host, *machine, wishes))
        facts.plan = handoff::plan(*machine, *request);
    else
        facts.plan_problem = request.error().message();
    return facts;
}

}  // namespace

Status enable(const Options& options) {
    const handoff::Host host(options.root);
    const auto service = handoff::find_kdump_service(host);
    if (!service) return fail(service.error());
    const auto old = host.read(service->config);
    if (!old) return fail(machine_error(host, old.error()));
    auto text = handoff::with_handoff(*old, *service, helpers);
    if (!text) return fail(machine_error(host, std::move(text).error().at(service->config)));
    const auto path = config_path(options, *service);
    const bool changed = *text != *old;
    if (changed) {
        // First the backup: with no room for it, there is none for the rest.
        if (const auto done = replace_file(backup_of(path), *old, 0600); !done)
            return fail(with_cure(host, done.error()));
        if (const auto done = replace_file(path, *text); !done) {
            std::error_code ignored;
            std::filesystem::remove(backup_of(path), ignored);
            return fail(with_cure(host, done.error()));
        }
    }
    say_done(options, *service, true, changed);
    return Status::ready;
}

Status disable(const Options& options) {
    const handoff::Host host(options.root);
    const auto service = handoff::find_kdump_service(host);
    if (!service) return fail(service.error());
    const auto old = host.read(service->config);
    if (!old) return fail(machine_error(host, old.error()));
    auto text = handoff::without_handoff(*old, *service, helpers);
    if (!text) return fail(machine_error(host, std::move(text).error().at(service->config)));
    const auto path = config_path(options, *service);
    const bool changed = *text != *old;
    if (changed)
        if (const auto done = replace_file(path, *text); !done) return fail(with_cure(host, done.error()));
    // The next load goes past us and would not change a record of this one, which says that the handoff is in use.
    if (changed) {
        const std::filesystem::path root(options.root);
        std::error_code ignored;
        std::filesystem::remove(root / handoff::record_directory / handoff::record_file, ignored);
        std::filesystem::remove(root / std::filesystem::path(HANDOFF_STATE).relative_path() / handoff::record_file,
                                ignored);
    }
    std::error_code failed;
    std::filesystem::remove(backup_of(path), failed);
    if (failed) return fail({Errc::io, backup_of(path).string(), 0, failed.message()});
    say_done(options, *service, false, changed);
    return Status::ready;
}

Status status(const Options& options) {
    const handoff::StatusReport report = handoff::judge_status(facts_of(options));
    const bool metrics = options.prometheus || options.output;
    if (metrics) {
        const std::string text = handoff::to_prometheus(report, HANDOFF_VERSION);
        if (options.output) {
            if (const auto done = replace_file(*options.output, text); !done) return fail(done.error());
        } else {
            print(text);
        }
        return Status::ready;
    }
    if (options.json)
        print_json(handoff::status_document(report));
    else
        print_status(report);
    if (report.facts.needs_root) return Status::not_permitted;
    if (report.state.handoff == handoff::Handoff::in_use) return Status::ready;
    const auto& plan = report.facts.plan;
    return plan && plan->verdict == handoff::Verdict::not_needed ? Status::not_needed : Status::refused;
}

}  // namespace tool
