// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "swiotlb-handoff/machine.hpp"
#include "swiotlb-handoff/request.hpp"
#include "swiotlb-handoff/rules.hpp"
#include "swiotlb-handoff/table.hpp"

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
};
const char* name(Counterexample::Kind);
std::string to_string(const Counterexample&);

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
    std::uint64_t early_bytes = 0;                 ///< bound on early allocations that the proof used
    std::vector<Reason> reasons;
    std::vector<Assumption> assumptions;  ///< none on the running machine
};

/// Decides. Never fails: what is wrong is a reason, and the verdict `refused`.
Plan decide(const Machine&, const PlanRequest&);

/// The same, and where the layout is what refuses it, a crashkernel= that would do is looked for and becomes the
/// reason's advice. That search makes many plans.
Plan plan(const Machine&, const PlanRequest&);

/// The same for a command line that has a handoff of `promised` already: nothing
/// is added, the placement of exactly these words is judged.
Plan review(const Machine&, const PlanRequest&, const AddressRange& promised);

/// The verdict, with what it is assumed for: "ready if the initrd has up to 24 MiB; …".
std::string verdict_text(Verdict, const std::vector<Assumption>&);

/// In one line: the verdict and what decided it.
std::string headline(const Plan&);

}  // namespace handoff
