// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/service/shell_config.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/number.hpp"
#include "base/scan.hpp"
#include "lib/kernel/command_line.hpp"

namespace handoff {

using base::has_word;
using base::take_line;

using std::string_view;

std::optional<std::string> assigned(string_view config, string_view name) {
    std::optional<std::string> value;
    while (!config.empty()) {
        string_view line = take_line(config);
        line.remove_prefix(std::min(line.size(), line.find_first_not_of(" \t")));
        if (line.starts_with("export ")) line.remove_prefix(7);
        if (!line.starts_with(name) || line.size() <= name.size() || line[name.size()] != '=') continue;
        line.remove_prefix(name.size() + 1);
        value.reset();
        const char quote = line.empty() ? '\0' : line.front();
        string_view text;
        if (quote == '"' || quote == '\'') {
            const auto closing = line.find(quote, 1);
            if (closing == line.npos) continue;
            text = line.substr(1, closing - 1);
            line.remove_prefix(closing + 1);
        } else {
            text = line.substr(0, line.find_first_of(" \t#;"));
            line.remove_prefix(text.size());
        }
        const auto rest = line.find_first_not_of(" \t\r;");
        if (rest != line.npos && line[rest] != '#') continue;  // more than one word: takes a shell
        if (quote != '\'' && text.find_first_of("$`\\\"'") != text.npos) continue;
        value = std::string(text);
    }
    return value;
}

std::string assigned_or(string_view config, string_view name, string_view otherwise) {
    auto value = assigned(config, name);
    return value && !value->empty() ? *std::move(value) : std::string(otherwise);
}

bool takes_a_shell(string_view config, string_view name) {
    return ('\n' + std::string(config)).find(fmt::format("\n{}=", name)) != std::string::npos &&
           !assigned(config, name);
}

std::vector<string_view> split(string_view words) {
    std::vector<string_view> found;
    while (!words.empty()) {
        const auto blank = std::min(words.find(' '), words.size());
        if (blank != 0) found.push_back(words.substr(0, blank));
        words.remove_prefix(std::min(words.size(), blank + 1));
    }
    return found;
}

std::string without_words(const std::string& command_line, const std::vector<string_view>& keys) {
    const auto line = CommandLine::parse(command_line);
    if (!line) return command_line;
    std::string kept;
    for (const Word& word : line->words()) {
        if (std::find(keys.begin(), keys.end(), word.key) != keys.end()) continue;
        if (!kept.empty()) kept += ' ';
        kept += word.text;
    }
    return kept;
}

Collector collector_of_makedumpfile(string_view options) {
    return has_word(options, "--non-mmap") ? Collector::reads : Collector::maps;
}

CollectorOptions memory_of_makedumpfile(string_view options) {
    CollectorOptions memory;
    const auto words = split(options);
    // The value is behind '=', or the next word.
    const auto value = [&](std::size_t at, string_view option) -> std::uint64_t {
        string_view text = words[at];
        if (!text.starts_with(option)) return 0;
        text.remove_prefix(option.size());
        if (text.empty() && at + 1 < words.size()) return base::parse_number(words[at + 1], 10).value_or(0);
        return text.starts_with('=') ? base::parse_number(text.substr(1), 10).value_or(0) : 0;
    };
    constexpr std::uint64_t most_threads = 65536, most_buffer = 1 << 20;  // KiB
    for (std::size_t at = 0; at < words.size(); ++at) {
        if (const auto threads = value(at, "--num-threads"))
            memory.threads = static_cast<unsigned>(std::min(threads, most_threads));
        if (const auto kib = value(at, "--cyclic-buffer")) memory.buffer_bytes = std::min(kib, most_buffer) * base::KiB;
    }
    return memory;
}

Loader loader_of_kexec(string_view options) {
    Loader loader = Loader::automatic;
    for (const string_view word : split(options)) {
        if (word == "-s" || word == "--kexec-file-syscall") loader = Loader::kexec_file_load;
        if (word == "-c" || word == "--kexec-syscall") loader = Loader::kexec_load;
        if (word == "-a" || word == "--kexec-syscall-auto") loader = Loader::automatic;
    }
    return loader;
}

}  // namespace handoff
