// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/apport.hpp"

#include <cstdint>

#include "base/excerpt.hpp"
#include "base/scan.hpp"
#include "lib/sources/files.hpp"
#include "lib/sources/gzip.hpp"

namespace handoff {

using base::input_error;
using base::Result;
using std::string_view;

namespace {

/// Of RFC 4648: adds the bytes that one line stands for. False where it is no base64.
bool add_base64(string_view line, std::string& bytes) {
    constexpr string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    while (line.ends_with('=')) line.remove_suffix(1);
    std::uint32_t bits = 0;
    unsigned count = 0;
    for (const char c : line) {
        const auto digit = digits.find(c);
        if (digit == digits.npos) return false;
        bits = bits << 6 | static_cast<std::uint32_t>(digit);
        count += 6;
        if (count < 8) continue;
        count -= 8;
        bytes += static_cast<char>(bits >> count & 0xff);
    }
    return true;
}

}  // namespace

bool is_apport_report(string_view text) { return text.starts_with("ProblemType:"); }

Result<std::vector<std::pair<std::string, std::string>>> apport_fields(string_view report,
                                                                       bool (*wanted)(string_view key)) {
    std::vector<std::pair<std::string, std::string>> fields;
    bool taking = false, packed = false;
    std::size_t number = 0;
    const auto end_field = [&]() -> std::optional<base::Error> {
        if (!taking || !packed) return std::nullopt;
        auto text = gunzip(fields.back().second, file_limit);
        if (!text) return std::move(text).error();
        fields.back().second = *std::move(text);
        return std::nullopt;
    };
    while (!report.empty()) {
        string_view line = base::take_line(report);
        ++number;
        if (line.starts_with(' ')) {
            line.remove_prefix(1);
            if (!taking) continue;
            std::string& value = fields.back().second;
            if (!packed) value.append(line).append("\n");
            if (packed && !add_base64(base::trimmed(line), value)) return input_error(number, "expected base64");
            continue;
        }
        if (auto error = end_field()) return std::move(*error);
        const auto colon = line.find(':');
        if (colon == line.npos) return input_error(number, "expected 'Key: value', found " + base::excerpt(line));
        taking = wanted(line.substr(0, colon));
        if (!taking) continue;
        string_view value = line.substr(colon + 1);
        if (value.starts_with(' ')) value.remove_prefix(1);
        packed = value == "base64";
        fields.emplace_back(line.substr(0, colon), packed || value.empty() ? "" : std::string(value) + "\n");
    }
    if (auto error = end_field()) return std::move(*error);
    return fields;
}

}  // namespace handoff
