// SPDX-License-Identifier: GPL-2.0-or-later
// Memory before and after a crash: what is where, and what is worth looking at.
#include "lib/report/picture.hpp"

#include <algorithm>
#include <array>
#include <bit>

#include <fmt/format.h>

#include "lib/kernel/crashkernel.hpp"
#include "lib/report/picture_parts.hpp"

namespace handoff {
namespace {

using base::align_up;
using base::GiB;
using base::KiB;
using base::MiB;

constexpr Address low_limit = 4 * GiB;

constexpr std::array<Look, 9> looks = {{{MemoryUse::reserved, "reserved", '.', "100;97"},
                                        {MemoryUse::ram, "RAM", '-', "47;30"},
                                        {MemoryUse::crash_kernel, "crashkernel", '=', "45;97"},
                                        {MemoryUse::segment, "loaded", 's', "46;30"},
                                        {MemoryUse::initrd, "initrd", 'I', "44;97"},
                                        {MemoryUse::kernel, "kernel", 'K', "104;97"},
                                        {MemoryUse::pool, "pool", 'P', "43;30"},
                                        {MemoryUse::fence, "fence", '|', "42;30"},
                                        {MemoryUse::misplaced, "misplaced pool", 'X', "41;97"}}};

// The kernel's rule for overlapping e820 entries is the painter's: the highest type wins.
class Canvas {
public:
    void paint(const AddressRange& range, MemoryUse use) { table_.add(range, static_cast<e820::Type>(use)); }
    void paint(const e820::Table& map) {
        for (const e820::Entry& e : map.entries)
            paint(e.range, e.type == e820::Type::ram ? MemoryUse::ram : MemoryUse::reserved);
    }
    [[nodiscard]] std::vector<Stretch> finished() const {
        std::vector<Stretch> stretches;
        for (const e820::Entry& e : sanitised(table_).entries)
            stretches.push_back({e.range, static_cast<MemoryUse>(e.type)});
        return stretches;
    }

private:
    e820::Table table_;
};

MemoryUse use_of(const Segment& s) {
    return s.name == "kernel" ? MemoryUse::kernel : s.name == "initrd" ? MemoryUse::initrd : MemoryUse::segment;
}

// From the first to the last of what the handoff is about, with a little around it, to round addresses.
void add_close_up(std::vector<AddressRange>& windows, const Picture& picture, const AddressRange& all) {
    Address start = all.end(), end = all.start();
    for (const auto* side : {&picture.before, &picture.after})
        for (const Stretch& s : *side) {
            const bool told =
                s.use >= MemoryUse::crash_kernel && !(side == &picture.before && s.use == MemoryUse::kernel);
            if (const AddressRange part = s.range.intersect(all); told && !part.empty()) {
                start = std::min(start, part.start());
                end = std::max(end, part.end());
            }
        }
    if (start >= end) return;
    const std::uint64_t around = std::max<std::uint64_t>(std::bit_floor((end - start) / 16), MiB);
    const Address from = std::max(all.start(), (start - std::min(start, around)) / around * around);
    const Address to = std::min(all.end(), align_up(end + around, around));
    if (to - from < all.size() / 2) windows.push_back(*AddressRange::from_bounds(from, to));
}

// The machine, the verdict, and what the handoff saves.
std::vector<std::string> title_of(const Machine& machine, const Plan& plan) {
    std::vector<std::string> title = {fmt::format("{}{:.1f} GiB of RAM, of which {} are reserved for the crash kernel",
                                                  machine.release.empty() ? "" : "Linux " + machine.release + ", ",
                                                  static_cast<double>(machine.ram.size()) / static_cast<double>(GiB),
                                                  size_text(reserved_bytes(machine)))};
    const std::size_t assumed = plan.verdict == Verdict::ready ? plan.assumptions.size() : 0;
    if (assumed != 0)
        title.push_back(fmt::format("Verdict: ready if {} {} true; 'plan' names them", assumed,
                                    assumed == 1 ? "assumption is" : "assumptions are"));
    else
        title.push_back("Verdict: " + headline(plan));
    const auto kept =
        std::find_if(plan.reasons.begin(), plan.reasons.end(), [](const Reason& r) { return r.is("memory-kept"); });
    if (plan.verdict == Verdict::ready && kept != plan.reasons.end()) title.push_back("Saving: " + kept->text);
    return title;
}

}  // namespace

const Look& look_of(MemoryUse use) { return looks[static_cast<std::size_t>(use) - 1]; }

const char* name(MemoryUse use) { return look_of(use).name; }

std::vector<Look> shown_looks(const Picture& picture) {
    std::vector<Look> shown;
    for (const Look& look : looks) {
        const auto has = [&](const std::vector<Stretch>& side) {
            return std::any_of(side.begin(), side.end(), [&](const Stretch& s) { return s.use == look.use; });
        };
        if (has(picture.before) || has(picture.after)) shown.push_back(look);
    }
    return shown;
}

std::string size_text(std::uint64_t bytes) {
    if (bytes >= GiB && bytes % GiB == 0) return fmt::format("{} GiB", bytes / GiB);
    if (bytes >= MiB && bytes % MiB == 0) return fmt::format("{} MiB", bytes / MiB);
    if (bytes >= 2 * MiB) return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / static_cast<double>(MiB));
    return fmt::format("{} KiB", (bytes + KiB - 1) / KiB);
}

bool is_low(const AddressRange& window) { return window == *AddressRange::from_size(0, low_limit); }

std::string window_name(const AddressRange& window) {
    if (is_low(window)) return "below 4 GiB";
    return fmt::format("close-up from {:#x}", window.start());
}

std::vector<Address> round_addresses(const AddressRange& window, unsigned most) {
    const std::uint64_t step = std::max(std::bit_ceil(window.size() / most), is_low(window) ? GiB : 1);
    std::vector<Address> found;
    for (Address a = align_up(window.start(), step); a <= window.end(); a += step) found.push_back(a);
    return found;
}

std::string address_text(Address a, const AddressRange& window) {
    if (a == 0) return "0";
    return is_low(window) && a % GiB == 0 ? fmt::format("{} GiB", a / GiB) : fmt::format("{:#x}", a);
}

std::vector<std::string> lines_of(const std::vector<std::string>& items, std::string_view between, std::size_t width) {
    std::vector<std::string> lines;
    for (const std::string& item : items) {
        if (lines.empty() || lines.back().size() + between.size() + item.size() > width)
            lines.push_back(item);
        else
            lines.back().append(between).append(item);
    }
    return lines;
}

std::vector<std::string> lines_of(std::string_view text, std::size_t width) {
    std::vector<std::string> words;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find(' ', at), text.size());
        if (end != at) words.emplace_back(text.substr(at, end - at));
        at = end + 1;
    }
    return lines_of(words, " ", width);
}

Picture picture_of(const Machine& machine, const Plan& plan) {
    Picture picture;
    picture.title = title_of(machine, plan);
    Canvas before;
    before.paint(machine.map);
    for (const AddressRange& r : machine.ram.ranges()) before.paint(r, MemoryUse::ram);
    for (const AddressRange& c : machine.crash_kernel) before.paint(c, MemoryUse::crash_kernel);
    if (machine.kernel_image) before.paint(*machine.kernel_image, MemoryUse::kernel);
    if (plan.pool)
        before.paint(*plan.pool, MemoryUse::pool);
    else if (!machine.pool.empty())
        before.paint(machine.pool.front().range, MemoryUse::pool);
    picture.before = before.finished();

    if (!plan.loads.empty()) {
        const Load& load = plan.loads.front();
        Canvas after;
        after.paint(plan.verdict == Verdict::ready ? plan.after : load.map);
        for (const Segment& s : load.segments) after.paint(s.range, use_of(s));
        for (const AddressRange& f : plan.fences) after.paint(f, MemoryUse::fence);
        if (plan.expected)
            after.paint(*plan.expected, MemoryUse::pool);
        else if (plan.pool && plan.counterexample && plan.counterexample->pool)
            if (const auto elsewhere =
                    AddressRange::from_size(*plan.counterexample->pool, plan.part.value_or(*plan.pool).size()))
                after.paint(*elsewhere, MemoryUse::misplaced);
        picture.after = after.finished();
    }

    const AddressRange low = *AddressRange::from_size(0, low_limit);
    const AddressRange high = *AddressRange::from_bounds(low_limit, Address{1} << 52);
    picture.windows.push_back(low);
    add_close_up(picture.windows, picture, low);
    add_close_up(picture.windows, picture, high);
    return picture;
}

}  // namespace handoff
