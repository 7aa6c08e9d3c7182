// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/kallsyms.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/number.hpp"

namespace handoff {

using base::take_line;

using base::Errc;
using base::Error;
using base::Result;

namespace {

/// The name in one line of /proc/kallsyms, "ffffffffa81c1300 b io_tlb_default_mem", with "\t[module]" behind it where
/// it is a module's; "" of another line.
std::string_view symbol_name(std::string_view line) {
    const auto blank = line.find(' ');
    if (blank == std::string_view::npos || line.size() < blank + 4 || line[blank + 2] != ' ') return {};
    return line.substr(blank + 3);
}

}  // namespace

void SymbolSearch::take_line(std::string_view line) {
    const std::string_view name = symbol_name(line);
    if (std::find(names_.begin(), names_.end(), name) == names_.end()) return;
    const auto address = base::parse_number(line.substr(0, line.find(' ')), 16);
    if (!address) return;
    const auto [known, inserted] = found_.emplace(name, *address);
    if (!inserted && known->second != *address) twice_ = known->first;
}

void SymbolSearch::take(std::string_view piece) {
    for (auto newline = piece.find('\n'); newline != piece.npos; newline = piece.find('\n')) {
        if (rest_.empty()) {
            take_line(piece.substr(0, newline));
        } else {
            rest_ += piece.substr(0, newline);
            take_line(rest_);
            rest_.clear();
        }
        piece.remove_prefix(newline + 1);
    }
    rest_ += piece;
}

Result<std::map<std::string, base::Address>> SymbolSearch::finish() && {
    take_line(rest_);
    if (twice_) return base::input_error(0, fmt::format("expected one symbol {}, found two", *twice_));
    const auto hidden = [](const auto& symbol) { return symbol.second == 0; };
    if (std::any_of(found_.begin(), found_.end(), hidden))
        return Error{Errc::not_permitted, {}, 0, "the kernel hides addresses (kernel.kptr_restrict)"};
    return std::move(found_);
}

}  // namespace handoff
