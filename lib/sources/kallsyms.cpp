// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/kallsyms.hpp"

#include <algorithm>
#include <utility>

#include "base/number.hpp"
#include "base/scan.hpp"
#include "base/text.hpp"

namespace handoff {

using base::Errc;
using base::Error;
using base::Result;

namespace {

/// Of /proc/kallsyms: "ffffffffa81c1300 b io_tlb_default_mem", and of a module "\t[module]" behind it.
constexpr std::size_t name_at = 19;

// A number for the first two letters of a name, so that few others have it.
std::size_t beginning(std::string_view name) {
    const auto letter = [&](std::size_t i) {
        return i < name.size() && name[i] != '\t' ? static_cast<unsigned char>(name[i]) : 0U;
    };
    return (letter(0) << 5 ^ letter(1)) & 0xfff;
}

}  // namespace

std::optional<base::Address> find_symbol(const Symbols& symbols, std::string_view name) {
    const auto found =
        std::find_if(symbols.begin(), symbols.end(), [&](const auto& symbol) { return symbol.first == name; });
    return found == symbols.end() ? std::nullopt : std::optional(found->second);
}

SymbolSearch::SymbolSearch(std::span<const std::string_view> names) : names_(names) {
    for (const std::string_view name : names_) beginnings_[beginning(name)] = true;
}

void SymbolSearch::take_line(std::string_view line) {
    const auto blank = line.find(' ');
    if (blank == line.npos || line.size() < blank + 4 || line[blank + 2] != ' ') return;
    const std::string_view name = line.substr(blank + 3);
    if (std::find(names_.begin(), names_.end(), name) == names_.end()) return;
    const auto address = base::parse_number(line.substr(0, blank), 16);
    if (!address) return;
    const auto known = find_symbol(found_, name);
    if (!known) found_.emplace_back(name, *address);
    if (known && *known != *address) twice_ = name;
}

bool SymbolSearch::take_whole_lines(std::string_view lines) {
    while (!lines.empty()) {
        const std::string_view line = lines.substr(0, lines.find('\n'));
        lines.remove_prefix(line.size() + 1);
        // Of nearly all lines two letters are looked at.
        const bool usual = line.size() > name_at && line[name_at - 1] == ' ' && line[name_at - 3] == ' ';
        if (!usual || beginnings_[beginning(line.substr(name_at))]) take_line(line);
        if (line.ends_with(']') && line.find("\t[") != line.npos) return false;
    }
    return true;
}

bool SymbolSearch::take(std::string_view piece) {
    const auto end = piece.rfind('\n') + 1;  // 0: there is none
    if (end != 0 && !rest_.empty()) {
        const std::string_view line = base::take_line(piece);
        rest_.append(line) += '\n';
        const bool more = take_whole_lines(rest_);
        rest_.clear();
        return more && take(piece);
    }
    if (!take_whole_lines(piece.substr(0, end))) return false;
    rest_ += piece.substr(end);
    return true;
}

Result<Symbols> SymbolSearch::finish() && {
    take_line(rest_);
    if (!twice_.empty()) return base::input_error(0, base::text("expected one symbol ", twice_, ", found two"));
    const auto hidden = [](const auto& symbol) { return symbol.second == 0; };
    if (std::any_of(found_.begin(), found_.end(), hidden))
        return Error{Errc::not_permitted, {}, 0, "the kernel hides addresses (kernel.kptr_restrict)"};
    std::sort(found_.begin(), found_.end());
    return std::move(found_);
}

}  // namespace handoff
