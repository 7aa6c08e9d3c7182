// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/record.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "e820/excerpt.hpp"
#include "e820/number.hpp"
#include "lib/command_line.hpp"
#include "lib/json.hpp"

namespace handoff {
namespace {

using e820::input_error;
using e820::Type;
using nlohmann::json;

constexpr std::size_t largest_document = e820::MiB;
constexpr std::size_t longest_list = 4096;
constexpr int deepest = 8;

// --- writing

json address(Address a) { return fmt::format("{:#x}", a); }

std::string_view marker_key_of(const Record& record) { return record.loan ? lent_key : marker_key; }

json range(const std::optional<AddressRange>& r) { return r ? to_json(*r) : json(nullptr); }

// --- reading

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
        if (std::any_of(value.begin(), value.end(), [](unsigned char c) { return (c < ' ' && c != '\t') || c == 0x7f; }))
            return fail(key, "a text without control characters"), std::string();
        return value;
    }
    std::string optional_text(const char* key) { return !problem_ && object_.contains(key) ? text(key) : std::string(); }
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
        const auto parsed = value.starts_with("0x") ? e820::parse_prefixed(value) : std::nullopt;
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
        if (!j->is_array() || j->size() > longest_list) return fail(key, fmt::format("a list of at most {} entries", longest_list));
        for (std::size_t i = 0; i < j->size() && !problem_; ++i) {
            Reader one((*j)[i], fmt::format("{}[{}]", path(key), i), problem_);
            take(one);
        }
    }
    /// A name out of those that `parse` knows.
    template <class Parse>
    auto named(const char* key, Parse parse) {
        const std::string value = text(key);
        const auto found = parse(value);
        if (!problem_ && !found) fail(key, "a known name, found " + e820::excerpt(value));
        return found ? *found : typename decltype(parse(value))::value_type{};
    }
    void fail(const char* key, std::string_view expected) {
        if (!problem_) problem_ = input_error(0, fmt::format("{}: expected {}", path(key), expected));
    }

private:
    [[nodiscard]] std::string path(const char* key) const { return where_.empty() || !*key ? where_ + key : where_ + "." + key; }

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

e820::Table read_table(Reader& in, const char* key) {
    e820::Table table;
    in.list(key, [&](Reader& one) {
        const AddressRange r = one.own_range();
        const std::uint64_t type = one.number("type");
        if (type == 0 || type > ~std::uint32_t{0}) one.fail("type", "the number of an e820 type");
        else table.add(r, static_cast<Type>(type));
    });
    return table;
}

Result<json> parse_bounded(std::string_view text) {
    if (text.size() > largest_document) return input_error(0, "expected a record, found more than 1 MiB");
    std::vector<std::set<std::string>> keys;
    std::optional<Error> problem;
    const auto watch = [&](int depth, json::parse_event_t event, json& value) {
        if (depth > deepest && !problem) problem = input_error(0, fmt::format("expected at most {} levels", deepest));
        if (event == json::parse_event_t::object_start) keys.emplace_back();
        if (event == json::parse_event_t::object_end && !keys.empty()) keys.pop_back();
        if (event == json::parse_event_t::key && !keys.empty() && !keys.back().insert(value.get<std::string>()).second && !problem)
            problem = input_error(0, "a key is there twice: " + e820::excerpt(value.get<std::string>()));
        return true;
    };
    // Nested lists cost memory before the callback can object; a quick look in advance does not.
    int depth = 0;
    bool quoted = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (quoted) {
            if (text[i] == '\\') ++i;
            else if (text[i] == '"') quoted = false;
        } else if (text[i] == '"') quoted = true;
        else if (text[i] == '[' || text[i] == '{') ++depth;
        else if (text[i] == ']' || text[i] == '}') --depth;
        if (depth > deepest) return input_error(0, fmt::format("expected at most {} levels", deepest));
    }
    json document = json::parse(text, watch, false);
    if (problem) return *problem;
    if (document.is_discarded()) return input_error(0, "expected JSON, found " + e820::excerpt(text));
    return document;
}

}  // namespace

const char* name(Record::Outcome outcome) { return outcome == Record::Outcome::handoff ? "handoff" : "plain"; }

Record record_of(const Plan& plan, const std::vector<AddressRange>& segments, const LoadAddresses& addresses) {
    Record record;
    record.verdict = plan.verdict;
    record.reasons = plan.reasons;
    record.loader = plan.loader;
    record.method = plan.method;
    record.append = plan.append;
    record.command_line = plan.base;
    if (!plan.append.empty()) record.command_line += (plan.base.empty() ? "" : " ") + plan.append;
    record.pool = plan.pool;
    record.loan = plan.loan;
    if (const auto line = CommandLine::parse(record.command_line))
        if (const auto marker = read_marker(*line, marker_key_of(record))) record.marker = *marker;
    record.fences = plan.fences;
    record.segments_reported = !segments.empty();

    // Of the loads that the proof covers, the one that explains most of what was reported: both
    // system calls can put the kernel at one place.
    const auto explained = [&](const Load& load) {
        return std::count_if(load.segments.begin(), load.segments.end(),
                             [&](const Segment& s) { return std::find(segments.begin(), segments.end(), s.range) != segments.end(); });
    };
    const auto most = std::max_element(plan.loads.begin(), plan.loads.end(),
                                       [&](const Load& a, const Load& b) { return explained(a) < explained(b); });
    const Load* load = most != plan.loads.end() ? &*most : nullptr;
    if (load) {
        record.map = load->map;
        if (explained(*load) != 0) record.loader = load->loader;
    }
    record.after = plan.after;
    if (load && load != &plan.loads.front() && plan.method != Method::e820) {
        const auto line = CommandLine::parse(record.command_line);
        if (const auto after = line ? apply_memory_words(load->map, *line) : Result<e820::Table>(line.error())) record.after = *after;
    }
    if (segments.empty()) {
        if (load) record.segments = load->segments;
    } else {
        for (const AddressRange& r : segments) {
            std::string segment_name;
            for (const Segment& s : load ? load->segments : std::vector<Segment>())
                if (s.range == r) segment_name = s.name;
            record.segments.push_back({segment_name, r});
        }
    }
    record.rsdp = addresses.rsdp;
    for (Segment& s : record.segments) {
        if (addresses.elfcorehdr ? s.range.start() != *addresses.elfcorehdr : s.name != "elfcorehdr") continue;
        s.name = "elfcorehdr";
        record.elfcorehdr = s.range;
    }
    return record;
}

json to_json(const Record& record) {
    json j;
    j["schema"] = 1;
    j["outcome"] = name(record.outcome);
    j["why"] = record.why;
    j["tool"] = record.tool;
    j["time"] = record.time;
    j["release"] = record.release;
    j["kexec_tools"] = record.kexec_tools;
    j["verdict"] = record.verdict ? json(name(*record.verdict)) : json(nullptr);
    j["reasons"] = json::array();
    for (const Reason& reason : record.reasons) j["reasons"].push_back(to_json(reason));
    j["loader"] = name(record.loader);
    j["method"] = name(record.method);
    j["kernel"] = record.kernel;
    j["initrd"] = record.initrd;
    j["command_line"] = record.command_line;
    j["append"] = record.append;
    j["pool"] = range(record.pool);
    j["marker"] = range(record.marker);
    j["loan"] = record.loan;
    j["fences"] = json::array();
    for (const AddressRange& fence : record.fences) j["fences"].push_back(range(fence));
    j["segments"] = json::array();
    for (const Segment& s : record.segments) {
        json one = range(s.range);
        one["name"] = s.name;
        j["segments"].push_back(std::move(one));
    }
    j["segments_reported"] = record.segments_reported;
    j["elfcorehdr"] = range(record.elfcorehdr);
    j["rsdp"] = record.rsdp ? address(*record.rsdp) : json(nullptr);
    j["map"] = to_json(record.map);
    j["after"] = to_json(record.after);
    return j;
}

Result<Record> parse_record(std::string_view text) {
    const auto document = parse_bounded(text);
    if (!document) return document.error();
    std::optional<Error> problem;
    Reader in(*document, "", problem);
    if (in.number("schema") != 1) in.fail("schema", "1");
    Record record;
    record.outcome = in.named("outcome", [](std::string_view t) { return one_of(t, {Record::Outcome::handoff, Record::Outcome::plain}); });
    record.why = in.text("why");
    record.tool = in.text("tool");
    record.time = in.text("time");
    record.release = in.text("release");
    record.kexec_tools = in.text("kexec_tools");
    if (!in.null("verdict"))
        record.verdict = in.named("verdict", [](std::string_view t) { return one_of(t, {Verdict::ready, Verdict::not_needed, Verdict::refused}); });
    in.list("reasons", [&](Reader& one) {
        const auto severity = [](std::string_view t) { return one_of(t, {Severity::info, Severity::warning, Severity::refusal}); };
        record.reasons.push_back({one.text("rule"), one.named("severity", severity), one.text("text"), one.optional_text("evidence"),
                                  one.optional_text("advice")});
    });
    record.loader = in.named("loader", loader_from);
    record.method = in.named("method", method_from);
    record.kernel = in.text("kernel");
    record.initrd = in.text("initrd");
    record.command_line = in.text("command_line");
    record.append = in.text("append");
    record.pool = in.optional_range("pool");
    record.marker = in.optional_range("marker");
    record.loan = in.boolean("loan");
    in.list("fences", [&](Reader& one) { record.fences.push_back(one.own_range()); });
    in.list("segments", [&](Reader& one) { record.segments.push_back({one.text("name"), one.own_range()}); });
    record.segments_reported = in.boolean("segments_reported");
    record.elfcorehdr = in.optional_range("elfcorehdr");
    if (!in.null("rsdp")) record.rsdp = in.address("rsdp");
    record.map = read_table(in, "map");
    record.after = read_table(in, "after");
    if (problem) return *problem;
    return record;
}

std::vector<Reason> review(const Record& record) {
    std::vector<Reason> reasons;
    const auto refuse = [&](std::string text) { reasons.push_back({"record-agrees", Severity::refusal, std::move(text), {}, {}}); };
    if (record.outcome == Record::Outcome::plain) {
        refuse("the record is of a load without the handoff: " + record.why);
        return reasons;
    }
    if (record.verdict != Verdict::ready) refuse("a handoff was loaded, but the verdict is not 'ready'");
    const auto line = CommandLine::parse(record.command_line);
    const auto marker = line ? read_marker(*line, marker_key_of(record)) : Result<std::optional<AddressRange>>(line.error());
    if (!marker) refuse("the command line: " + marker.error().message());
    else if (*marker != record.marker) refuse("the marker is not the one on the command line");
    if (!record.pool) {
        refuse("a handoff was loaded, but there is no pool");
        return reasons;
    }
    const AddressRange& pool = *record.pool;
    if (record.marker != pool) refuse("the marker is not the pool");
    if (record.append.empty() || record.command_line.find(record.append) == std::string::npos)
        refuse("the words are not on the command line");
    for (const Segment& s : record.segments) {
        if (s.range.overlaps(pool)) refuse(fmt::format("the segment {} lies in the pool", e820::to_string(s.range)));
        for (const AddressRange& fence : record.fences)
            if (s.name != "kernel" && s.range.overlaps(fence))
                refuse(fmt::format("the fence {} lies in the segment {}", e820::to_string(fence), e820::to_string(s.range)));
    }
    if (record.elfcorehdr && std::none_of(record.segments.begin(), record.segments.end(),
                                          [&](const Segment& s) { return s.range == *record.elfcorehdr; }))
        refuse("the ELF headers are no segment");
    if (record.method != Method::e820 && record.map.of(Type::ram).overlaps(pool))
        refuse("the map has the pool as RAM without the words already");
    if (!record.after.of(Type::ram).contains(pool)) refuse("the map with the words does not have the pool as RAM");
    return reasons;
}

}  // namespace handoff
