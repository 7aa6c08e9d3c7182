// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <csignal>
#include <optional>
#include <string>
#include <vector>

#include "swiotlb-handoff/result.hpp"

namespace tool {

/// Signals that would stop the program half-way wait until this is gone.
class NoInterruption {
public:
    NoInterruption();
    ~NoInterruption();
    NoInterruption(const NoInterruption&) = delete;
    NoInterruption& operator=(const NoInterruption&) = delete;
    /// As they were.
    [[nodiscard]] const sigset_t& before() const { return before_; }

private:
    sigset_t before_{};
};

/// Runs a program with a full path, and waits for it. What it prints goes to standard error, since standard output is
/// ours. An error where it cannot be run, or does not exit with 0.
std::optional<base::Error> run_program(std::vector<std::string> words, const sigset_t& signals);

}  // namespace tool
