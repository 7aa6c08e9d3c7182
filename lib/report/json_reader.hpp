// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/excerpt.hpp"
#include "base/number.hpp"
#include "e820/json.hpp"
#include "lib/sources/file_sum.hpp"
#include "swiotlb-handoff/range.hpp"
#include "swiotlb-handoff/result.hpp"

namespace handoff {

/// A document of JSON that anybody may have written. Input errors: more than 1 MiB, not JSON, deeper than 8 levels, a
/// key twice.
base::Result<nlohmann::json> parse_bounded_json(std::string_view text);

/// The members of one object; the first thing that is wrong stays, and everything after it
/// is empty, so that a caller looks once, at the end.
class JsonReader {
public:
    JsonReader(const nlohmann::json& object, std::string where, std::optional<base::Error>& problem)
        : object_(object), where_(std::move(where)), problem_(problem) {
        if (!object.is_object()) fail("", "an object");
    }

    const nlohmann::json* member(const char* key) {
        if (problem_) return nullptr;
        const auto found = object_.find(key);
        if (found != object_.end()) return &*found;
        fail(key, "a value, found none");
        return nullptr;
    }
    std::string text(const char* key) {
        const nlohmann::json* j = member(key);
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
        const nlohmann::json* j = member(key);
        if (j && !j->is_boolean()) fail(key, "true or false");
        return !problem_ && j->get<bool>();
    }
    std::uint64_t number(const char* key) {
        const nlohmann::json* j = member(key);
        if (j && !j->is_number_unsigned()) fail(key, "a number");
        return problem_ ? 0 : j->get<std::uint64_t>();
    }
    /// Older documents lack what was added since.
    [[nodiscard]] bool has(const char* key) const { return !problem_ && object_.find(key) != object_.end(); }
    bool null(const char* key) {
        const nlohmann::json* j = member(key);
        return !j || j->is_null();
    }
    base::Address address(const char* key) {
        const std::string value = text(key);
        const auto parsed = value.starts_with("0x") ? base::parse_prefixed(value) : std::nullopt;
        if (!problem_ && !parsed) fail(key, "an address like \"0x75000000\"");
        return parsed.value_or(0);
    }
    /// start and end of this object.
    base::AddressRange own_range() {
        const base::Address start = address("start"), end = address("end");
        const auto made = base::AddressRange::from_bounds(start, end);
        if (!problem_ && (!made || made->empty())) fail("end", "an address behind start");
        return made.value_or(base::AddressRange());
    }
    std::optional<base::AddressRange> optional_range(const char* key) {
        if (null(key)) return std::nullopt;
        return JsonReader(*member(key), path(key), problem_).own_range();
    }
    template <class Take>
    void object(const char* key, Take take) {
        const nlohmann::json* j = member(key);
        if (!j) return;
        JsonReader one(*j, path(key), problem_);
        take(one);
    }
    template <class Take>
    void list(const char* key, Take take) {
        const nlohmann::json* j = member(key);
        if (!j) return;
        if (!j->is_array() || j->size() > longest_list)
            return fail(key, fmt::format("a list of at most {} entries", longest_list));
        for (std::size_t i = 0; i < j->size() && !problem_; ++i) {
            JsonReader one((*j)[i], fmt::format("{}[{}]", path(key), i), problem_);
            take(one);
        }
    }
    e820::Table table(const char* key) {
        const nlohmann::json* j = member(key);
        if (!j) return {};
        auto read = e820::table_from_json(*j);
        if (!read) {
            problem_ = base::input_error(0, fmt::format("{}.{}", path(key), read.error().message()));
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
    /// The texts of a list, whatever characters are in them.
    std::vector<std::string> texts(const char* key) {
        std::vector<std::string> all;
        const nlohmann::json* j = member(key);
        if (!j) return all;
        if (!j->is_array() || j->size() > longest_list ||
            !std::all_of(j->begin(), j->end(), [](const nlohmann::json& one) { return one.is_string(); }))
            return fail(key, fmt::format("a list of at most {} texts", longest_list)), all;
        for (const nlohmann::json& one : *j) all.push_back(one.get<std::string>());
        return all;
    }
    void fail(const char* key, std::string_view expected) {
        if (!problem_) problem_ = base::input_error(0, fmt::format("{}: expected {}", path(key), expected));
    }

    static constexpr std::size_t longest_list = 4096;

private:
    [[nodiscard]] std::string path(const char* key) const {
        return where_.empty() || !*key ? where_ + key : where_ + "." + key;
    }

    const nlohmann::json& object_;
    std::string where_;
    std::optional<base::Error>& problem_;
};

/// The one of these whose name() it is; for JsonReader::named().
template <class Enum>
std::optional<Enum> one_of(std::string_view text, std::initializer_list<Enum> all) {
    for (const Enum e : all)
        if (text == name(e)) return e;
    return std::nullopt;
}

/// What to_json(FileSum) made; nullopt where it is null, or not there.
std::optional<FileSum> file_sum_in(JsonReader&, const char* key);

}  // namespace handoff
