// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/process.hpp"

#include <sys/wait.h>
#include <unistd.h>
#include <cerrno>
#include <utility>

#include <fmt/format.h>

namespace base {

Argv::Argv(std::string program, std::vector<std::string> arguments) : words_(std::move(arguments)) {
    words_.insert(words_.begin(), std::move(program));
    for (std::string& w : words_) argv_.push_back(w.data());
    argv_.push_back(nullptr);
}

void Argv::exec() { ::execv(argv_[0], argv_.data()); }

int wait_for(pid_t child) {
    int status = 0;
    while (::waitpid(child, &status, 0) < 0)
        if (errno != EINTR) return -1;
    return status;
}

std::string describe_status(int wait_status) {
    if (WIFSIGNALED(wait_status)) return fmt::format("signal {}", WTERMSIG(wait_status));
    return fmt::format("exit status {}", WEXITSTATUS(wait_status));
}

}  // namespace base
