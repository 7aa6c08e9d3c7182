// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/markup.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace handoff {
namespace {

using std::string_view;

constexpr std::array<std::pair<string_view, char>, 11> entities{{{"&lt;", '<'},
                                                                 {"&gt;", '>'},
                                                                 {"&amp;", '&'},
                                                                 {"&quot;", '"'},
                                                                 {"&apos;", '\''},
                                                                 {"&nbsp;", ' '},
                                                                 {"&#34;", '"'},
                                                                 {"&#39;", '\''},
                                                                 {"&#039;", '\''},
                                                                 {"&#x27;", '\''},
                                                                 {"&#160;", ' '}}};

bool has(string_view text, string_view what) { return text.find(what) != text.npos; }

bool has_entities(string_view text) {
    return has(text, "&") &&
           std::any_of(entities.begin(), entities.end(), [&](const auto& entity) { return has(text, entity.first); });
}

bool has_tags(string_view text) {
    constexpr std::array ends{"</pre>", "</span>", "</div>", "</td>", "</code>", "</p>",  "</li>",
                              "</a>",   "</html>", "</PRE>", "<br>",  "<br/>",   "<br />"};
    return has(text, "<") && std::any_of(ends.begin(), ends.end(), [&](const char* end) { return has(text, end); });
}

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/// Length of the tag that `text` begins with; 0 where it begins with none. "<6>" is a priority.
std::size_t tag_length(string_view text) {
    constexpr std::size_t longest = 4096;
    if (text.size() < 3 || text[0] != '<' || !(is_letter(text[1]) || text[1] == '/' || text[1] == '!')) return 0;
    const auto end = text.substr(0, longest).find('>');
    return end == text.npos ? 0 : end + 1;
}

/// What a browser begins another line behind.
bool ends_line(string_view tag) {
    constexpr std::array<string_view, 6> names{"<br", "</div", "</p>", "</li", "</tr", "</pre"};
    return std::any_of(names.begin(), names.end(), [&](string_view name) { return tag.starts_with(name); });
}

}  // namespace

std::string without_markup(std::string text) {
    // A page shows it at once.
    const string_view head = string_view(text).substr(0, std::size_t{1} << 20);
    const bool tags = has_tags(head);
    if (!tags && !has_entities(head)) return text;
    std::string out;
    out.reserve(text.size());
    for (string_view rest = text; !rest.empty();) {
        std::size_t length = 1;
        if (rest[0] == '&') {
            const auto entity = std::find_if(entities.begin(), entities.end(),
                                             [&](const auto& each) { return rest.starts_with(each.first); });
            out += entity == entities.end() ? '&' : entity->second;
            if (entity != entities.end()) length = entity->first.size();
        } else if (const auto tag = tags ? tag_length(rest) : 0; tag != 0) {
            length = tag;
            const string_view name = rest.substr(0, tag);
            const string_view behind = rest.substr(tag);
            // Lines of the file stay what they are.
            out.append(static_cast<std::size_t>(std::count(name.begin(), name.end(), '\n')), '\n');
            if (ends_line(name) && !behind.starts_with('\n') && !behind.starts_with("\r\n")) out += '\n';
        } else {
            out += rest[0];
        }
        rest.remove_prefix(length);
    }
    return out;
}

}  // namespace handoff
