// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "swiotlb-handoff/table.hpp"

namespace e820 {

/// Which names a kernel's log uses for the types (arch/x86/kernel/e820.c, e820_print_type()).
enum class LabelStyle {
    classic,  ///< up to 6.19: "usable", "reserved", "persistent (type 7)"
    v7,       ///< 7.0 and later: "System RAM", "device reserved", "persistent RAM (type 7)"
};

std::string log_label(Type, LabelStyle);

/// The type for a label of any version of the kernel, without parentheses around it; nullopt if there is none. The
/// result is never reserved_kern, because the log labels setup_data as RAM.
std::optional<Type> from_log_label(std::string_view);

/// How /sys/firmware/memmap and /proc/iomem name a type (e820_type_to_string()): "System RAM", "ACPI Tables";
/// "Unknown E820 type" for a type without a name.
std::string_view resource_name(Type);

/// The type for the file "type" of a /sys/firmware/memmap entry. "Unknown E820 type" does not say which; it becomes
/// reserved, as in kexec-tools.
std::optional<Type> from_firmware_name(std::string_view);

/// The type for the name of a /proc/iomem line that comes from the e820 map, "Reserved" in both spellings; nullopt for
/// every other resource ("RAM buffer", "System RAM (kmem)").
std::optional<Type> from_iomem_name(std::string_view);

}  // namespace e820
