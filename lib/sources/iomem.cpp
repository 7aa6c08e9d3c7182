// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/iomem.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "base/excerpt.hpp"
#include "base/scan.hpp"
#include "base/text.hpp"

namespace handoff {

using base::Scan;
using base::take_line;

using base::Error;
using base::Result;

namespace {

/// Spellings of the pool: the first is that of the patches in kernel/, others may come.
/// No released kernel up to 7.2 shows any.
constexpr std::array<std::string_view, 5> pool_names{"Software IO TLB", "software IO TLB", "swiotlb", "SWIOTLB",
                                                     "Swiotlb"};

bool names_pool(std::string_view name) {
    return std::any_of(pool_names.begin(), pool_names.end(), [&](std::string_view known) {
        return name == known || (name.starts_with(known) && name.substr(known.size()).starts_with(" ("));
    });
}

/// Takes the blanks and counts them. Mail turns some into no-break spaces (U+00A0).
std::size_t take_blanks(Scan& scan) {
    for (std::size_t count = 0;; ++count) {
        if (!scan.take(' ') && !scan.take("\u00a0")) return count;
    }
}

/// One line without its newline, "  6e000000-7dffffff : Crash kernel", into an entry; what was expected instead, ""
/// where it is one.
std::string_view parse_line(std::string_view line, IomemEntry& entry) {
    // r_show() in kernel/resource.c prints two blanks for each level; a third is the one
    // that mail puts before a line that begins with a blank (RFC 3676, space-stuffing).
    Scan scan(line);
    entry.depth = static_cast<unsigned>(take_blanks(scan) / 2);
    const auto start = scan.hex_digits();
    const auto last = start && scan.take('-') ? scan.hex_digits() : std::nullopt;
    // "%s" of a resource without a name is "<BAD>", so a name is never empty.
    if (!last || !scan.take(' ') || !scan.take(':') || !scan.take(' ') || scan.rest().empty())
        return "'start-end : name' in hexadecimal";
    if (*last < *start) return "an end that is not below the start";

    // Unset resources, and the end of an empty one: "00000000-00000000 : PCI Bus 0000:00".
    const auto range = *last == 0 ? base::AddressRange() : base::AddressRange::from_inclusive(*start, *last);
    if (!range) return "an end below the last 64-bit address";
    entry.range = *range;
    entry.name = scan.rest();
    return {};
}

}  // namespace

IomemKind IomemEntry::kind() const {
    if (name == "System RAM") return IomemKind::system_ram;
    // arm64 says "Crash kernel (low)".
    if (name == "Crash kernel" || name.starts_with("Crash kernel (")) return IomemKind::crash_kernel;
    // "Kernel code", "Kernel rodata", "Kernel data", "Kernel bss"
    if (name.starts_with("Kernel ")) return IomemKind::kernel_image;
    if (names_pool(name)) return IomemKind::pool;
    return devices().empty() ? IomemKind::other : IomemKind::device_pool;
}

// setup_swiotlb_dev() of the patches in kernel/.
std::string_view IomemEntry::devices() const {
    constexpr std::string_view prefix = "Software IO TLB ";
    return name.starts_with(prefix) && !names_pool(name) ? std::string_view(name).substr(prefix.size())
                                                         : std::string_view();
}

Result<std::vector<IomemEntry>> parse_iomem(std::string_view text) {
    if (text.empty()) return base::input_error(0, "expected lines of 'start-end : name', found nothing");
    const char* const nul = text.data() + std::min(text.find('\0'), text.size());  // the end, as a rule
    std::vector<IomemEntry> entries;
    entries.reserve(text.size() / 32);  // "00100000-bffdffff : System RAM"
    bool any = false;
    for (std::size_t number = 1; !text.empty(); ++number) {
        std::string_view line = take_line(text);
        if (line.ends_with('\r')) line.remove_suffix(1);  // a capture that went through a mail or Windows
        if (line.empty()) continue;
        if (line.data() + line.size() > nul) return base::input_error(number, "expected text, found a NUL byte");

        const unsigned deepest = entries.empty() ? 0 : entries.back().depth + 1;
        IomemEntry& entry = entries.emplace_back();
        entry.line = number;
        if (const auto expected = parse_line(line, entry); !expected.empty()) {
            return base::input_error(number, base::text("expected ", expected, ", found ", base::excerpt(line)));
        }
        if (entry.depth > deepest) {
            return base::input_error(number, base::text("expected a nesting of at most ", deepest, ", found ",
                                                        entry.depth, ": ", base::excerpt(line)));
        }
        any = any || !entry.range.empty();
    }
    if (!any) {
        return Error{base::Errc::not_permitted,
                     {},
                     0,
                     "every address is zero, because it was read without root (CAP_SYS_ADMIN)"};
    }
    return entries;
}

}  // namespace handoff
