// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <unistd.h>

#include <csignal>
#include <functional>
#include <string>
#include <utility>

#include "base/fd.hpp"

namespace tool {

/// What a child is at, in the order in which a load goes. What it has said counts, however the child ends.
enum class Stage : char {
    thinking = 't',  ///< it has thinking_seconds for that
    kexec = 'k',     ///< kexec runs, and may take as long as it likes
    plain = 'p',     ///< the caller's own command is to be run, and the record says so
    loaded = 'l',    ///< a crash kernel is loaded, and the record says how
};

constexpr unsigned thinking_seconds = 60;  ///< at most, before kexec runs and again after it

/// By which a child says what it is at.
class StageReport {
public:
    explicit StageReport(base::Fd to) : to_(std::move(to)) {}
    void say(Stage) const;
    /// In a process that the child starts and that nobody waits for: nobody takes its life for the child's.
    void close_here() const { ::close(to_.get()); }

private:
    base::Fd to_;
};

/// How far a child came, and how it ended: "exit status 1", "signal 9", or why nobody waited for its end.
struct ChildEnd {
    Stage stage = Stage::thinking;
    std::string how;
};

/// Runs `work` in a child, and waits for its end, but not for ever: a child that thinks longer than it may, or that is
/// stopped for more than five seconds, is killed. One that cannot be killed (it waits in the kernel) is left behind
/// after two seconds more. All that it started has ended with it, in the same way. Where there can be no child the
/// stage is `thinking`.
ChildEnd watch_child(const std::function<void(const StageReport&)>& work);

/// Children of this process are waited for, whatever the caller does with SIGCHLD.
class ChildrenCanBeWaitedFor {
public:
    ChildrenCanBeWaitedFor();
    ~ChildrenCanBeWaitedFor();
    ChildrenCanBeWaitedFor(const ChildrenCanBeWaitedFor&) = delete;
    ChildrenCanBeWaitedFor& operator=(const ChildrenCanBeWaitedFor&) = delete;

private:
    struct sigaction inherited_ {};
};

}  // namespace tool
