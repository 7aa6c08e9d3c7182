// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/service/boot_config.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/scan.hpp"
#include "lib/kernel/command_line.hpp"

namespace handoff {

using std::string_view;

namespace {

constexpr string_view first_line =
    "# Written by 'swiotlb-handoff reserve'; 'swiotlb-handoff reserve --undo' takes it away.";

// For /bin/sh with -e, which is what grub-mkconfig is run by.
constexpr string_view template_text = R"sh({0}
# It is read behind the distribution's own files and takes the place of every crashkernel= in them.
swiotlb_handoff_others() {{
    printf '%s\n' "$1" | sed -E 's/(^|[[:space:]])crashkernel=[^[:space:]]*//g'
}}
case " ${{GRUB_CMDLINE_LINUX-}}" in
*' crashkernel='*)
    GRUB_CMDLINE_LINUX="{1} $(swiotlb_handoff_others "$GRUB_CMDLINE_LINUX")"
    GRUB_CMDLINE_LINUX_DEFAULT=$(swiotlb_handoff_others "${{GRUB_CMDLINE_LINUX_DEFAULT-}}")
    ;;
*)
    GRUB_CMDLINE_LINUX_DEFAULT="{1} $(swiotlb_handoff_others "${{GRUB_CMDLINE_LINUX_DEFAULT-}}")"
    ;;
esac
)sh";

}  // namespace

std::string grub_file_with(string_view words) { return fmt::format(template_text, first_line, words); }

bool is_our_grub_file(string_view text) { return base::take_line(text) == first_line; }

base::Result<std::string> crashkernel_words(string_view command_line) {
    const auto line = CommandLine::parse(command_line);
    if (!line) return line.error();
    std::string words;
    for (const Word* word : line->all("crashkernel")) words += (words.empty() ? "" : " ") + word->text;
    return words;
}

std::string to_text(const BootEntries& entries) {
    const auto some = [](unsigned number, string_view one, string_view many) {
        return fmt::format("{} {} {}", number, number == 1 ? "entry" : "entries", number == 1 ? one : many);
    };
    std::string text = some(entries.as_asked, "has these words.", "have these words.");
    if (entries.without != 0)
        text += " " + some(entries.without, "has no crashkernel= and stays as it is, as GRUB's recovery mode does.",
                           "have no crashkernel= and stay as they are, as GRUB's recovery mode does.");
    if (entries.otherwise != 0)
        text += " " + some(entries.otherwise, "has another crashkernel=, which this file does not change.",
                           "have another crashkernel=, which this file does not change.");
    return text;
}

BootEntries boot_entries(string_view grub_cfg, string_view words) {
    BootEntries entries;
    while (!grub_cfg.empty()) {
        string_view line = base::take_line(grub_cfg);
        line.remove_prefix(std::min(line.size(), line.find_first_not_of(" \t")));
        const string_view command = line.substr(0, line.find_first_of(" \t"));
        if (command != "linux" && command != "linux16" && command != "linuxefi") continue;
        std::string arguments(line.substr(command.size()));
        std::replace(arguments.begin(), arguments.end(), '\t', ' ');
        const auto found = crashkernel_words(arguments);
        if (found && *found == words)
            ++entries.as_asked;
        else if (!found || !found->empty())
            ++entries.otherwise;
        else
            ++entries.without;
    }
    return entries;
}

}  // namespace handoff
