// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

// How the kernel itself goes about it, step by step, for tests only: buffers that
// are cut with NULs, numbers that wrap, tables of fixed entries. Shares no code with
// e820/ and lib/, and takes no care that they take.

namespace reference {

// --- lib/ctype.c, lib/cmdline.c, kernel/params.c ------------------------------------------------------------------

inline bool is_space(char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte == ' ' || (byte >= 9 && byte <= 13) || byte == 0xa0;  // _ctype[] is Latin-1
}

struct Argument {
    std::string param;
    std::optional<std::string> value;
    friend bool operator==(const Argument&, const Argument&) = default;
};

/// parse_args() with next_arg(): what the kernel reads, up to "--".
inline std::vector<Argument> parse_args(std::string text) {
    text.push_back('\0');
    char* args = text.data();
    const auto skip_spaces = [](char* at) {
        while (is_space(*at)) ++at;
        return at;
    };
    std::vector<Argument> all;
    args = skip_spaces(args);
    while (*args != '\0') {
        std::size_t equals = 0, i = 0;
        bool in_quote = false, quoted = false;
        if (*args == '"') {
            ++args;
            in_quote = quoted = true;
        }
        for (; args[i] != '\0'; ++i) {
            if (is_space(args[i]) && !in_quote) break;
            if (equals == 0 && args[i] == '=') equals = i;
            if (args[i] == '"') in_quote = !in_quote;
        }
        char* value = nullptr;
        const bool more = args[i] != '\0';
        if (equals != 0) {
            args[equals] = '\0';
            value = args + equals + 1;
            if (*value == '"') {
                ++value;
                if (args[i - 1] == '"') args[i - 1] = '\0';
            }
        }
        if (quoted && i > 0 && args[i - 1] == '"') args[i - 1] = '\0';
        if (more) args[i] = '\0';
        Argument argument{args, value ? std::optional<std::string>(value) : std::nullopt};
        args = skip_spaces(args + i + (more ? 1 : 0));
        if (!argument.value && argument.param == "--") break;
        all.push_back(std::move(argument));
    }
    return all;
}

/// parameq()
inline bool same_parameter(const std::string& a, const std::string& b) {
    const auto dash = [](char c) { return c == '-' ? '_' : c; };
    return a.size() == b.size() &&
           std::equal(a.begin(), a.end(), b.begin(), [&](char x, char y) { return dash(x) == dash(y); });
}

/// simple_strtoull() with base 0, which wraps.
inline std::uint64_t strtoull_at(const char*& at) {
    unsigned base = 10;
    const auto lower = [](char c) { return static_cast<char>(c | 0x20); };
    const auto digit = [&](char c) -> unsigned {
        if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
        if (lower(c) >= 'a' && lower(c) <= 'f') return static_cast<unsigned>(lower(c) - 'a' + 10);
        return 99;
    };
    if (at[0] == '0') base = lower(at[1]) == 'x' && digit(at[2]) < 16 ? 16 : 8;
    if (base == 16) at += 2;
    std::uint64_t value = 0;
    for (; digit(*at) < base; ++at) value = value * base + digit(*at);
    return value;
}

/// memparse()
inline std::uint64_t memparse_at(const char*& at) {
    std::uint64_t value = strtoull_at(at);
    const std::string units = "KMGTPE";
    const auto unit = *at == '\0' ? units.npos : units.find(static_cast<char>(*at & ~0x20));
    if (unit == units.npos || !((*at >= 'A' && *at <= 'Z') || (*at >= 'a' && *at <= 'z'))) return value;
    ++at;
    return value << 10 * (unit + 1);
}

// --- arch/x86/kernel/e820.c ---------------------------------------------------------------------------------------

struct E820Entry {
    std::uint64_t addr = 0, size = 0;
    std::uint32_t type = 0;
    friend bool operator==(const E820Entry&, const E820Entry&) = default;
};
using E820Table = std::vector<E820Entry>;

/// e820__update_table(), with its list of change points and of what overlaps there;
/// nullopt where it gives up.
inline std::optional<E820Table> update_table(const E820Table& table) {
    if (table.size() < 2) return std::nullopt;
    struct Point {
        std::uint64_t addr;
        std::size_t entry;
        bool begins;
    };
    std::vector<Point> points;
    for (std::size_t i = 0; i < table.size(); ++i) {
        if (table[i].addr + table[i].size < table[i].addr) return std::nullopt;
        if (table[i].size == 0) continue;
        points.push_back({table[i].addr, i, true});
        points.push_back({table[i].addr + table[i].size, i, false});
    }
    std::stable_sort(points.begin(), points.end(), [](const Point& a, const Point& b) {
        return a.addr != b.addr ? a.addr < b.addr : a.begins && !b.begins;
    });
    constexpr std::uint32_t pram = 12, soft_reserved = 0xefffffff;
    E820Table result;
    std::vector<std::size_t> overlap;
    E820Entry open;
    std::uint32_t last_type = 0;
    for (const Point& point : points) {
        if (point.begins)
            overlap.push_back(point.entry);
        else
            overlap.erase(std::find(overlap.begin(), overlap.end(), point.entry));
        std::uint32_t type = 0;
        for (const std::size_t i : overlap) type = std::max(type, table[i].type);
        if (type == last_type && type != pram && type != soft_reserved) continue;
        if (last_type != 0 && point.addr != open.addr) {
            open.size = point.addr - open.addr;
            result.push_back(open);
        }
        open = {point.addr, 0, type};
        last_type = type;
    }
    return result;
}

/// What parse_memmap_one() calls, in its own terms.
struct MemmapCall {
    enum class What { forget, add, update, remove } what;
    std::uint64_t addr = 0, size = 0;
    std::uint32_t from = 0, to = 0;
    friend bool operator==(const MemmapCall&, const MemmapCall&) = default;
};

/// parse_memmap_opt() and parse_memmap_one(); a part that the kernel ignores or
/// stops in the middle of is nullopt.
inline std::vector<std::optional<MemmapCall>> parse_memmap(const std::string& value) {
    using What = MemmapCall::What;
    std::vector<std::optional<MemmapCall>> calls;
    for (std::size_t start = 0; start <= value.size();) {
        const std::size_t comma = std::min(value.find(',', start), value.size());
        const std::string part = value.substr(start, comma - start);
        start = comma + 1;
        const char* p = part.c_str();
        if (part.compare(0, 8, "exactmap") == 0) {
            calls.push_back(MemmapCall{What::forget});
            continue;
        }
        const std::uint64_t size = memparse_at(p);
        if (p == part.c_str()) {
            calls.push_back(std::nullopt);
            continue;
        }
        MemmapCall call{What::add};
        const char sign = *p;
        const std::string signs = "@#$!";
        constexpr std::uint32_t types[] = {1, 3, 2, 12};
        if (sign != '\0' && signs.find(sign) != signs.npos) {
            ++p;
            const std::uint64_t addr = memparse_at(p);
            call = {What::add, addr, size, 0, types[signs.find(sign)]};
        } else if (sign == '%') {
            ++p;
            call.addr = memparse_at(p);
            call.size = size;
            if (*p == '-') call.from = static_cast<std::uint32_t>(strtoull_at(++p));
            if (*p == '+') call.to = static_cast<std::uint32_t>(strtoull_at(++p));
            call.what = call.from && call.to ? What::update : call.to ? What::add : What::remove;
        } else {
            call = {What::remove, size, ~std::uint64_t{0} - size, 1, 0};
        }
        if (*p == '\0')
            calls.push_back(call);
        else
            calls.push_back(std::nullopt);
    }
    return calls;
}

// The entries that are added while it goes through the table are gone through, too; what is left with no size stays.

/// e820__range_update(), with size cut at the end of 64 bits.
inline void range_update(E820Table& table, std::uint64_t start, std::uint64_t size, std::uint32_t from,
                         std::uint32_t to) {
    const std::uint64_t end = start + std::min(size, ~std::uint64_t{0} - start);
    for (std::size_t i = 0; i < table.size(); ++i) {
        if (table[i].type != from) continue;
        const std::uint64_t entry_end = table[i].addr + table[i].size;
        if (table[i].addr >= start && entry_end <= end) {
            table[i].type = to;
        } else if (table[i].addr < start && entry_end > end) {
            table[i].size = start - table[i].addr;
            table.push_back({start, end - start, to});
            table.push_back({end, entry_end - end, from});
        } else if (const std::uint64_t low = std::max(start, table[i].addr), high = std::min(end, entry_end);
                   low < high) {
            table[i].size -= high - low;
            if (table[i].addr >= low) table[i].addr = high;
            table.push_back({low, high - low, to});
        }
    }
}

/// e820__range_remove(); of any type where `from` is 0.
inline void range_remove(E820Table& table, std::uint64_t start, std::uint64_t size, std::uint32_t from) {
    const std::uint64_t end = start + std::min(size, ~std::uint64_t{0} - start);
    for (std::size_t i = 0; i < table.size(); ++i) {
        if (from != 0 && table[i].type != from) continue;
        const std::uint64_t entry_end = table[i].addr + table[i].size;
        if (table[i].addr >= start && entry_end <= end) {
            table[i] = {};
        } else if (table[i].addr < start && entry_end > end) {
            table[i].size = start - table[i].addr;
            table.push_back({end, entry_end - end, table[i].type});
        } else if (const std::uint64_t low = std::max(start, table[i].addr), high = std::min(end, entry_end);
                   low < high) {
            table[i].size -= high - low;
            if (table[i].addr >= low) table[i].addr = high;
        }
    }
}

/// The map after parse_early_param() and e820__finish_early_params(): every memmap= and mem= of the command line on the
/// firmware's; nullopt where the kernel panics.
inline std::optional<E820Table> early_map(E820Table table, const std::string& command_line) {
    using What = MemmapCall::What;
    bool user_defined = false;
    for (const Argument& argument : parse_args(command_line)) {
        const std::string value = argument.value.value_or("");
        if (same_parameter(argument.param, "mem") && value != "nopentium") {
            const char* p = value.c_str();
            const std::uint64_t limit = memparse_at(p);
            if (limit == 0) continue;
            user_defined = true;
            range_remove(table, limit, ~std::uint64_t{0} - limit, 1);
        } else if (same_parameter(argument.param, "memmap")) {
            for (const auto& call : parse_memmap(value)) {
                if (!call) continue;
                user_defined = true;
                switch (call->what) {
                    case What::forget:
                        table.clear();
                        break;
                    case What::add:
                        table.push_back({call->addr, call->size, call->to});
                        break;
                    case What::update:
                        range_update(table, call->addr, call->size, call->from, call->to);
                        break;
                    case What::remove:
                        range_remove(table, call->addr, call->size, call->from);
                        break;
                }
            }
        }
    }
    if (!user_defined) return table;
    return update_table(table);
}

}  // namespace reference
