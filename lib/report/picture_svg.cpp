// SPDX-License-Identifier: GPL-2.0-or-later
// The picture as SVG.
#include <algorithm>

#include <fmt/format.h>

#include "lib/report/picture_parts.hpp"

namespace handoff {
namespace {

constexpr double picture_width = 900, left = 130, width = 750, bar_height = 28, row_height = 32, line_height = 17;
constexpr double letter_width = 7.3;  // of a font of 12 px
constexpr std::size_t title_letters = 118;

std::string css_of(MemoryUse use) {
    std::string css = name(use);
    std::replace(css.begin(), css.end(), ' ', '-');
    return css;
}

// Text of the machine, such as a release, inside an element.
std::string escaped(std::string_view text) {
    std::string safe;
    for (const char c : text)
        if (c == '&')
            safe += "&amp;";
        else if (c == '<')
            safe += "&lt;";
        else
            safe += c;
    return safe;
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
        if (static_cast<double>(inside.size()) * letter_width + 8 > exact) inside = name(s.use);
        if (static_cast<double>(inside.size()) * letter_width + 8 <= exact && s.use >= MemoryUse::crash_kernel)
            text +=
                fmt::format("  <text class=\"in\" x=\"{:.1f}\" y=\"{}\">{}</text>\n", from + exact / 2, y + 18, inside);
    }
    return text;
}

// Round addresses below the bars.
std::string svg_ticks(const AddressRange& window, double y) {
    const Scale scale(window);
    std::string text;
    for (const Address a : round_addresses(window, 6)) {
        const double x = scale.x(a);
        const std::string label = address_text(a, window);
        const bool overhangs = x + letter_width * static_cast<double>(label.size()) / 2 > picture_width;
        text += fmt::format("  <rect class=\"tick\" x=\"{:.1f}\" y=\"{}\" width=\"1\" height=\"4\"/>\n", x - 0.5, y);
        text += fmt::format("  <text class=\"dim\" x=\"{:.1f}\" y=\"{}\" text-anchor=\"{}\">{}</text>\n", x, y + 16,
                            overhangs ? "end" : "middle", label);
    }
    return text;
}

// From a window's place in the first one, whose ticks end at `above`, down to its own bars.
std::string svg_zoom(const AddressRange& all, const AddressRange& window, double above, double below) {
    const Scale scale(all);
    const double from = scale.x(window.start()), to = scale.x(window.end());
    return fmt::format("  <polygon class=\"zoom\" points=\"{:.1f},{} {:.1f},{} {},{} {},{}\"/>\n", from, above, to,
                       above, left + width, below, left, below);
}

constexpr const char* style = R"(  <style>
    text { fill: #1f2328; } .dim { fill: #59636e; } .in { fill: #ffffff; text-anchor: middle; }
    .nothing { fill: none; stroke: #818b98; stroke-width: 0.5; } .zoom { fill: #818b98; opacity: 0.15; }
    .tick { fill: #818b98; } .verdict { font-weight: 600; }
    .reserved { fill: #818b98; } .RAM { fill: #d1d9e0; } .crashkernel { fill: #8250df; } .loaded { fill: #1b7c83; }
    .initrd { fill: #0550ae; } .kernel { fill: #0969da; } .pool { fill: #9a6700; } .fence { fill: #1a7f37; }
    .misplaced-pool { fill: #cf222e; }
    @media (prefers-color-scheme: dark) {
      text { fill: #f0f6fc; } .dim { fill: #9198a1; } .RAM { fill: #3d444d; }
      .reserved { fill: #656c76; } .fence { fill: #3fb950; }
    }
  </style>
)";

std::string svg_title(const Picture& picture, double& y) {
    std::string text;
    for (std::size_t i = 0; i < picture.title.size(); ++i)
        for (const std::string& line : lines_of(picture.title[i], title_letters)) {
            text += fmt::format("  <text{} x=\"10\" y=\"{}\">{}</text>\n", i == 1 ? " class=\"verdict\"" : "", y + 12,
                                escaped(line));
            y += line_height;
        }
    return text;
}

std::string svg_legend(const Picture& picture, double y) {
    std::string text;
    double x = left;
    for (const Look& look : shown_looks(picture)) {
        text += fmt::format("  <rect class=\"{}\" x=\"{}\" y=\"{}\" width=\"12\" height=\"12\"/>\n", css_of(look.use),
                            x, y + 5);
        text += fmt::format("  <text x=\"{}\" y=\"{}\">{}</text>\n", x + 17, y + 15, look.name);
        x += 32 + letter_width * static_cast<double>(std::string_view(look.name).size());
    }
    return text;
}

}  // namespace

std::string render_svg(const Picture& picture) {
    const double rows = picture.after.empty() ? 1 : 2;
    double y = 10, first_ends = 0;
    std::string text = svg_title(picture, y);
    y += 6;
    for (const AddressRange& window : picture.windows) {
        const double bars = y + 24, ticks = bars + rows * row_height - 4;
        text += fmt::format("  <text x=\"10\" y=\"{}\">{}</text>\n", y + 17, window_name(window));
        const AddressRange& all = picture.windows.front();
        if (&window == &all)
            first_ends = ticks + 20;
        else if (all.contains(window))
            text += svg_zoom(all, window, first_ends, bars);
        text += svg_bar(picture.before, window, bars, "running kernel");
        if (!picture.after.empty()) text += svg_bar(picture.after, window, bars + row_height, "crash kernel");
        text += svg_ticks(window, ticks);
        y = ticks + 26;
    }
    text += svg_legend(picture, y);
    return fmt::format(
               "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 900 {0}\" width=\"900\" height=\"{0}\" "
               "font-family=\"ui-monospace, Menlo, Consolas, monospace\" font-size=\"12\" role=\"img\" "
               "aria-label=\"Physical memory of the running kernel and of the crash kernel\">\n",
               y + 30) +
           style + text + "</svg>\n";
}

}  // namespace handoff
