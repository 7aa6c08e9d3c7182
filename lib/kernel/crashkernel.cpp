// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/kernel/crashkernel.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/excerpt.hpp"
#include "base/number.hpp"
#include "lib/kernel/constants.hpp"
#include "swiotlb-handoff/machine.hpp"

namespace handoff {
namespace {

using base::align_up;
using base::MiB;
using base::Result;

std::string size_word(std::uint64_t bytes) {
    return bytes % MiB == 0 ? fmt::format("{}{}", bytes / MiB, bytes == 0 ? "" : "M")
                            : fmt::format("{}K", bytes / base::KiB);
}

std::optional<std::uint64_t> take_size(std::string_view& text) { return base::take_memparse(text); }

std::optional<std::uint64_t> suffixed(std::string_view value, std::string_view suffix) {
    const auto size = take_size(value);
    return size && value == suffix ? size : std::nullopt;
}

// "range:size[,range:size...]", parse_crashkernel_mem(): the size of the first range that
// the RAM, rounded up to 128 MiB, lies in.
std::optional<std::uint64_t> size_by_range(std::string_view& text, std::uint64_t ram_bytes) {
    const std::uint64_t ram = align_up(ram_bytes, 128 * MiB);
    std::optional<std::uint64_t> chosen;
    while (true) {
        const auto start = take_size(text);
        if (!start || !text.starts_with('-')) return std::nullopt;
        text.remove_prefix(1);
        std::uint64_t end = ~std::uint64_t{0};
        if (!text.starts_with(':')) {
            const auto given = take_size(text);
            if (!given || *given <= *start) return std::nullopt;
            end = *given;
        }
        if (!text.starts_with(':')) return std::nullopt;
        text.remove_prefix(1);
        const auto size = take_size(text);
        if (!size) return std::nullopt;
        if (!chosen && ram >= *start && ram < end) chosen = size;
        if (!text.starts_with(',')) return chosen.value_or(0);
        text.remove_prefix(1);
    }
}

}  // namespace

std::string Reservation::text() const {
    std::string words = "crashkernel=" + size_word(size);
    if (base) words += fmt::format("@{:#x}", *base);
    if (high) words += ",high";
    if (high && low) words += fmt::format(" crashkernel={},low", size_word(*low));
    return words;
}

Result<std::optional<Reservation>> reservation_of(const CommandLine& line, std::uint64_t ram_bytes) {
    std::optional<std::string_view> plain;
    std::optional<std::string_view> high, low;
    for (const Word* word : line.all("crashkernel")) {
        const std::string_view value = word->value ? std::string_view(*word->value) : std::string_view();
        if (value.ends_with(",high"))
            high = value;
        else if (value.ends_with(",low"))
            low = value;
        else if (!value.ends_with(",cma"))
            plain = value;
    }
    const auto malformed = [](std::string_view value) {
        return base::input_error(
            0, fmt::format("expected SIZE[@OFFSET], RANGE:SIZE, SIZE,high or SIZE,low in crashkernel=, found {}",
                           base::excerpt(value)));
    };
    Reservation reservation;
    if (plain) {
        std::string_view rest = *plain;
        const auto size = rest.find(':') != rest.npos ? size_by_range(rest, ram_bytes) : take_size(rest);
        if (!size) return malformed(*plain);
        reservation.size = *size;
        if (rest.starts_with('@')) {
            rest.remove_prefix(1);
            const auto base = take_size(rest);
            if (!base) return malformed(*plain);
            if (*base != 0) reservation.base = *base;
        }
        if (!rest.empty()) return malformed(*plain);
        // The kernel looks for ",low" as well where it has to go above 4 GiB by itself.
        if (low) reservation.low = suffixed(*low, ",low");
    } else if (high) {
        const auto size = suffixed(*high, ",high");
        if (!size) return malformed(*high);
        reservation.size = *size;
        reservation.high = true;
        if (low) {
            reservation.low = suffixed(*low, ",low");
            if (!reservation.low) return malformed(*low);
        }
    }
    if (reservation.size == 0) return std::optional<Reservation>();
    return std::optional(reservation);
}

std::uint64_t default_low(std::uint64_t pool_bytes) { return std::max(pool_bytes + low_besides_pool, 256 * MiB); }

std::uint64_t reserved_bytes(const Machine& machine) {
    std::uint64_t bytes = 0;
    for (const AddressRange& part : machine.crash_kernel) bytes += part.size();
    return bytes;
}

}  // namespace handoff
