// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/neighbours.hpp"

#include <fmt/format.h>

#include "e820/excerpt.hpp"
#include "e820/number.hpp"
#include "lib/scan.hpp"

namespace handoff {

using std::string_view;
using e820::AddressRange;

e820::Result<std::vector<AddressRange>> parse_cma_ranges(string_view text) {
    std::vector<AddressRange> ranges;
    for (std::size_t number = 1; !text.empty(); ++number) {
        const string_view line = take_line(text);
        if (line.empty()) continue;
        const auto dash = line.find('-');
        const auto start = e820::parse_number(line.substr(0, dash), 16);
        const auto last = dash == line.npos ? std::nullopt : e820::parse_number(line.substr(dash + 1), 16);
        const auto range = start && last ? AddressRange::from_inclusive(*start, *last) : std::nullopt;
        if (!range) return e820::input_error(number, fmt::format("expected START-END in hexadecimal, found {}", e820::excerpt(line)));
        ranges.push_back(*range);
    }
    return ranges;
}

e820::Result<std::vector<AddressRange>> parse_kho_scratch(string_view addresses, string_view sizes) {
    std::vector<AddressRange> ranges;
    for (std::size_t number = 1; !addresses.empty() || !sizes.empty(); ++number) {
        const string_view address = take_line(addresses), size = take_line(sizes);
        const auto start = e820::parse_prefixed(address), bytes = e820::parse_prefixed(size);
        const auto range = start && bytes ? AddressRange::from_size(*start, *bytes) : std::nullopt;
        if (!range)
            return e820::input_error(number, fmt::format("expected an address and a size, found {} and {}", e820::excerpt(address), e820::excerpt(size)));
        if (!range->empty()) ranges.push_back(*range);
    }
    return ranges;
}

}  // namespace handoff
