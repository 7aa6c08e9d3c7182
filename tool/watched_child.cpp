// SPDX-License-Identifier: GPL-2.0-or-later
#include "tool/watched_child.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "base/process.hpp"
#include "tool/run_directory.hpp"

namespace tool {
namespace {

using base::Fd;
using Clock = std::chrono::steady_clock;

// The child's own alarm comes first, unless it is stopped or blocked.
constexpr std::chrono::seconds longest_thought{thinking_seconds + 5}, longest_stop{5};

class Patience {
public:
    /// What the child said since the last time.
    void take(const Fd& reports) {
        char said = 0;
        while (::read(reports.get(), &said, 1) == 1) {
            stage = static_cast<Stage>(said);
            since_ = Clock::now();
        }
    }
    /// waitpid() says that it was stopped, or goes on.
    void take_status(int status) {
        if (!WIFSTOPPED(status) && !WIFCONTINUED(status)) return;
        stopped_ = WIFSTOPPED(status);
        stopped_since_ = Clock::now();
    }
    /// Why nobody waits any longer; nullptr where somebody does.
    [[nodiscard]] const char* ended() const {
        const auto now = Clock::now();
        if (stopped_ && now - stopped_since_ > longest_stop) return "it was stopped";
        if ((stage == Stage::thinking || stage == Stage::plain) && now - since_ > longest_thought)
            return "it took too long";
        return nullptr;
    }

    Stage stage = Stage::thinking;

private:
    Clock::time_point since_ = Clock::now();
    bool stopped_ = false;
    Clock::time_point stopped_since_{};
};

// True where the child has ended: `how` says how. False where nobody waits for it any more.
bool wait_patiently(pid_t child, const Fd& reports, Patience& patience, std::string& how) {
    while (true) {
        pollfd said{reports.get(), POLLIN, 0};
        ::poll(&said, 1, 100);
        patience.take(reports);
        int status = 0;
        const pid_t changed = ::waitpid(child, &status, WNOHANG | WUNTRACED | WCONTINUED);
        if (changed < 0 && errno != EINTR) {
            how = std::strerror(errno);
            return false;
        }
        if (changed == child && (WIFEXITED(status) || WIFSIGNALED(status))) {
            patience.take(reports);
            how = base::describe_status(status);
            return true;
        }
        if (changed == child) patience.take_status(status);
        if (const char* why = patience.ended()) {
            how = why;
            return false;
        }
    }
}

}  // namespace

void StageReport::say(Stage stage) const {
    const char said = static_cast<char>(stage);
    while (::write(to_.get(), &said, 1) < 0 && errno == EINTR) {
    }
}

ChildrenCanBeWaitedFor::ChildrenCanBeWaitedFor() {
    struct sigaction standard {};
    standard.sa_handler = SIG_DFL;
    ::sigaction(SIGCHLD, &standard, &inherited_);
}
ChildrenCanBeWaitedFor::~ChildrenCanBeWaitedFor() { ::sigaction(SIGCHLD, &inherited_, nullptr); }

ChildEnd watch_child(const std::function<void(const StageReport&)>& work) {
    ChildEnd end;
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return end.how = std::strerror(errno), end;
    const Fd reports(ends[0]);
    std::optional<StageReport> report{Fd(ends[1])};
    const ChildrenCanBeWaitedFor waited_for;
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    const pid_t self = ::getpid();
    const pid_t child = ::fork();
    if (child < 0) end.how = std::strerror(errno);
    if (child == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (::getppid() == self) work(*report);
        ::_exit(1);
    }
    report.reset();  // so that the child's end is the end of its reports
    Patience patience;
    const bool ended = child > 0 && wait_patiently(child, reports, patience, end.how);
    end.stage = patience.stage;
    if (child > 0 && !ended) ::kill(child, SIGKILL);
    // A kexec of the child dies with it. It must be gone before the next one.
    if (end.stage != Stage::loaded)
        for (int tries = 0; tries < 100 && ::waitpid(-1, nullptr, WNOHANG) == 0; ++tries) sleep_ms(20);
    ::prctl(PR_SET_CHILD_SUBREAPER, 0);
    return end;
}

}  // namespace tool
