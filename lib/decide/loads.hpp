// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <vector>

#include "lib/decide/question.hpp"
#include "lib/kernel/loader.hpp"

namespace handoff {

/// What is loaded, as far as it is known, and what is assumed of the rest.
struct Cargo {
    Image image;
    std::uint64_t initrd_bytes = 0;
    std::uint64_t initrd_acpi_bytes = 0;  ///< of ACPI tables that the initrd brings, whole pages
    /// kexec-tools passes setup_data at the start of the reservation (LoadInput::setup_data). nullopt: it may or may
    /// not.
    std::optional<bool> setup_data;
};
/// Rules loader-known, image-known, loader-setup-data.
Cargo judge_cargo(const Question&, Findings&);

/// Whether the image takes addr=, which leaves nothing to placement; the method where that depends on it. `promised`:
/// the pool of a handoff that is reviewed. Rule image-addr.
Method judge_method(const Question&, const std::optional<AddressRange>& promised, Findings&);

/// What a loader is given to load `cargo` with; the small segments have `slack` bytes more than expected.
LoadInput load_input(const Cargo&, Loader, std::uint64_t command_line_bytes, std::uint64_t slack);

/// One load that may be.
struct Scenario {
    LoadInput in;
    Load load;
};
/// Every load that may be: by each loader that may be used, and with small segments of other sizes. The first is the
/// most likely one, and leaves the largest free blocks. Empty where one of them does not fit. Rules load-fits,
/// loader-known.
std::vector<Scenario> predict_loads(const Question&, const Cargo&, Method, Findings&);

/// The most likely load without a handoff: its map is what the crash kernel gets from plain kdump. An input error where
/// it does not fit, where nothing is reserved, or where the command line cannot be read.
Result<Load> plain_load(const Machine&, const PlanRequest&);

}  // namespace handoff
