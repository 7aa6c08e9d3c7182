// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/kernel_config.hpp"

#include <algorithm>
#include <array>
#include <functional>

#include <fmt/format.h>

#include "base/excerpt.hpp"
#include "base/number.hpp"
#include "base/scan.hpp"
#include "lib/kernel/command_line.hpp"
#include "lib/sources/redact.hpp"

namespace handoff {

using base::input_error;
using base::Result;
using base::take_line;
using std::string_view;

namespace {

// The last menu of Kconfig, of which scripts/kconfig/confdata.c writes the end (5.5 and later): whoever has this line
// has all options that are read here.
constexpr string_view end_of_options = "# end of Kernel hacking";

/// What the lines say that are read, as it stands there.
struct Lines {
    KernelConfig config;
    bool x86_64 = false, complete = false, command_line_used = false;
    bool dma_cma = false;
};

bool is_true(string_view value) { return value == "y"; }

template <class T>
bool take_number(string_view value, std::uint64_t most, T& into) {
    const auto number = base::parse_number(value, 10);
    if (!number || *number > most) return false;
    into = static_cast<T>(*number);
    return true;
}

// "a \"b\" \\": scripts/kconfig/symbol.c escapes these two.
bool take_text(string_view value, std::string& into) {
    if (value.size() < 2 || value.front() != '"' || value.back() != '"') return false;
    value = value.substr(1, value.size() - 2);
    into.clear();
    for (std::size_t i = 0; i < value.size(); ++i) {
        if (value[i] == '"') return false;
        if (value[i] == '\\' && ++i == value.size()) return false;
        into += value[i];
    }
    return true;
}

// Of words that can be told from each other: a capture keeps nothing of any other line.
bool take_built_in(Lines& lines, string_view value) {
    std::string& line = lines.config.command_line;
    return take_text(value, line) && CommandLine::parse(line).has_value();
}

template <bool KernelConfig::*Member>
bool flag(Lines& lines, string_view value) {
    lines.config.*Member = is_true(value);
    return is_true(value);
}

template <KernelConfig::CmaSize Size>
bool cma_size(Lines& lines, string_view value) {
    lines.config.cma_size = Size;
    return is_true(value);
}

struct Option {
    string_view name;  ///< behind CONFIG_
    bool (*take)(Lines&, string_view value);
};

// Ranges are those of Kconfig, or wider. An option that is not set keeps what parse_kernel_config() starts with.
constexpr auto options = std::to_array<Option>({
    {"X86_64", [](Lines& l, string_view v) { return l.x86_64 = is_true(v); }},
    {"DMA_CMA", [](Lines& l, string_view v) { return l.dma_cma = is_true(v); }},
    {"CMA_SIZE_MBYTES", [](Lines& l, string_view v) { return take_number(v, 1 << 24, l.config.cma_mbytes); }},
    {"CMA_SIZE_PERCENTAGE", [](Lines& l, string_view v) { return take_number(v, 100, l.config.cma_percentage); }},
    {"CMA_SIZE_SEL_MBYTES", cma_size<KernelConfig::CmaSize::mbytes>},
    {"CMA_SIZE_SEL_PERCENTAGE", cma_size<KernelConfig::CmaSize::percentage>},
    {"CMA_SIZE_SEL_MIN", cma_size<KernelConfig::CmaSize::smaller>},
    {"CMA_SIZE_SEL_MAX", cma_size<KernelConfig::CmaSize::larger>},
    {"KASAN", flag<&KernelConfig::kasan>},
    {"KMSAN", flag<&KernelConfig::kmsan>},
    {"KFENCE_NUM_OBJECTS", [](Lines& l, string_view v) { return take_number(v, 1 << 20, l.config.kfence_objects); }},
    {"STACKDEPOT_ALWAYS_INIT", flag<&KernelConfig::stack_depot>},
    {"LOCK_STAT", flag<&KernelConfig::lock_stat>},
    {"ACPI_TABLE_OVERRIDE_VIA_BUILTIN_INITRD", flag<&KernelConfig::builtin_tables>},
    {"KEXEC_HANDOVER_ENABLE_DEFAULT", flag<&KernelConfig::kexec_handover>},
    {"LOG_BUF_SHIFT", [](Lines& l, string_view v) { return take_number(v, 31, l.config.log_buf_shift); }},
    {"LOG_CPU_MAX_BUF_SHIFT",
     [](Lines& l, string_view v) { return take_number(v, 31, l.config.log_cpu_max_buf_shift); }},
    {"SWIOTLB_DEFAULT_SIZE_MB",
     [](Lines& l, string_view v) {
         std::uint64_t mib = 0;
         if (!take_number(v, 1024, mib) || mib == 0) return false;
         l.config.pool_bytes = mib * base::MiB;
         return true;
     }},
    {"CMDLINE_BOOL", [](Lines& l, string_view v) { return l.command_line_used = is_true(v); }},
    {"CMDLINE", take_built_in},
    {"CMDLINE_OVERRIDE", flag<&KernelConfig::command_line_alone>},
    {"BOOT_CONFIG_EMBED", flag<&KernelConfig::bootconfig_embedded>},
    {"BOOT_CONFIG_FORCE", flag<&KernelConfig::bootconfig_forced>},
});

/// "CONFIG_KASAN=y": the option, and what follows '='. nullptr for any other line.
const Option* option_of(string_view line, string_view& value) {
    constexpr string_view prefix = "CONFIG_";
    const auto equals = line.find('=');
    if (!line.starts_with(prefix) || equals == line.npos) return nullptr;
    const string_view name = line.substr(prefix.size(), equals - prefix.size());
    value = line.substr(equals + 1);
    const auto found =
        std::find_if(options.begin(), options.end(), [&](const Option& option) { return option.name == name; });
    return found == options.end() ? nullptr : &*found;
}

// With its words redacted; without its value where they cannot be.
std::string redacted_line(string_view line, string_view value) {
    std::string words, text(line.substr(0, line.size() - value.size()));
    if (!take_text(value, words)) return text;
    auto redacted = redacted_command_line(words);
    if (!redacted) return text;
    // One space stands between words now. How long the line is decides whether it fits, so the rest follows here.
    redacted->resize(std::max(redacted->size(), words.size()), ' ');
    text += '"';
    for (const char c : *redacted) {
        if (c == '"' || c == '\\') text += '\\';
        text += c;
    }
    return text + '"';
}

}  // namespace

Result<KernelConfig> parse_kernel_config(string_view text) {
    Lines lines;
    lines.config.kfence_objects = 0;
    lines.config.log_cpu_max_buf_shift = 0;
    for (std::size_t number = 1; !text.empty(); ++number) {
        const string_view line = base::trimmed(take_line(text));
        lines.complete = lines.complete || line == end_of_options;
        string_view value;
        const Option* option = option_of(line, value);
        if (option && !option->take(lines, value))
            return input_error(number, fmt::format("CONFIG_{} has a value that it cannot have: {}", option->name,
                                                   base::excerpt(value)));
    }
    if (!lines.x86_64)
        return input_error(0, "expected the configuration of an x86-64 kernel, found no CONFIG_X86_64=y");
    if (!lines.complete)
        return input_error(0, fmt::format("expected a whole configuration, found no line '{}'", end_of_options));
    if (!lines.dma_cma) lines.config.cma_mbytes = lines.config.cma_percentage = 0;
    if (!lines.command_line_used) {
        lines.config.command_line.clear();
        lines.config.command_line_alone = false;
    }
    return lines.config;
}

string_view configured_version(string_view text) {
    constexpr string_view head = "# Linux/", tail = " Kernel Configuration";
    while (!text.empty()) {
        const string_view line = base::trimmed(take_line(text));
        if (!line.starts_with('#')) break;
        if (!line.starts_with(head) || !line.ends_with(tail)) continue;
        const string_view version = line.substr(0, line.size() - tail.size());
        return version.substr(version.find_last_of(' ') + 1);
    }
    return {};
}

std::string reduced_kernel_config(string_view text) {
    std::string reduced;
    while (!text.empty()) {
        const string_view line = base::trimmed(take_line(text));
        string_view value;
        const Option* option = option_of(line, value);
        if (option && option->name == "CMDLINE")
            reduced += redacted_line(line, value) + '\n';
        else if (option || line == end_of_options || !configured_version(line).empty())
            reduced += std::string(line) + '\n';
    }
    return reduced;
}

}  // namespace handoff
