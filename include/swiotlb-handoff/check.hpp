// SPDX-License-Identifier: GPL-2.0-or-later
//
// Validation of a handoff that somebody else made.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "swiotlb-handoff/plan.hpp"

#pragma GCC visibility push(default)
namespace handoff {

/// The program headers of an elfcorehdr or of a vmcore: what the crash kernel
/// will offer as /proc/vmcore.
struct ElfCore {
    std::vector<AddressRange> loads;  ///< physical, in file order
    std::size_t notes = 0;            ///< PT_NOTE headers
};

/// The head of an ELF core file, as much of it as holds the program headers.
/// Input errors: not a 64-bit x86-64 ELF core file, truncated headers, a PT_LOAD
/// that is empty or passes the end of the address space.
Result<ElfCore> parse_elf_core(std::span<const std::byte> head);

/// A handoff that somebody else made. What is not given is not looked at, apart from the words, of which all is judged
/// that plan() judges without a machine.
struct CheckInput {
    std::string command_line;        ///< of the crash kernel, complete
    std::optional<e820::Table> map;  ///< its boot_params table
    std::optional<ElfCore> core;     ///< its elfcorehdr or vmcore
    /// The machine it is for, not owned, and below how it is loaded: then the region is compared with its pool, all is
    /// judged that plan() judges, and where the pool lands is proven.
    const Machine* machine = nullptr;
    /// The machine was booted with this very line: it is the crash kernel. Its pool is compared, and nothing else.
    bool booted = false;
    PlanRequest request;  ///< how it is loaded, with a machine only; its command_line is not looked at
};

/// What is wrong with such a handoff, and what was looked at.
struct CheckResult {
    std::optional<AddressRange> pool;  ///< that the handoff promises
    bool loan = false;                 ///< it is lent as ordinary RAM
    bool compared = false;             ///< with the pool of a machine; otherwise it is well-formed at best
    bool proven = false;               ///< the machine was given, and the placement holds
    std::vector<Reason> reasons;
    std::vector<Assumption> assumptions;  ///< that `proven` rests on: Plan::assumptions
    [[nodiscard]] bool sound() const;     ///< no refusal among the reasons
};

/// Judges a handoff. Never fails: what is wrong is a reason. Words that are sound() are well-formed; only where the
/// machine is given as well, compared and proven say that they fit it.
CheckResult check(const CheckInput&);

}  // namespace handoff
#pragma GCC visibility pop
