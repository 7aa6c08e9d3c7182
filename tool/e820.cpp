// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include "e820/binary.hpp"
#include "e820/render.hpp"
#include "e820/type.hpp"
#include "lib/decide/loads.hpp"
#include "lib/kernel/command_line.hpp"
#include "lib/report/documents.hpp"
#include "tool/commands.hpp"
#include "tool/print.hpp"
#include "tool/table.hpp"

namespace tool {
namespace {

using handoff::Verdict;

void print_table(const e820::Table& table, const std::string& format) {
    if (format == "log")
        print(e820::render_log(table));
    else if (format == "log7")
        print(e820::render_log(table, e820::LabelStyle::v7));
    else if (format == "memmap") {
        for (const std::string& word : e820::render_memmap(table)) print_line(word);
    } else if (format == "json")
        print_json(handoff::e820_document(table));
    else if (format == "binary") {
        const e820::BootEntries entries = e820::render_binary(table);
        for (const auto& part : {entries.boot_params, entries.setup_data})
            print_bytes(std::string_view(reinterpret_cast<const char*>(part.data()), part.size()));
    }
}

// Where the crash kernel needs no pool its map is that of plain kdump.
Status print_predicted(const Options& options) {
    const auto of = asked(options);
    if (!of) return fail(of.error());
    const handoff::Plan plan = handoff::decide(of->machine, of->request);
    if (plan.verdict != Verdict::ready) complain(headline(plan));
    if (!options.before && plan.verdict == Verdict::refused) return status_of(plan.verdict);
    if (!options.before && plan.verdict == Verdict::ready) {
        print_table(plan.after, options.format);
        return Status::ready;
    }
    // If no pool is needed, the plan has not looked at the load.
    const auto load = plan.loads.empty() ? handoff::plain_load(of->machine, of->request)
                                         : base::Result<handoff::Load>(plan.loads.front());
    if (!load) {
        if (plan.verdict != Verdict::refused) complain(load.error().message());
        return status_of(Verdict::refused);
    }
    print_table(load->map, options.format);
    return options.before ? Status::ready : status_of(plan.verdict);
}

}  // namespace

Status e820(const Options& options) {
    if (!options.input) return print_predicted(options);
    auto table = read_table(*options.input, options.input_format);
    if (!table) return fail(table.error());
    const auto line = handoff::CommandLine::parse(options.command_line.value_or(""));
    if (!line) return fail(line.error());
    const auto map = handoff::apply_memory_words(*table, *line);
    if (!map) return fail(map.error());
    e820::Table rewritten = *map;
    if (const auto& pool = options.pool) {
        for (const e820::Entry& entry : rewritten.entries)
            if (entry.type != e820::Type::ram && entry.range.overlaps(*pool)) {
                complain(fmt::format("the pool {} overlaps {}, which is not RAM", base::to_string(*pool),
                                     base::to_string(entry.range)));
                return Status::refused;
            }
        rewritten.add(*pool, e820::Type::ram);
    }
    print_table(e820::sanitised(rewritten), options.format);
    return Status::ready;
}

}  // namespace tool
