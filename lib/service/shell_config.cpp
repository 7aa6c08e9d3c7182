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

namespace {

bool in_a_name(char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

bool mentions(string_view line, string_view name) {
    for (auto at = line.find(name); at != line.npos; at = line.find(name, at + 1)) {
        const auto end = at + name.size();
        if ((at == 0 || !in_a_name(line[at - 1])) && (end == line.size() || !in_a_name(line[end]))) return true;
    }
    return false;
}

/// The value where the line is NAME=value, with or without "export", and nothing else.
std::optional<std::string> value_on(string_view line, string_view name) {
    if (line.starts_with("export ")) line.remove_prefix(7);
    if (!line.starts_with(name) || line.size() <= name.size() || line[name.size()] != '=') return std::nullopt;
    line.remove_prefix(name.size() + 1);
    const char quote = line.empty() ? '\0' : line.front();
    string_view text;
    if (quote == '"' || quote == '\'') {
        const auto closing = line.find(quote, 1);
        if (closing == line.npos) return std::nullopt;
        text = line.substr(1, closing - 1);
        line.remove_prefix(closing + 1);
    } else {
        text = line.substr(0, line.find_first_of(" \t#;"));
        line.remove_prefix(text.size());
    }
    const auto rest = line.find_first_not_of(" \t\r;");
    if (rest != line.npos && line[rest] != '#') return std::nullopt;  // more than one word: takes a shell
    if (quote != '\'' && text.find_first_of("$`\\\"'") != text.npos) return std::nullopt;
    return std::string(text);
}

/// Lines behind this one may be read by the shell in another way than they look, or not at all: a quote, a bracket or a
/// here-document goes on, or a word begins a compound command, ends the file, or reads another.
bool goes_on(string_view line) {
    static constexpr string_view words[] = {"if",    "then",  "else",   "elif",     "case",   "for",
                                            "while", "until", "select", "function", "return", "exit",
                                            "exec",  "eval",  "alias",  ".",        "source"};
    if (line.find("swiotlb-handoff") != line.npos) return false;  // the block that enable writes
    char quote = '\0';
    int brackets = 0;
    std::string word;
    const auto is_one = [&] { return std::find(std::begin(words), std::end(words), word) != std::end(words); };
    for (std::size_t i = 0; i < line.size(); ++i) {
        const char c = line[i];
        if (c == '\\' && quote != '\'') {
            if (++i >= line.size()) return true;
            word += '?';
        } else if (quote != '\0') {
            if (c == quote) quote = '\0';
        } else if (c == '\'' || c == '"') {
            quote = c;
            word += '?';
        } else if (c == '#' && word.empty()) {
            break;
        } else if (c == ' ' || c == '\t' || c == ';' || c == '&' || c == '|') {
            if (is_one()) return true;
            word.clear();
        } else {
            if (c == '<' && line.substr(i).starts_with("<<")) return true;
            brackets += (c == '(' || c == '{') - (c == ')' || c == '}');
            word += c;
        }
    }
    return quote != '\0' || brackets != 0 || is_one();
}

/// What a shell file sets a variable to.
struct Setting {
    bool understood = true;  ///< false: it takes a shell to know
    std::optional<std::string> value;
};

Setting setting(string_view config, string_view name) {
    Setting found;
    bool plain = true;  // each line so far ends where it ends
    while (!config.empty()) {
        string_view line = take_line(config);
        line.remove_prefix(std::min(line.size(), line.find_first_not_of(" \t")));
        if (line.starts_with('#')) continue;
        if (mentions(line, name)) {
            found.value = plain ? value_on(line, name) : std::nullopt;
            found.understood = found.value.has_value();
        }
        plain = plain && !goes_on(line);
    }
    return found;
}

}  // namespace

std::optional<std::string> assigned(string_view config, string_view name) { return setting(config, name).value; }

std::string assigned_or(string_view config, string_view name, string_view otherwise) {
    auto value = assigned(config, name);
    return value && !value->empty() ? *std::move(value) : std::string(otherwise);
}

bool takes_a_shell(string_view config, string_view name) { return !setting(config, name).understood; }

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

DumpTarget directory_target(string_view path) {
    while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
    if (!path.starts_with('/') || path.size() == 1) return {};
    return {DumpTarget::Kind::directory, std::string(path.substr(1)), std::string(path)};
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
