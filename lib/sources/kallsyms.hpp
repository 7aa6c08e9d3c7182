// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/scan.hpp"
#include "swiotlb-handoff/range.hpp"
#include "swiotlb-handoff/result.hpp"

namespace handoff {

using base::take_line;

/// Looks for symbols in the text of /proc/kallsyms, which is given in pieces of any size: it has some 10 MB.
class SymbolSearch {
public:
    /// The names must outlive the search.
    explicit SymbolSearch(std::span<const std::string_view> names) : names_(names) {}

    void take(std::string_view piece);

    /// The addresses of those of the names that the kernel itself has, and no module. An input error where one name has
    /// two addresses; not_permitted where the kernel hides addresses: they are all 0.
    base::Result<std::map<std::string, base::Address>> finish() &&;

private:
    void take_line(std::string_view line);

    std::span<const std::string_view> names_;
    std::string rest_;  ///< the beginning of a line
    std::map<std::string, base::Address> found_;
    std::optional<std::string> twice_;
};

}  // namespace handoff
