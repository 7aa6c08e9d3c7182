// SPDX-License-Identifier: GPL-2.0-or-later
// enable, disable and status: the handoff in the configuration of a distribution's kdump.
#include <ctime>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "lib/kernel/crashkernel.hpp"
#include "lib/load/record.hpp"
#include "lib/report/documents.hpp"
#include "lib/report/status.hpp"
#include "lib/service/service.hpp"
#include "lib/sources/host.hpp"
#include "tool/atomic_file.hpp"
#include "tool/commands.hpp"
#include "tool/difference.hpp"
#include "tool/machine_file.hpp"
#include "tool/print.hpp"

namespace tool {
namespace {

using base::Errc;
using base::Error;
using handoff::KdumpService;

constexpr std::string_view helpers = HANDOFF_HELPERS;
constexpr std::string_view program = HANDOFF_PROGRAM;

std::filesystem::path config_path(const Options& options, const KdumpService& service) {
    return std::filesystem::path(options.root) / service.config;
}

std::string backup_of(std::string_view config) { return fmt::format("{}.before-swiotlb-handoff", config); }

// The text for the user after enable or disable; `note` is one more sentence for enable.
std::string said_of(const Options& options, const KdumpService& service, bool enabled, bool changed,
                    std::string_view note = {}) {
    const std::string config = config_path(options, service).string();
    if (options.json)
        return e820::to_text(handoff::enable_document(enabled ? "enable" : "disable", service.name, config, changed)) +
               '\n';
    std::string text =
        field_text(enabled ? "enabled" : "disabled", config + (changed ? "" : "  (nothing had to be changed)"));
    if (!enabled) return changed ? fmt::format("{}\nNext: Run '{}'.\n", text, service.reload) : text;
    return fmt::format(
        "{}{}\nNext: Run '{}', so that the crash kernel takes over the pool if that is proven.\n      Run '{}', so "
        "that the crash kernel reports where its pool is.\n      Then run 'swiotlb-handoff status'.\n{}{}{}",
        text, field_text("backup", backup_of(config)), service.reload, service.rebuild,
        note.empty() ? "" : "Note: ", note, note.empty() ? "" : "\n");
}

Status say_difference(const Options& options, const KdumpService& service, std::string_view old,
                      std::string_view text) {
    print(unified_difference(config_path(options, service).string(), old, text));
    return Status::ready;
}

// An error if a file is missing that kdump needs to load with the handoff.
std::optional<Error> incomplete(const handoff::Host& host, const KdumpService& service) {
    const auto missing = handoff::not_installed(host, service, program, helpers);
    if (missing.empty()) return std::nullopt;
    return Error{Errc::not_found, "", 0,
                 fmt::format("swiotlb-handoff is not installed for {}: {} {} not exist. Install swiotlb-handoff "
                             "first, with the prefix /usr.",
                             service.name, fmt::join(missing, ", "), missing.size() == 1 ? "does" : "do")};
}

// What 'reserve' left, and which boot this is.
void read_reservation_asked(const handoff::Host& host, handoff::StatusFacts& facts) {
    facts.reservation.boot_id = boot_id_of(host);
    const std::string path = state_path(handoff::reservation_asked_file);
    const auto text = read_file(host, path);
    if (!text) facts.reservation_problem = text.error().message();
    if (!text || !*text) return;
    if (auto asked = handoff::parse_reservation_asked(**text))
        facts.reservation.asked = *std::move(asked);
    else
        facts.reservation_problem = machine_error(host, std::move(asked).error().at(path)).message();
}

handoff::StatusFacts facts_of(const handoff::Host& host) {
    handoff::StatusFacts facts;
    if (const auto service = handoff::find_kdump_service(host))
        facts.service = *service;
    else
        facts.service_problem = service.error();
    std::string config;
    if (facts.service) {
        facts.not_installed = handoff::not_installed(host, *facts.service, program, helpers);
        if (auto text = host.read(facts.service->config)) {
            config = *std::move(text);
            const auto state = handoff::handoff_in(config, *facts.service, helpers);
            if (const auto ignored = handoff::ignores_block(host, *facts.service))
                facts.config_problem = machine_error(host, *ignored).message();
            else if (state)
                facts.enabled = *state == handoff::ConfigState::present;
            else
                facts.config_problem = machine_error(host, Error(state.error()).at(facts.service->config)).message();
        } else {
            facts.config_problem = machine_error(host, text.error()).message();
        }
    }
    read_reservation_asked(host, facts);
    static_cast<handoff::HandoffEvidence&>(facts) = handoff::read_handoff_evidence(host);
    facts.now = static_cast<std::int64_t>(std::time(nullptr));

    auto machine = machine_of(host);
    if (!machine) {
        facts.plan_problem = machine.error().message();
        facts.needs_root = machine.error().code == Errc::not_permitted && root_could_do_more(host);
        return facts;
    }
    if (!machine->pool.empty()) facts.pool = machine->pool.front().range;
    facts.crashkernel_bytes = handoff::reserved_bytes(*machine);
    auto asked = std::move(facts.reservation.asked);
    auto boot_id = std::move(facts.reservation.boot_id);
    facts.reservation = handoff::reservation_facts(*machine, std::move(asked), std::move(boot_id));

    handoff::Wishes wishes;
    if (facts.service)
        wishes.command_line = handoff::likely_command_line(*facts.service, config, machine->command_line);
    wishes.leaves_pool_out = true;
    if (facts.record && facts.record->loan) {
        wishes.lend = true;  // perhaps by --lend
        wishes.loader = facts.record->loader;
    }
    if (auto request = handoff::request_for(host, *machine, wishes)) {
        handoff::look_where_asked(host, *request, *machine);
        handoff::look_at_sizes(host, *machine, *request);
        facts.plan = handoff::plan(*machine, *request);
    } else {
        facts.plan_problem = request.error().message();
    }
    return facts;
}

}  // namespace

// The file itself is written last, when all else is done and what will be said is ready.
Status enable(const Options& options) {
    if (const auto error = no_machine_to_act_on(options)) return fail(*error);
    const handoff::Host host(options.root);
    const auto service = handoff::find_kdump_service(host);
    if (!service) return fail(service.error());
    const auto old = host.read(service->config);
    if (!old) return fail(machine_error(host, old.error()));
    auto text = handoff::with_handoff(*old, *service, helpers);
    if (!text) return fail(machine_error(host, std::move(text).error().at(service->config)));
    if (const auto ignored = handoff::ignores_block(host, *service)) return fail(machine_error(host, *ignored));
    if (const auto problem = incomplete(host, *service)) return fail(*problem);
    if (options.dry_run) return say_difference(options, *service, *old, *text);
    const bool changed = *text != *old;
    const std::string said = said_of(options, *service, true, changed, handoff::undoes_crashkernel(host, *service));
    if (changed) {
        // The backup is written first: if there is no room for it, nothing else is changed.
        if (const auto done = write_file(host, backup_of(service->config), handoff::Link::stay, *old, 0600); !done)
            return fail(done.error());
        if (const auto done = write_file(host, service->config, handoff::Link::follow, *text); !done) {
            [[maybe_unused]] const auto ignored = remove_file(host, backup_of(service->config));
            return fail(done.error());
        }
    }
    print(said);
    return Status::ready;
}

Status disable(const Options& options) {
    if (const auto error = no_machine_to_act_on(options)) return fail(*error);
    const handoff::Host host(options.root);
    const auto service = handoff::find_kdump_service(host);
    if (!service) return fail(service.error());
    const auto old = host.read(service->config);
    if (!old) return fail(machine_error(host, old.error()));
    auto text = handoff::without_handoff(*old, *service, helpers);
    if (!text) return fail(machine_error(host, std::move(text).error().at(service->config)));
    if (options.dry_run) return say_difference(options, *service, *old, *text);
    const bool changed = *text != *old;
    const std::string said = said_of(options, *service, false, changed);
    if (const auto problem = remove_file(host, backup_of(service->config))) return fail(*problem);
    if (changed) {
        if (const auto done = write_file(host, service->config, handoff::Link::follow, *text); !done)
            return fail(done.error());
        // The next load does not run this program, so the record of the last one would stay and be wrong.
        for (const std::string& path : {fmt::format("{}/{}", handoff::record_directory, handoff::record_file),
                                        state_path(handoff::record_file)}) {
            [[maybe_unused]] const auto ignored = remove_file(host, path);
        }
    }
    print(said);
    return Status::ready;
}

Status status(const Options& options) {
    // A directory is read as it is: also one of a system that never ran.
    std::error_code ignored;
    const auto host = std::filesystem::is_directory(options.root, ignored)
                          ? base::Result<handoff::Host>(handoff::Host(options.root))
                          : host_of(options);
    if (!host) return fail(host.error());
    const handoff::StatusReport report = handoff::judge_status(facts_of(*host));
    const bool metrics = options.prometheus || options.output;
    if (metrics) {
        const std::string text = handoff::to_prometheus(report, HANDOFF_VERSION);
        if (options.output) {
            const auto place = place_of(*options.output);
            if (!place) return fail(place.error());
            if (const auto done = replace_file(*place, *options.output, text); !done) return fail(done.error());
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
    if (report.reservation.reserved == handoff::Reserved::failed) return Status::refused;
    if (report.state.handoff == handoff::Handoff::in_use) return Status::ready;
    const auto& plan = report.facts.plan;
    return plan && plan->verdict == handoff::Verdict::not_needed ? Status::not_needed : Status::refused;
}

}  // namespace tool
