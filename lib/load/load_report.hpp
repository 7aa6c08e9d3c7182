// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "swiotlb-handoff/plan.hpp"
#include "swiotlb-handoff/range.hpp"
#include "swiotlb-handoff/result.hpp"

namespace handoff {

/// The segments of the last load that `text` reports: the output of kexec -d
/// (kexec-tools, kexec/kexec.c, print_segments()), or the kernel's own debug
/// messages (kernel/kexec_file.c, "Loading segment 0: …", from 6.8 on
/// "segment[0]: …"). Empty where there are none. Input error: a segment that
/// cannot be read.
Result<std::vector<AddressRange>> parse_segments(std::string_view text);

/// Where kexec or the kernel says that it put the ELF core headers, and the RSDP that
/// it passes on: from `kexec -d`'s "Command line after adding elfcorehdr", or the kernel's
/// "Loaded ELF headers at 0x…" and "ACPI: RSDP 0x…". Of several the last.
struct LoadAddresses {
    std::optional<Address> elfcorehdr;
    std::optional<Address> rsdp;
    friend bool operator==(const LoadAddresses&, const LoadAddresses&) = default;
};
LoadAddresses parse_addresses(std::string_view text);

/// What kexec -d prints without the lines that only -d makes it print (kexec-tools 2.0.20 to
/// 2.0.32 on x86-64: dbgprintf() and print_segments()). A line that is not known to be one of
/// them stays.
std::string without_debug(std::string_view text);

/// The kernel's files whose pr_debug() tells of the segments of a load, up to Linux 6.7.
inline constexpr std::array<std::string_view, 2> load_message_files{"kernel/kexec_file.c", "arch/x86/kernel/crash.c"};
/// Whether somebody has such a message switched on already, by the text of /proc/dynamic_debug/control.
bool load_messages_on(std::string_view control);

/// What in a load is not as the plan assumed, in words for the user; nullopt
/// where it is: kernel and initrd lie as in one of the plan's loads, no fence lies
/// in a segment besides the kernel, and where the reservation touches the pool
/// its first page is loaded.
std::optional<std::string> disagreement(const Plan&, const std::vector<AddressRange>& segments);

}  // namespace handoff
