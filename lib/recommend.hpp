// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "e820/range.hpp"
#include "lib/command_line.hpp"
#include "lib/devices.hpp"
#include "lib/machine.hpp"
#include "lib/decide/plan.hpp"

namespace handoff {

/// What the crashkernel= words of a boot come to. Bytes.
struct Reservation {
    std::uint64_t size = 0;
    bool high = false;                 ///< ",high"
    std::optional<std::uint64_t> low;  ///< ",low"; none: default_low()
    std::optional<Address> base;       ///< "@offset"
    /// "crashkernel=256M,high crashkernel=32M,low".
    [[nodiscard]] std::string text() const;
    friend bool operator==(const Reservation&, const Reservation&) = default;
};

/// As parse_crashkernel() reads them (kernel/crash_core.c; kernel/crash_reserve.c since 6.9): the
/// last word without a suffix, else the last ",high" and ",low". `ram_bytes` is what the
/// "range:size" form is compared with. nullopt: nothing is asked for. Input error: a word that
/// the kernel would not understand.
Result<std::optional<Reservation>> reservation_of(const CommandLine&, std::uint64_t ram_bytes);

/// The part below 4 GiB that the kernel adds to a reservation above it where no ",low" says
/// otherwise: crash_low_size_default() in arch/x86/include/asm/crash_reserve.h; before 6.8
/// reserve_crashkernel_low() in arch/x86/kernel/setup.c.
std::uint64_t default_low(std::uint64_t pool_bytes);

/// The machine as its next boot with these words would lay it out: the reservation as
/// reserve_crashkernel() places it (arch/x86/kernel/setup.c; reserve_crashkernel_generic() in
/// kernel/crash_reserve.c since 6.8), then the pool, both top-down in what this boot has
/// shown to be free. `shift` is how many bytes below the end of its free block this boot's pool lies.
/// nullopt where the reservation fails, falls back to another kind, or the pool has no place.
std::optional<Machine> next_boot(const Machine&, const Reservation&, std::uint64_t shift = 0);

/// Whether next_boot() with the words of this boot gives what this boot has; without crashkernel=,
/// the pool.
struct Reproduced {
    bool layout = false;      ///< the reservation and the pool, as far as there are any
    std::uint64_t shift = 0;  ///< for next_boot()
    std::string text;         ///< where it does not: what differs, one line
};
Reproduced reproduce(const Machine&);

/// What the crash kernel's memory has to hold besides the pool. Bytes.
struct Need {
    static constexpr std::uint64_t unpack_factor = 4;
    static constexpr std::uint64_t default_margin = 64 * e820::MiB;

    std::uint64_t image = 0;     ///< init_size: what the image says it takes
    std::uint64_t initrd = 0;    ///< as loaded
    std::uint64_t unpacked = 0;  ///< unpack_factor times as much
    std::uint64_t early = 0;     ///< early_demand() of a reservation of this size
    std::uint64_t bitmaps = 0;   ///< makedumpfile's: two bits a page of the machine
    std::uint64_t own_pool = 0;  ///< a pool that the crash kernel makes without need
    std::uint64_t margin = default_margin;  ///< programs, drivers, buffers
    [[nodiscard]] std::uint64_t total() const { return image + initrd + unpacked + early + bitmaps + own_pool + margin; }
};

/// For a reservation of this size; what the request does not name is assumed, as plan() does.
Need need_for(const Machine&, const PlanRequest&, std::uint64_t reservation_bytes, std::uint64_t margin);

/// How much memory below 4 GiB a reservation above it should have.
struct LowPart {
    std::uint64_t bytes = 0;
    bool known = false;             ///< the devices are known
    std::vector<DmaDevice> because;  ///< those that need some
};
LowPart low_part(const Machine&, std::uint64_t pool_bytes);

/// One form of crashkernel=, with the smallest size that will do.
struct Candidate {
    Reservation reservation;
    Verdict verdict = Verdict::refused;  ///< ready; not_needed: works, without a pool and so without a handoff
    std::vector<AddressRange> crash_kernel;  ///< at the next boot; empty where it has no place
    std::optional<AddressRange> pool;        ///< there
    std::uint64_t bytes = 0;   ///< reserved in all
    std::string why;           ///< the proof, or what is in the way; one line
};

/// What lending the pool (plan --lend) would come to on this machine.
struct LoanOutlook {
    bool possible = false;      ///< now, and with the reservation that there is
    std::uint64_t gain = 0;     ///< bytes that the crash kernel would have more; also where it is not possible, if a pool is seen
    /// The smallest reservation that would do while the pool is lent, bytes. A load without the loan has too little then.
    std::uint64_t smallest = 0;
    std::string why;            ///< where it is not possible: the first rule that refuses, one line
};
/// `needed`: what the crash kernel needs without the loan.
LoanOutlook loan_outlook(const Machine&, const PlanRequest&, std::uint64_t needed);

struct Recommendation {
    Verdict verdict = Verdict::refused;
    std::optional<Candidate> chosen;  ///< ready or not_needed
    std::vector<Candidate> candidates;
    Need need;                  ///< of the chosen one, else of the smallest tried
    LowPart low;
    /// None where the crash kernel makes a pool, now or with the words that are recommended: that one is handed over.
    std::optional<LoanOutlook> loan;
    std::uint64_t now = 0;      ///< bytes reserved by this boot
    Reproduced reproduced;
    std::vector<Reason> reasons;  ///< warnings and refusals of the plan for the chosen one, else of the last one tried
    /// Bytes that the next boot has more than this one; negative where it needs more.
    [[nodiscard]] std::int64_t given_back() const;
};

/// What to boot with. Every candidate is proven by plan() on next_boot(); none is smaller than
/// its Need. Where the layout of this boot is not reproduced a candidate is ready only if it is above 4 GiB, and
/// its plan is ready wherever below the pool may be. No candidate counts on a loan, which may end with any reload. Pure; plan() takes its advice from here.
Recommendation recommend(const Machine&, const PlanRequest&, std::uint64_t margin = Need::default_margin);

}  // namespace handoff
