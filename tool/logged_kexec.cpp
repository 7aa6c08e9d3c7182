// SPDX-License-Identifier: GPL-2.0-or-later
#include "tool/logged_kexec.hpp"

#include <unistd.h>

#include <csignal>

#include "base/process.hpp"
#include "lib/load/lend.hpp"
#include "tool/load_messages.hpp"
#include "tool/print.hpp"
#include "tool/run_kexec.hpp"

namespace tool {

handoff::KexecRun LoggedKexec::run(const std::vector<std::string>& arguments,
                                   const std::optional<base::AddressRange>& left_out, bool messages) {
    std::optional<std::string> iomem;
    if (left_out && host_.live()) {
        const auto text = host_.read(handoff::Source::iomem);
        auto without = text ? handoff::iomem_without(*text, *left_out) : text.error();
        if (!without) return {-1, without.error().message(), {}, {}, true};
        iomem = *std::move(without);
    }
    auto end = host_.log_end();
    log_end_ = end ? *std::move(end) : base::Fd();
    base::Argv command(program_, arguments);
    const bool switched = messages && host_.live() && set_load_messages(true);
    ::alarm(0);  // kexec may take as long as it would without us
    report_.say(Stage::kexec);
    handoff::KexecRun finished = run_kexec(command, iomem);
    report_.say(Stage::thinking);
    ::alarm(thinking_seconds);
    if (switched) set_load_messages(false);
    return finished;
}

void begin_thinking() {
    ::signal(SIGALRM, SIG_DFL);
    sigset_t alarms;
    ::sigemptyset(&alarms);
    ::sigaddset(&alarms, SIGALRM);
    ::sigprocmask(SIG_UNBLOCK, &alarms, nullptr);
    ::alarm(thinking_seconds);
}

void end_thinking() {
    ::alarm(0);
    ::signal(SIGPIPE, SIG_IGN);
}

void note_apart(const std::string& text, const StageReport* report) {
    if (::fork() != 0) return;
    if (report) report->close_here();
    ::signal(SIGALRM, SIG_DFL);
    ::alarm(5);
    note(text);
    ::_exit(0);
}

}  // namespace tool
