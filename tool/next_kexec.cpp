// SPDX-License-Identifier: GPL-2.0-or-later
#include "tool/next_kexec.hpp"

#include <unistd.h>

#include <fmt/format.h>

#include "lib/load/next_load.hpp"
#include "lib/sources/loaded_kernel.hpp"
#include "tool/logged_kexec.hpp"
#include "tool/machine_file.hpp"
#include "tool/run_kexec.hpp"
#include "tool/watched_child.hpp"

namespace tool {
namespace {

class Live final : public handoff::NextEffects {
public:
    Live(const Options& options, const handoff::Host& host, const std::string& program, const StageReport& report)
        : options_(options), host_(host), kexec_(host, program, report) {}

    handoff::Result<handoff::PlannedNext> plan(const handoff::KexecArguments& arguments) override {
        return handoff::plan_next(host_, arguments, wishes_from(options_));
    }
    handoff::KexecRun run(const std::vector<std::string>& arguments) override {
        return kexec_.run(arguments, std::nullopt, false);
    }
    handoff::Result<std::vector<base::AddressRange>> loaded_segments() override {
        return handoff::next_segments(host_);
    }
    std::string kernel_log() override { return kexec_.kernel_log(); }

private:
    const Options& options_;
    const handoff::Host& host_;
    LoggedKexec kexec_;
};

// The child's life.
void load(const Options& options, const handoff::Host& host, const std::string& program,
          const handoff::KexecArguments& arguments, const StageReport& report) {
    begin_thinking();
    try {
        Live effects(options, host, program, report);
        const handoff::LoadResult result = handoff::load_next(effects, arguments);
        const bool loaded = result.rung == handoff::Rung::handoff;
        report.say(loaded ? Stage::loaded : Stage::plain);
        end_thinking();
        if (host.live() && !result.why.empty())
            note_apart(loaded ? result.why : result.why + ". The next kernel is loaded exactly as asked.", &report);
        if (!loaded) return;
        write_all(STDOUT_FILENO, result.output);
        write_all(STDERR_FILENO, result.errors);
    } catch (...) {  // no memory, above all
    }
}

}  // namespace

bool load_next_in_child(const Options& options, const handoff::Host& host, const std::string& program,
                        const handoff::KexecArguments& arguments) {
    const ChildEnd end =
        watch_child([&](const StageReport& report) { load(options, host, program, arguments, report); });
    if (end.stage == Stage::loaded) return true;
    if (end.stage != Stage::plain && host.live())
        note_apart(
            fmt::format("The process that loads the next kernel ended too early ({}). The kernel is loaded "
                        "exactly as asked.",
                        end.how));
    return false;
}

}  // namespace tool
