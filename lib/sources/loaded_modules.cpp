// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/loaded_modules.hpp"

#include "base/number.hpp"
#include "base/scan.hpp"

namespace handoff {

std::map<std::string, std::uint64_t, std::less<>> parse_loaded_modules(std::string_view text) {
    std::map<std::string, std::uint64_t, std::less<>> modules;
    while (!text.empty()) {
        const std::string_view line = base::take_line(text);
        const auto name_end = line.find(' ');
        if (name_end == 0 || name_end == line.npos) continue;
        const std::string_view rest = line.substr(name_end + 1);
        if (const auto bytes = base::parse_number(rest.substr(0, rest.find(' ')), 10))
            modules.emplace(line.substr(0, name_end), *bytes);
    }
    return modules;
}

}  // namespace handoff
