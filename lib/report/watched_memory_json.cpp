// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>

#include "lib/load/crash_records.hpp"
#include "lib/report/json_reader.hpp"

namespace handoff {
namespace {

// "2026-11-20T03:05:00Z"
bool is_time(std::string_view text) {
    constexpr std::string_view form = "0000-00-00T00:00:00Z";
    return text.size() == form.size() && std::equal(text.begin(), text.end(), form.begin(), [](char c, char f) {
               return f == '0' ? c >= '0' && c <= '9' : c == f;
           });
}

}  // namespace

Result<WatchedMemory> parse_watched_memory(std::string_view text) {
    static_assert(WatchedMemory::schema == e820::json_schema);
    constexpr std::uint64_t most = std::uint64_t{1} << 50;
    const auto document = parse_bounded_json(text);
    if (!document) return document.error();
    std::optional<base::Error> problem;
    JsonReader in(*document, "", problem);
    if (in.number("schema") != WatchedMemory::schema) in.fail("schema", fmt::format("{}", WatchedMemory::schema));
    if (in.text("command") != "watch") in.fail("command", "watch: a record of a crash kernel's memory");
    const auto number = [&](const char* key) {
        const std::uint64_t value = in.number(key);
        if (value > most) in.fail(key, "no more than 1 PiB");
        return value;
    };
    const auto if_any = [&](const char* key) { return in.null(key) ? std::nullopt : std::optional(number(key)); };
    WatchedMemory memory;
    memory.time = in.text("time");
    if (!is_time(memory.time)) in.fail("time", "a time like \"2026-11-20T03:05:00Z\"");
    memory.release = in.text("release");
    memory.command_line = in.text("command_line");
    memory.possible_cpus = in.text("possible_cpus");
    memory.running_cpus = in.text("running_cpus");
    memory.ram_bytes = if_any("ram_bytes");
    memory.total_bytes = number("total_bytes");
    memory.first_free_bytes = number("first_free_bytes");
    memory.first_available_bytes = number("first_available_bytes");
    memory.lowest_free_bytes = number("lowest_free_bytes");
    memory.lowest_available_bytes = number("lowest_available_bytes");
    memory.slabs = if_any("slabs");
    memory.slabs_used = if_any("slabs_used");
    memory.oom_kills = if_any("oom_kills");
    memory.vmcore_bytes = if_any("vmcore_bytes");
    memory.collector = in.text("collector");
    memory.dump_bytes = number("dump_bytes");
    memory.dump_seconds = number("dump_seconds");
    memory.dump_done = in.boolean("dump_done");
    memory.looks = number("looks");
    if (memory.lowest_available_bytes > memory.first_available_bytes ||
        memory.lowest_free_bytes > memory.first_free_bytes || memory.first_available_bytes > memory.total_bytes ||
        memory.total_bytes > memory.ram_bytes.value_or(most))
        in.fail("lowest_available_bytes", "no more than at first, and no more than there is");
    if (problem) return *problem;
    return memory;
}

}  // namespace handoff
