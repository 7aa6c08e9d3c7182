// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "e820/table.hpp"
#include "lib/elf_core.hpp"
#include "lib/machine.hpp"
#include "lib/decide/plan.hpp"
#include "lib/decide/rules.hpp"

namespace handoff {

/// A handoff that somebody else made. What is not given is not looked at.
struct CheckInput {
    std::string command_line;         ///< of the crash kernel, complete
    std::optional<e820::Table> map;   ///< its boot_params table
    std::optional<ElfCore> core;      ///< its elfcorehdr or vmcore
    /// The machine it is for, and how it is loaded: then where the pool lands is
    /// proven too.
    const Machine* machine = nullptr;
    PlanRequest request;
};

struct CheckResult {
    std::optional<AddressRange> pool;  ///< that the handoff promises
    bool loan = false;                 ///< it is lent as ordinary RAM
    bool proven = false;               ///< the machine was given, and the placement holds
    std::vector<Reason> reasons;
    [[nodiscard]] bool sound() const;  ///< no refusal among the reasons
};

CheckResult check(const CheckInput&);

}  // namespace handoff
