// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "e820/range.hpp"
#include "e820/result.hpp"
#include "lib/plan.hpp"

namespace handoff {

/// The segments of the last load that `text` reports: the output of kexec -d
/// (kexec-tools, kexec/kexec.c, print_segments()), or the kernel's own debug
/// messages (kernel/kexec_file.c, "Loading segment 0: …", from 6.8 on
/// "segment[0]: …"). Empty where there are none. Input error: a segment that
/// cannot be read.
Result<std::vector<AddressRange>> parse_segments(std::string_view text);

/// What in a load is not as the plan assumed, in words for the user; nullopt
/// where it is: kernel and initrd lie as in one of the plan's loads, no fence lies
/// in a segment besides the kernel, and where the reservation touches the pool
/// its first page is loaded.
std::optional<std::string> disagreement(const Plan&, const std::vector<AddressRange>& segments);

}  // namespace handoff
