// SPDX-License-Identifier: GPL-2.0-or-later
#include "e820/memmap.hpp"

#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "base/excerpt.hpp"
#include "base/number.hpp"
#include "e820/update.hpp"

namespace e820 {

using base::Address;
using base::AddressRange;
using base::Error;
using base::excerpt;
using base::input_error;
using base::KiB;
using base::MiB;
using base::parse_number;
using base::parse_prefixed;
using base::Result;
using base::take_memparse;
namespace {

using std::string_view;

constexpr Address last_address = std::numeric_limits<Address>::max();

Error expected(string_view what, string_view found) {
    return input_error(0, fmt::format("expected {}, found {}", what, excerpt(found)));
}

/// [start, start + size), cut at the end of the address space as
/// __e820__range_update() and e820__range_remove() cut it.
AddressRange clamped(Address start, std::uint64_t size) {
    return *AddressRange::from_bounds(start, start + std::min(size, last_address - start));
}

RemoveRange ram_above(Address limit) { return {*AddressRange::from_bounds(limit, last_address), Type::ram}; }

/// "-<type>" or "+<type>" off the front of `text`, as simple_strtoull(…, 0) reads a number.
std::optional<Type> take_type(string_view& text) {
    const string_view digits = text.substr(1, text.find_first_not_of("0123456789abcdefABCDEFxX", 1) - 1);
    const bool octal = digits.size() > 1 && digits[0] == '0' && (digits[1] | 0x20) != 'x';
    const auto number = octal ? parse_number(digits.substr(1), 8) : parse_prefixed(digits);
    if (!number || *number > std::numeric_limits<std::uint32_t>::max()) return std::nullopt;
    text.remove_prefix(1 + digits.size());
    return static_cast<Type>(*number);
}

/// What follows "nn%": "ss", "ss-old", "ss+new" or "ss-old+new". Type 0 is the
/// same as none given.
Result<MemmapOp> parse_conversion(string_view part, std::uint64_t size, Address start, string_view rest) {
    Type from{};
    Type to{};
    for (const auto& [sign, type] : {std::pair('-', &from), std::pair('+', &to)}) {
        if (!rest.starts_with(sign)) continue;
        const auto number = take_type(rest);
        if (!number) return expected("nn%ss-old+new with 32-bit types", part);
        *type = *number;
    }
    if (!rest.empty()) return expected("nn%ss-old+new", part);
    if (from != Type{} && from == to) return expected("two different types in nn%ss-old+new", part);
    if (from != Type{} && to != Type{}) return MemmapOp(UpdateRange{clamped(start, size), from, to});
    if (from != Type{}) return MemmapOp(RemoveRange{clamped(start, size), from});
    if (to == Type{}) return MemmapOp(RemoveRange{clamped(start, size), std::nullopt});
    const auto range = AddressRange::from_size(start, size);
    if (!range) return expected("a range within 64 bits", part);
    return MemmapOp(AddRange{*range, to});
}

std::optional<Type> type_of_sign(char sign) {
    switch (sign) {
        case '@':
            return Type::ram;
        case '#':
            return Type::acpi;
        case '$':
            return Type::reserved;
        case '!':
            return Type::pram;
        default:
            return std::nullopt;
    }
}

Result<MemmapOp> parse_part(string_view part) {
    // The kernel compares eight characters and no more.
    if (part.starts_with("exactmap")) return MemmapOp(ExactMap{});
    string_view rest = part;
    const auto size = take_memparse(rest);
    if (!size) return expected("exactmap or nn[KMG][@#$!%]ss[KMG]", part);
    if (rest.empty()) return MemmapOp(ram_above(*size));
    const char sign = rest.front();
    const auto type = type_of_sign(sign);
    if (!type && sign != '%') return expected("one of @ # $ ! % after the size", part);
    rest.remove_prefix(1);
    const auto start = take_memparse(rest);
    if (!start) return expected(fmt::format("a 64-bit address after '{}'", sign), part);
    if (sign == '%') return parse_conversion(part, *size, *start, rest);
    if (!rest.empty()) return expected("nothing after the address", part);
    const auto range = AddressRange::from_size(*start, *size);
    if (!range) return expected("a range within 64 bits", part);
    return MemmapOp(AddRange{*range, *type});
}

/// The shortest of bytes, K and M that is exact.
std::string size_word(std::uint64_t bytes) {
    if (bytes != 0 && bytes % MiB == 0) return fmt::format("{}M", bytes / MiB);
    if (bytes != 0 && bytes % KiB == 0) return fmt::format("{}K", bytes / KiB);
    return fmt::format("{}", bytes);
}

std::string type_word(Type type) { return fmt::format("{}", static_cast<std::uint32_t>(type)); }

std::string conversion_word(const AddressRange& range, string_view types) {
    return fmt::format("{}%{:#x}{}", size_word(range.size()), range.start(), types);
}

struct WordWriter {
    std::string operator()(const ExactMap&) const { return "exactmap"; }
    std::string operator()(const AddRange& op) const {
        for (const char sign : string_view("@#$!")) {
            if (type_of_sign(sign) == op.type)
                return fmt::format("{}{}{:#x}", size_word(op.range.size()), sign, op.range.start());
        }
        return conversion_word(op.range, "+" + type_word(op.type));
    }
    std::string operator()(const UpdateRange& op) const {
        return conversion_word(op.range, fmt::format("-{}+{}", type_word(op.from), type_word(op.to)));
    }
    std::string operator()(const RemoveRange& op) const {
        if (op == ram_above(op.range.start())) return size_word(op.range.start());
        return conversion_word(op.range, op.type ? "-" + type_word(*op.type) : "");
    }
};

}  // namespace

Result<std::vector<MemmapOp>> parse_memmap(string_view value) {
    std::vector<MemmapOp> ops;
    for (;;) {
        const auto comma = value.find(',');
        auto op = parse_part(value.substr(0, comma));
        if (!op) return std::move(op).error();
        ops.push_back(*std::move(op));
        if (comma == string_view::npos) return ops;
        value.remove_prefix(comma + 1);
    }
}

Result<std::vector<MemmapOp>> parse_mem(string_view value) {
    if (value == "nopentium") return std::vector<MemmapOp>{};
    string_view rest = value;
    const auto limit = take_memparse(rest);
    if (!limit || !rest.empty() || *limit == 0) return expected("a size above zero, nn[KMG]", value);
    return std::vector<MemmapOp>{ram_above(*limit)};
}

void apply(Table& table, const MemmapOp& op) {
    if (std::holds_alternative<ExactMap>(op)) {
        table.entries.clear();
    } else if (const auto* add = std::get_if<AddRange>(&op)) {
        table.add(add->range, add->type);
    } else if (const auto* change = std::get_if<UpdateRange>(&op)) {
        update(table, change->range, change->from, change->to);
    } else if (const auto* gone = std::get_if<RemoveRange>(&op)) {
        remove(table, gone->range, gone->type);
    }
}

Result<Table> with_memmap(const Table& firmware, const std::vector<MemmapOp>& ops) {
    Table table = firmware;
    // e820__update_table() declines fewer than two entries. It counts the ones that
    // were removed too: they stay in the table with size 0 until it has run.
    std::size_t slots = table.entries.size();
    for (const MemmapOp& op : ops) {
        apply(table, op);
        if (std::holds_alternative<ExactMap>(op)) slots = 0;
        if (std::holds_alternative<AddRange>(op)) ++slots;
        slots = std::max(slots, table.entries.size());
    }
    if (!ops.empty() && slots < 2) {
        return input_error(0, fmt::format("expected a map of at least two ranges, found {}: the kernel would panic "
                                          "(\"Invalid user supplied memory map\")",
                                          slots));
    }
    return sanitised(table);
}

std::string to_word(const MemmapOp& op) { return std::visit(WordWriter{}, op); }

}  // namespace e820
