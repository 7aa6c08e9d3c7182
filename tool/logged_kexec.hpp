// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/fd.hpp"
#include "lib/load/kexec_run.hpp"
#include "lib/sources/host.hpp"
#include "swiotlb-handoff/range.hpp"
#include "tool/watched_child.hpp"

namespace tool {

/// Runs kexec for a child of watch_child(), and knows what the kernel has logged since.
class LoggedKexec {
public:
    LoggedKexec(const handoff::Host& host, std::string program, const StageReport& report)
        : host_(host), program_(std::move(program)), report_(report) {}

    /// `left_out`: memory that kexec must not see as System RAM in /proc/iomem. `messages`: the kernel is to tell of
    /// the segments of the load, which it does not do by itself (needs_load_messages()).
    handoff::KexecRun run(const std::vector<std::string>& arguments, const std::optional<base::AddressRange>& left_out,
                          bool messages);
    /// The lines since the last run began; "" where nobody can say.
    [[nodiscard]] std::string kernel_log() const { return log_end_ ? host_.log_since(log_end_).value_or("") : ""; }

private:
    const handoff::Host& host_;
    std::string program_;
    const StageReport& report_;
    base::Fd log_end_;  ///< before kexec ran
};

/// A child of watch_child() begins: it is ended where it thinks for too long.
void begin_thinking();
/// From now on it may take as long as it likes, for an output that nobody reads.
void end_thinking();

/// To the system log, by a process that nobody waits for: a logger that hangs must not keep a kernel from being loaded.
void note_apart(const std::string& text, const StageReport* report = nullptr);

}  // namespace tool
