// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_set>
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
    /// The words to boot with, where recommend() finds some and they reserve less than now.
    std::optional<std::string> recommended;
    /// Bytes that the next boot has more with these words: those that the handoff gives (Recommendation::by_handoff(),
    /// no more than all of them), and the rest, which was reserved without need.
    std::uint64_t by_handoff = 0, by_right_sizing = 0;
    /// Bytes that the reservation lacks to what recommend() says; 0 where it is large enough, or there is none.
    std::uint64_t too_small = 0;
    bool certainly_too_small = false;  ///< the crash kernel certainly takes more than is reserved
    std::vector<std::string> guessed;  ///< names of the parts of the need whose size is assumed, not read
    bool lendable = false;  ///< the crash kernel makes no pool, and the evidence for lending it the old one is complete
    std::uint64_t lent_bytes = 0;  ///< what it would have more then
    bool would_lend = false;       ///< the same but for evidence that the capture does not have
    std::string digest;            ///< digest_of() its report; "" where it was not made
    std::optional<Error> error;    ///< it could not be read: nothing else here holds
    [[nodiscard]] std::uint64_t given_back() const { return by_handoff + by_right_sizing; }
    friend bool operator==(const MachineAudit&, const MachineAudit&) = default;
};

MachineAudit audit(std::string name, const Machine&, const PlanRequest&, std::uint64_t margin);

/// Of any number of machines, in memory that does not grow with it but for eight bytes a report.
struct AuditSummary {
    std::size_t identical = 0;  ///< reports that were the same as one before, which do not count otherwise
    std::size_t ready = 0, not_needed = 0, refused = 0, unreadable = 0;
    std::size_t ready_if = 0;                       ///< of the ready ones: those that rest on assumptions
    std::map<std::string, std::size_t> refused_by;  ///< a machine counts for each rule that refuses it
    std::map<std::string, std::size_t> assumed;     ///< a ready machine counts for each rule that it assumes
    std::map<std::string, std::size_t> guessed;     ///< a machine counts for each part whose size is assumed
    std::size_t giving = 0;                         ///< machines that the handoff lets give memory back
    std::uint64_t by_handoff = 0;                   ///< bytes, of those
    std::size_t oversized = 0;                      ///< machines that have more reserved than they need without it
    std::uint64_t by_right_sizing = 0;              ///< bytes, of those
    std::size_t undersized = 0, certainly_undersized = 0;  ///< machines with too little reserved
    std::uint64_t too_small = 0;                           ///< bytes that they lack
    std::size_t lendable = 0, would_lend = 0;
    std::uint64_t lent = 0;  ///< bytes, of the lendable ones
    /// False where the same report was there before.
    bool add(const MachineAudit&);
    [[nodiscard]] std::size_t machines() const { return ready + not_needed + refused + unreadable; }

private:
    std::unordered_set<std::uint64_t> digests_;
};

}  // namespace handoff
