// SPDX-License-Identifier: GPL-2.0-or-later
//
// The decision: whether the pool can be handed over, with which words, and everything that this rests on. Sizes are in
// bytes, ranges are half-open.
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
    /// Bytes that the loader itself adds to the command line, at most:
    /// elfcorehdr=, and acpi_rsdp= with kexec_load.
    std::uint64_t added_words = 0;
    [[nodiscard]] const Segment* find(std::string_view name) const;
};

/// Why a pool would not land at R: for the user, who asks "where, then?".
struct Counterexample {
    enum class Kind {
        not_ram,      ///< R is not RAM of the crash map as a whole, or is reserved
        slides_up,    ///< free memory touches R's end: the pool is placed higher
        other_block,  ///< a free block above R holds the pool
        eaten,        ///< early allocations may not fit above R and then take R's top
        eaten_low,    ///< the same for what must lie below 4 GiB
    };
    Kind kind;
    std::optional<Address> image;  ///< with the kernel here; none: wherever it is
    AddressRange block;            ///< the free block that is at fault
    std::optional<Address> pool;   ///< the pool would start here
    std::uint64_t wanted = 0;      ///< eaten, eaten_low: bytes that have to fit above R
    std::uint64_t room = 0;        ///< eaten, eaten_low: bytes that surely do
    bool smaller_image = false;    ///< slides_up, other_block: only if the image ends below `pool`, as it may
};
const char* name(Counterexample::Kind);
std::string to_string(const Counterexample&);

enum class Verdict { ready, not_needed, refused };
/// "ready", "not-needed", "refused".
const char* name(Verdict);

/// How a crash kernel is loaded: from the best way down to the one that always remains.
enum class Rung {
    handoff,   ///< with the words of the plan
    own_pool,  ///< with the word that makes its own pool smaller, since the one that it would make does not fit
    plain,     ///< exactly as the caller asked
};
/// "handoff", "own-pool", "plain".
const char* name(Rung);

/// Whether something fits. `perhaps`: only a load and a crash could tell.
enum class Fit { surely, perhaps, no };
/// "surely", "perhaps", "no".
const char* name(Fit);

/// What a load comes to that does not have the handoff, whatever refused it or failed. Sizes in bytes.
struct Fallback {
    Rung rung = Rung::plain;  ///< own_pool or plain
    std::string append;       ///< for own_pool the word to append, such as "swiotlb=8192,force"; else ""
    /// The pool that the crash kernel would ask for if it was loaded exactly as the caller asked; 0: it makes none.
    std::uint64_t plain_pool = 0;
    std::uint64_t pool = 0;  ///< the same for this rung
    /// The smallest pool that is known to be enough for such a load: the one that was seen to be, or plain_pool where
    /// that is less, or where somebody chose its size.
    std::uint64_t enough = 0;
    /// The reservation holds what the crash kernel needs, and the pool: for a load as the caller asked, and for this
    /// rung. By the recommended need, surely; not by the lower bound, no.
    Fit plain_fits = Fit::no, fits = Fit::no;
    /// Somebody chose the size of the pool, or what is appended would not be read: the pool is not made smaller.
    bool fixed = false;
    bool sure = false;              ///< the recommended need fits with `enough`
    std::uint64_t reserved = 0;     ///< of the reservation, all of it
    std::uint64_t lower_bound = 0;  ///< of what the crash kernel needs besides the pool
    std::uint64_t recommended = 0;  ///< to have for that
    std::string crashkernel;        ///< that would surely do for a load exactly as the caller asked: "crashkernel=256M"
    friend bool operator==(const Fallback&, const Fallback&) = default;
};
/// What kdump does without the handoff, and whether the reservation is large enough for that: one or two sentences.
std::string to_text(const Fallback&);

/// Whether the reservation is large enough for the load that a plan comes to: with the handoff where that is ready,
/// else exactly as the caller asks. A loan does not count, since it may end with any reload. Sizes in bytes.
struct ReservationFit {
    /// By the need that is recommended, surely; not by its lower bound, no. nullopt: it is not known.
    std::optional<Fit> fits;
    std::string unknown;             ///< why it is not known, a clause; else ""
    Rung rung = Rung::plain;         ///< of that load: handoff or plain
    std::uint64_t reserved = 0;      ///< in all; 0: nothing is
    std::uint64_t pool = 0;          ///< that the crash kernel takes of it; 0 with the handoff, and where it makes none
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
/// The answer in one line: "256 MiB is enough: the crash kernel needs 141 MiB, as recommended."
std::string to_text(const ReservationFit&);

/// A decision, and everything it rests on: a value, so that it can be compared,
/// printed and replayed.
struct Plan {
    Verdict verdict = Verdict::refused;
    Method method = Method::ram;
    Loader loader = Loader::automatic;
    std::optional<AddressRange> pool;  ///< of the running kernel
    /// What is handed over of the pool, or would have to be, where it is not all of it. Devices may still write to the
    /// rest, which is no memory of the crash kernel.
    std::optional<AddressRange> part;
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
    std::uint64_t early_bytes = 0;                 ///< bound on early allocations that the proof used
    std::vector<Reason> reasons;
    std::vector<Assumption> assumptions;  ///< none on the running machine
    /// What a load comes to that does not have the handoff, also where the verdict is ready: kexec may refuse the
    /// words. Only plan() says so. nullopt where nothing is reserved, or the command line cannot be read.
    std::optional<Fallback> fallback;
    /// Whether the reservation is large enough. Only plan() says so.
    ReservationFit reservation;
};

/// Decides. Never fails: what is wrong is a reason, and the verdict `refused`.
Plan decide(const Machine&, const PlanRequest&);

/// The same, and what a load without the handoff comes to, and whether the reservation is large enough; and where it is
/// not, or where the layout is what refuses the handoff, a crashkernel= that would do is looked for. That search makes
/// many plans.
Plan plan(const Machine&, const PlanRequest&);

/// The same for a command line that has a handoff of `promised` already: nothing
/// is added, the placement of exactly these words is judged.
Plan review(const Machine&, const PlanRequest&, const AddressRange& promised);

/// The verdict, with what it is assumed for: "ready if the initrd has up to 24 MiB; …".
std::string verdict_text(Verdict, const std::vector<Assumption>&);

/// In one line: the verdict and what decided it.
std::string headline(const Plan&);

}  // namespace handoff
#pragma GCC visibility pop
