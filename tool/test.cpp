// SPDX-License-Identifier: GPL-2.0-or-later
// Crashes this machine on purpose, and says what came of it. Decides nothing: lib/load/crash_test.cpp does.
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "lib/load/crash_test.hpp"
#include "lib/report/documents.hpp"
#include "lib/report/test_report.hpp"
#include "lib/sources/crash_trigger.hpp"
#include "tool/atomic_file.hpp"
#include "tool/commands.hpp"
#include "tool/machine_file.hpp"
#include "tool/print.hpp"
#include "tool/run_program.hpp"
#include "tool/status.hpp"

namespace tool {
namespace {

using base::Errc;
using base::Error;
using handoff::Host;
using Failure = handoff::TestEffects::Failure;

/// Where this is set in the environment, the running machine is not crashed. The tests set it for all that they run.
constexpr const char* never = "SWIOTLB_HANDOFF_NEVER_CRASH";

class Effects : public handoff::TestEffects {
public:
    Effects(const Host& host, std::optional<std::string> before) : host_(host), before_(std::move(before)) {}
    Failure keep(const handoff::CrashTest& test) override {
        if (auto failed = make_state_directory(host_)) return failed;
        return written(write_file(host_, path_, handoff::Link::stay, text_of(test), 0600));
    }
    Failure log(std::string_view line) override { return handoff::add_to_kernel_log(host_, line); }
    void sync() override { ::sync(); }
    Failure crash() override {
        if (host_.live() && std::getenv(never)) return Error{Errc::input, "", 0, fmt::format("{} is set", never)};
        if (auto failed = handoff::trigger_crash(host_)) return machine_error(host_, *std::move(failed));
        if (!host_.live()) return std::nullopt;
        return Error{Errc::io, "", 0, "the kernel was told to crash, but it goes on"};
    }
    void restore() override { [[maybe_unused]] const auto ignored = restore_file(host_, path_, before_); }

private:
    const Host& host_;
    std::string path_ = state_path(handoff::crash_test_file);
    std::optional<std::string> before_;
};

// Of the file system on which the directory is; nullopt where the directory is not there.
std::optional<std::uint64_t> free_bytes_of(const Host& host, const std::string& directory) {
    const auto place = host.place(directory + "/x", handoff::Link::stay);
    struct statvfs status {};
    if (!place || ::fstatvfs(place->directory.get(), &status) != 0) return std::nullopt;
    return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
}

// Of users who are logged in, by systemd-logind; nullopt where that does not run.
std::optional<unsigned> sessions_on(const Host& host) {
    const auto names = host.names_in("run/systemd/sessions");
    if (!names) return std::nullopt;
    const auto of_a_user = [&host](const std::string& name) {
        const auto text = host.read("run/systemd/sessions/" + name);
        return text && text->find("\nCLASS=user\n") != text->npos;
    };
    return static_cast<unsigned>(std::count_if(names->begin(), names->end(), of_a_user));
}

handoff::TestFacts facts_for(const Host& host, const handoff::StatusReport& status) {
    const handoff::StatusFacts& known = status.facts;
    handoff::TestFacts facts;
    facts.crash_kernel = is_crash_kernel(host);
    facts.loaded = known.loaded;
    facts.state = status.state;
    facts.ours = known.enabled == true || (known.record && known.record->outcome != handoff::Rung::plain);
    if (known.plan) {
        facts.verdict = known.plan->verdict;
        facts.fallback = known.plan->fallback;
        facts.reservation = known.plan->reservation;
    }
    facts.can_trigger = host.exists("proc/sysrq-trigger");
    if (known.service) facts.target = handoff::dump_target(host, *known.service);
    if (facts.target.kind == handoff::DumpTarget::Kind::directory) {
        facts.target_there = host.exists(facts.target.path);
        if (host.live()) facts.free_bytes = free_bytes_of(host, facts.target.path);
    }
    facts.ram_bytes = known.ram_bytes;
    facts.sessions = sessions_on(host);
    facts.boot_id = boot_id_of(host);
    if (known.test) facts.before = known.test->test;
    return facts;
}

handoff::CrashTest test_of(const Host& host, const handoff::StatusReport& status, const handoff::TestFacts& facts) {
    handoff::CrashTest test;
    test.time = utc_now();
    test.boot_id = facts.boot_id;
    test.tool = HANDOFF_VERSION;
    test.tested = tested_now(host, status.facts);
    test.handoff = facts.state.handoff;
    test.verdict = facts.verdict;
    test.pool = status.facts.pool;
    if (test.tested.rung && test.tested.rung != handoff::Rung::plain) test.record = status.facts.record;
    test.target = facts.target;
    if (!test.target.path.empty())
        if (auto names = host.names_in(test.target.path)) test.dumps = *std::move(names);
    return test;
}

void print_test(const handoff::TestPlan& plan) {
    if (!plan.possible()) {
        sentence("refused", plan.problem);
        return;
    }
    for (const std::string& text : plan.will) sentence(&text == &plan.will.front() ? "will" : "", text);
    for (const std::string& text : plan.warnings) sentence("warning", text);
}

Status status_of(const handoff::TestView& view) {
    switch (view.result.outcome) {
        case handoff::TestOutcome::dump_written:
            return Status::ready;
        case handoff::TestOutcome::pool_elsewhere:
        case handoff::TestOutcome::no_dump:
            return Status::refused;
        case handoff::TestOutcome::not_crashed:
        case handoff::TestOutcome::unknown:
            break;
    }
    return Status::not_needed;
}

// What came of the last test, which is kept from now on: its dump may be deleted.
Status show_result(const Options& options, const Host& host) {
    const handoff::StatusFacts facts = status_facts(host);
    if (!facts.test_problem.empty()) return fail(Error{Errc::input, "", 0, facts.test_problem});
    const auto& view = facts.test;
    if (view && view->result.lasts() && !view->test.result) {
        handoff::CrashTest kept = view->test;
        kept.result = view->result;
        const auto done = write_file(host, state_path(handoff::crash_test_file), handoff::Link::stay, text_of(kept));
        if (!done) complain("The result cannot be kept: " + done.error().message());
    }
    if (options.json)
        print_json(handoff::test_document(std::nullopt, view));
    else if (view)
        sentence("test", text_of(*view));
    else
        print("No test was begun on this machine.\n");
    return view ? status_of(*view) : Status::not_needed;
}

// For somebody else, who has no such machine.
Status write_report(const std::string& file, const Host& host) {
    const handoff::StatusFacts facts = status_facts(host);
    if (!facts.test_problem.empty()) return fail(Error{Errc::input, "", 0, facts.test_problem});
    if (!facts.test) return fail(Error{Errc::not_found, "", 0, "No test was begun on this machine"});
    const std::string_view service = facts.service ? facts.service->name : std::string_view();
    const auto place = place_of(file);
    if (!place) return fail(place.error());
    const std::string text = e820::to_text(handoff::test_report(*facts.test, host, facts.map, service)) + "\n";
    if (const auto done = replace_file(*place, file, text); !done) return fail(done.error());
    field("written", file);
    next("Look through it, and send it. It names no machine, user, file or address of a network.");
    return Status::ready;
}

// Somebody at a terminal typed it.
bool confirmed() {
    print("\nType 'crash' to crash this machine now: ");
    if (flush()) return false;
    std::string line;
    return std::getline(std::cin, line) && line == "crash";
}

Status act(const Host& host, const handoff::CrashTest& test) {
    const auto before = read_file(host, state_path(handoff::crash_test_file));
    if (!before) return fail(before.error());
    if (const auto failed = flush()) return fail(*failed);
    const NoInterruption quiet;
    Effects effects(host, *before);
    if (auto failed = run_test(effects, test)) {
        failed->what += ". The machine was not crashed";
        return fail(with_cure(host, *std::move(failed)));
    }
    return Status::ready;
}

}  // namespace

Status test(const Options& options) {
    if (const auto error = no_machine_to_act_on(options)) return fail(*error);
    const Host host(options.root);
    if (const auto error = host.unusable()) return fail(*error);
    if (options.result) return show_result(options, host);
    if (options.report) return write_report(*options.report, host);
    if (root_could_do_more(host))
        return fail(with_cure(host, {Errc::not_permitted, "", 0, "Only root can crash this machine"}));

    const handoff::StatusReport status = handoff::judge_status(status_facts(host));
    if (!status.facts.test_problem.empty()) return fail(Error{Errc::input, "", 0, status.facts.test_problem});
    const handoff::TestFacts facts = facts_for(host, status);
    handoff::TestPlan plan = plan_test(facts);
    if (plan.possible() && host.live() && std::getenv(never))
        plan.problem = fmt::format("{} is set in the environment. No machine is crashed.", never);
    const bool acts = plan.possible() && !options.dry_run;
    const bool asks = acts && !options.yes;
    if (asks && (options.json || ::isatty(STDIN_FILENO) != 1))
        return misused(options, "This crashes the machine, and nobody can be asked here. Give --yes or --dry-run.");
    if (options.json)
        print_json(handoff::test_document(plan, status.facts.test));
    else
        print_test(plan);
    if (!plan.possible()) return Status::refused;
    if (!acts) return Status::ready;
    if (asks && !confirmed()) {
        print("Nothing was done.\n");
        return Status::refused;
    }
    return act(host, test_of(host, status, facts));
}

}  // namespace tool
