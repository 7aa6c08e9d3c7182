// SPDX-License-Identifier: GPL-2.0-or-later
//
// Checks a handoff that somebody else made.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "swiotlb-handoff/plan.hpp"

#pragma GCC visibility push(default)
namespace handoff {

/// The program headers of an elfcorehdr or of a vmcore: the memory that the crash kernel
/// shows as /proc/vmcore.
struct ElfCore {
    std::vector<AddressRange> loads;  ///< physical, in file order
    std::size_t notes = 0;            ///< PT_NOTE headers
};

/// Reads the head of an ELF core file, which has to hold all program headers.
/// Input errors: it is not a 64-bit ELF core file for x86-64, its headers are truncated, or a PT_LOAD
/// is empty or goes beyond the end of the address space.
Result<ElfCore> parse_elf_core(std::span<const std::byte> head);

/// A handoff that somebody else made. What is not given is not looked at. The words are always judged, by all rules of
/// plan() that need no machine.
struct CheckInput {
    std::string command_line;        ///< of the crash kernel, complete
    std::optional<e820::Table> map;  ///< its boot_params table
    std::optional<ElfCore> core;     ///< its elfcorehdr or vmcore
    /// The machine that it is for (not owned); `request` then says how it is loaded. The region is compared with the
    /// pool of this machine, all rules of plan() are judged, and it is proven where the pool will be.
    const Machine* machine = nullptr;
    /// The machine is the crash kernel itself, which was booted with this line. Only its pool is compared.
    bool booted = false;
    PlanRequest request;  ///< how it is loaded; used only with `machine`, and without its command_line
};

/// What is wrong with such a handoff, and what was compared.
struct CheckResult {
    std::optional<AddressRange> pool;  ///< the one that the handoff promises
    bool loan = false;                 ///< the pool is lent as ordinary RAM
    bool compared = false;             ///< with the pool of a machine; if not, only the form of the words was checked
    bool proven = false;               ///< the machine was given, and the pool will be at the promised place
    std::vector<Reason> reasons;
    std::vector<Assumption> assumptions;  ///< that `proven` depends on, as in Plan::assumptions
    [[nodiscard]] bool sound() const;     ///< no refusal among the reasons
};

/// Judges a handoff. It never fails: what is wrong becomes a reason. sound() says that the words are well-formed. Only
/// if the machine is given as well do `compared` and `proven` say that they fit it.
CheckResult check(const CheckInput&);

}  // namespace handoff
#pragma GCC visibility pop
