// SPDX-License-Identifier: GPL-2.0-or-later
#include "e820/json.hpp"

#include <algorithm>
#include <limits>
#include <optional>

#include <fmt/format.h>

#include "base/excerpt.hpp"
#include "base/number.hpp"

namespace e820 {

using base::Address;
using base::AddressRange;
using base::Error;
using base::excerpt;
using base::input_error;
using base::parse_prefixed;
using base::Result;
namespace {

using nlohmann::json;

Error expected(std::size_t index, std::string_view member, std::string_view what, std::string_view found) {
    return input_error(0, fmt::format("entries[{}].{}: expected {}, found {}", index, member, what, excerpt(found)));
}

/// For messages: the member as it stands there, nothing where it is missing. Of an
/// array or object only that it is one, since dump() would recurse into it.
std::string found_text(const json& object, const char* member) {
    const auto value = object.find(member);
    if (value == object.end()) return "";
    if (value->is_structured()) return value->type_name();
    return value->dump(-1, ' ', true, json::error_handler_t::replace);
}

std::optional<Address> address_of(const json& object, const char* member) {
    const auto value = object.find(member);
    if (value == object.end() || !value->is_string()) return std::nullopt;
    const std::string& text = value->get_ref<const std::string&>();
    return text.starts_with("0x") ? parse_prefixed(text) : std::nullopt;
}

std::optional<Type> type_of(const json& object) {
    const auto value = object.find("type");
    if (value == object.end() || !value->is_number_unsigned()) return std::nullopt;
    const auto number = value->get<std::uint64_t>();
    if (number > std::numeric_limits<std::uint32_t>::max()) return std::nullopt;
    return static_cast<Type>(number);
}

Result<Entry> entry_of(const json& object, std::size_t index) {
    if (!object.is_object())
        return input_error(0, fmt::format("entries[{}]: expected an object, found {}", index, object.type_name()));
    const auto start = address_of(object, "start");
    if (!start) return expected(index, "start", "a hexadecimal string", found_text(object, "start"));
    const auto end = address_of(object, "end");
    if (!end) return expected(index, "end", "a hexadecimal string", found_text(object, "end"));
    const auto range = AddressRange::from_bounds(*start, *end);
    if (!range) return expected(index, "end", fmt::format("{:#x} or above", *start), found_text(object, "end"));
    const auto type = type_of(object);
    if (!type) return expected(index, "type", "a 32-bit number", found_text(object, "type"));
    if (const auto size = object.find("size_bytes"); size != object.end() && *size != range->size())
        return expected(index, "size_bytes", std::to_string(range->size()), found_text(object, "size_bytes"));
    if (const auto name = object.find("name"); name != object.end() && *name != log_label(*type))
        return expected(index, "name", fmt::format("'{}'", log_label(*type)), found_text(object, "name"));
    return Entry{*range, *type};
}

}  // namespace

std::string to_text(const Json& document, int indent) {
    return document.dump(indent, ' ', false, Json::error_handler_t::replace);
}

Json address_json(Address address) { return fmt::format("{:#x}", address); }

Json to_json(const AddressRange& range) {
    return {{"start", address_json(range.start())}, {"end", address_json(range.end())}, {"size_bytes", range.size()}};
}

Json to_json(const Table& table) {
    Json entries = Json::array();
    for (const Entry& entry : table.entries) {
        Json one = to_json(entry.range);
        one["type"] = static_cast<std::uint32_t>(entry.type);
        one["name"] = log_label(entry.type);
        entries.push_back(std::move(one));
    }
    return {{"entries", std::move(entries)}};
}

Result<Table> table_from_json(const json& document) {
    if (!document.is_object())
        return input_error(0, fmt::format("expected an object with entries, found {}", document.type_name()));
    if (const auto schema = document.find("schema"); schema != document.end() && *schema != json_schema)
        return input_error(
            0, fmt::format("schema: expected {}, found {}", json_schema, excerpt(found_text(document, "schema"))));
    const auto entries = document.find("entries");
    if (entries == document.end() || !entries->is_array())
        return input_error(0, fmt::format("entries: expected an array, found {}",
                                          entries == document.end() ? "nothing" : entries->type_name()));
    Table table;
    for (std::size_t i = 0; i < entries->size(); ++i) {
        auto entry = entry_of((*entries)[i], i);
        if (!entry) return std::move(entry).error();
        table.entries.push_back(*entry);
    }
    return table;
}

Result<Table> parse_json(std::string_view text) {
    json document;
    try {
        document = json::parse(text);
    } catch (const json::parse_error& error) {
        const auto read = text.substr(0, error.byte == 0 ? 0 : error.byte - 1);
        const auto line = static_cast<std::size_t>(std::count(read.begin(), read.end(), '\n')) + 1;
        return input_error(line, fmt::format("expected JSON, found {}", excerpt(text.substr(read.size()))));
    } catch (const json::exception& error) {  // a number out of range
        return input_error(0, fmt::format("expected JSON, found {}", error.what()));
    }
    return table_from_json(document);
}

}  // namespace e820
