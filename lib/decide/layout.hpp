// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lib/decide/proof.hpp"

namespace handoff {

/// Words that make the pool land, and the proof that they do.
struct Layout {
    std::vector<AddressRange> fences;
    std::string words;     ///< to append
    bool nokaslr = false;  ///< is among them
    Proof proof;
};

/// What was tried, from the fewest additions to the most: nothing; a kernel that stays where the loader puts it;
/// fences.
struct LayoutSearch {
    std::optional<Layout> found;
    std::optional<Counterexample> naive;  ///< against the words alone, where they did not do
    std::optional<Counterexample> last;   ///< of the attempt that came closest
    std::uint64_t early_bytes = 0;        ///< the largest bound on early allocations of any attempt
};
/// An error where the words do not make a map.
Result<LayoutSearch> find_layout(const Proposal&);

}  // namespace handoff
