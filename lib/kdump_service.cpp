// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/kdump_service.hpp"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "lib/command_line.hpp"
#include "lib/host.hpp"
#include "lib/scan.hpp"

namespace handoff {
namespace {

using std::string_view;

// systemd reads Debian's file too (EnvironmentFile=), without a shell. A line without '=' is nothing to it; an
// assignment would reach the script's environment with $(…) unexpanded. So the block has none.
constexpr string_view begin_line = "# >>> swiotlb-handoff enable >>>";
// The file's last line had no end: it was completed, and the end goes with the block.
constexpr string_view begin_after_cut = "# >>> swiotlb-handoff enable >>> (the line above had no end)";
constexpr string_view end_line = "# <<< swiotlb-handoff enable <<<";

std::string body(const KdumpService& service, string_view helpers) {
    // Without the package nothing is sourced, and kdump is as it was.
    return fmt::format("# Written by 'swiotlb-handoff enable'; 'swiotlb-handoff disable' takes it away.\n"
                       "[ ! -r {0}/{1} ] || . {0}/{1}\n",
                       helpers, service.snippet);
}

struct Block {
    std::size_t begin = 0;  // of the marker line
    std::size_t end = 0;    // behind the end marker's newline
    bool after_cut = false;
};

Result<std::optional<Block>> find_block(string_view config, const KdumpService& service, string_view helpers) {
    std::optional<Block> block;
    bool open = false;
    std::size_t number = 0, inside = 0;
    for (std::size_t at = 0; at < config.size();) {
        const std::size_t newline = std::min(config.find('\n', at), config.size());
        const string_view line = config.substr(at, newline - at);
        const std::size_t next = std::min(newline + 1, config.size());
        ++number;
        if (line.starts_with(begin_line)) {
            if (block) return e820::input_error(number, "expected one block of swiotlb-handoff, found the beginning of a second");
            if (line != begin_line && line != begin_after_cut) return e820::input_error(number, fmt::format("expected '{}', found '{}'", begin_line, line));
            block = Block{at, 0, line == begin_after_cut};
            inside = next;
            open = true;
        } else if (line == end_line) {
            if (!open) return e820::input_error(number, fmt::format("found '{}' without its beginning", end_line));
            if (config.substr(inside, at - inside) != body(service, helpers))
                return e820::input_error(number, "the block of swiotlb-handoff was changed by hand: take it out by hand, or restore it");
            block->end = next;
            open = false;
        }
        at = next;
    }
    if (open) return e820::input_error(0, fmt::format("expected '{}', found the end of the file", end_line));
    return block;
}

constexpr std::array<KdumpService, 3> services = {{
    {KdumpFamily::kdump_tools, "etc/default/kdump-tools", "kdump-tools.sh", "kdump-config reload",
     "/etc/kernel/postinst.d/kdump-tools $(uname -r)"},
    {KdumpFamily::kdumpctl, "etc/sysconfig/kdump", "kdump-kexec.sh", "kdumpctl reload", "kdumpctl rebuild"},
    {KdumpFamily::suse, "etc/sysconfig/kdump", "kdump-kexec.sh", "systemctl restart kdump", "mkdumprd -f"},
}};

std::string without_words(const std::string& text, const std::vector<string_view>& keys) {
    const auto line = CommandLine::parse(text);
    if (!line) return text;
    std::string kept;
    for (const Word& word : line->words()) {
        if (std::find(keys.begin(), keys.end(), word.key) != keys.end()) continue;
        if (!kept.empty()) kept += ' ';
        kept += word.text;
    }
    return kept;
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

}  // namespace

const char* name(KdumpFamily family) {
    switch (family) {
        case KdumpFamily::kdump_tools: return "kdump-tools";
        case KdumpFamily::kdumpctl: return "kdumpctl";
        case KdumpFamily::suse: return "suse";
    }
    return "";
}

KdumpService service_of(KdumpFamily family) { return services[static_cast<std::size_t>(family)]; }

std::optional<KdumpFamily> family_of(string_view os_release) {
    // ID_LIKE names what ID derives from, nearest first: os-release(5).
    const std::string ids = assigned(os_release, "ID").value_or("") + ' ' + assigned(os_release, "ID_LIKE").value_or("");
    for (const string_view id : split(ids)) {
        if (id == "debian" || id == "ubuntu") return KdumpFamily::kdump_tools;
        if (id == "fedora" || id == "rhel" || id == "centos") return KdumpFamily::kdumpctl;
        if (id == "suse" || id == "opensuse" || id == "sles" || id == "sled" || id.starts_with("opensuse-")) return KdumpFamily::suse;
    }
    return std::nullopt;
}

std::optional<KdumpService> find_kdump_service(const Host& host) {
    std::vector<KdumpFamily> installed;
    if (host.exists(Source::kdump_config)) installed.push_back(KdumpFamily::kdump_tools);
    if (host.exists(Source::kdumpctl)) installed.push_back(KdumpFamily::kdumpctl);
    if (host.exists(Source::suse_kdump)) installed.push_back(KdumpFamily::suse);
    if (installed.empty()) return std::nullopt;
    if (installed.size() > 1)
        if (const auto text = host.read(Source::os_release))
            if (const auto family = family_of(*text); family && std::find(installed.begin(), installed.end(), *family) != installed.end())
                return service_of(*family);
    return service_of(installed.front());
}

Result<ConfigState> handoff_in(string_view config, const KdumpService& service, string_view helpers) {
    const auto block = find_block(config, service, helpers);
    if (!block) return block.error();
    return *block ? ConfigState::present : ConfigState::absent;
}

Result<std::string> with_handoff(string_view config, const KdumpService& service, string_view helpers) {
    const auto block = find_block(config, service, helpers);
    if (!block) return block.error();
    std::string text(config);
    if (*block) return text;
    const bool cut = !text.empty() && text.back() != '\n';
    text += fmt::format("{}{}\n{}{}\n", cut ? "\n" : "", cut ? begin_after_cut : begin_line, body(service, helpers), end_line);
    return text;
}

Result<std::string> without_handoff(string_view config, const KdumpService& service, string_view helpers) {
    const auto block = find_block(config, service, helpers);
    if (!block) return block.error();
    std::string text(config);
    if (!*block) return text;
    std::size_t begin = (*block)->begin;
    // Where the administrator added lines behind the block, the completed line keeps its end.
    if ((*block)->after_cut && begin > 0 && (*block)->end == text.size()) --begin;
    text.erase(begin, (*block)->end - begin);
    return text;
}

std::optional<std::string> assigned(string_view config, string_view name) {
    std::optional<std::string> value;
    while (!config.empty()) {
        string_view line = config.substr(0, config.find('\n'));
        config.remove_prefix(std::min(config.size(), line.size() + 1));
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

std::string likely_command_line(const KdumpService& service, string_view config, const std::string& running) {
    const auto text = [&](string_view name, string_view otherwise) {
        auto value = assigned(config, name);
        return value && !value->empty() ? *std::move(value) : std::string(otherwise);
    };
    const auto parsed = CommandLine::parse(running);
    std::string base = parsed ? for_crash_kernel(*parsed).text() : running;
    switch (service.family) {
        case KdumpFamily::kdump_tools:
            return text("KDUMP_CMDLINE", without_words(base, {"hugepages", "hugepagesz", "abm"})) + ' ' +
                   text("KDUMP_CMDLINE_APPEND",
                        "reset_devices systemd.unit=kdump-tools-dump.service nr_cpus=1 irqpoll usbcore.nousb");
        case KdumpFamily::kdumpctl: {
            const std::string remove = text("KDUMP_COMMANDLINE_REMOVE", "hugepages hugepagesz slub_debug");
            return text("KDUMP_COMMANDLINE", without_words(base, split(remove))) + ' ' +
                   text("KDUMP_COMMANDLINE_APPEND", "irqpoll nr_cpus=1 reset_devices");
        }
        case KdumpFamily::suse:
            return text("KDUMP_COMMANDLINE", without_words(base, {"root", "resume", "splash", "mem", "showopts", "hugepages"}) +
                                                 " reset_devices nokaslr numa=off irqpoll nr_cpus=1 root=kdump") +
                   ' ' + text("KDUMP_COMMANDLINE_APPEND", "") + " panic=1";
    }
    return base;
}

}  // namespace handoff
