// SPDX-License-Identifier: GPL-2.0-or-later
#include "e820/log.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include <fmt/format.h>

#include "base/excerpt.hpp"
#include "base/number.hpp"
#include "e820/log_line.hpp"
#include "e820/type.hpp"

namespace e820 {

using base::Address;
using base::AddressRange;
using base::Error;
using base::excerpt;
using base::input_error;
using base::parse_number;
using base::Result;
namespace {

using std::string_view;

/// The most machines whose lines may stand in turn in one log.
constexpr std::size_t most_hosts = 4096;

struct Heading {
    string_view text;
    MapKind kind;
};
constexpr std::array<Heading, 4> headings = {{
    {"BIOS-provided physical RAM map:", MapKind::firmware},
    {"extended physical RAM map:", MapKind::setup_data},  // or MapKind::extended: the entries tell
    {"user-defined physical RAM map:", MapKind::user},
    {"modified physical RAM map:", MapKind::modified},
}};

struct Speaker {
    string_view text;
    MapKind kind;
    bool only_entries;  ///< only the entries of a map begin like this
};
constexpr std::array<Speaker, 8> speakers = {{
    {"BIOS-e820:", MapKind::firmware, true},
    {"BIOS-e801:", MapKind::firmware, true},
    {"BIOS-88:", MapKind::firmware, true},
    {"Xen:", MapKind::firmware, false},
    {"extended:", MapKind::extended, false},
    {"reserve setup_data:", MapKind::setup_data, true},
    {"user:", MapKind::user, false},
    {"modified:", MapKind::modified, false},
}};

string_view trim_front(string_view text) {
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
    return text;
}

std::optional<MapKind> heading_of(string_view line) {
    if (line.starts_with("e820: ")) line.remove_prefix(6);  // Linux 3.4 to 4.10
    for (const Heading& heading : headings) {
        if (line.starts_with(heading.text)) return heading.kind;
    }
    return std::nullopt;
}

bool starts_like_range(string_view text) {
    return text.starts_with('[') || text.substr(0, 8).find_first_not_of("0123456789abcdef") == string_view::npos;
}

/// The map that a line belongs to, and its text behind the name of the map; nullopt for lines that are no entry.
struct Statement {
    MapKind kind = MapKind::firmware;
    string_view rest;
};
std::optional<Statement> statement_of(string_view line) {
    for (const Speaker& speaker : speakers) {
        if (!line.starts_with(speaker.text)) continue;
        const string_view rest = trim_front(line.substr(speaker.text.size()));
        if (speaker.only_entries || (!rest.empty() && starts_like_range(rest))) return Statement{speaker.kind, rest};
    }
    return std::nullopt;
}

/// Removes "0x…<separator>0x…<close>" from the front; in the old form the prefix is "".
struct Bounds {
    Address first = 0;
    Address second = 0;
};
std::optional<Bounds> take_bounds(string_view& text, string_view prefix, string_view separator, string_view close) {
    Bounds bounds;
    for (const auto& [value, end_mark] : {std::pair(&bounds.first, separator), std::pair(&bounds.second, close)}) {
        if (!text.starts_with(prefix)) return std::nullopt;
        const auto end = text.substr(0, 32).find(end_mark, prefix.size());
        if (end == string_view::npos) return std::nullopt;
        const auto number = parse_number(text.substr(prefix.size(), end - prefix.size()), 16);
        if (!number) return std::nullopt;
        *value = *number;
        text.remove_prefix(end + end_mark.size());
    }
    return bounds;
}

/// What was read: an entry, a gap, or what is wrong with the line.
struct Parsed {
    enum { entry, gap, broken, impossible } reading = broken;
    Entry value;
    string_view expected;
    string_view found;
};

/// "[mem 0x0-0x9fbff] usable" (both ends included), "[gap 0x…-0x…]", or up to 3.3
/// "0000000000000000 - 000000000009fc00 (usable)" (the end is the next address).
Parsed parse_statement(string_view text) {
    const string_view all = text;
    const bool gap = text.starts_with("[gap ");
    const bool inclusive = gap || text.starts_with("[mem ");
    if (inclusive) text.remove_prefix(5);
    const auto bounds = inclusive ? take_bounds(text, "0x", "-", "]") : take_bounds(text, "", " - ", " ");
    if (!bounds) return {Parsed::broken, {}, "'[mem 0x...-0x...] type'", all};
    text = trim_front(text);
    if (!inclusive && text.starts_with('(') && text.ends_with(')')) text = text.substr(1, text.size() - 2);
    if (gap && !text.empty()) return {Parsed::broken, {}, "nothing after a gap", text};
    const auto type = gap ? Type::reserved : from_log_label(text);
    if (!type) return {Parsed::broken, {}, "a memory type after the range", text};
    const auto range = inclusive ? AddressRange::from_inclusive(bounds->first, bounds->second)
                                 : AddressRange::from_bounds(bounds->first, bounds->second);
    if (!range) return {Parsed::impossible, {}, "a range whose end is above its start", all};
    return {gap ? Parsed::gap : Parsed::entry, {*range, *type}, {}, {}};
}

Error error_of(const Parsed& parsed, std::size_t line) {
    return input_error(line, fmt::format("expected {}, found {}", parsed.expected, excerpt(parsed.found)));
}

/// Puts each entry into the map and the boot that it belongs to.
class Collector {
public:
    void start_boot(std::size_t line) {
        boots_.push_back({line, {}});
        heading_line_.reset();
    }

    void heading(MapKind kind, std::size_t line) {
        if (boots_.empty() || (kind == MapKind::firmware && has_firmware_map())) start_boot(line);
        heading_line_ = line;
    }

    /// An error where the map's order makes no sense.
    std::optional<Error> entry(MapKind kind, const Entry& entry, std::size_t line) {
        if (boots_.empty()) start_boot(line);
        if (heading_line_ || boots_.back().maps.empty() || boots_.back().maps.back().kind != kind) {
            start_map(kind, line);
        } else if (const Table& table = boots_.back().maps.back().table;
                   entry.range.start() < table.entries.back().range.end()) {
            // Printed maps are sorted. One that goes back to where it began is the next boot's.
            if (entry.range.start() != table.entries.front().range.start()) {
                return input_error(line,
                                   fmt::format("expected a range above {:#x}, found one at {:#x}: these may be the "
                                               "lines of two machines or of two boots in turn, which nothing "
                                               "tells apart. Keep those of one",
                                               table.entries.back().range.end(), entry.range.start()));
            }
            start_map(kind, line);
        }
        boots_.back().maps.back().table.entries.push_back(entry);
        return std::nullopt;
    }

    std::vector<LogBoot> finish() && { return std::move(boots_); }

private:
    [[nodiscard]] bool has_firmware_map() const {
        return !boots_.empty() && boots_.back().find(MapKind::firmware) != nullptr;
    }

    void start_map(MapKind kind, std::size_t line) {
        const bool headed = heading_line_.has_value();
        if (kind == MapKind::firmware && has_firmware_map()) start_boot(line);
        boots_.back().maps.push_back({kind, {}, line, headed});
        heading_line_.reset();
    }

    std::vector<LogBoot> boots_;
    std::optional<std::size_t> heading_line_;  ///< of a heading that no entry has followed yet
};

}  // namespace

const LogMap* LogBoot::find(MapKind kind) const {
    const auto found = std::find_if(maps.rbegin(), maps.rend(), [&](const LogMap& map) { return map.kind == kind; });
    return found == maps.rend() ? nullptr : &*found;
}

// Memory that was added while the machine runs touches other RAM as well, and comes in blocks of 128 MiB or more.
constexpr std::uint64_t most_setup_data = 64 << 20;

Table with_setup_data(Table table) {
    auto& entries = table.entries;
    const auto touches = [&](std::size_t i) { return entries[i].range.start() == entries[i - 1].range.end(); };
    for (std::size_t first = 0, end = 0; first < entries.size(); first = end) {
        std::uint64_t bytes[2] = {};  // of every second entry, from the first one on and from the second one on
        for (end = first; end < entries.size() && entries[end].type == Type::ram; ++end) {
            if (end > first && !touches(end)) break;
            bytes[(end - first) % 2] += entries[end].range.size();
        }
        const std::size_t small = bytes[1] < bytes[0] ? 1 : 0;
        if (end > first + 1 && bytes[small] <= most_setup_data)
            for (std::size_t i = first + small; i < end; i += 2) entries[i].type = Type::reserved_kern;
        end = std::max(end, first + 1);
    }
    return table;
}

bool starts_boot(string_view line) { return line.starts_with("Linux version "); }

Result<std::vector<LogBoot>> parse_log_table(string_view text) {
    LogLines lines(text);
    std::map<std::string, Collector, std::less<>> of_hosts;
    while (const auto line = lines.next()) {
        const std::size_t number = line->number;
        auto host = of_hosts.find(line->host);
        if (host == of_hosts.end()) {
            if (!starts_boot(line->text) && !heading_of(line->text) && !statement_of(line->text)) continue;
            if (of_hosts.size() >= most_hosts) return input_error(number, "the log has lines of too many machines");
            host = of_hosts.emplace(line->host, Collector()).first;
        }
        Collector& maps = host->second;
        if (starts_boot(line->text)) {
            maps.start_boot(number);
        } else if (const auto kind = heading_of(line->text)) {
            maps.heading(*kind, number);
        } else if (const auto statement = statement_of(line->text)) {
            Parsed parsed = parse_statement(statement->rest);
            std::string joined;
            if (parsed.reading == Parsed::broken) {
                auto error = error_of(parsed, number);
                joined = statement->rest;
                if (const auto tail = lines.next()) joined.append(" ").append(tail->text);
                parsed = parse_statement(joined);
                if (parsed.reading == Parsed::broken) return error;
            }
            if (parsed.reading == Parsed::impossible) return error_of(parsed, number);
            if (parsed.reading == Parsed::gap) continue;
            if (auto error = maps.entry(statement->kind, parsed.value, number)) return *std::move(error);
        }
    }
    std::vector<LogBoot> boots;
    for (auto& [host, maps] : of_hosts)
        for (LogBoot& boot : std::move(maps).finish()) boots.push_back(std::move(boot));
    std::stable_sort(boots.begin(), boots.end(), [](const LogBoot& a, const LogBoot& b) { return a.line < b.line; });
    return boots;
}

}  // namespace e820
