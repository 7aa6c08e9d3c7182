// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/report/picture.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/format.h>

namespace handoff {
namespace {

using base::GiB;
using base::KiB;
using base::MiB;

constexpr Address low_limit = 4 * GiB;

struct Look {
    MemoryUse use;
    const char* name;
    char letter;
    const char* colour;  // ECMA-48: background, and a text that can be read on it
};
constexpr std::array<Look, 9> looks = {{{MemoryUse::reserved, "reserved", '.', "100;97"},
                                        {MemoryUse::ram, "RAM", '-', "47;30"},
                                        {MemoryUse::crash_kernel, "crashkernel", '=', "45;97"},
                                        {MemoryUse::segment, "loaded", 's', "46;30"},
                                        {MemoryUse::initrd, "initrd", 'I', "44;97"},
                                        {MemoryUse::kernel, "kernel", 'K', "104;97"},
                                        {MemoryUse::pool, "pool", 'P', "43;30"},
                                        {MemoryUse::fence, "fence", '|', "42;30"},
                                        {MemoryUse::misplaced, "misplaced pool", 'X', "41;97"}}};
constexpr const Look& look_of(MemoryUse use) { return looks[static_cast<std::size_t>(use) - 1]; }

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

// From the first to the last of what the handoff is about, with a little around it.
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
    const std::uint64_t around = std::max<std::uint64_t>((end - start) / 16, 1 * MiB);
    const Address from = std::max(all.start(), start - std::min(start, around)) / MiB * MiB;
    const Address to = std::min(all.end(), (end + around + MiB - 1) / MiB * MiB);
    if (to - from < all.size() / 2) windows.push_back(*AddressRange::from_bounds(from, to));
}

std::string size_text(std::uint64_t bytes) {
    if (bytes >= GiB && bytes % GiB == 0) return fmt::format("{} GiB", bytes / GiB);
    if (bytes >= MiB && bytes % MiB == 0) return fmt::format("{} MiB", bytes / MiB);
    if (bytes >= 2 * MiB) return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / static_cast<double>(MiB));
    return fmt::format("{} KiB", (bytes + KiB - 1) / KiB);
}

std::string window_text(const AddressRange& w) {
    return w == *AddressRange::from_size(0, low_limit) ? std::string("below 4 GiB") : base::to_string(w);
}

// --- text

std::vector<std::optional<MemoryUse>> cells_of(const std::vector<Stretch>& side, const AddressRange& window,
                                               unsigned columns) {
    std::vector<std::optional<MemoryUse>> cells(columns);
    const auto column_of = [&](Address a) {
        return static_cast<unsigned>(static_cast<double>(a - window.start()) / static_cast<double>(window.size()) *
                                     columns);
    };
    for (const Stretch& s : side) {
        const AddressRange part = s.range.intersect(window);
        if (part.empty()) continue;
        const unsigned last = std::min(column_of(part.end() - 1), columns - 1);
        for (unsigned i = std::min(column_of(part.start()), columns - 1); i <= last; ++i)
            cells[i] = std::max(cells[i], std::optional(s.use));
    }
    return cells;
}

std::string bar(const std::vector<std::optional<MemoryUse>>& cells, bool colour) {
    std::string text;
    for (std::size_t i = 0; i < cells.size(); ++i) {
        const bool first = i == 0 || cells[i] != cells[i - 1];
        if (colour && first)
            text += cells[i] ? fmt::format("\x1b[0;{}m", look_of(*cells[i]).colour) : std::string("\x1b[0m");
        text += cells[i] ? look_of(*cells[i]).letter : ' ';
    }
    if (colour) text += "\x1b[0m";
    while (!colour && text.ends_with(' ')) text.pop_back();
    return text;
}

// Those of the side that are more than background; fences are many and alike.
std::string list_of(const std::vector<Stretch>& side, bool colour) {
    std::string text;
    for (const Stretch& s : side) {
        if (s.use < MemoryUse::crash_kernel) continue;
        const Look& look = look_of(s.use);
        text += colour ? fmt::format("    \x1b[0;{}m{}\x1b[0m", look.colour, look.letter)
                       : fmt::format("    {}", look.letter);
        text += fmt::format(" {:<15}{:#014x}-{:#014x}  {:>10}\n", look.name, s.range.start(), s.range.end(),
                            size_text(s.range.size()));
    }
    return text;
}

// --- SVG

constexpr double left = 130, width = 750, bar_height = 28;

std::string css_of(MemoryUse use) {
    std::string css = name(use);
    std::replace(css.begin(), css.end(), ' ', '-');
    return css;
}

class Scale {
public:
    explicit Scale(const AddressRange& window) : window_(window) {}
    [[nodiscard]] double x(Address a) const {
        return left + width * (static_cast<double>(a - window_.start()) / static_cast<double>(window_.size()));
    }

private:
    AddressRange window_;
};

std::string svg_bar(const std::vector<Stretch>& side, const AddressRange& window, double y, const char* label) {
    const Scale scale(window);
    std::string text = fmt::format("  <text class=\"dim\" x=\"10\" y=\"{}\">{}</text>\n", y + 18, label);
    text += fmt::format("  <rect class=\"nothing\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/>\n", left, y, width,
                        bar_height);
    std::vector<Stretch> order = side;  // what hides others, and what is too thin to be seen, last
    std::stable_sort(order.begin(), order.end(), [](const Stretch& a, const Stretch& b) { return a.use < b.use; });
    for (const Stretch& s : order) {
        const AddressRange part = s.range.intersect(window);
        if (part.empty()) continue;
        const double from = scale.x(part.start()), exact = scale.x(part.end()) - from;
        if (exact < 0.3 && s.use < MemoryUse::crash_kernel) continue;
        const double wide =
            s.use == MemoryUse::fence || s.use == MemoryUse::misplaced ? std::max(exact, 3.0) : std::max(exact, 0.8);
        text += fmt::format(
            "  <rect class=\"{}\" x=\"{:.1f}\" y=\"{}\" width=\"{:.1f}\" height=\"{}\"><title>{} {} "
            "{}</title></rect>\n",
            css_of(s.use), from, y, wide, bar_height, name(s.use), base::to_string(s.range), size_text(s.range.size()));
        std::string inside = name(s.use);
        if (s.use == MemoryUse::pool || s.use == MemoryUse::crash_kernel) inside += " " + size_text(s.range.size());
        if (static_cast<double>(inside.size()) * 7.3 + 8 > exact) inside = name(s.use);
        if (static_cast<double>(inside.size()) * 7.3 + 8 <= exact && s.use >= MemoryUse::crash_kernel)
            text +=
                fmt::format("  <text class=\"in\" x=\"{:.1f}\" y=\"{}\">{}</text>\n", from + exact / 2, y + 18, inside);
    }
    return text;
}

std::string svg_ticks(const AddressRange& window, double y) {
    const Scale scale(window);
    std::string text;
    const auto tick = [&](Address a, const char* anchor, const std::string& label) {
        text += fmt::format("  <text class=\"dim\" x=\"{:.1f}\" y=\"{}\" text-anchor=\"{}\">{}</text>\n", scale.x(a),
                            y + 13, anchor, label);
    };
    if (window.size() % (4 * GiB) == 0 && window.start() == 0) {
        for (unsigned n = 0; n <= 4; ++n)
            tick(n * GiB, n == 0 ? "start" : n == 4 ? "end" : "middle", n == 0 ? "0" : fmt::format("{} GiB", n));
    } else {
        tick(window.start(), "start", fmt::format("{:#x}", window.start()));
        tick(window.start() + window.size() / 2, "middle", size_text(window.size()));
        tick(window.end(), "end", fmt::format("{:#x}", window.end()));
    }
    return text;
}

constexpr const char* style = R"(  <style>
    text { fill: #1f2328; } .dim { fill: #59636e; } .in { fill: #ffffff; text-anchor: middle; }
    .nothing { fill: none; stroke: #818b98; stroke-width: 0.5; } .zoom { fill: #818b98; opacity: 0.15; }
    .reserved { fill: #818b98; } .RAM { fill: #d1d9e0; } .crashkernel { fill: #8250df; } .loaded { fill: #1b7c83; }
    .initrd { fill: #0550ae; } .kernel { fill: #0969da; } .pool { fill: #9a6700; } .fence { fill: #1a7f37; }
    .misplaced-pool { fill: #cf222e; }
    @media (prefers-color-scheme: dark) {
      text { fill: #f0f6fc; } .dim { fill: #9198a1; } .RAM { fill: #3d444d; }
      .reserved { fill: #656c76; } .fence { fill: #3fb950; }
    }
  </style>
)";

}  // namespace

const char* name(MemoryUse use) { return look_of(use).name; }

Picture picture_of(const Machine& machine, const Plan& plan) {
    Picture picture;
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
            if (const auto elsewhere = AddressRange::from_size(*plan.counterexample->pool, plan.pool->size()))
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

std::string render_text(const Picture& picture, unsigned columns, bool colour) {
    std::string text;
    for (const AddressRange& window : picture.windows) {
        text += fmt::format("{}, each character {}\n", window_text(window), size_text(window.size() / columns));
        text += "  running  " + bar(cells_of(picture.before, window, columns), colour) + '\n';
        if (!picture.after.empty())
            text += "  crash    " + bar(cells_of(picture.after, window, columns), colour) + '\n';
        text += '\n';
    }
    text += "  the running kernel's memory (. reserved, - RAM)\n" + list_of(picture.before, colour);
    if (!picture.after.empty()) text += "  the crash kernel's memory\n" + list_of(picture.after, colour);
    return text;
}

std::string render_svg(const Picture& picture) {
    const double step = 120;
    const double height = step * static_cast<double>(picture.windows.size()) + 40;
    std::string text = fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 900 {0}\" width=\"900\" height=\"{0}\" "
        "font-family=\"ui-monospace, Menlo, Consolas, monospace\" font-size=\"12\" role=\"img\" "
        "aria-label=\"Physical memory of the running kernel and of the crash kernel\">\n",
        height);
    text += style;
    double y = 10;
    for (const AddressRange& window : picture.windows) {
        text += fmt::format("  <text x=\"{}\" y=\"{}\">{}</text>\n", left, y + 12, window_text(window));
        // From its place in the first window to the close-up.
        const AddressRange& all = picture.windows.front();
        if (&window != &all && all.contains(window)) {
            const Scale scale(all);
            text += fmt::format("  <polygon class=\"zoom\" points=\"{:.1f},{} {:.1f},{} {},{} {},{}\"/>\n",
                                scale.x(window.start()), y - step + 20 + 2 * bar_height + 6, scale.x(window.end()),
                                y - step + 20 + 2 * bar_height + 6, left + width, y + 20, left, y + 20);
        }
        text += svg_bar(picture.before, window, y + 20, "running kernel");
        if (!picture.after.empty()) text += svg_bar(picture.after, window, y + 24 + bar_height, "crash kernel");
        text += svg_ticks(window, y + 24 + 2 * bar_height + 2);
        y += step;
    }
    double x = left;
    for (const Look& look : looks) {
        const auto shown = [&](const std::vector<Stretch>& side) {
            return std::any_of(side.begin(), side.end(), [&](const Stretch& s) { return s.use == look.use; });
        };
        if (!shown(picture.before) && !shown(picture.after)) continue;
        text += fmt::format("  <rect class=\"{}\" x=\"{}\" y=\"{}\" width=\"12\" height=\"12\"/>\n", css_of(look.use),
                            x, y + 5);
        text += fmt::format("  <text x=\"{}\" y=\"{}\">{}</text>\n", x + 17, y + 15, look.name);
        x += 32 + 7.3 * static_cast<double>(std::string_view(look.name).size());
    }
    return text + "</svg>\n";
}

}  // namespace handoff
