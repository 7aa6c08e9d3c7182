// SPDX-License-Identifier: GPL-2.0-or-later
#include "tool/run_program.hpp"

#include <sys/wait.h>
#include <unistd.h>
#include <cerrno>
#include <cstring>

#include "base/process.hpp"
#include "tool/print.hpp"

namespace tool {

using base::Errc;
using base::Error;

NoInterruption::NoInterruption() {
    sigset_t set;
    ::sigemptyset(&set);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGTSTP}) ::sigaddset(&set, signal);
    ::sigprocmask(SIG_BLOCK, &set, &before_);
}

NoInterruption::~NoInterruption() { ::sigprocmask(SIG_SETMASK, &before_, nullptr); }

std::optional<Error> run_program(std::vector<std::string> words, const sigset_t& signals) {
    const std::string program = words.front();
    words.erase(words.begin());
    base::Argv command(program, std::move(words));
    flush();
    const pid_t child = ::fork();
    if (child < 0) return Error{Errc::io, program, 0, std::strerror(errno)};
    if (child == 0) {
        ::dup2(STDERR_FILENO, STDOUT_FILENO);
        ::sigprocmask(SIG_SETMASK, &signals, nullptr);
        command.exec();
        ::_exit(127);
    }
    const int status = base::wait_for(child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return std::nullopt;
    return Error{Errc::io, program, 0, base::describe_status(status)};
}

}  // namespace tool
