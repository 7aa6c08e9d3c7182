// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/report/test_report.hpp"

#include <algorithm>

#include "base/scan.hpp"
#include "lib/report/json.hpp"
#include "lib/service/shell_config.hpp"
#include "lib/sources/host.hpp"
#include "lib/sources/redact.hpp"

namespace handoff {
namespace {

using e820::to_json;

// A version or an identifier: anything else is not shown.
std::string plain_word(std::string_view text) {
    const bool plain = text.size() <= 100 && std::all_of(text.begin(), text.end(), [](unsigned char c) {
                           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                                  c == '.' || c == '-' || c == '_' || c == '+' || c == '~';
                       });
    return plain ? std::string(text) : std::string();
}

std::string without_names(std::string_view command_line) { return redacted_command_line(command_line).value_or(""); }

// "debian 12"
std::string distribution_of(const Host& host) {
    const std::string text = host.read(Source::os_release).value_or("");
    const std::string id = plain_word(assigned_or(text, "ID", "")),
                      version = plain_word(assigned_or(text, "VERSION_ID", ""));
    return id + (id.empty() || version.empty() ? "" : " ") + version;
}

// "GenuineIntel"
std::string processor_of(const Host& host) {
    const std::string text = host.read(Source::cpuinfo).value_or("");
    std::string_view rest = text;
    while (!rest.empty()) {
        const std::string_view line = base::take_line(rest);
        const auto colon = line.find(": ");
        if (line.starts_with("vendor_id") && colon != line.npos)
            return plain_word(base::trimmed(line.substr(colon + 2)));
    }
    return {};
}

Json load_json(const Record& record) {
    Json refused = Json::array();
    for (const Reason& reason : record.reasons)
        if (reason.severity == Severity::refusal) refused.push_back(plain_word(reason.rule));
    std::vector<Segment> segments = record.segments;
    for (Segment& segment : segments) segment.name = plain_word(segment.name);
    return {{"kexec_tools", plain_word(record.kexec_tools)},
            {"loader", name(record.loader)},
            {"method", name(record.method)},
            {"command_line", without_names(record.command_line)},
            {"promised", or_null(record.marker)},
            {"lent", record.loan},
            {"refused_by", std::move(refused)},
            {"fences", list(record.fences)},
            {"segments", list(segments)},
            {"before", to_json(record.map)},
            {"after", to_json(record.after)}};
}

Json memory_json(const WatchedMemory& memory) {
    return {{"release", plain_word(memory.release)},
            {"ram_bytes", or_null(memory.ram_bytes)},
            {"total_bytes", memory.total_bytes},
            {"first_available_bytes", memory.first_available_bytes},
            {"lowest_available_bytes", memory.lowest_available_bytes},
            {"slabs", or_null(memory.slabs)},
            {"slabs_used", or_null(memory.slabs_used)},
            {"oom_kills", or_null(memory.oom_kills)},
            {"vmcore_bytes", or_null(memory.vmcore_bytes)},
            {"dump_bytes", memory.dump_bytes},
            {"dump_seconds", memory.dump_seconds}};
}

}  // namespace

Json test_report(const TestView& view, const Host& host, const e820::Table& map, std::string_view service) {
    const CrashTest& test = view.test;
    const DumpSeen dump = view.result.dump.value_or(DumpSeen());
    Json j = begin_document("test-report");
    j["time"] = test.time;
    j["tool"] = plain_word(test.tool);
    j["release"] = plain_word(test.tested.release);
    j["distribution"] = distribution_of(host);
    j["service"] = text_or_null(service);
    j["processor"] = processor_of(host);
    j["handoff"] = name(test.handoff);
    j["rung"] = test.tested.rung ? Json(name(*test.tested.rung)) : Json(nullptr);
    j["verdict"] = test.verdict ? Json(name(*test.verdict)) : Json(nullptr);
    j["running_command_line"] = without_names(base::trimmed(host.read(Source::command_line).value_or("")));
    j["reservation_bytes"] = or_null(test.tested.reserved);
    j["pool"] = pool_json(test.pool);
    j["memory_map"] = to_json(map);
    j["load"] = test.record ? load_json(*test.record) : Json(nullptr);
    j["outcome"] = name(view.result.outcome);
    j["landing"] = dump.landing ? Json(name(*dump.landing)) : Json(nullptr);
    j["log_found"] = dump.canary.value_or(false);
    j["dump_file_bytes"] = view.result.dump ? Json(dump.bytes) : Json(nullptr);
    j["crash_memory"] = dump.memory ? memory_json(*dump.memory) : Json(nullptr);
    j["stale"] = view.stale();
    return j;
}

}  // namespace handoff
