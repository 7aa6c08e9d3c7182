// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/listing.hpp"

#include <algorithm>
#include <optional>

#include "base/number.hpp"
#include "base/scan.hpp"

namespace handoff {
namespace {

using std::string_view;

string_view take_field(string_view& line) {
    line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
    const string_view field = line.substr(0, line.find(' '));
    line.remove_prefix(field.size());
    return field;
}

}  // namespace

std::map<std::string, std::uint64_t> listed_files(string_view listing) {
    std::map<std::string, std::uint64_t> files;
    std::string directory;
    while (!listing.empty()) {
        string_view line = base::trimmed(base::take_line(listing));
        if (line.starts_with('/') && line.ends_with(':')) {
            directory = line.substr(1, line.size() - 2);
            while (directory.ends_with('/')) directory.pop_back();
            continue;
        }
        if (!line.starts_with('-') || directory.empty()) continue;
        // Permissions, links, owner, group; with -Z a label.
        for (int i = 0; i < 4; ++i) take_field(line);
        auto bytes = base::parse_number(take_field(line), 10);
        if (!bytes) bytes = base::parse_number(take_field(line), 10);
        const string_view name = line.substr(line.rfind(' ') + 1);
        if (bytes && !name.empty()) files.emplace(directory + "/" + std::string(name), *bytes);
    }
    return files;
}

}  // namespace handoff
