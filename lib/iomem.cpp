// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/iomem.hpp"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "e820/excerpt.hpp"
#include "e820/number.hpp"

namespace handoff {

using e820::Error;
using e820::Result;

namespace {

/// Takes everything before `mark`, and the mark, off the front of `text`; nullopt, and `text`
/// unchanged, where there is no mark.
std::optional<std::string_view> take_until(std::string_view& text, std::string_view mark) {
    const auto at = text.find(mark);
    if (at == std::string_view::npos) return std::nullopt;
    const std::string_view before = text.substr(0, at);
    text.remove_prefix(at + mark.size());
    return before;
}

/// Takes the blanks off the front of `text` and counts them. Mail turns some into no-break
/// spaces (U+00A0).
std::size_t take_blanks(std::string_view& text) {
    for (std::size_t count = 0;; ++count) {
        if (text.starts_with(' ')) {
            text.remove_prefix(1);
        } else if (text.starts_with("\u00a0")) {
            text.remove_prefix(2);
        } else {
            return count;
        }
    }
}

/// One line without its newline: "  6e000000-7dffffff : Crash kernel".
Result<IomemEntry> parse_line(std::string_view line, std::size_t number) {
    const auto malformed = [&](std::string_view expected) {
        return e820::input_error(number, fmt::format("expected {}, found {}", expected, e820::excerpt(line)));
    };
    // r_show() in kernel/resource.c prints two blanks for each level; a third is the one
    // that mail puts before a line that begins with a blank (RFC 3676, space-stuffing).
    std::string_view rest = line;
    const auto depth = static_cast<unsigned>(take_blanks(rest) / 2);
    const auto first = take_until(rest, "-");
    const auto second = take_until(rest, " : ");
    // "%s" of a resource without a name is "<BAD>", so a name is never empty.
    if (!first || !second || rest.empty()) return malformed("'start-end : name'");
    const auto start = e820::parse_number(*first, 16);
    const auto last = e820::parse_number(*second, 16);
    if (!start || !last) return malformed("'start-end : name' in hexadecimal");

    // Unset resources, and the end of an empty one: "00000000-00000000 : PCI Bus 0000:00".
    const bool unset = *start == 0 && *last == 0;
    const auto range = unset ? e820::AddressRange() : e820::AddressRange::from_inclusive(*start, *last);
    if (*last < *start) return malformed("an end that is not below the start");
    if (!range) return malformed("an end below the last 64-bit address");
    return IomemEntry{*range, depth, std::string(rest), number};
}

}  // namespace

Result<std::vector<IomemEntry>> parse_iomem(std::string_view text) {
    if (text.empty()) return e820::input_error(0, "expected lines of 'start-end : name', found nothing");
    std::vector<IomemEntry> entries;
    for (std::size_t number = 1; !text.empty(); ++number) {
        std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(text.size(), line.size() + 1));
        if (line.ends_with('\r')) line.remove_suffix(1);  // a capture that went through a mail or Windows
        if (line.empty()) continue;
        if (line.find('\0') != std::string_view::npos)
            return e820::input_error(number, "expected text, found a NUL byte");

        auto entry = parse_line(line, number);
        if (!entry) return std::move(entry).error();
        const unsigned deepest = entries.empty() ? 0 : entries.back().depth + 1;
        if (entry->depth > deepest) {
            return e820::input_error(number, fmt::format("expected a nesting of at most {}, found {}: {}", deepest,
                                                         entry->depth, e820::excerpt(line)));
        }
        entries.push_back(*std::move(entry));
    }
    if (std::all_of(entries.begin(), entries.end(), [](const IomemEntry& e) { return e.range.empty(); })) {
        return Error{e820::Errc::not_permitted, {}, 0, "every range is zero: it was read without CAP_SYS_ADMIN"};
    }
    return entries;
}

}  // namespace handoff
