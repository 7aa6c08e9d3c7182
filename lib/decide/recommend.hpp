// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/decide/need.hpp"
#include "lib/kernel/crashkernel.hpp"
#include "lib/kernel/next_boot.hpp"
#include "swiotlb-handoff/plan.hpp"

namespace handoff {

/// One form of crashkernel=, with the smallest size that will do.
struct Candidate {
    Reservation reservation;
    Verdict verdict = Verdict::refused;      ///< ready; not_needed: works, without a pool and so without a handoff
    std::vector<AddressRange> crash_kernel;  ///< at the next boot; empty where it has no place
    std::optional<AddressRange> pool;        ///< there
    /// The model explains this boot, and so these places are those of the next one. Where it does not, they are only
    /// where the model puts them.
    bool place_certain = false;
    std::uint64_t bytes = 0;  ///< reserved in all
    std::string append;       ///< to add to the crash kernel's command line for it: "numa=off"
    std::string why;          ///< the proof, or what is in the way; one line
    /// What a load without the handoff comes to in it; nullopt where it has no place.
    std::optional<Fallback> fallback;
};

/// What lending the pool (plan --lend) would come to on this machine.
struct LoanOutlook {
    bool possible = false;  ///< now, and with the reservation that there is
    std::uint64_t gain =
        0;  ///< bytes that the crash kernel would have more; also where it is not possible, if a pool is seen
    /// The smallest reservation that would do while the pool is lent, bytes. A load without the loan has too little
    /// then.
    std::uint64_t smallest = 0;
    std::string why;  ///< where it is not possible: the first rule that refuses, one line
};
/// What a loan of this machine's pool adds to the memory of the crash kernel, at least, bytes: the pool without its
/// struct pages.
std::uint64_t loan_gain(const Machine&);
/// `needed`: what the crash kernel needs without the loan.
LoanOutlook loan_outlook(const Machine&, const PlanRequest&, std::uint64_t needed);

struct Recommendation {
    Verdict verdict = Verdict::refused;
    std::optional<Candidate> chosen;  ///< ready or not_needed
    std::vector<Candidate> candidates;
    Need need;  ///< of the chosen one, else of the smallest tried
    LowPart low;
    /// None where the crash kernel makes a pool with the words that are recommended: that one is handed over. Always
    /// there where the size counts on the loan.
    std::optional<LoanOutlook> loan;
    bool counts_on_loan = false;  ///< asked for: recommend_on_loan()
    /// How much less is reserved, in bytes, than a load without the loan should have.
    [[nodiscard]] std::uint64_t on_loan() const;
    std::optional<CrashLog> last_crash;      ///< the machine's
    std::vector<CrashRecord> crash_records;  ///< the request's
    std::uint64_t now = 0;                   ///< bytes reserved by this boot
    Plan present;                            ///< for this boot; plan() says the same of the reservation
    LayoutComparison reproduced;
    std::vector<Reason> reasons;  ///< warnings and refusals of the plan for the chosen one, else of the last one tried
    std::vector<Assumption> assumptions;  ///< of the same plan
    /// The smallest reservation, bytes in all, in which a load without the handoff surely has what is recommended and
    /// all of the pool that it makes; 0 where none of the candidates tells.
    std::uint64_t without_handoff = 0;
    /// Bytes that the next boot has more than this one; negative where it needs more.
    [[nodiscard]] std::int64_t given_back() const;
    /// What of them the handoff gives: as many as the reservation without it would be larger. The rest is right-sizing,
    /// which needs no handoff: memory that was reserved without need, or, where that is negative, too little of it.
    [[nodiscard]] std::int64_t by_handoff() const;
    [[nodiscard]] std::int64_t by_right_sizing() const { return given_back() - by_handoff(); }
};

/// What to boot with. Every candidate is proven by decide() on next_boot(); none is smaller than
/// its Need, and in each a load without the handoff has enough memory, too (Fallback::sure). Where the layout of this
/// boot is not reproduced a candidate is ready only if it is above 4 GiB, and its plan is ready wherever below the pool
/// may be; the plan of that boot decides then. No candidate counts on a loan, which may end with any reload. Where the
/// plan for one advises words for the crash kernel's command line and they help, it is the plan with them that counts
/// (Candidate::append). Pure; plan() takes its advice from here.
Recommendation recommend(const Machine&, const PlanRequest&, std::uint64_t margin = Need::default_margin);
/// The same, with the plan for this boot that is there already: that of plan_as_reserved().
Recommendation recommend(const Machine&, const PlanRequest&, std::uint64_t margin, Plan present);

/// The same for somebody who counts on a loan: what it gives counts as memory of the crash kernel, so that a load
/// without it may have too little (Candidate::fallback says so). Only where the pool can be lent now, and where the
/// plan of the next boot lends it, if its pool is as unused as the one of this boot; else refused, and `loan` says why.
Recommendation recommend_on_loan(const Machine&, const PlanRequest&, std::uint64_t margin = Need::default_margin);

/// What has to be said of every size that counts on a loan: two sentences.
inline constexpr std::string_view counts_on_loan_text =
    "This size counts on the loan. If a device appears later that ends the loan, such as one that addresses only 32 "
    "bits or one in an external port, the crash kernel has too little memory, and the dump is lost.";

}  // namespace handoff
