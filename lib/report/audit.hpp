// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "swiotlb-handoff/machine.hpp"
#include "swiotlb-handoff/plan.hpp"

namespace handoff {

/// One machine of many: what its plan comes to, and what a boot with another crashkernel= would give.
struct MachineAudit {
    std::string machine;  ///< as the caller names it
    Verdict verdict = Verdict::refused;
    std::vector<std::string> refused_by;  ///< ids of rules
    std::vector<std::string> assumed;     ///< of a ready plan: ids of the rules that only assumptions hold
    std::uint64_t pool_bytes = 0;         ///< 0: none seen
    std::uint64_t crashkernel_bytes = 0;
    /// The words to boot with, where recommend() finds some with which the handoff is ready and memory is given back.
    std::optional<std::string> recommended;
    std::uint64_t given_back = 0;  ///< bytes
    bool lendable = false;  ///< the crash kernel makes no pool, and the evidence for lending it the old one is complete
    std::uint64_t lent_bytes = 0;  ///< what it would have more then
    bool would_lend = false;       ///< the same but for evidence that the capture does not have
    std::optional<Error> error;    ///< it could not be read: nothing else here holds
};

MachineAudit audit(std::string name, const Machine&, const PlanRequest&, std::uint64_t margin);

/// Of any number of machines, in memory that does not grow with it.
struct AuditSummary {
    std::size_t ready = 0, not_needed = 0, refused = 0, unreadable = 0;
    std::size_t ready_if = 0;                       ///< of the ready ones: those that rest on assumptions
    std::map<std::string, std::size_t> refused_by;  ///< a machine counts for each rule that refuses it
    std::map<std::string, std::size_t> assumed;     ///< a ready machine counts for each rule that it assumes
    std::size_t giving = 0;                         ///< machines that can give memory back
    std::uint64_t given_back = 0;                   ///< bytes, of those
    std::size_t lendable = 0, would_lend = 0;
    std::uint64_t lent = 0;  ///< bytes, of the lendable ones
    void add(const MachineAudit&);
    [[nodiscard]] std::size_t machines() const { return ready + not_needed + refused + unreadable; }
};

}  // namespace handoff
