// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>

#include "lib/load/record.hpp"
#include "lib/sources/loaded_kernel.hpp"
#include "swiotlb-handoff/range.hpp"

namespace handoff {

class Host;

enum class Handoff {
    in_use,      ///< the loaded crash kernel has it
    not_in_use,  ///< the loaded crash kernel has none, or none is loaded
    stale,  ///< the loaded crash kernel has one of another pool than the kernel's, or a pool that may no longer be lent
    unknown,  ///< a crash kernel is loaded, and it is not known whether it has a handoff that was proven
};
/// "in-use", "not-in-use", "stale", "unknown".
const char* name(Handoff);

/// Why a state is unknown.
enum class Unknown {
    none,        ///< it is known
    unread,      ///< what is loaded cannot be read, or not understood
    no_pool,     ///< the running kernel's pool is not known
    no_record,   ///< it has the words, and no record says that they were proven
    other_load,  ///< it has the words, and the record is of another load
    no_image,    ///< the pool is lent, and the image for which that is judged anew is not known
};
/// "none", "unread", "no-pool", "no-record", "other-load", "no-image".
const char* name(Unknown);

/// What tells whether the loaded crash kernel has the handoff.
struct HandoffEvidence {
    std::optional<bool> loaded;          ///< a crash kernel is; nullopt: that cannot be read
    std::optional<LoadedKernel> kernel;  ///< as it lies in memory; none: none is loaded, or it cannot be read
    std::string kernel_problem;          ///< why it cannot be read; "" else
    std::optional<Record> record;        ///< of the last load; none: nobody wrote one since the boot
    std::string record_problem;          ///< why one that is there cannot be read; "" else
    std::optional<AddressRange> pool;    ///< of the running kernel, now
};
/// All but the pool, of a machine.
HandoffEvidence read_handoff_evidence(const Host&);

/// Why the size of the reservation may not count on a loan now, a sentence or two: the crash kernel that is loaded does
/// not have it. "" where it has.
std::string objection_to_counting_on_loan(const HandoffEvidence&);

struct HandoffState {
    Handoff handoff = Handoff::unknown;
    std::string why;  ///< one line
    Unknown unknown = Unknown::none;
    std::optional<Rung> rung = std::nullopt;  ///< of what is loaded; nullopt: nothing is loaded, or it is not known
    friend bool operator==(const HandoffState&, const HandoffState&) = default;
};

/// The loaded crash kernel has the handoff where its own command line, in its own memory, has the marker of the running
/// kernel's pool, or of a part of it, and the record says that this very load was proven: its words are on that line
/// and its segments are those in memory. A record alone shows nothing: it may be of a load that another one replaced.
/// In the same way it has a smaller pool of its own where that line is the one of a record that says so.
HandoffState judge_handoff(const HandoffEvidence&);

}  // namespace handoff
