// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>
#include <string>
#include <vector>

namespace base {

/// A program and its arguments for execv(2). exec() allocates no memory. The program has the caller's environment.
class Argv {
public:
    Argv(std::string program, std::vector<std::string> arguments);
    Argv(const Argv&) = delete;
    Argv& operator=(const Argv&) = delete;
    /// Returns only if the program cannot be run; errno then says why.
    void exec();
    [[nodiscard]] const std::string& program() const { return words_.front(); }

private:
    std::vector<std::string> words_;
    std::vector<char*> argv_;
};

/// Waits until the child ends, and returns the status that waitpid(2) gives; -1 if there is no such child.
int wait_for(pid_t child);

/// Describes a status that waitpid(2) gave: "exit status 1", "signal 9".
std::string describe_status(int wait_status);

}  // namespace base
