// SPDX-License-Identifier: GPL-2.0-or-later
// status: how things stand with the handoff.
#include "tool/status.hpp"

#include <ctime>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

#include "lib/kernel/crashkernel.hpp"
#include "lib/report/documents.hpp"
#include "lib/service/service.hpp"
#include "tool/atomic_file.hpp"
#include "tool/commands.hpp"
#include "tool/machine_file.hpp"
#include "tool/print.hpp"

namespace tool {
namespace {

using base::Error;
using base::Result;

constexpr std::string_view helpers = HANDOFF_HELPERS;
constexpr std::string_view program = HANDOFF_PROGRAM;

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

// Answers with the text of the service's configuration.
std::string read_service(const handoff::Host& host, handoff::StatusFacts& facts) {
    const auto service = handoff::find_kdump_service(host);
    if (!service) {
        facts.service_problem = service.error();
        return {};
    }
    facts.service = *service;
    facts.not_installed = handoff::not_installed(host, *service, program, helpers);
    auto config = host.read(service->config);
    if (!config) {
        facts.config_problem = machine_error(host, config.error()).message();
        return {};
    }
    const auto state = handoff::handoff_in(*config, *service, helpers);
    if (const auto ignored = handoff::ignores_block(host, *service))
        facts.config_problem = machine_error(host, *ignored).message();
    else if (state)
        facts.enabled = *state == handoff::ConfigState::present;
    else
        facts.config_problem = machine_error(host, Error(state.error()).at(service->config)).message();
    return *std::move(config);
}

void read_machine(const handoff::Host& host, const std::string& config, handoff::StatusFacts& facts) {
    auto machine = machine_of(host);
    if (!machine) {
        facts.plan_problem = machine.error().message();
        facts.needs_root = machine.error().code == base::Errc::not_permitted && root_could_do_more(host);
        return;
    }
    if (!machine->pool.empty()) facts.pool = machine->pool.front().range;
    facts.crashkernel_bytes = handoff::reserved_bytes(*machine);
    facts.ram_bytes = machine->ram.size();
    facts.map = machine->map;
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
}

// What came of a test, by what the machine shows now.
handoff::TestView view_of(const handoff::Host& host, handoff::CrashTest test, const handoff::Tested& now) {
    handoff::TestView view;
    const auto dumps = test.result ? std::nullopt : handoff::look_for_dumps(host, test);
    view.result = judge_test(test, boot_id_of(host), is_crash_kernel(host), dumps);
    view.changed = changed_since(test.tested, now);
    view.test = std::move(test);
    return view;
}

// The last test that was begun; nullopt where there is none. Errors: what it left cannot be read.
Result<std::optional<handoff::CrashTest>> last_test(const handoff::Host& host) {
    const std::string path = state_path(handoff::crash_test_file);
    const auto text = read_file(host, path);
    if (!text) return text.error();
    if (!*text) return std::optional<handoff::CrashTest>();
    auto test = handoff::parse_crash_test(**text);
    if (!test) return machine_error(host, std::move(test).error().at(path));
    return std::optional(*std::move(test));
}

}  // namespace

bool is_crash_kernel(const handoff::Host& host) { return host.exists("proc/vmcore"); }

handoff::Tested tested_now(const handoff::Host& host, const handoff::StatusFacts& facts) {
    return handoff::tested_now(host, handoff::judge_handoff(facts), facts.record, facts.reservation.words,
                               facts.crashkernel_bytes);
}

handoff::StatusFacts status_facts(const handoff::Host& host) {
    handoff::StatusFacts facts;
    const std::string config = read_service(host, facts);
    read_reservation_asked(host, facts);
    static_cast<handoff::HandoffEvidence&>(facts) = handoff::read_handoff_evidence(host);
    if (facts.record) facts.changed_files = handoff::changed_since_load(host, *facts.record);
    facts.now = static_cast<std::int64_t>(std::time(nullptr));
    read_machine(host, config, facts);
    if (auto test = last_test(host); !test)
        facts.test_problem = test.error().message();
    else if (*test)
        facts.test = view_of(host, **std::move(test), tested_now(host, facts));
    return facts;
}

Status status(const Options& options) {
    // A directory is read as it is: also one of a system that never ran.
    std::error_code ignored;
    const auto host = std::filesystem::is_directory(options.root, ignored)
                          ? base::Result<handoff::Host>(handoff::Host(options.root))
                          : host_of(options);
    if (!host) return fail(host.error());
    const handoff::StatusReport report = handoff::judge_status(status_facts(*host));
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
