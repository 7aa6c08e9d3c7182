// SPDX-License-Identifier: GPL-2.0-or-later
// The record as a document: written, and read by whoever may have another version of it, or a hostile one.
#include <algorithm>

#include <fmt/format.h>

#include "lib/load/record.hpp"
#include "lib/report/json.hpp"
#include "lib/report/json_reader.hpp"

namespace handoff {
namespace {

using e820::address_json;
using e820::to_json;

}  // namespace

std::optional<FileSum> file_sum_in(JsonReader& in, const char* key) {
    std::optional<FileSum> sum;
    if (in.has(key) && !in.null(key))
        in.object(key, [&](JsonReader& one) { sum = {one.number("size_bytes"), one.address("crc32")}; });
    return sum;
}

Json record_document(const Record& record) {
    Json j = begin_document("kexec");
    j["outcome"] = name(record.outcome);
    j["why"] = record.why;
    j["tool"] = record.tool;
    j["time"] = record.time;
    j["release"] = record.release;
    j["kexec_tools"] = record.kexec_tools;
    j["verdict"] = record.verdict ? Json(name(*record.verdict)) : Json(nullptr);
    j["reasons"] = list(record.reasons);
    j["loader"] = name(record.loader);
    j["method"] = name(record.method);
    j["kernel"] = record.kernel;
    j["initrd"] = record.initrd;
    j["kernel_file"] = or_null(record.kernel_sum);
    j["initrd_file"] = or_null(record.initrd_sum);
    j["command_line"] = record.command_line;
    j["append"] = record.append;
    j["pool"] = pool_json(record.pool);
    j["promised"] = or_null(record.marker);
    j["lent"] = record.loan;
    j["fences"] = list(record.fences);
    j["segments"] = list(record.segments);
    j["segments_reported"] = record.segments_reported;
    j["elfcorehdr"] = or_null(record.elfcorehdr);
    j["rsdp_address"] = record.rsdp ? address_json(*record.rsdp) : Json(nullptr);
    j["before"] = to_json(record.map);
    j["after"] = to_json(record.after);
    return j;
}

Result<Record> parse_record(std::string_view text) {
    const auto document = parse_bounded_json(text);
    if (!document) return document.error();
    std::optional<Error> problem;
    JsonReader in(*document, "", problem);
    if (const auto schema = in.number("schema"); schema != e820::json_schema)
        in.fail("schema",
                fmt::format("{}, found {}: another version of swiotlb-handoff wrote this. Load the crash kernel again",
                            e820::json_schema, schema));
    if (in.text("command") != "kexec") in.fail("command", "kexec: a record is what that command writes");
    Record record;
    record.outcome = in.named("outcome", [](std::string_view t) {
        return one_of(t, {Rung::handoff, Rung::own_pool, Rung::plain});
    });
    record.why = in.text("why");
    record.tool = in.text("tool");
    record.time = in.text("time");
    record.release = in.text("release");
    record.kexec_tools = in.text("kexec_tools");
    if (!in.null("verdict"))
        record.verdict = in.named("verdict", [](std::string_view t) {
            return one_of(t, {Verdict::ready, Verdict::not_needed, Verdict::refused});
        });
    in.list("reasons", [&](JsonReader& one) {
        const auto severity = [](std::string_view t) {
            return one_of(t, {Severity::info, Severity::warning, Severity::refusal});
        };
        record.reasons.push_back({one.text("rule"), one.named("severity", severity), one.text("text"),
                                  one.text_or_nothing("evidence"), one.text_or_nothing("advice")});
    });
    record.loader = in.named("loader", loader_from);
    record.method = in.named("method", method_from);
    record.kernel = in.text("kernel");
    record.initrd = in.text("initrd");
    record.kernel_sum = file_sum_in(in, "kernel_file");
    record.initrd_sum = file_sum_in(in, "initrd_file");
    record.command_line = in.text("command_line");
    record.append = in.text("append");
    record.pool = in.optional_range("pool");
    record.marker = in.optional_range("promised");
    record.loan = in.boolean("lent");
    in.list("fences", [&](JsonReader& one) { record.fences.push_back(one.own_range()); });
    in.list("segments", [&](JsonReader& one) { record.segments.push_back({one.text("name"), one.own_range()}); });
    record.segments_reported = in.boolean("segments_reported");
    record.elfcorehdr = in.optional_range("elfcorehdr");
    if (!in.null("rsdp_address")) record.rsdp = in.address("rsdp_address");
    record.map = in.table("before");
    record.after = in.table("after");
    if (problem) return *problem;
    return record;
}

}  // namespace handoff
