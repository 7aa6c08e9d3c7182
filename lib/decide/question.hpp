// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>

#include "lib/decide/findings.hpp"
#include "lib/kernel/boot_words.hpp"
#include "lib/kernel/command_line.hpp"
#include "swiotlb-handoff/machine.hpp"
#include "swiotlb-handoff/request.hpp"

namespace handoff {

/// What a plan answers: the machine, the request, and the two command lines as the kernel reads them.
struct Question {
    const Machine& machine;
    const PlanRequest& request;
    CommandLine running;  ///< of the running kernel; empty where it is not known
    SwiotlbOption running_swiotlb;
    CommandLine base;  ///< of the crash kernel, without a handoff's words
    SwiotlbOption swiotlb;
    KernelConfig config;  ///< of the crash kernel; Debian's where it is not known
    bool config_known = false;
    WordsJudged words;    ///< what those of `base` do to memory before the pool
    std::string given;    ///< `base` without the words that nobody gave
    std::string assumed;  ///< those words: what kdump adds to every crash kernel's command line
    bool readable =
        false;  ///< the crash kernel's command line can be read as the kernel reads it; otherwise nothing above holds
};

/// Reads the command lines. Rules command-line-sound, command-line-known.
Question ask(const Machine&, const PlanRequest&, Findings&);

/// What rule command-line-sound says: a sentence.
std::string unreadable_line(const Error&);

/// As a clause: "add numa=off to the crash kernel's command line".
std::string to_add(std::string_view words);
/// The same as a sentence.
std::string advice_to_add(std::string_view words);

/// CPUs that the crash kernel prepares for, at most.
unsigned crash_cpus(const Question&);

/// What would keep any added words from doing what they say: a "--", memmap=exactmap, and, where none may be there yet,
/// another handoff. Rules command-line-init, command-line-agrees.
void judge_map_words(const Question&, bool handoff_expected, Findings&);

/// Words that take memory before the pool, or move it; and words that keep the crash kernel from treating its pool as
/// the running kernel does. Rules command-line-agrees, command-line-early, command-line-covered, command-line-iommu,
/// reset-devices.
void judge_words(const Question&, Findings&);

/// Of these, only what has to be as the running kernel has it: whether memory is encrypted, and what an IOMMU does.
/// Rule command-line-iommu.
void judge_shared_words(const Question&, Findings&);

/// The release of the kernel that is loaded: the image's, else the running kernel's; "" where neither is known.
std::string crash_release(const Question&);

}  // namespace handoff
