// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "e820/table.hpp"
#include "lib/decide/request.hpp"
#include "lib/decide/rules.hpp"
#include "lib/loader.hpp"
#include "lib/machine.hpp"
#include "lib/placement.hpp"

namespace handoff {

enum class Verdict { ready, not_needed, refused };
/// "ready", "not-needed", "refused".
const char* name(Verdict);

/// A decision, and everything it rests on: a value, so that it can be compared,
/// printed and replayed.
struct Plan {
    Verdict verdict = Verdict::refused;
    Method method = Method::ram;
    Loader loader = Loader::automatic;
    std::optional<AddressRange> pool;  ///< of the running kernel
    /// The pool is lent: ordinary RAM of a crash kernel that makes none. Then nothing is expected to land anywhere.
    bool loan = false;
    std::optional<AddressRange> expected;  ///< of the crash kernel; only when ready
    std::string base;                      ///< the command line it was planned for
    std::string append;                    ///< words to append; "" unless ready
    std::vector<AddressRange> fences;
    /// Every load that the proof covers: of each loader, and with small segments of
    /// other sizes. The first is the most likely one.
    std::vector<Load> loads;
    e820::Table after;  ///< what the crash kernel makes of the first load's map with the words; empty unless ready
    std::optional<Counterexample> counterexample;  ///< of the layout that was refused
    std::uint64_t early_bytes = 0;  ///< bound on early allocations that the proof used
    std::vector<Reason> reasons;
};

/// Decides. Never fails: what is wrong is a reason, and the verdict `refused`.
Plan decide(const Machine&, const PlanRequest&);

/// The same, and where the layout is what refuses it, a crashkernel= that would do is looked for and becomes the reason's
/// advice. That search makes many plans.
Plan plan(const Machine&, const PlanRequest&);

/// The same for a command line that has a handoff of `promised` already: nothing
/// is added, the placement of exactly these words is judged.
Plan review(const Machine&, const PlanRequest&, const AddressRange& promised);

/// In one line: the verdict and what decided it.
std::string headline(const Plan&);

}  // namespace handoff
