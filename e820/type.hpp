// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "swiotlb-handoff/table.hpp"

namespace e820 {

/// Whose words a kernel log uses for the types (arch/x86/kernel/e820.c, e820_print_type()).
enum class LabelStyle {
    classic,  ///< up to 6.19: "usable", "reserved", "persistent (type 7)"
    v7,       ///< 7.0 and later: "System RAM", "device reserved", "persistent RAM (type 7)"
};

std::string log_label(Type, LabelStyle);

/// The label of any kernel version, without parentheses around it. Setup data
/// is labelled as RAM, so reserved_kern never comes back; nullopt for anything else.
std::optional<Type> from_log_label(std::string_view);

/// "System RAM", "ACPI Tables": as /sys/firmware/memmap and /proc/iomem name a
/// type (e820_type_to_string()); "Unknown E820 type" for those without a name.
std::string_view resource_name(Type);

/// The type file of a /sys/firmware/memmap entry. "Unknown E820 type" has lost
/// its number and comes back as reserved, as kexec-tools takes it too.
std::optional<Type> from_firmware_name(std::string_view);

/// A line of /proc/iomem that the e820 map put there, "Reserved" in both
/// spellings; nullopt for every other resource ("RAM buffer", "System RAM (kmem)").
std::optional<Type> from_iomem_name(std::string_view);

}  // namespace e820
