// SPDX-License-Identifier: GPL-2.0-or-later
//
// The decision: whether the pool can be handed over, by which words, and everything that this depends on. Sizes are in
// bytes, and ranges are half-open.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "swiotlb-handoff/machine.hpp"
#include "swiotlb-handoff/request.hpp"
#include "swiotlb-handoff/rules.hpp"
#include "swiotlb-handoff/table.hpp"

#pragma GCC visibility push(default)
namespace handoff {

/// One piece of memory that a loader fills in the crashkernel reservation.
struct Segment {
    std::string name;    ///< "kernel", "initrd", "boot_params", "purgatory", "elfcorehdr", "backup", "setup_data"
    AddressRange range;  ///< whole pages
    friend bool operator==(const Segment&, const Segment&) = default;
};

/// Where everything is when the crash kernel starts.
struct Load {
    Loader loader = Loader::kexec_load;
    std::vector<Segment> segments;  ///< in load order
    e820::Table map;                ///< the e820 table in boot_params, sanitised
    /// The most bytes that the loader itself may add to the command line: by elfcorehdr=,
    /// and with kexec_load by acpi_rsdp=.
    std::uint64_t added_words = 0;
    [[nodiscard]] const Segment* find(std::string_view name) const;
};

/// Why the crash kernel would not put its pool at R, the place of the old pool, and where it would put it instead.
struct Counterexample {
    enum class Kind {
        not_ram,      ///< not all of R is RAM in the crash kernel's map, or some of it is reserved
        slides_up,    ///< free memory follows right after R, so the pool is placed higher
        other_block,  ///< the pool fits into a free block above R
        eaten,        ///< early allocations may not fit above R, and would then take the end of R
        eaten_low,    ///< the same for those allocations that have to be below 4 GiB
    };
    Kind kind;
    std::optional<Address> image;  ///< if the kernel is here; none: wherever it is
    AddressRange block;            ///< the free block that causes this
    std::optional<Address> pool;   ///< the pool would start here
    std::uint64_t wanted = 0;      ///< eaten, eaten_low: bytes that have to fit above R
    std::uint64_t room = 0;        ///< eaten, eaten_low: bytes that certainly fit there
    bool smaller_image = false;    ///< slides_up, other_block: this needs an image that ends below `pool`
};
const char* name(Counterexample::Kind);
std::string to_string(const Counterexample&);

enum class Verdict { ready, not_needed, refused };
/// "ready", "not-needed", "refused".
const char* name(Verdict);

/// How a crash kernel is loaded: from the best way down to the one that always remains.
enum class Rung {
    handoff,   ///< with the words of the plan
    own_pool,  ///< with a word that makes its own pool smaller, because the one that it would make does not fit
    plain,     ///< exactly as the caller asked
};
/// "handoff", "own-pool", "plain".
const char* name(Rung);

/// Whether something fits. `perhaps`: only a load and a crash could show it.
enum class Fit { surely, perhaps, no };
/// "surely", "perhaps", "no".
const char* name(Fit);

/// What a load without the handoff is like, whatever the reason is that there is none. Sizes are in bytes.
struct Fallback {
    Rung rung = Rung::plain;  ///< own_pool or plain
    std::string append;       ///< for own_pool the word to append, such as "swiotlb=8192,force"; else ""
    /// The pool that the crash kernel would ask for if it was loaded exactly as the caller asked; 0: it makes none.
    std::uint64_t plain_pool = 0;
    std::uint64_t pool = 0;  ///< the pool that it asks for on this rung
    /// The smallest pool that is known to be enough for such a load: the one that was seen to be, or plain_pool where
    /// that is less, or where somebody chose its size.
    std::uint64_t enough = 0;
    /// Whether need and pool fit into the reservation, for a load as the caller asked, and for this rung. `surely`: the
    /// recommended need fits. `no`: not even the lower bound of the need fits.
    Fit plain_fits = Fit::no, fits = Fit::no;
    /// Somebody chose the size of the pool, or what is appended would not be read: the pool is not made smaller.
    bool fixed = false;
    bool sure = false;              ///< the recommended need and a pool of `enough` bytes fit
    std::uint64_t reserved = 0;     ///< size of the whole reservation
    std::uint64_t lower_bound = 0;  ///< of what the crash kernel needs besides the pool
    std::uint64_t recommended = 0;  ///< to have for that
    std::string crashkernel;        ///< that would surely do for a load exactly as the caller asked: "crashkernel=256M"
    friend bool operator==(const Fallback&, const Fallback&) = default;
};
/// What kdump does without the handoff, and whether the reservation is large enough for that: a few sentences.
std::string to_text(const Fallback&);

/// Whether the reservation is large enough for the load that follows from a plan: with the handoff if that is ready,
/// else exactly as the caller asks. A loan does not count, because any reload may end it. Sizes are in bytes.
struct ReservationFit {
    /// `surely`: the recommended need fits. `no`: not even its lower bound fits. nullopt: it is not known.
    std::optional<Fit> fits;
    std::string unknown;             ///< why it is not known, as a clause; "" if it is known
    Rung rung = Rung::plain;         ///< the rung of that load: handoff or plain
    std::uint64_t reserved = 0;      ///< in all; 0: nothing is reserved
    std::uint64_t pool = 0;          ///< that the crash kernel takes from it; 0 with the handoff, or without a pool
    std::uint64_t lower_bound = 0;   ///< of what the crash kernel needs besides that pool
    std::uint64_t recommended = 0;   ///< to have for that
    std::uint64_t ran_out_with = 0;  ///< a crash kernel ran out of memory with so much of it; 0: none is known to have
    std::vector<std::string> assumed;  ///< what of that is assumed and was not read: "the initrd's size"
    /// A word for the crash kernel's command line with which less memory does, and whether it fits then: numa=off, or
    /// that of Fallback. "": there is none, or none is needed.
    std::string append;
    Fit fits_with_append = Fit::no;
    /// What to boot with where it does not surely fit, by recommend(), or else for such a load: "crashkernel=256M"; ""
    /// where nothing is known to be large enough.
    std::string crashkernel;
    friend bool operator==(const ReservationFit&, const ReservationFit&) = default;
};
/// The answer in sentences: "256 MiB is enough: in a reservation of this size the crash kernel should have 141 MiB."
std::string to_text(const ReservationFit&);

/// A decision, and everything that it depends on. It is a value, so that it can be compared,
/// printed and made again.
struct Plan {
    Verdict verdict = Verdict::refused;
    Method method = Method::ram;
    Loader loader = Loader::automatic;
    std::optional<AddressRange> pool;  ///< of the running kernel
    /// The part of the pool that is handed over, or would have to be, if it is not the whole pool. Devices may still
    /// write to the rest, and the rest is no memory of the crash kernel.
    std::optional<AddressRange> part;
    /// The pool is lent: it is ordinary RAM of a crash kernel that makes no pool. Then `expected` is none.
    bool loan = false;
    std::optional<AddressRange> expected;  ///< the pool of the crash kernel; only if ready
    std::string base;                      ///< the command line it was planned for
    std::string append;                    ///< words to append; "" unless ready
    std::vector<AddressRange> fences;
    /// All loads that the proof covers: by each loader, and with other sizes of the small
    /// segments. The first is the most likely one.
    std::vector<Load> loads;
    e820::Table after;  ///< the first load's map after the crash kernel has read the words; empty unless ready
    std::optional<Counterexample> counterexample;  ///< if the layout is what was refused
    std::uint64_t early_bytes = 0;                 ///< the bound on early allocations, in bytes, that the proof used
    std::vector<Reason> reasons;
    std::vector<Assumption> assumptions;  ///< none on the running machine
    /// What a load without the handoff is like. It is there with the verdict `ready` as well, since kexec may fail with
    /// the words. Only plan() fills it in. nullopt if nothing is reserved, or if the command line cannot be read.
    std::optional<Fallback> fallback;
    /// Whether the reservation is large enough. Only plan() fills it in.
    ReservationFit reservation;
};

/// Decides. It never fails: what is wrong becomes a reason, and the verdict is then `refused`.
Plan decide(const Machine&, const PlanRequest&);

/// Decides as decide() does, and fills in Plan::fallback and Plan::reservation. If the reservation is not large enough,
/// or if the layout is what refuses the handoff, it looks for a crashkernel= that would be large enough. That search
/// makes many plans.
Plan plan(const Machine&, const PlanRequest&);

/// Judges a command line that has the words of a handoff of `promised` already. Nothing is added:
/// it is decided whether exactly these words put the pool there.
Plan review(const Machine&, const PlanRequest&, const AddressRange& promised);

/// The verdict, with the assumptions that it depends on: "ready if the initrd has up to 24 MiB; …".
std::string verdict_text(Verdict, const std::vector<Assumption>&);

/// In one line: the verdict and what decided it.
std::string headline(const Plan&);

}  // namespace handoff
#pragma GCC visibility pop
