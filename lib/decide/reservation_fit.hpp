// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <vector>

#include "lib/decide/need.hpp"
#include "swiotlb-handoff/plan.hpp"

namespace handoff {

/// Whether the reservation is large enough for what this plan comes to, whose fallback is known. `margin`: of the
/// recommended need, bytes. What to boot with is said only as far as Fallback says it: recommend() knows more.
ReservationFit fit_of_reservation(const Machine&, const PlanRequest&, const Plan&, std::uint64_t margin);

/// What of the need is assumed and was not read, as an administrator could look it up: "the size of the initrd". The
/// margin, which always is, is not among them.
std::vector<std::string> what_is_assumed(const Need&);

/// "The reservation of 256 MiB may be too small: crashkernel=272M would do." And that it is large enough, or that
/// nobody knows.
std::string shortage_sentence(const ReservationFit&);

}  // namespace handoff
