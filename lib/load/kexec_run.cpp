// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/load/kexec_run.hpp"

#include <fmt/format.h>

#include "lib/load/load_report.hpp"

namespace handoff {
namespace {

// The last lines of what a program printed, as one line of plain text.
std::string last_words(std::string_view text) {
    constexpr std::size_t most_lines = 3, longest = 300;
    std::string words;
    for (std::size_t lines = 0; lines < most_lines && !text.empty();) {
        const auto newline = text.rfind('\n');
        const std::string_view line = text.substr(newline == text.npos ? 0 : newline + 1);
        text = text.substr(0, newline == text.npos ? 0 : newline);
        if (line.find_first_not_of(" \t\r") == line.npos) continue;
        words.insert(0, words.empty() ? "" : "; ").insert(0, line);
        ++lines;
    }
    if (words.size() > longest) words = "..." + words.substr(words.size() - longest);
    for (char& c : words)
        if (c < ' ' || c > '~') c = '?';
    return words;
}

}  // namespace

std::string failure_of(const KexecRun& load, std::string_view with) {
    std::string words = last_words(without_debug(load.errors));
    if (words.empty()) words = last_words(without_debug(load.output));
    return fmt::format("kexec failed with {} ({}){}{}", with, load.how, words.empty() ? "" : ": ", words);
}

void leave_out_debug(KexecRun& run) {
    run.output = without_debug(run.output);
    run.errors = without_debug(run.errors);
}

}  // namespace handoff
