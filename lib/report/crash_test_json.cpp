// SPDX-License-Identifier: GPL-2.0-or-later
// What a test leaves for the next boot: written, and read there by whoever may have another version of it.
#include <array>
#include <utility>

#include "lib/load/crash_records.hpp"
#include "lib/load/crash_test.hpp"
#include "lib/report/json.hpp"
#include "lib/report/json_reader.hpp"

namespace handoff {
namespace {

using e820::to_json;
using Kind = DumpTarget::Kind;

constexpr std::array kinds{std::pair{Kind::directory, "directory"}, std::pair{Kind::device, "device"},
                           std::pair{Kind::elsewhere, "elsewhere"}, std::pair{Kind::unknown, "unknown"}};

template <class Enum>
Json name_or_null(const std::optional<Enum>& value) {
    return value ? Json(name(*value)) : Json(nullptr);
}

template <class Enum>
std::optional<Enum> name_in(JsonReader& in, const char* key, std::initializer_list<Enum> all) {
    if (in.null(key)) return std::nullopt;
    return in.named(key, [&](std::string_view t) { return one_of(t, all); });
}

Json to_json(const Tested& tested) {
    return {{"release", tested.release},
            {"kernel_file", or_null(tested.kernel)},
            {"initrd_file", or_null(tested.initrd)},
            {"crashkernel", or_null(tested.crashkernel)},
            {"reservation_bytes", or_null(tested.reserved)},
            {"rung", name_or_null(tested.rung)},
            {"lent", tested.lent}};
}

Json to_json(const DumpTarget& target) {
    Json j = {{"path", target.path}, {"text", target.text}};
    for (const auto& [kind, word] : kinds)
        if (target.kind == kind) j["kind"] = word;
    return j;
}

Json to_json(const DumpSeen& dump) {
    return {{"directory", dump.directory},
            {"file", dump.file},
            {"size_bytes", dump.bytes},
            {"modified_seconds", dump.modified},
            {"canary", or_null(dump.canary)},
            {"landing", name_or_null(dump.landing)},
            {"memory", dump.memory ? Json::parse(to_text(*dump.memory)) : Json(nullptr)}};
}

// Another document, which is read by its own rules.
template <class Value>
std::optional<Value> document_in(JsonReader& in, const char* key, Result<Value> (*parse)(std::string_view)) {
    if (in.null(key)) return std::nullopt;
    auto value = parse(in.member(key)->dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
    if (value) return *std::move(value);
    in.fail(key, value.error().what);
    return std::nullopt;
}

std::string any_text(JsonReader& in, const char* key) {
    const nlohmann::json* j = in.member(key);
    if (j && !j->is_string()) in.fail(key, "a text");
    return j && j->is_string() ? j->get<std::string>() : std::string();
}

Tested tested_in(JsonReader& in) {
    Tested tested;
    tested.release = in.text("release");
    tested.kernel = file_sum_in(in, "kernel_file");
    tested.initrd = file_sum_in(in, "initrd_file");
    if (!in.null("crashkernel")) tested.crashkernel = in.text("crashkernel");
    if (!in.null("reservation_bytes")) tested.reserved = in.number("reservation_bytes");
    tested.rung = name_in(in, "rung", {Rung::handoff, Rung::own_pool, Rung::plain});
    tested.lent = in.boolean("lent");
    return tested;
}

DumpTarget target_in(JsonReader& in) {
    DumpTarget target;
    target.path = any_text(in, "path");
    target.text = any_text(in, "text");
    target.kind = in.named("kind", [](std::string_view text) -> std::optional<Kind> {
        for (const auto& [kind, word] : kinds)
            if (text == word) return kind;
        return std::nullopt;
    });
    return target;
}

DumpSeen dump_in(JsonReader& in) {
    DumpSeen dump;
    dump.directory = any_text(in, "directory");
    dump.file = any_text(in, "file");
    dump.bytes = in.number("size_bytes");
    dump.modified = in.number("modified_seconds");
    if (!in.null("canary")) dump.canary = in.boolean("canary");
    if (!in.null("landing")) dump.landing = in.named("landing", landing_from);
    dump.memory = document_in(in, "memory", parse_watched_memory);
    return dump;
}

TestResult result_in(JsonReader& in) {
    TestResult result;
    result.outcome = in.named("outcome", [](std::string_view t) {
        return one_of(t, {TestOutcome::dump_written, TestOutcome::pool_elsewhere, TestOutcome::no_dump,
                          TestOutcome::not_crashed, TestOutcome::unknown});
    });
    result.why = any_text(in, "why");
    if (!in.null("dump")) in.object("dump", [&](JsonReader& one) { result.dump = dump_in(one); });
    return result;
}

}  // namespace

std::string text_of(const CrashTest& test) {
    Json j = begin_document("test");
    j["time"] = test.time;
    j["boot_id"] = test.boot_id;
    j["tool"] = test.tool;
    j["tested"] = to_json(test.tested);
    j["handoff"] = name(test.handoff);
    j["verdict"] = name_or_null(test.verdict);
    j["pool"] = or_null(test.pool);
    j["record"] = test.record ? record_document(*test.record) : Json(nullptr);
    j["target"] = to_json(test.target);
    j["dumps"] = test.dumps;
    j["result"] = nullptr;
    if (test.result)
        j["result"] = {{"outcome", name(test.result->outcome)},
                       {"why", test.result->why},
                       {"dump", test.result->dump ? to_json(*test.result->dump) : Json(nullptr)}};
    return e820::to_text(j) + "\n";
}

Result<CrashTest> parse_crash_test(std::string_view text) {
    const auto document = parse_bounded_json(text);
    if (!document) return document.error();
    std::optional<Error> problem;
    JsonReader in(*document, "", problem);
    if (in.number("schema") != e820::json_schema) in.fail("schema", fmt::format("{}", e820::json_schema));
    if (in.text("command") != "test") in.fail("command", "test: what that command leaves");
    CrashTest test;
    test.time = in.text("time");
    test.boot_id = in.text("boot_id");
    test.tool = in.text("tool");
    in.object("tested", [&](JsonReader& one) { test.tested = tested_in(one); });
    test.handoff = in.named("handoff", [](std::string_view t) {
        return one_of(t, {Handoff::in_use, Handoff::not_in_use, Handoff::stale, Handoff::unknown});
    });
    test.verdict = name_in(in, "verdict", {Verdict::ready, Verdict::not_needed, Verdict::refused});
    test.pool = in.optional_range("pool");
    test.record = document_in(in, "record", parse_record);
    in.object("target", [&](JsonReader& one) { test.target = target_in(one); });
    test.dumps = in.texts("dumps");
    if (!in.null("result")) in.object("result", [&](JsonReader& one) { test.result = result_in(one); });
    if (problem) return *problem;
    return test;
}

}  // namespace handoff
