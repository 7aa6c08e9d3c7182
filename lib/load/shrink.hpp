// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lib/decide/recommend.hpp"
#include "lib/load/in_use.hpp"
#include "swiotlb-handoff/machine.hpp"
#include "swiotlb-handoff/plan.hpp"

namespace handoff {

/// A smaller reservation in this boot: what /sys/kernel/kexec_crash_size can do.
struct ShrinkPlan {
    std::optional<AddressRange> from;  ///< the reservation, the higher one where there are two
    AddressRange to;                   ///< the same start; what is given back is its end
    /// To write to kexec_crash_size: the size, and since 6.5 that of a part below 4 GiB as well.
    std::uint64_t write = 0;
    Need need;
    Plan plan;                  ///< for the smaller reservation
    std::uint64_t on_loan = 0;  ///< how much less is left, in bytes, than a load without the loan should have
    std::string problem;        ///< why it cannot be; one line, "" where it can
    [[nodiscard]] bool possible() const { return problem.empty(); }
    [[nodiscard]] std::uint64_t given_back() const { return possible() && from ? from->size() - to.size() : 0; }
};

/// With `to` bytes, or, without, as few as the plan, Need and a load without the handoff (Fallback::sure) allow, in
/// steps of 4 MiB. Of two reservations only the one above 4 GiB is made smaller: crash_shrink_memory() in
/// kernel/kexec_core.c frees its end. `on_loan`: what the loan gives counts as memory, and a load without it may have
/// too little; only where the plan lends the pool.
ShrinkPlan plan_shrink(const Machine&, const PlanRequest&, std::optional<std::uint64_t> to = std::nullopt,
                       std::uint64_t margin = Need::default_margin, bool on_loan = false);

/// The effects of shrinking, each of which may fail. No function decides anything.
class ShrinkEffects {
public:
    using Failure = std::optional<Error>;
    virtual ~ShrinkEffects() = default;
    virtual Result<bool> loaded() = 0;                ///< /sys/kernel/kexec_crash_loaded
    virtual HandoffState state() = 0;                 ///< of what is loaded now: judge_handoff()
    virtual Failure unload() = 0;                     ///< kexec -p -u
    virtual Failure resize(std::uint64_t bytes) = 0;  ///< writes kexec_crash_size
    virtual Failure reload() = 0;                     ///< as kdump loads it
};

struct ShrinkResult {
    enum class Outcome {
        done,             ///< smaller, and loaded with the handoff
        unchanged,        ///< nothing was done
        restored,         ///< as before: something failed, and the crash kernel was loaded again
        without_handoff,  ///< smaller, and loaded, but not with the handoff: the dump may be lost
        not_loaded,       ///< no crash kernel is loaded
    };
    Outcome outcome = Outcome::unchanged;
    std::string text;                ///< what failed; "" where it is done
    std::vector<std::string> steps;  ///< what was done, in order
};
/// "done", "unchanged", "restored", "without-handoff", "not-loaded".
const char* name(ShrinkResult::Outcome);

/// Why shrinking does not begin; "" where the loaded crash kernel has the handoff: then the next load will have it too,
/// without which the smaller reservation may be too small.
std::string objection_to_shrinking(const HandoffState&);

/// Unloads, shrinks, loads again. Begins only where objection_to_shrinking() has none. After a failure it loads again,
/// at whatever size there is then.
ShrinkResult shrink(ShrinkEffects&, const ShrinkPlan&);

}  // namespace handoff
