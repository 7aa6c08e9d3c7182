// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/service/service.hpp"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "base/scan.hpp"
#include "lib/service/shell_config.hpp"

namespace handoff {
namespace {

using std::string_view;

// systemd reads Debian's file too (EnvironmentFile=), without a shell. A line without '=' is nothing to it; an
// assignment would reach the script's environment with $(…) unexpanded. So the block has none.
//
// It is the first thing in the file but for a plain line that sets what it sets: whatever the file ends in, a
// backslash, `return`, an open quote or here-document, the shell has read it by then. openSUSE's fillup, which merges
// the file at an update, keeps what comes before the first variable and drops what comes behind the last.
constexpr string_view begin_line = "# >>> swiotlb-handoff enable >>>";
constexpr string_view end_line = "# <<< swiotlb-handoff enable <<<";

std::string body(const KdumpService& service, string_view helpers) {
    // Without the package nothing is sourced, and kdump is as it was.
    return fmt::format(
        "# Written by 'swiotlb-handoff enable'; 'swiotlb-handoff disable' takes it away.\n"
        "[ ! -r {0}/{1} ] || . {0}/{1}\n",
        helpers, service.snippet);
}

struct Block {
    std::size_t begin = 0;  // of the marker line
    std::size_t end = 0;    // behind the end marker's newline
};

Result<std::optional<Block>> find_block(string_view config, const KdumpService& service, string_view helpers) {
    std::optional<Block> block;
    bool open = false;
    std::size_t number = 0, inside = 0;
    for (std::size_t at = 0; at < config.size();) {
        const std::size_t newline = std::min(config.find('\n', at), config.size());
        const string_view line = config.substr(at, newline - at);
        const std::size_t next = std::min(newline + 1, config.size());
        ++number;
        if (line.starts_with(begin_line)) {
            if (block)
                return base::input_error(number,
                                         "expected one block of swiotlb-handoff, found the beginning of a second");
            if (line != begin_line)
                return base::input_error(number, fmt::format("expected '{}', found '{}'", begin_line, line));
            block = Block{at, 0};
            inside = next;
            open = true;
        } else if (line == end_line) {
            if (!open) return base::input_error(number, fmt::format("found '{}' without its beginning", end_line));
            if (config.substr(inside, at - inside) != body(service, helpers))
                return base::input_error(
                    number, "the block of swiotlb-handoff was changed by hand: take it out by hand, or restore it");
            block->end = next;
            open = false;
        }
        at = next;
    }
    if (open) return base::input_error(0, fmt::format("expected '{}', found the end of the file", end_line));
    return block;
}

bool in_a_name(char c) {
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

// The line, which is no comment, sets this variable.
bool sets(string_view line, string_view variable) {
    for (auto at = line.find(variable); at != line.npos; at = line.find(variable, at + 1)) {
        const string_view rest = line.substr(at + variable.size());
        if ((at == 0 || !in_a_name(line[at - 1])) && (rest.starts_with('=') || rest.starts_with("+="))) return true;
    }
    return false;
}

// One assignment of a value that takes no shell to know.
bool is_plain(string_view line) {
    line.remove_prefix(std::min(line.size(), line.find_first_not_of(" \t")));
    if (line.starts_with("export ")) line.remove_prefix(7);
    const string_view name = line.substr(0, line.find('='));
    return !name.empty() && std::all_of(name.begin(), name.end(), in_a_name) && assigned(line, name);
}

// Where the block has its effect: at the beginning, or behind the last line that sets the variable by which the scripts
// know what to load with, since the block has to see it. Error where the shell may not come to that place.
Result<std::size_t> place_of_block(string_view config, const KdumpService& service) {
    std::size_t place = 0, number = 0;
    bool all_plain = true;
    for (string_view rest = config; !service.variable.empty() && !rest.empty();) {
        const bool ends = rest.find('\n') != rest.npos;
        const string_view line = base::take_line(rest);
        ++number;
        if (const auto first = line.find_first_not_of(" \t"); first == line.npos || line[first] == '#') continue;
        all_plain = all_plain && is_plain(line);
        if (!sets(line, service.variable)) continue;
        if (!all_plain || !ends)
            return base::input_error(number,
                                     fmt::format("{0} is set here, and whether kdump would then load with "
                                                 "swiotlb-handoff is not known. Set it by {0}=/path in the first line "
                                                 "of the file, or do without the handoff.",
                                                 service.variable));
        place = config.size() - rest.size();
    }
    return place;
}

}  // namespace

Result<ConfigState> handoff_in(string_view config, const KdumpService& service, string_view helpers) {
    const auto block = find_block(config, service, helpers);
    if (!block) return block.error();
    if (!*block) return ConfigState::absent;
    // The block itself is no plain line: what is set behind it is an error.
    if (const auto place = place_of_block(config, service); !place) return place.error();
    return ConfigState::present;
}

Result<std::string> with_handoff(string_view config, const KdumpService& service, string_view helpers) {
    const auto state = handoff_in(config, service, helpers);
    if (!state) return state.error();
    std::string text(config);
    if (*state == ConfigState::present) return text;
    const auto place = place_of_block(config, service);
    if (!place) return place.error();
    text.insert(*place, fmt::format("{}\n{}{}\n", begin_line, body(service, helpers), end_line));
    return text;
}

Result<std::string> without_handoff(string_view config, const KdumpService& service, string_view helpers) {
    const auto block = find_block(config, service, helpers);
    if (!block) return block.error();
    std::string text(config);
    if (*block) text.erase((*block)->begin, (*block)->end - (*block)->begin);
    return text;
}

}  // namespace handoff
