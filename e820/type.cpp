// SPDX-License-Identifier: GPL-2.0-or-later
#include "e820/type.hpp"

#include <array>
#include <limits>

#include <fmt/format.h>

#include "base/number.hpp"

namespace e820 {

using base::parse_number;
namespace {

struct Names {
    Type type;
    std::string_view classic;
    std::string_view v7;
    std::string_view resource;
};

constexpr std::array<Names, 8> names = {{
    {Type::ram, "usable", "System RAM", "System RAM"},
    {Type::reserved, "reserved", "device reserved", "Reserved"},
    {Type::acpi, "ACPI data", "ACPI data", "ACPI Tables"},
    {Type::nvs, "ACPI NVS", "ACPI NVS", "ACPI Non-volatile Storage"},
    {Type::unusable, "unusable", "unusable", "Unusable memory"},
    {Type::pmem, "persistent (type 7)", "persistent RAM (type 7)", "Persistent Memory"},
    {Type::pram, "persistent (type 12)", "persistent RAM (type 12)", "Persistent Memory (legacy)"},
    {Type::soft_reserved, "soft reserved", "soft reserved", "Soft Reserved"},
}};

constexpr std::string_view unknown_resource = "Unknown E820 type";

const Names* find(Type type) {
    if (type == Type::reserved_kern) type = Type::ram;
    for (const Names& entry : names) {
        if (entry.type == type) return &entry;
    }
    return nullptr;
}

}  // namespace

std::string log_label(Type type, LabelStyle style) {
    if (const Names* entry = find(type)) return std::string(style == LabelStyle::classic ? entry->classic : entry->v7);
    return fmt::format("type {}", static_cast<std::uint32_t>(type));
}

std::string log_label(Type type) { return log_label(type, LabelStyle::classic); }

std::optional<Type> from_log_label(std::string_view label) {
    for (const Names& entry : names) {
        if (label == entry.classic || label == entry.v7) return entry.type;
    }
    constexpr std::string_view numbered = "type ";
    if (!label.starts_with(numbered)) return std::nullopt;
    const auto number = parse_number(label.substr(numbered.size()), 10);
    if (!number || *number > std::numeric_limits<std::uint32_t>::max()) return std::nullopt;
    return static_cast<Type>(*number);
}

std::string_view resource_name(Type type) {
    const Names* entry = find(type);
    return entry ? entry->resource : unknown_resource;
}

std::optional<Type> from_firmware_name(std::string_view name) {
    if (name == "reserved" || name == unknown_resource) return Type::reserved;
    for (const Names& entry : names) {
        if (name == entry.resource) return entry.type;
    }
    return std::nullopt;
}

std::optional<Type> from_iomem_name(std::string_view name) { return from_firmware_name(name); }

}  // namespace e820
