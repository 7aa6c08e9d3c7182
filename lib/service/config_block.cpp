// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/service/service.hpp"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

namespace handoff {
namespace {

using std::string_view;

// systemd reads Debian's file too (EnvironmentFile=), without a shell. A line without '=' is nothing to it; an
// assignment would reach the script's environment with $(…) unexpanded. So the block has none.
constexpr string_view begin_line = "# >>> swiotlb-handoff enable >>>";
// The file's last line had no end: it was completed, and the end goes with the block.
constexpr string_view begin_after_cut = "# >>> swiotlb-handoff enable >>> (the line above had no end)";
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
    bool after_cut = false;
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
            if (line != begin_line && line != begin_after_cut)
                return base::input_error(number, fmt::format("expected '{}', found '{}'", begin_line, line));
            block = Block{at, 0, line == begin_after_cut};
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

}  // namespace

Result<ConfigState> handoff_in(string_view config, const KdumpService& service, string_view helpers) {
    const auto block = find_block(config, service, helpers);
    if (!block) return block.error();
    return *block ? ConfigState::present : ConfigState::absent;
}

Result<std::string> with_handoff(string_view config, const KdumpService& service, string_view helpers) {
    const auto block = find_block(config, service, helpers);
    if (!block) return block.error();
    std::string text(config);
    if (*block) return text;
    const bool cut = !text.empty() && text.back() != '\n';
    text += fmt::format("{}{}\n{}{}\n", cut ? "\n" : "", cut ? begin_after_cut : begin_line, body(service, helpers),
                        end_line);
    return text;
}

Result<std::string> without_handoff(string_view config, const KdumpService& service, string_view helpers) {
    const auto block = find_block(config, service, helpers);
    if (!block) return block.error();
    std::string text(config);
    if (!*block) return text;
    std::size_t begin = (*block)->begin;
    // Where the administrator added lines behind the block, the completed line keeps its end.
    if ((*block)->after_cut && begin > 0 && (*block)->end == text.size()) --begin;
    text.erase(begin, (*block)->end - begin);
    return text;
}

}  // namespace handoff
