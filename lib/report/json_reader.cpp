// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/report/json_reader.hpp"

#include <set>
#include <utility>
#include <vector>

namespace handoff {

using base::Error;
using base::input_error;
using base::Result;
using nlohmann::json;

namespace {

constexpr std::size_t largest_document = base::MiB;
constexpr int deepest = 8;

}  // namespace

Result<json> parse_bounded_json(std::string_view text) {
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

}  // namespace handoff
