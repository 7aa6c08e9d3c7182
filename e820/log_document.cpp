// SPDX-License-Identifier: GPL-2.0-or-later
#include "e820/log_document.hpp"

#include <nlohmann/json.hpp>

namespace e820 {

std::optional<std::string> text_of_document(std::string_view document) {
    const auto first = document.find_first_not_of(" \t\r\n");
    if (first == document.npos || (document[first] != '{' && document[first] != '"')) return std::nullopt;
    const bool object = document[first] == '{';
    const bool names = document.find("\"Output\"") != document.npos || document.find("\"contents\"") != document.npos;
    if (object && !names) return std::nullopt;
    const auto parsed = nlohmann::json::parse(document, nullptr, false);
    if (parsed.is_string()) return parsed.get<std::string>();
    if (!parsed.is_object()) return std::nullopt;
    for (const char* key : {"Output", "contents"})
        if (const auto found = parsed.find(key); found != parsed.end() && found->is_string())
            return found->get<std::string>();
    return std::nullopt;
}

}  // namespace e820
