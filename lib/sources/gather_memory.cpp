// SPDX-License-Identifier: GPL-2.0-or-later
#include <utility>

#include "base/scan.hpp"
#include "lib/kernel/behaviour.hpp"
#include "lib/kernel/command_line.hpp"
#include "lib/sources/gathering.hpp"
#include "lib/sources/kallsyms_table.hpp"
#include "lib/sources/pool_traces.hpp"

namespace handoff {

void open_memory(Gathering& g) {
    auto file = g.optional(g.host.open(Source::kcore), Source::kcore);
    if (!file) return;
    auto core = g.optional(Core::open(*std::move(file)), Source::kcore);
    if (!core) return;
    auto symbols = g.optional(kernel_symbols(g.host, *core, wanted_symbols()), Source::kallsyms);
    if (!symbols) return;
    g.symbols = *std::move(symbols);
    g.core = *std::move(core);
}

void read_hiwater(Gathering& g) {
    Machine& machine = g.machine;
    // The word says it of any kernel: those that do not know it always count.
    const auto line = CommandLine::parse(machine.command_line);
    const auto option = line ? swiotlb_option(*line, machine.release) : line.error();
    if (option && option->track_hiwater) {
        machine.hiwater_tracked = true;
    } else if (g.core) {
        // A capture has the symbols that whoever made it looked for.
        auto tracked = read_hiwater_tracking(g.symbols, g.host.live(), reader_of(g));
        if (tracked)
            machine.hiwater_tracked = *tracked;
        else if (tracked.error().code != Errc::not_found)
            g.note(std::move(tracked).error(), Source::kcore);
    }
    // Nothing but the word switches it on.
    if (!machine.hiwater_tracked && option && machine.knows_command_line() &&
        counts_hiwater_on_request(machine.release))
        machine.hiwater_tracked = false;
    if (!machine.hiwater_tracked.value_or(true)) machine.slabs_hiwater.reset();
}

void read_recorded_traces(Gathering& g) {
    const auto text = g.host.live() ? std::nullopt : g.text(Source::pool_traces);
    if (!text) return;
    if (text->starts_with(traces_not_read)) {
        std::string why = text->substr(traces_not_read.size());
        why.resize(base::trimmed(why).size());
        g.machine.pool_traces_problem = Error{Errc::io, "", 0, std::move(why)};
        return;
    }
    g.machine.pool_traces = g.optional(parse_pool_traces(*text), Source::pool_traces);
}

MemoryReader reader_of(const Gathering& g) {
    return [&g](Address address, std::size_t size) -> Result<std::vector<std::byte>> {
        auto bytes = g.core->read(address, size);
        if (!bytes) return std::move(bytes).error().at(g.path(Source::kcore));
        return bytes;
    };
}

void read_pool_in_memory(Gathering& g) {
    if (!g.core) return;
    const auto layout = [&g]() -> Result<PoolLayout> {
        const std::string file = g.path(Source::btf);
        auto btf = g.host.open(Source::btf);
        if (!btf) return std::move(btf).error();
        auto offsets = pool_layout(read_at(*btf));
        if (!offsets) return std::move(offsets).error().at(file);
        g.machine.pool_areas = offsets->areas;
        return offsets;
    };
    auto pool = read_pool(g.symbols, layout, reader_of(g));
    if (!pool) {
        // Here a thing not found is worth a word: the rest was there. And a kernel with another
        // structure may have another mind about where its pool goes.
        Error error = std::move(pool).error().at(g.path(Source::kcore));
        if (error.code == Errc::input) g.machine.pool_not_understood = error;
        g.note(std::move(error), Source::kcore);
    } else if (*pool) {
        g.machine.pool.push_back({**pool, PoolSource::memory, {g.path(Source::kcore), 0}});
    } else {
        g.machine.no_pool_in_memory = true;
    }
}

}  // namespace handoff
