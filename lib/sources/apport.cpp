// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/apport.hpp"

#include <utility>

#include "base/excerpt.hpp"
#include "base/scan.hpp"
#include "lib/sources/base64.hpp"
#include "lib/sources/files.hpp"
#include "lib/sources/gzip.hpp"

namespace handoff {

using base::input_error;
using base::Result;
using std::string_view;

bool is_apport_report(string_view text) { return text.starts_with("ProblemType:"); }

std::optional<base::Error> ApportFields::take(string_view piece) {
    while (!piece.empty()) {
        const auto end = piece.find('\n');
        const bool whole = end != piece.npos;
        const string_view part = piece.substr(0, end);
        piece.remove_prefix(whole ? end + 1 : piece.size());
        // Of a line of a field that nobody asks for nothing is kept.
        skipping_ = skipping_ || (line_.empty() && !taking_ && part.starts_with(' '));
        if (!skipping_) {
            if (line_.size() + part.size() > file_limit) return too_large({}, file_limit);
            line_ += part;
        }
        if (!whole) continue;
        ++number_;
        if (!std::exchange(skipping_, false))
            if (auto error = take_line(line_)) return error;
        line_.clear();
    }
    return std::nullopt;
}

std::optional<base::Error> ApportFields::take_line(string_view line) {
    if (line.starts_with(' ')) {
        line.remove_prefix(1);
        if (!taking_) return std::nullopt;
        std::string& value = fields_.back().second;
        if (value.size() + line.size() > file_limit) return too_large({}, file_limit);
        if (!packed_) value.append(line).append("\n");
        if (packed_ && !add_base64(base::trimmed(line), value)) return input_error(number_, "expected base64");
        return std::nullopt;
    }
    if (auto error = end_field()) return error;
    const auto colon = line.find(':');
    if (colon == line.npos) return input_error(number_, "expected 'Key: value', found " + base::excerpt(line));
    taking_ = wanted_(line.substr(0, colon));
    if (!taking_) return std::nullopt;
    string_view value = line.substr(colon + 1);
    if (value.starts_with(' ')) value.remove_prefix(1);
    packed_ = value == "base64";
    fields_.emplace_back(line.substr(0, colon), packed_ || value.empty() ? "" : std::string(value) + "\n");
    return std::nullopt;
}

std::optional<base::Error> ApportFields::end_field() {
    if (!taking_ || !packed_) return std::nullopt;
    auto text = gunzip(fields_.back().second, file_limit);
    if (!text) return std::move(text).error();
    fields_.back().second = *std::move(text);
    return std::nullopt;
}

Result<std::vector<std::pair<std::string, std::string>>> ApportFields::finish() && {
    if (!line_.empty())
        if (auto error = take("\n")) return std::move(*error);
    if (auto error = end_field()) return std::move(*error);
    return std::move(fields_);
}

}  // namespace handoff
