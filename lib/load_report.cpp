// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/load_report.hpp"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "e820/number.hpp"

namespace handoff {
namespace {

std::string_view after(std::string_view text, std::string_view mark) {
    const auto at = text.find(mark);
    return at == text.npos ? std::string_view{} : text.substr(at + mark.size());
}

std::optional<std::uint64_t> hex_after(std::string_view text, std::string_view mark) {
    std::string_view rest = after(text, mark);
    while (rest.starts_with(' ') || rest.starts_with('=')) rest.remove_prefix(1);
    if (!rest.starts_with("0x")) return std::nullopt;
    rest.remove_prefix(2);
    return e820::parse_number(rest.substr(0, rest.find_first_not_of("0123456789abcdef")), 16);
}

// "segment[3].mem", "segment[3]:" and "Loading segment 3:" name segment 3.
std::optional<std::uint64_t> segment_number(std::string_view line) {
    std::string_view rest = after(line, "segment[");
    if (rest.empty()) rest = after(line, "Loading segment ");
    return e820::parse_number(rest.substr(0, rest.find_first_not_of("0123456789")), 10);
}

struct Parts {
    std::optional<std::uint64_t> start, size;
};

}  // namespace

Result<std::vector<AddressRange>> parse_segments(std::string_view text) {
    std::map<std::uint64_t, Parts> parts;
    for (std::size_t line_number = 1; !text.empty(); ++line_number) {
        const std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(text.size(), line.size() + 1));
        const auto number = segment_number(line);
        if (!number) continue;
        const bool kernel_form = line.find(" mem=") != line.npos;
        // A report that begins anew replaces the last one.
        if (*number == 0 && (kernel_form || line.find("].buf ") != line.npos)) parts = {{0, Parts{}}};
        Parts& p = parts[*number];
        if (kernel_form) {
            p.start = hex_after(line, " mem=");
            p.size = hex_after(line, " memsz=");
            if (!p.start || !p.size) return e820::input_error(line_number, "expected mem= and memsz= of a segment");
        } else if (line.find("].mem ") != line.npos) {
            p.start = hex_after(line, "].mem ");
        } else if (line.find("].memsz ") != line.npos) {
            p.size = hex_after(line, "].memsz ");
        }
    }
    std::vector<AddressRange> segments;
    for (const auto& [number, p] : parts) {
        const auto range = p.start && p.size ? AddressRange::from_size(*p.start, *p.size) : std::nullopt;
        if (!range || range->empty()) return e820::input_error(0, fmt::format("expected address and size of segment {}", number));
        segments.push_back(*range);
    }
    return segments;
}

std::optional<std::string> disagreement(const Plan& plan, const std::vector<AddressRange>& segments) {
    const auto has = [&](const AddressRange& r) { return std::find(segments.begin(), segments.end(), r) != segments.end(); };
    const auto as_in = [&](const Load& load) {
        return std::all_of(load.segments.begin(), load.segments.end(),
                           [&](const Segment& s) { return (s.name != "kernel" && s.name != "initrd") || has(s.range); });
    };
    const auto load = std::find_if(plan.loads.begin(), plan.loads.end(), as_in);
    if (load == plan.loads.end()) return "kernel or initrd were loaded at another place than planned";

    const AddressRange kernel = load->find("kernel")->range;
    for (const AddressRange& segment : segments)
        for (const AddressRange& fence : plan.fences)
            if (segment != kernel && segment.overlaps(fence))
                return fmt::format("the fence {} lies in the segment {}", e820::to_string(fence), e820::to_string(segment));
    // Where the pool ends, free memory must not begin: a fence or a segment is there.
    if (plan.expected && load->map.of(e820::Type::ram).contains(*AddressRange::from_size(plan.expected->end(), e820::page_size))) {
        const auto covers = [&](const AddressRange& r) { return r.contains(plan.expected->end()); };
        if (std::none_of(segments.begin(), segments.end(), covers) && std::none_of(plan.fences.begin(), plan.fences.end(), covers))
            return fmt::format("nothing was loaded at {:#x}, where the pool ends", plan.expected->end());
    }
    return std::nullopt;
}

}  // namespace handoff
