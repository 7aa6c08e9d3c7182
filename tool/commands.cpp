// SPDX-License-Identifier: GPL-2.0-or-later
#include "tool/commands.hpp"

#include <algorithm>
#include <array>
#include <filesystem>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "e820/binary.hpp"
#include "e820/firmware_memmap.hpp"
#include "e820/log.hpp"
#include "e820/number.hpp"
#include "e820/render.hpp"
#include "lib/capture.hpp"
#include "lib/check.hpp"
#include "lib/command_line.hpp"
#include "lib/host.hpp"
#include "lib/image.hpp"
#include "lib/iomem.hpp"
#include "lib/lend.hpp"
#include "lib/recommend.hpp"
#include "lib/record.hpp"
#include "tool/print.hpp"
#include "tool/rule_page.hpp"

namespace tool {
namespace {

using e820::AddressRange;
using e820::Errc;
using e820::Error;
using e820::Result;
using handoff::Verdict;
using nlohmann::json;

constexpr std::size_t largest_input = 64 * e820::MiB;

Status status_of(const Error& error) { return error.code == Errc::not_permitted ? Status::not_permitted : Status::input; }

void print_json(const json& document) { print(document.dump(2, ' ', false, json::error_handler_t::replace) + '\n'); }

Result<AddressRange> parse_pool(const std::string& text) {
    const auto dash = text.find('-');
    const auto start = e820::parse_prefixed(std::string_view(text).substr(0, dash));
    const auto end = dash == text.npos ? std::nullopt : e820::parse_prefixed(std::string_view(text).substr(dash + 1));
    const auto range = start && end ? AddressRange::from_bounds(*start, *end) : std::nullopt;
    if (!range || range->empty()) return e820::input_error(0, fmt::format("--pool: expected START-END, found '{}'", text));
    return *range;
}

Result<handoff::PlanRequest> request_from(const Options& options) {
    handoff::PlanRequest request;
    request.loader = options.loader;
    request.method = options.method;
    request.command_line = options.command_line;
    request.accept = options.accept;
    request.lend = options.lend;
    request.collector = options.collector;
    if (options.kernel) {
        const auto image = handoff::read_image(*options.kernel);
        if (!image) return image.error();
        request.image = *image;
    }
    if (options.initrd) {
        const auto head = handoff::read_user_file_head(*options.initrd, 1);
        if (!head) return head.error();
        request.initrd_bytes = head->size;
    }
    if (options.pool) {
        const auto pool = parse_pool(*options.pool);
        if (!pool) return pool.error();
        request.pool = *pool;
    }
    return request;
}

Result<handoff::Plan> plan_from(const Options& options) {
    const handoff::Host host(options.root);
    const auto machine = handoff::gather(host);
    if (!machine) return machine.error();
    const auto request = request_from(options, host, machine->release);
    if (!request) return request.error();
    return handoff::plan(*machine, *request);
}

Result<e820::Table> parse_iomem_table(std::string_view text) {
    const auto entries = handoff::parse_iomem(text);
    if (!entries) return entries.error();
    e820::Table table;
    for (const handoff::IomemEntry& entry : *entries)
        if (const auto type = e820::from_iomem_name(entry.name); type && !entry.range.empty()) table.add(entry.range, *type);
    return table;
}

Result<e820::Table> parse_log_map(std::string_view text) {
    const auto boots = e820::parse_log_table(text);
    if (!boots) return boots.error();
    for (auto boot = boots->rbegin(); boot != boots->rend(); ++boot)
        if (const auto* map = boot->find(e820::MapKind::firmware)) return map->table;
    for (auto boot = boots->rbegin(); boot != boots->rend(); ++boot)
        if (!boot->maps.empty()) return boot->maps.back().table;
    return e820::input_error(0, "expected e820 lines, found none");
}

// By its first bytes; a binary table is what is no text at all.
std::string guess_format(std::string_view text) {
    const auto first = text.find_first_not_of(" \t\r\n");
    if (first != text.npos && (text[first] == '[' || text[first] == '{') && text.find("e820") == text.npos && text.find("[mem") == text.npos)
        return "json";
    const std::string_view head = text.substr(0, 4096);
    const bool binary = std::any_of(head.begin(), head.end(), [](char c) { return c == '\0'; });
    if (binary && text.size() % e820::boot_entry_size == 0) return "binary";
    if (text.find("e820") != text.npos || text.find("[mem ") != text.npos) return "log";
    return "iomem";
}

// A directory laid out as /sys/firmware/memmap: 0/start, 0/end, 0/type, 1/start …
Result<e820::Table> read_firmware_directory(const std::string& path) {
    std::vector<std::array<std::string, 4>> texts;
    for (std::size_t n = 0;; ++n) {
        const std::filesystem::path entry = std::filesystem::path(path) / std::to_string(n);
        std::error_code ignored;
        if (!std::filesystem::is_directory(entry, ignored)) break;
        std::array<std::string, 4> text{std::to_string(n)};
        constexpr std::array<const char*, 3> files = {"start", "end", "type"};
        for (std::size_t i = 0; i < files.size(); ++i) {
            auto read = handoff::read_user_file(entry / files[i], 4096);
            if (!read) return read.error();
            text[i + 1] = std::move(*read);
        }
        texts.push_back(std::move(text));
    }
    std::vector<e820::FirmwareMapEntry> entries;
    entries.reserve(texts.size());
    for (const auto& t : texts) entries.push_back({t[0], t[1], t[2], t[3]});
    auto table = e820::parse_firmware_memmap(entries);
    if (!table) return std::move(table).error().at(path);
    return table;
}

Result<e820::Table> read_table(const std::string& path, std::string format) {
    std::error_code ignored;
    if (std::filesystem::is_directory(path, ignored)) return read_firmware_directory(path);
    const auto text = handoff::read_user_file(path == "-" ? "/dev/stdin" : path, largest_input);
    if (!text) return text.error();
    if (format == "auto") format = guess_format(*text);
    Result<e820::Table> table = e820::input_error(0, fmt::format("expected a format log, iomem, json or binary, found '{}'", format));
    if (format == "log") table = parse_log_map(*text);
    else if (format == "iomem") table = parse_iomem_table(*text);
    else if (format == "json") table = e820::parse_json(*text);
    else if (format == "binary") table = e820::parse_binary(std::as_bytes(std::span(*text)));
    if (!table) return std::move(table).error().at(path);
    return table;
}

Status print_table(const e820::Table& table, const std::string& format) {
    if (format == "log") print(e820::render_log(table));
    else if (format == "log7") print(e820::render_log(table, e820::LabelStyle::v7));
    else if (format == "memmap") {
        for (const std::string& word : e820::render_memmap(table)) print(word + '\n');
    } else if (format == "json") print(e820::render_json(table) + '\n');
    else if (format == "binary") {
        const e820::BootEntries entries = e820::render_binary(table);
        for (const auto& part : {entries.boot_params, entries.setup_data})
            print(std::string_view(reinterpret_cast<const char*>(part.data()), part.size()));
    } else {
        complain(fmt::format("--format is log, log7, memmap, json or binary, not '{}'", format));
        return Status::usage;
    }
    return Status::ready;
}

}  // namespace

Status fail(const Error& error) {
    complain(error.message());
    return status_of(error);
}

Status status_of(Verdict verdict) {
    switch (verdict) {
        case Verdict::ready: return Status::ready;
        case Verdict::not_needed: return Status::not_needed;
        case Verdict::refused: return Status::refused;
    }
    return Status::refused;
}

// Where the user names no image: what kdump would load, where it is found. The kdump configuration, too, may ask to lend.
Result<handoff::PlanRequest> request_from(Options options, const handoff::Host& host, const std::string& release) {
    const handoff::CrashImage image = host.crash_image(release);
    if (!options.kernel && image.kernel) options.kernel = image.kernel->string();
    if (!options.initrd && image.initrd) options.initrd = image.initrd->string();
    auto request = request_from(options);
    if (request) handoff::add_lend_settings(*request, host);
    return request;
}

std::optional<handoff::Record> last_record(const handoff::Host& host) {
    const auto text = host.read(handoff::Source::load_record);
    if (!text) return std::nullopt;
    auto record = handoff::parse_record(*text);
    if (!record) return std::nullopt;
    return std::move(*record);
}

Result<std::uint64_t> parse_size(const std::string& option, const std::string& text) {
    std::string_view rest = text;
    const auto size = e820::take_memparse(rest);
    if (!size || !rest.empty()) return e820::input_error(0, fmt::format("{}: expected a size such as 64M, found '{}'", option, text));
    return *size;
}

Result<std::uint64_t> margin_from(const Options& options) {
    return options.margin ? parse_size("--margin", *options.margin) : Result<std::uint64_t>(handoff::Need::default_margin);
}

Status show(const Options& options) {
    const auto machine = handoff::gather(handoff::Host(options.root));
    if (!machine) return fail(machine.error());
    const auto& pool = machine->pool;
    const bool agree = std::all_of(pool.begin(), pool.end(), [&](const auto& s) { return s.range == pool.front().range; });
    if (options.json) {
        json j = {{"schema", 1}, {"pool", nullptr}, {"agree", agree}, {"sightings", json::array()}};
        const auto range = [](const AddressRange& r) {
            return json{{"start", fmt::format("{:#x}", r.start())}, {"end", fmt::format("{:#x}", r.end())}, {"size", r.size()}};
        };
        if (!pool.empty()) {
            j["pool"] = range(pool.front().range);
            j["pool"]["slabs"] = pool.front().range.size() / 2048;
            j["pool"]["source"] = handoff::name(pool.front().source);
        }
        if (machine->slabs_used) j["slabs_used"] = *machine->slabs_used;
        if (machine->slabs_hiwater) j["slabs_hiwater"] = *machine->slabs_hiwater;
        for (const auto& s : pool) {
            json one = range(s.range);
            one["source"] = handoff::name(s.source);
            one["evidence"] = s.where.text();
            j["sightings"].push_back(std::move(one));
        }
        j["crash_kernel"] = json::array();
        for (const AddressRange& c : machine->crash_kernel) j["crash_kernel"].push_back(range(c));
        j["torn_down"] = machine->pool_torn_down;
        j["unread"] = json::array();
        for (const Error& e : machine->unread) j["unread"].push_back(e.message());
        print_json(j);
    } else {
        print_pool(*machine);
    }
    if (!agree) {
        const auto other = std::find_if(pool.begin(), pool.end(), [&](const auto& s) { return s.range != pool.front().range; });
        complain(fmt::format("{} shows the pool at {}, {} at {}", pool.front().where.text(), e820::to_string(pool.front().range),
                             other->where.text(), e820::to_string(other->range)));
        return Status::input;
    }
    if (!pool.empty()) return Status::ready;
    const bool hidden = std::any_of(machine->unread.begin(), machine->unread.end(), [](const Error& e) { return e.code == Errc::not_permitted; });
    return hidden && !machine->pool_torn_down ? Status::not_permitted : Status::not_needed;
}

Status plan(const Options& options) {
    const auto plan = plan_from(options);
    if (!plan) return fail(plan.error());
    if (options.json) print_json(handoff::to_json(*plan));
    else print_plan(*plan);
    return status_of(plan->verdict);
}

// For $(…) in a kdump configuration: whatever happens, standard output has
// words that are safe to append, and without --strict the script goes on.
Status cmdline(const Options& options) {
    const auto plan = plan_from(options);
    if (!plan) {
        report(plan.error().message());
        return options.strict ? status_of(plan.error()) : Status::ready;
    }
    if (options.json) print_json(json{{"schema", 1}, {"verdict", handoff::name(plan->verdict)}, {"append", plan->append}});
    else if (plan->verdict == Verdict::ready) print(plan->append + '\n');
    if (plan->verdict == Verdict::ready) return Status::ready;
    report(headline(*plan));
    return options.strict ? status_of(plan->verdict) : Status::ready;
}

Status e820(const Options& options) {
    const std::string format = options.json ? "json" : options.format;
    if (!options.input) {
        const auto plan = plan_from(options);
        if (!plan) return fail(plan.error());
        if (plan->verdict != Verdict::ready) complain(headline(*plan));
        if (plan->loads.empty() || (!options.before && plan->verdict != Verdict::ready)) return status_of(plan->verdict);
        return print_table(options.before ? plan->loads.front().map : plan->after, format);
    }
    auto table = read_table(*options.input, options.input_format);
    if (!table) return fail(table.error());
    if (options.before) return print_table(e820::sanitised(*table), format);
    const auto line = handoff::CommandLine::parse(options.command_line.value_or(""));
    if (!line) return fail(line.error());
    const auto map = handoff::apply_memory_words(*table, *line);
    if (!map) return fail(map.error());
    e820::Table rewritten = *map;
    if (options.pool) {
        const auto pool = parse_pool(*options.pool);
        if (!pool) return fail(pool.error());
        for (const e820::Entry& entry : rewritten.entries)
            if (entry.type != e820::Type::ram && entry.range.overlaps(*pool)) {
                complain(fmt::format("the pool {} overlaps {}, which is not RAM", e820::to_string(*pool), e820::to_string(entry.range)));
                return Status::refused;
            }
        rewritten.add(*pool, e820::Type::ram);
    }
    return print_table(e820::sanitised(rewritten), format);
}

Status check(const Options& options) {
    handoff::CheckInput input;
    auto request = request_from(options);
    if (!request) return fail(request.error());
    input.request = *request;
    if (options.map_file) {
        const auto table = read_table(*options.map_file, "auto");
        if (!table) return fail(table.error());
        input.map = *table;
    }
    if (options.core_file) {
        const auto head = handoff::read_user_file_head(*options.core_file, 4 * e820::MiB);
        if (!head) return fail(head.error());
        auto core = handoff::parse_elf_core(std::as_bytes(std::span(head->bytes)));
        if (!core) return fail(std::move(core).error().at(*options.core_file));
        input.core = *core;
    }
    std::optional<handoff::Record> record;
    if (options.record_file) {
        const auto text = handoff::read_user_file(*options.record_file, e820::MiB + 1);
        if (!text) return fail(text.error());
        auto parsed = handoff::parse_record(*text);
        if (!parsed) return fail(std::move(parsed).error().at(*options.record_file));
        record = std::move(*parsed);
        input.request.loader = record->loader;
        input.request.method = record->method;
        if (!input.map && !record->map.entries.empty()) input.map = record->map;
    }
    const handoff::Host host(options.root);
    std::optional<handoff::Machine> machine;
    if (options.place || (!options.command_line && !record)) {
        auto gathered = handoff::gather(host);
        if (!gathered) return fail(gathered.error());
        machine = std::move(*gathered);
        if (options.place) input.machine = &*machine;
    }
    input.command_line = options.command_line ? *options.command_line : record ? record->command_line : machine->command_line;

    handoff::CheckResult result;
    if (!record || record->outcome == handoff::Record::Outcome::handoff) result = handoff::check(input);
    if (record)
        for (handoff::Reason& reason : handoff::review(*record)) result.reasons.push_back(std::move(reason));
    if (options.json) {
        json j = {{"schema", 1}, {"sound", result.sound()}, {"proven", result.proven}, {"pool", nullptr}, {"reasons", json::array()}};
        if (result.pool) j["pool"] = {{"start", fmt::format("{:#x}", result.pool->start())}, {"end", fmt::format("{:#x}", result.pool->end())}};
        for (const handoff::Reason& reason : result.reasons) j["reasons"].push_back(handoff::to_json(reason));
        print_json(j);
    } else {
        print(fmt::format("{:<12}{}\n", "handoff", result.sound() ? (result.proven ? "sound, and proven to land" : "sound") : "refused"));
        print_reasons(result.reasons);
    }
    return result.sound() ? Status::ready : Status::refused;
}

Status verify(const Options& options) {
    const auto machine = handoff::gather(handoff::Host(options.root));
    if (!machine) return fail(machine.error());
    const auto verification = handoff::verify(*machine);
    if (!verification) return fail(verification.error());
    if (options.json) {
        const auto range = [](const AddressRange& r) {
            return json{{"start", fmt::format("{:#x}", r.start())}, {"end", fmt::format("{:#x}", r.end())}};
        };
        json j = {{"schema", 1}, {"landing", handoff::name(verification->landing)}, {"promised", nullptr}, {"found", nullptr}};
        if (verification->promised) j["promised"] = range(*verification->promised);
        if (verification->found) {
            j["found"] = range(verification->found->range);
            j["found"]["source"] = handoff::name(verification->found->source);
        }
        print_json(j);
    } else {
        print_verification(*verification);
    }
    switch (verification->landing) {
        case handoff::Landing::exact:
        case handoff::Landing::lent: return Status::ready;
        case handoff::Landing::no_handoff: return Status::not_needed;
        case handoff::Landing::not_lent:
        case handoff::Landing::elsewhere:
        case handoff::Landing::no_pool: return Status::refused;
    }
    return Status::refused;
}

Status capture(const Options& options) {
    const auto report = handoff::capture(handoff::Host(options.root), options.operands.front());
    if (!report) return fail(report.error());
    if (options.json) {
        json j = {{"schema", 1}, {"written", report->written}, {"not_read", json::array()}};
        for (const Error& e : report->not_read) j["not_read"].push_back(e.message());
        print_json(j);
    } else {
        for (const std::string& path : report->written) print(fmt::format("{:<12}{}\n", "written", path));
        for (const Error& e : report->not_read) print(fmt::format("{:<12}{}\n", "not read", e.message()));
    }
    return Status::ready;
}

Status explain(const Options& options) {
    const handoff::RuleInfo* rule = handoff::find_rule(options.operands.front());
    if (!rule) {
        complain(fmt::format("there is no rule '{}'; swiotlb-handoff(8) lists them", options.operands.front()));
        return Status::usage;
    }
    const auto page = rule_page(rules_md(), rule->id);
    if (options.json) {
        json j = {{"rule", rule->id}, {"demands", rule->demands}, {"acceptable", rule->acceptable}};
        if (page) j.update({{"means", page->means}, {"why", page->why}, {"what_to_do", page->what_to_do}});
        print_json(j);
        return Status::ready;
    }
    print(fmt::format("{}\n{}\n{}", rule->id, rule->demands, rule->acceptable ? "Its risk can be taken with --accept " + std::string(rule->id) + ".\n" : ""));
    if (page) print(fmt::format("\nWhat it means\n{}\n\nWhy\n{}\n\nWhat to do\n{}\n", page->means, page->why, page->what_to_do));
    return Status::ready;
}

}  // namespace tool
