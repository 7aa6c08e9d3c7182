// SPDX-License-Identifier: GPL-2.0-or-later
// The record as a document: written, and read by whoever may have another version of it, or a hostile one.
#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "base/excerpt.hpp"
#include "base/number.hpp"
#include "lib/load/record.hpp"
#include "lib/report/json.hpp"

namespace handoff {
namespace {

using base::input_error;
using e820::address_json;
using e820::to_json;
using nlohmann::json;

constexpr std::size_t largest_document = base::MiB;
constexpr std::size_t longest_list = 4096;
constexpr int deepest = 8;

// The members of one object; the first thing that is wrong stays, and everything after it
// is empty, so that a caller looks once, at the end.
class Reader {
public:
    Reader(const json& object, std::string where, std::optional<Error>& problem)
        : object_(object), where_(std::move(where)), problem_(problem) {
        if (!object.is_object()) fail("", "an object");
    }

    const json* member(const char* key) {
        if (problem_) return nullptr;
        const auto found = object_.find(key);
        if (found != object_.end()) return &*found;
        fail(key, "a value, found none");
        return nullptr;
    }
    std::string text(const char* key) {
        const json* j = member(key);
        if (!j) return {};
        if (!j->is_string()) return fail(key, "a text"), std::string();
        std::string value = j->get<std::string>();
        if (std::any_of(value.begin(), value.end(),
                        [](unsigned char c) { return (c < ' ' && c != '\t') || c == 0x7f; }))
            return fail(key, "a text without control characters"), std::string();
        return value;
    }
    /// "" where it is null.
    std::string text_or_nothing(const char* key) { return null(key) ? std::string() : text(key); }
    bool boolean(const char* key) {
        const json* j = member(key);
        if (j && !j->is_boolean()) fail(key, "true or false");
        return !problem_ && j->get<bool>();
    }
    std::uint64_t number(const char* key) {
        const json* j = member(key);
        if (j && !j->is_number_unsigned()) fail(key, "a number");
        return problem_ ? 0 : j->get<std::uint64_t>();
    }
    bool null(const char* key) {
        const json* j = member(key);
        return !j || j->is_null();
    }
    Address address(const char* key) {
        const std::string value = text(key);
        const auto parsed = value.starts_with("0x") ? base::parse_prefixed(value) : std::nullopt;
        if (!problem_ && !parsed) fail(key, "an address like \"0x75000000\"");
        return parsed.value_or(0);
    }
    /// start and end of this object.
    AddressRange own_range() {
        const Address start = address("start"), end = address("end");
        const auto made = AddressRange::from_bounds(start, end);
        if (!problem_ && (!made || made->empty())) fail("end", "an address behind start");
        return made.value_or(AddressRange());
    }
    std::optional<AddressRange> optional_range(const char* key) {
        if (null(key)) return std::nullopt;
        return Reader(*member(key), path(key), problem_).own_range();
    }
    template <class Take>
    void list(const char* key, Take take) {
        const json* j = member(key);
        if (!j) return;
        if (!j->is_array() || j->size() > longest_list)
            return fail(key, fmt::format("a list of at most {} entries", longest_list));
        for (std::size_t i = 0; i < j->size() && !problem_; ++i) {
            Reader one((*j)[i], fmt::format("{}[{}]", path(key), i), problem_);
            take(one);
        }
    }
    e820::Table table(const char* key) {
        const json* j = member(key);
        if (!j) return {};
        auto read = e820::table_from_json(*j);
        if (!read) {
            problem_ = input_error(0, fmt::format("{}.{}", path(key), read.error().message()));
            return {};
        }
        if (read->entries.size() > longest_list) fail(key, fmt::format("at most {} entries", longest_list));
        for (const e820::Entry& entry : read->entries)
            if (entry.range.empty() || entry.type == e820::Type{0}) fail(key, "entries that have a size and a type");
        return std::move(*read);
    }
    /// A name out of those that `parse` knows.
    template <class Parse>
    auto named(const char* key, Parse parse) {
        const std::string value = text(key);
        const auto found = parse(value);
        if (!problem_ && !found) fail(key, "a known name, found " + base::excerpt(value));
        return found ? *found : typename decltype(parse(value))::value_type{};
    }
    void fail(const char* key, std::string_view expected) {
        if (!problem_) problem_ = input_error(0, fmt::format("{}: expected {}", path(key), expected));
    }

private:
    [[nodiscard]] std::string path(const char* key) const {
        return where_.empty() || !*key ? where_ + key : where_ + "." + key;
    }

    const json& object_;
    std::string where_;
    std::optional<Error>& problem_;
};

template <class Enum>
std::optional<Enum> one_of(std::string_view text, std::initializer_list<Enum> all) {
    for (const Enum e : all)
        if (text == name(e)) return e;
    return std::nullopt;
}

Result<json> parse_bounded(std::string_view text) {
    if (text.size() > largest_document) return input_error(0, "expected a record, found more than 1 MiB");
    std::vector<std::set<std::string>> keys;
    std::optional<Error> problem;
    const auto watch = [&](int depth, json::parse_event_t event, json& value) {
        if (depth > deepest && !problem) problem = input_error(0, fmt::format("expected at most {} levels", deepest));
        if (event == json::parse_event_t::object_start) keys.emplace_back();
        if (event == json::parse_event_t::object_end && !keys.empty()) keys.pop_back();
        if (event == json::parse_event_t::key && !keys.empty() &&
            !keys.back().insert(value.get<std::string>()).second && !problem)
            problem = input_error(0, "a key is there twice: " + base::excerpt(value.get<std::string>()));
        return true;
    };
    // Nested lists cost memory before the callback can object; a quick look in advance does not.
    int depth = 0;
    bool quoted = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (quoted) {
            if (text[i] == '\\')
                ++i;
            else if (text[i] == '"')
                quoted = false;
        } else if (text[i] == '"')
            quoted = true;
        else if (text[i] == '[' || text[i] == '{')
            ++depth;
        else if (text[i] == ']' || text[i] == '}')
            --depth;
        if (depth > deepest) return input_error(0, fmt::format("expected at most {} levels", deepest));
    }
    json document = json::parse(text, watch, false);
    if (problem) return *problem;
    if (document.is_discarded()) return input_error(0, "expected JSON, found " + base::excerpt(text));
    return document;
}

}  // namespace

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
    const auto document = parse_bounded(text);
    if (!document) return document.error();
    std::optional<Error> problem;
    Reader in(*document, "", problem);
    if (const auto schema = in.number("schema"); schema != e820::json_schema)
        in.fail("schema",
                fmt::format("{}, found {}: another version of swiotlb-handoff wrote this; load the crash kernel again",
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
    in.list("reasons", [&](Reader& one) {
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
    record.command_line = in.text("command_line");
    record.append = in.text("append");
    record.pool = in.optional_range("pool");
    record.marker = in.optional_range("promised");
    record.loan = in.boolean("lent");
    in.list("fences", [&](Reader& one) { record.fences.push_back(one.own_range()); });
    in.list("segments", [&](Reader& one) { record.segments.push_back({one.text("name"), one.own_range()}); });
    record.segments_reported = in.boolean("segments_reported");
    record.elfcorehdr = in.optional_range("elfcorehdr");
    if (!in.null("rsdp_address")) record.rsdp = in.address("rsdp_address");
    record.map = in.table("before");
    record.after = in.table("after");
    if (problem) return *problem;
    return record;
}

}  // namespace handoff
