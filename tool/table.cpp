// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <array>
#include <filesystem>
#include <vector>

#include "e820/binary.hpp"
#include "e820/firmware_memmap.hpp"
#include "e820/json.hpp"
#include "e820/log.hpp"
#include "e820/render.hpp"
#include "e820/type.hpp"
#include "lib/sources/host.hpp"
#include "lib/sources/iomem.hpp"
#include "lib/sources/log_file.hpp"
#include "lib/sources/user_file.hpp"
#include "tool/table.hpp"

namespace tool {
namespace {

using base::Result;

constexpr std::size_t largest_input = 64 * base::MiB;

Result<e820::Table> parse_iomem_table(std::string_view text) {
    const auto entries = handoff::parse_iomem(text);
    if (!entries) return entries.error();
    e820::Table table;
    for (const handoff::IomemEntry& entry : *entries)
        if (const auto type = e820::from_iomem_name(entry.name); type && !entry.range.empty())
            table.add(entry.range, *type);
    return table;
}

Result<e820::Table> parse_log_map(std::string_view text) {
    const auto lines = handoff::log_lines(std::string(text));
    if (!lines) return lines.error();
    const auto boots = e820::parse_log_table(*lines);
    if (!boots) return boots.error();
    for (auto boot = boots->rbegin(); boot != boots->rend(); ++boot)
        if (const auto* map = boot->find(e820::MapKind::firmware)) return map->table;
    for (auto boot = boots->rbegin(); boot != boots->rend(); ++boot)
        if (!boot->maps.empty()) return boot->maps.back().table;
    return base::input_error(0, "expected e820 lines, found none");
}

// Guesses by the first bytes. What is no text at all is a binary table.
std::string guess_format(std::string_view text) {
    // UTF-16, what gzip compressed, and a file of systemd's journal can be nothing but a log.
    for (const std::string_view begin : {"\xff\xfe", "\xfe\xff", "\x1f\x8b", "LPKSHHRH"})
        if (text.starts_with(begin)) return "log";
    const auto first = text.find_first_not_of(" \t\r\n");
    const bool structured = first != text.npos && (text[first] == '[' || text[first] == '{');
    const bool log = text.find("e820") != text.npos || text.find("[mem ") != text.npos;
    // A log may be JSON as well (journalctl -o json); a table of ours says that an e820 command wrote it.
    if (structured && (!log || text.find("\"entries\"") != text.npos)) return "json";
    const std::string_view head = text.substr(0, 4096);
    const bool binary = std::any_of(head.begin(), head.end(), [](char c) { return c == '\0'; });
    if (binary && text.size() % e820::boot_entry_size == 0) return "binary";
    if (log) return "log";
    return "iomem";
}

// A directory laid out as /sys/firmware/memmap: 0/start, 0/end, 0/type, 1/start …
Result<e820::Table> read_firmware_directory(const std::string& path) {
    std::vector<std::array<std::string, 4>> texts;
    for (std::size_t n = 0;; ++n) {
        const std::filesystem::path entry = std::filesystem::path(path) / std::to_string(n);
        std::error_code ignored;
        if (!std::filesystem::is_directory(entry, ignored)) break;
        std::array<std::string, 4> text{std::to_string(n)};
        constexpr std::array<const char*, 3> files = {"start", "end", "type"};
        for (std::size_t i = 0; i < files.size(); ++i) {
            auto read = handoff::read_user_file(entry / files[i], 4096);
            if (!read) return read.error();
            text[i + 1] = std::move(*read);
        }
        texts.push_back(std::move(text));
    }
    std::vector<e820::FirmwareMapEntry> entries;
    entries.reserve(texts.size());
    for (const auto& t : texts) entries.push_back({t[0], t[1], t[2], t[3]});
    auto table = e820::parse_firmware_memmap(entries);
    if (!table) return std::move(table).error().at(path);
    return table;
}

Result<e820::Table> parse_as(std::string_view format, std::string_view text) {
    if (format == "log") return parse_log_map(text);
    if (format == "iomem") return parse_iomem_table(text);
    if (format == "json") return e820::parse_json(text);
    return e820::parse_binary(std::as_bytes(std::span(text)));
}

}  // namespace

Result<e820::Table> read_table(const std::string& path, std::string format) {
    std::error_code ignored;
    if (std::filesystem::is_directory(path, ignored)) return read_firmware_directory(path);
    const auto text = handoff::read_user_file(path == "-" ? "/dev/stdin" : path, largest_input);
    if (!text) return text.error();
    if (format == "auto") format = guess_format(*text);
    auto table = parse_as(format, *text);
    if (!table) return std::move(table).error().at(path);
    return table;
}

}  // namespace tool
