// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/neighbours.hpp"

#include <fmt/format.h>

#include "base/excerpt.hpp"
#include "base/number.hpp"
#include "base/scan.hpp"

namespace handoff {

using base::take_line;

using base::AddressRange;
using std::string_view;

base::Result<std::vector<AddressRange>> parse_cma_ranges(string_view text) {
    std::vector<AddressRange> ranges;
    for (std::size_t number = 1; !text.empty(); ++number) {
        const string_view line = take_line(text);
        if (line.empty()) continue;
        const auto dash = line.find('-');
        const auto start = base::parse_number(line.substr(0, dash), 16);
        const auto last = dash == line.npos ? std::nullopt : base::parse_number(line.substr(dash + 1), 16);
        const auto range = start && last ? AddressRange::from_inclusive(*start, *last) : std::nullopt;
        if (!range)
            return base::input_error(number,
                                     fmt::format("expected START-END in hexadecimal, found {}", base::excerpt(line)));
        ranges.push_back(*range);
    }
    return ranges;
}

base::Result<std::vector<AddressRange>> parse_kho_scratch(string_view addresses, string_view sizes) {
    std::vector<AddressRange> ranges;
    for (std::size_t number = 1; !addresses.empty() || !sizes.empty(); ++number) {
        const string_view address = take_line(addresses), size = take_line(sizes);
        const auto start = base::parse_prefixed(address), bytes = base::parse_prefixed(size);
        const auto range = start && bytes ? AddressRange::from_size(*start, *bytes) : std::nullopt;
        if (!range)
            return base::input_error(number, fmt::format("expected an address and a size, found {} and {}",
                                                         base::excerpt(address), base::excerpt(size)));
        if (!range->empty()) ranges.push_back(*range);
    }
    return ranges;
}

}  // namespace handoff
