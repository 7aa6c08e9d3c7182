// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "swiotlb-handoff/range.hpp"
#include "swiotlb-handoff/result.hpp"

namespace handoff {

/// Variables and functions of a kernel and where they are, in the order of their names.
using Symbols = std::vector<std::pair<std::string, base::Address>>;
/// nullopt where it is not among them.
std::optional<base::Address> find_symbol(const Symbols&, std::string_view name);

/// Looks for symbols of the kernel itself in the text of /proc/kallsyms, which is given in pieces of any size: it has
/// some 10 MB. The first symbol of a module ends the search, since those come last (kernel/kallsyms.c, update_iter()).
class SymbolSearch {
public:
    /// The names must outlive the search.
    explicit SymbolSearch(std::span<const std::string_view> names);

    /// Whether more is needed.
    bool take(std::string_view piece);

    /// The addresses of those of the names that the kernel itself has. An input error where one name has
    /// two addresses; not_permitted where the kernel hides addresses: they are all 0.
    base::Result<Symbols> finish() &&;

private:
    void take_line(std::string_view line);
    bool take_whole_lines(std::string_view lines);

    std::span<const std::string_view> names_;
    std::array<bool, 4096> beginnings_{};  ///< of the names, by beginning()
    std::string rest_;                     ///< the beginning of a line
    Symbols found_;
    std::string twice_;  ///< a name with two addresses
};

}  // namespace handoff
