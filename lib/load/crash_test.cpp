// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/load/crash_test.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace handoff {
namespace {

using base::MiB;
using Kind = DumpTarget::Kind;

// Whether the reservation is large enough for what is loaded, which has no handoff.
Fit fit_of_loaded(const TestFacts& facts) {
    return facts.state.rung == Rung::own_pool ? facts.fallback->fits : facts.fallback->plain_fits;
}

// Why a crash now would probably lose the dump, or show nothing of what kdump is meant to do; "" where it would not.
std::string loaded_problem(const TestFacts& facts) {
    const HandoffState& state = facts.state;
    if (state.handoff == Handoff::stale)
        return "The loaded crash kernel may not write a dump. Load it again first. " + state.why;
    if (state.handoff == Handoff::unknown && (state.unknown != Unknown::unread || facts.ours))
        return "It is not known whether the loaded crash kernel has a handoff that was proven, and a dump may be lost. "
               "Load it again first. " +
               state.why;
    if (state.handoff == Handoff::in_use || !facts.fallback) return {};
    if (fit_of_loaded(facts) == Fit::no)
        return fmt::format(
            "The loaded crash kernel has no handoff, and the reservation of {} MiB is too small for that: the dump "
            "would be lost. 'swiotlb-handoff plan' says what would be large enough.",
            base::whole_mib(facts.fallback->reserved));
    return {};
}

std::string problem_of(const TestFacts& facts) {
    if (facts.crash_kernel) return "This is a crash kernel. It is here to write a dump.";
    if (!facts.loaded) return "It cannot be read whether a crash kernel is loaded.";
    if (!*facts.loaded) return "No crash kernel is loaded. A crash would leave no dump.";
    if (std::string problem = loaded_problem(facts); !problem.empty()) return problem;
    if (!facts.can_trigger)
        return "There is no /proc/sysrq-trigger. The kernel was built without CONFIG_MAGIC_SYSRQ, or this is a "
               "container.";
    if (facts.free_bytes && *facts.free_bytes < smallest_dump)
        return fmt::format("{} has only {} MiB free. A dump needs more.", facts.target.text, *facts.free_bytes / MiB);
    if (facts.before && !facts.boot_id.empty() && facts.before->boot_id == facts.boot_id)
        return fmt::format(
            "A test was begun in this boot, at {}, and the machine did not crash. Reboot before the next test.",
            facts.before->time);
    return {};
}

std::string of_the_target(const TestFacts& facts) {
    switch (facts.target.kind) {
        case Kind::directory:
            return facts.target_there ? ""
                                      : fmt::format("{} does not exist yet. kdump has to make it.", facts.target.text);
        case Kind::device:
            return fmt::format(
                "The dump goes to {}. If it cannot be found there after the crash, the result is "
                "'unknown': look for the dump yourself.",
                facts.target.text);
        case Kind::elsewhere:
            return fmt::format(
                "The dump is sent {}. This machine cannot look there, and the result will be 'unknown': "
                "look for the dump yourself.",
                facts.target.text);
        case Kind::unknown:
            break;
    }
    return "It cannot be read from kdump's configuration where the dump goes. The result will be 'unknown': look for "
           "the dump yourself.";
}

std::vector<std::string> warnings_of(const TestFacts& facts) {
    std::vector<std::string> warnings;
    if (std::string text = of_the_target(facts); !text.empty()) warnings.push_back(std::move(text));
    if (facts.free_bytes && facts.ram_bytes && *facts.free_bytes < *facts.ram_bytes)
        warnings.push_back(
            fmt::format("{} has {} MiB free, and the machine has {} MiB of memory. A dump that leaves "
                        "nothing out may be larger than what is free.",
                        facts.target.text, *facts.free_bytes / MiB, *facts.ram_bytes / MiB));
    if (facts.state.handoff == Handoff::unknown)
        warnings.push_back("It is not known what is loaded. " + facts.state.why);
    else if (facts.state.handoff == Handoff::not_in_use && facts.verdict == Verdict::ready)
        warnings.emplace_back(
            "The handoff is ready, but the loaded crash kernel does not have it. This test shows only whether kdump "
            "works without it. 'swiotlb-handoff status' says how to load with the handoff.");
    if (facts.state.handoff == Handoff::in_use && facts.reservation.fits == Fit::no)
        warnings.push_back("The dump may be lost. " + to_text(facts.reservation));
    if (facts.state.handoff == Handoff::not_in_use && facts.fallback && fit_of_loaded(facts) == Fit::perhaps)
        warnings.emplace_back("The reservation may be too small for the loaded crash kernel, which has no handoff.");
    if (facts.sessions.value_or(0) > 1)
        warnings.push_back(fmt::format("{} sessions of users are open, and their work is lost. loginctl lists them.",
                                       *facts.sessions));
    return warnings;
}

std::string what_is_loaded(const HandoffState& state) {
    if (state.handoff == Handoff::in_use) return "The crash kernel is loaded with the handoff.";
    if (state.handoff == Handoff::unknown) return "A crash kernel is loaded.";
    return state.rung == Rung::own_pool
               ? "The crash kernel is loaded without the handoff, with a smaller pool of its own."
               : "The crash kernel is loaded without the handoff.";
}

// The dump of this crash: the one whose log says so, else the first one after it. A later one is of another crash.
std::optional<DumpSeen> dump_of(std::vector<DumpSeen> dumps) {
    std::erase_if(dumps, [](const DumpSeen& dump) { return dump.file.empty() || dump.canary == false; });
    const auto first = std::min_element(dumps.begin(), dumps.end(), [](const DumpSeen& a, const DumpSeen& b) {
        if (a.canary.has_value() != b.canary.has_value()) return a.canary.has_value();
        return a.modified < b.modified;
    });
    return first == dumps.end() ? std::nullopt : std::optional(*first);
}

bool as_promised(Landing landing) { return landing == Landing::exact || landing == Landing::lent; }

TestResult result_of(const CrashTest& test, DumpSeen dump) {
    TestResult result;
    result.outcome = TestOutcome::dump_written;
    result.why = fmt::format("The dump is in /{}/{}.", test.target.path, dump.directory);
    if (!dump.canary) result.why += " No log beside it shows that it is of this crash.";
    if (test.handoff == Handoff::in_use) {
        if (!dump.landing) {
            result.why += " It is not known where the pool of its kernel was: nothing that 'verify' said is beside it.";
        } else if (as_promised(*dump.landing)) {
            result.why += *dump.landing == Landing::exact ? " The pool was where the handoff promised it."
                                                          : " The pool was ordinary RAM of the crash kernel, as lent.";
        } else {
            result.outcome = TestOutcome::pool_elsewhere;
            result.why += fmt::format(" The pool was NOT where the handoff promised it: {}.", name(*dump.landing));
        }
    }
    if (dump.memory)
        result.why += fmt::format(" At its lowest, {} MiB of {} MiB were available to the crash kernel.",
                                  dump.memory->lowest_available_bytes / MiB, dump.memory->total_bytes / MiB);
    result.dump = std::move(dump);
    return result;
}

}  // namespace

const char* name(TestOutcome outcome) {
    switch (outcome) {
        case TestOutcome::dump_written:
            return "dump-written";
        case TestOutcome::pool_elsewhere:
            return "pool-elsewhere";
        case TestOutcome::no_dump:
            return "no-dump";
        case TestOutcome::not_crashed:
            return "not-crashed";
        case TestOutcome::unknown:
            break;
    }
    return "unknown";
}

bool TestResult::lasts() const { return outcome != TestOutcome::not_crashed && outcome != TestOutcome::unknown; }

std::vector<std::string> changed_since(const Tested& then, const Tested& now) {
    std::vector<std::string> changed;
    const auto differ = [](const auto& a, const auto& b) { return a && b && *a != *b; };
    if (!then.release.empty() && !now.release.empty() && then.release != now.release)
        changed.emplace_back("the running kernel");
    if (differ(then.kernel, now.kernel)) changed.emplace_back("the crash kernel's image");
    if (differ(then.initrd, now.initrd)) changed.emplace_back("the crash kernel's initrd");
    if (differ(then.crashkernel, now.crashkernel) || differ(then.reserved, now.reserved))
        changed.emplace_back("the reservation");
    if (differ(then.rung, now.rung) || (then.rung && now.rung && then.lent != now.lent))
        changed.emplace_back("the way in which the crash kernel is loaded");
    return changed;
}

TestPlan plan_test(const TestFacts& facts) {
    TestPlan plan;
    plan.problem = problem_of(facts);
    if (!plan.possible()) return plan;
    plan.will = {"This machine crashes at once. What is not saved is lost, and every service on it stops.",
                 what_is_loaded(facts.state),
                 facts.target.path.empty()
                     ? std::string("It writes a dump, and the machine boots again.")
                     : fmt::format("It writes a dump to {}, and the machine boots again.", facts.target.text),
                 "If the machine does not come back within half an hour, reset it.",
                 "After that, 'swiotlb-handoff test --result' says what came of it."};
    plan.warnings = warnings_of(facts);
    return plan;
}

std::string canary_of(const CrashTest& test) {
    return fmt::format("swiotlb-handoff: the test of {} crashes this machine on purpose", test.time);
}

TestResult judge_test(const CrashTest& test, const std::string& boot_id, bool crash_kernel,
                      const std::optional<std::vector<DumpSeen>>& dumps) {
    if (test.result) return *test.result;
    TestResult result;
    if (crash_kernel) {
        result.why = "This is the crash kernel. The next boot can tell what came of the test.";
    } else if (test.boot_id.empty() || boot_id.empty()) {
        result.why = "It cannot be read whether the machine has booted since.";
    } else if (test.boot_id == boot_id) {
        result.outcome = TestOutcome::not_crashed;
        result.why = "The machine has not crashed since.";
    } else if (auto dump = dump_of(dumps.value_or(std::vector<DumpSeen>()))) {
        return result_of(test, *std::move(dump));
    } else if (test.target.kind != Kind::directory) {
        result.why = fmt::format("The machine has booted since. {}.",
                                 test.target.path.empty()
                                     ? "The dump went where this machine cannot look"
                                     : fmt::format("No dump of that crash was found, but it went to {}, which may not "
                                                   "be mounted here",
                                                   test.target.text));
    } else if (!dumps) {
        result.why = fmt::format("The machine has booted since, but {} cannot be read.", test.target.text);
    } else {
        result.outcome = TestOutcome::no_dump;
        result.why = fmt::format("The machine has booted since, and no dump of that crash is in {}.", test.target.text);
    }
    return result;
}

bool is_dump(std::string_view name) {
    if (name.starts_with("dump.")) return true;
    return name.starts_with("vmcore") && name.find('-') == name.npos && !name.ends_with(".txt") &&
           !name.ends_with(".log");
}

std::string text_of(const TestView& view) {
    std::string text = fmt::format("{} (test of {}). {}", name(view.result.outcome), view.test.time, view.result.why);
    if (view.stale())
        text += fmt::format(" The test is stale: {} {} changed since. Test again.", fmt::join(view.changed, ", "),
                            view.changed.size() == 1 ? "has" : "have");
    return text;
}

std::optional<Error> run_test(TestEffects& effects, const CrashTest& test) {
    auto failed = effects.keep(test);
    if (!failed) {
        [[maybe_unused]] const auto unsaid = effects.log(canary_of(test));
        effects.sync();
        failed = effects.crash();
    }
    if (failed) effects.restore();
    return failed;
}

}  // namespace handoff
