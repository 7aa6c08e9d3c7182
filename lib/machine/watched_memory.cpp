// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/machine/watched_memory.hpp"

#include <chrono>

#include "base/number.hpp"
#include "base/text.hpp"

namespace handoff {
namespace {

std::string json_string(std::string_view text) {
    std::string json = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') json += '\\';
        json += c < ' ' || c > '~' ? '?' : c;
    }
    return json + '"';
}

std::string or_null(const std::optional<std::uint64_t>& number) { return number ? base::text(*number) : "null"; }

}  // namespace

std::string utc_text(std::uint64_t seconds) {
    using namespace std::chrono;
    constexpr std::uint64_t of_a_day = 86400, latest = 253402300799;  // the year 9999
    if (seconds > latest) seconds = latest;
    const year_month_day date(sys_days(days(static_cast<int>(seconds / of_a_day))));
    const std::uint64_t second = seconds % of_a_day;
    return base::text(base::Decimal{static_cast<unsigned>(static_cast<int>(date.year())), 4}, "-",
                      base::Decimal{static_cast<unsigned>(date.month()), 2}, "-",
                      base::Decimal{static_cast<unsigned>(date.day()), 2}, "T", base::Decimal{second / 3600, 2}, ":",
                      base::Decimal{second / 60 % 60, 2}, ":", base::Decimal{second % 60, 2}, "Z");
}

std::string to_text(const WatchedMemory& m) {
    std::string text = "{\n";
    const auto member = [&](std::string_view name, std::string_view value) {
        text += base::text("  \"", name, "\": ", value, ",\n");
    };
    member("schema", base::text(WatchedMemory::schema));
    member("command", "\"watch\"");
    member("time", json_string(m.time));
    member("release", json_string(m.release));
    member("command_line", json_string(m.command_line));
    member("possible_cpus", json_string(m.possible_cpus));
    member("running_cpus", json_string(m.running_cpus));
    member("ram_bytes", or_null(m.ram_bytes));
    member("total_bytes", base::text(m.total_bytes));
    member("first_free_bytes", base::text(m.first_free_bytes));
    member("first_available_bytes", base::text(m.first_available_bytes));
    member("lowest_free_bytes", base::text(m.lowest_free_bytes));
    member("lowest_available_bytes", base::text(m.lowest_available_bytes));
    member("slabs", or_null(m.slabs));
    member("slabs_used", or_null(m.slabs_used));
    member("oom_kills", or_null(m.oom_kills));
    member("vmcore_bytes", or_null(m.vmcore_bytes));
    member("collector", json_string(m.collector));
    member("dump_bytes", base::text(m.dump_bytes));
    member("dump_seconds", base::text(m.dump_seconds));
    member("dump_done", m.dump_done ? "true" : "false");
    return text + base::text("  \"looks\": ", m.looks, "\n}\n");
}

std::optional<std::uint64_t> number_in(std::string_view document, std::string_view member) {
    const std::string before = base::text("\n  \"", member, "\": ");
    const auto at = document.find(before);
    if (at == document.npos) return std::nullopt;
    document.remove_prefix(at + before.size());
    return base::parse_number(document.substr(0, document.find_first_of(",\n")), 10);
}

}  // namespace handoff
