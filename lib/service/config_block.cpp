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
// assignment would reach the script's environment with $(…) unexpanded. So the block has none there.
//
// It is the first thing in the file but for a plain line that sets what it sets: whatever the file ends in, a
// backslash, `return`, an open quote or here-document, the shell has read it by then.
//
// openSUSE's file is merged by fillup when the package is updated, and written by YaST (agent-ini of yast-core). Both
// know comments and NAME="value" without '"' in it, and nothing else: fillup moves comments that stand behind a value,
// and YaST drops other lines. So the block is an assignment there, which has its comments in front and ends it.
constexpr string_view begin_line = "# >>> swiotlb-handoff enable >>>";
constexpr string_view end_line = "# <<< swiotlb-handoff enable <<<";

// Behind the line that begins it. Without the package kdump is as it was.
std::string body(const KdumpService& service, string_view helpers) {
    const std::string text = "# Written by 'swiotlb-handoff enable'; 'swiotlb-handoff disable' takes it away.\n";
    if (service.snippet.empty())
        return text + fmt::format("{0}=\"$(command -v {1}/kexec || echo ${{{0}-}})\"\n", service.variable, helpers);
    return text + fmt::format("[ ! -r {0}/{1} ] || . {0}/{1}\n{2}\n", helpers, service.snippet, end_line);
}

struct Block {
    std::size_t begin = 0;  // of the marker line
    std::size_t end = 0;    // behind the newline of its last line
};

Result<std::optional<Block>> find_block(string_view config, const KdumpService& service, string_view helpers) {
    const std::string expected = body(service, helpers);
    std::optional<Block> block;
    std::size_t number = 0;
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
            if (!config.substr(next).starts_with(expected))
                return base::input_error(
                    number, "the block of swiotlb-handoff was changed by hand. Remove it by hand, or restore it");
            block = Block{at, next + expected.size()};
        } else if (line == end_line && !(block && next <= block->end)) {
            return base::input_error(number, fmt::format("found '{}' without its beginning", end_line));
        }
        at = next;
    }
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

std::string cannot_be_seen(string_view variable) {
    return fmt::format(
        "{0} is set here, and it is not known whether kdump would then load with swiotlb-handoff. Set it by {0}=/path "
        "in the first line of the file, or do without the handoff.",
        variable);
}

std::string set_twice(string_view variable) {
    return fmt::format(
        "{0} is set here. swiotlb-handoff would have to set it once more, and YaST keeps only one of two such lines. "
        "Remove this line, or do without the handoff.",
        variable);
}

// Where the block has its effect: at the beginning, or behind the last line that sets the variable by which the scripts
// know what to load with, since the block has to see it. Error where the shell may not come to that place, or where the
// block sets the variable itself.
Result<std::size_t> place_of_block(string_view config, const KdumpService& service, const std::optional<Block>& block) {
    std::size_t place = 0, number = 0;
    bool all_plain = true;
    for (string_view rest = config; !service.variable.empty() && !rest.empty();) {
        const std::size_t at = config.size() - rest.size();
        const bool ends = rest.find('\n') != rest.npos;
        const string_view line = base::take_line(rest);
        ++number;
        if (const auto first = line.find_first_not_of(" \t"); first == line.npos || line[first] == '#') continue;
        const bool ours = block && at >= block->begin && at < block->end;
        all_plain = all_plain && !ours && is_plain(line);
        if (ours || !sets(line, service.variable)) continue;
        if (service.snippet.empty()) return base::input_error(number, set_twice(service.variable));
        if (!all_plain || !ends) return base::input_error(number, cannot_be_seen(service.variable));
        place = config.size() - rest.size();
    }
    return place;
}

}  // namespace

Result<ConfigState> handoff_in(string_view config, const KdumpService& service, string_view helpers) {
    const auto block = find_block(config, service, helpers);
    if (!block) return block.error();
    if (!*block) return ConfigState::absent;
    // What is set behind the block is an error.
    if (const auto place = place_of_block(config, service, *block); !place) return place.error();
    return ConfigState::present;
}

Result<std::string> with_handoff(string_view config, const KdumpService& service, string_view helpers) {
    const auto state = handoff_in(config, service, helpers);
    if (!state) return state.error();
    std::string text(config);
    if (*state == ConfigState::present) return text;
    const auto place = place_of_block(config, service, std::nullopt);
    if (!place) return place.error();
    text.insert(*place, fmt::format("{}\n{}", begin_line, body(service, helpers)));
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
