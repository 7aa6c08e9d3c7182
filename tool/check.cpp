// SPDX-License-Identifier: GPL-2.0-or-later
#include <optional>

#include <fmt/format.h>

#include "lib/report/documents.hpp"
#include "lib/sources/host.hpp"
#include "lib/sources/user_file.hpp"
#include "swiotlb-handoff/check.hpp"
#include "tool/commands.hpp"
#include "tool/print.hpp"
#include "tool/table.hpp"

namespace tool {
namespace {

// What is loaded, of the record of a load by 'swiotlb-handoff kexec', which leaves a lent pool out of the ELF headers.
handoff::Wishes of_record(handoff::Wishes wishes, const handoff::Record& record) {
    wishes = handoff::as_recorded(std::move(wishes), record);
    wishes.leaves_pool_out = true;
    return wishes;
}

std::string headline(const handoff::CheckResult& result) {
    if (!result.sound()) return "refused";
    if (result.proven)
        return result.assumptions.empty() ? "sound, and the place of the pool is proven"
                                          : "sound, and the place of the pool is proven if the assumptions are true";
    return result.compared ? "sound" : "well-formed, but there is no pool to compare it with";
}

}  // namespace

Status check(const Options& options) {
    handoff::CheckInput input;
    handoff::Wishes wishes = wishes_from(options);
    if (options.map_file) {
        const auto table = read_table(*options.map_file, "auto");
        if (!table) return fail(table.error());
        input.map = *table;
    }
    if (options.core_file) {
        const auto head = handoff::read_user_file_head(*options.core_file, 4 * base::MiB);
        if (!head) return fail(head.error());
        auto core = handoff::parse_elf_core(std::as_bytes(std::span(head->bytes)));
        if (!core) return fail(std::move(core).error().at(*options.core_file));
        input.core = *core;
    }
    std::optional<handoff::Record> record;
    if (options.record_file) {
        const auto text = handoff::read_user_file(*options.record_file, base::MiB + 1);
        if (!text) return fail(text.error());
        auto parsed = handoff::parse_record(*text);
        if (!parsed) return fail(std::move(parsed).error().at(*options.record_file));
        record = std::move(*parsed);
        if (options.method == handoff::Method::automatic) wishes.method = record->method;
        if (!input.map && !record->map.entries.empty()) input.map = record->map;
    }
    const auto opened = host_of(options);
    if (!opened) return fail(opened.error());
    const handoff::Host& host = *opened;
    const bool own_line = !options.command_line && !record;
    auto machine = machine_of(host);
    // Without --place the machine is a help where it can be read and has a pool.
    if (!machine && (options.place || own_line || !host.live())) return fail(machine.error());
    if (options.place || (machine && (options.pool || !machine->pool.empty()))) {
        input.machine = &*machine;
        input.booted = own_line && !options.place;
    }
    if (input.machine && !input.booted) {
        const auto request = handoff::request_for(host, *machine, record ? of_record(wishes, *record) : wishes);
        if (!request) return fail(request.error());
        handoff::look_where_asked(host, *request, *machine);
        input.request = *request;
    }
    input.command_line = options.command_line ? *options.command_line
                         : record             ? record->command_line
                                              : machine->command_line;

    handoff::CheckResult result;
    if (!record || record->outcome == handoff::Record::Outcome::handoff) result = handoff::check(input);
    if (record)
        for (handoff::Reason& reason : handoff::judge_record(*record)) result.reasons.push_back(std::move(reason));
    if (options.json) {
        print_json(handoff::check_document(result));
    } else {
        field("handoff", headline(result));
        print_assumptions(result.assumptions);
        print_reasons(result.reasons);
    }
    return result.sound() ? Status::ready : Status::refused;
}

}  // namespace tool
