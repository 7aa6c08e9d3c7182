// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/redact.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <set>

#include <fmt/format.h>

#include "base/scan.hpp"
#include "e820/log.hpp"
#include "e820/log_line.hpp"
#include "lib/kernel/boot_words.hpp"
#include "lib/kernel/command_line.hpp"
#include "lib/sources/kernel_log.hpp"
#include "lib/sources/log_gaps.hpp"

namespace handoff {

using base::take_line;

using base::Result;
using std::string_view;

namespace {

/// Keys of the kernel command line that say nothing of whose machine it is, and whose values
/// decide about memory, or are the same on many machines.
// clang-format off
constexpr std::array<string_view, 78> plain_keys{
    "swiotlb", "swiotlb_dev", "swiotlb_handoff", "swiotlb_lent", "memmap", "mem", "crashkernel", "elfcorehdr", "iommu",
    "intel_iommu", "amd_iommu", "iommu.passthrough", "iommu.strict", "mem_encrypt", "sev", "kaslr", "nokaslr", "numa",
    "numa_balancing", "nr_cpus", "maxcpus", "possible_cpus", "nosmp", "noapic", "hugepages", "hugepagesz",
    "default_hugepagesz", "hugetlb_cma", "cma", "kernelcore", "movablecore", "movable_node", "memhp_default_state",
    "memory_hotplug.memmap_on_memory", "reserve_mem", "reservelow", "kho", "kho_scratch", "vmalloc", "memtest",
    "memblock", "mtrr_gran_size", "mtrr_chunk_size", "disable_mtrr_cleanup", "enable_mtrr_cleanup", "no5lvl", "la57",
    "nopat", "pti", "mitigations", "efi", "add_efi_memmap", "efi_fake_mem", "acpi", "acpi_rsdp", "pci", "lockdown",
    "xen", "dom0_mem", "reset_devices", "irqpoll", "panic", "oops", "debug", "quiet", "splash", "ro", "rw", "console",
    "earlyprintk", "earlycon", "loglevel", "ignore_loglevel", "printk.devkmsg", "systemd.unit", "single", "nomodeset",
    "rhgb"
};
// clang-format on

bool is_plain(string_view key) { return std::find(plain_keys.begin(), plain_keys.end(), key) != plain_keys.end(); }

/// As many bytes that say only that something was here.
std::string removed(std::size_t size) {
    constexpr string_view word = "removed";
    std::string text;
    while (text.size() < size) text += word.substr(0, size - text.size());
    return text;
}

/// What decides about memory stays, and so does a word that would be judged otherwise without its value: the plan for a
/// captured machine is the machine's.
bool decides(const Word& word, const Word& without_value) {
    constexpr std::array<std::optional<Series>, 6> all{std::nullopt,       Series::linux_5_10, Series::linux_6_1,
                                                       Series::linux_6_12, Series::linux_7_2,  Series::linux_7_3};
    return std::any_of(all.begin(), all.end(), [&](std::optional<Series> series) {
        const WordClass effect = classify(word, series).effect;
        const bool about_memory = effect > WordClass::harmless && effect != WordClass::not_covered;
        return about_memory || classify(without_value, series).effect != effect;
    });
}

std::string redacted_word(const Word& word) {
    if (is_plain(word.key) || word.text == "--") return word.text;
    // A word without a value can be anything, and so can one with a quote before its '='; no other key can.
    Word hidden = word;
    const bool has_key = word.value && word.text.starts_with(word.key) && word.key.find('"') == word.key.npos;
    if (!has_key) hidden.value.reset();
    if (has_key)
        hidden.value = removed(word.text.size() - word.key.size() - 1);
    else
        hidden.key = removed(word.text.size());
    if (decides(word, hidden)) return word.text;
    return hidden.value ? hidden.key + "=" + *hidden.value : hidden.key;
}

bool has_prefixes(string_view log) {
    e820::LogLines lines(log);
    while (const auto line = lines.next())
        if (line->prefixed) return true;
    return false;
}

/// A line of the log as it may be shown; nullopt for those that nobody reads.
std::optional<std::string> redacted_line(string_view line) {
    constexpr string_view label = "Command line: ";
    if (line.starts_with(label)) {
        const auto words = redacted_command_line(line.substr(label.size()));
        return words ? std::optional(std::string(label) + *words) : std::nullopt;
    }
    // Behind the release stand the builder's name and the compiler's.
    constexpr string_view banner = "Linux version ";
    if (line.starts_with(banner)) return std::string(line.substr(0, line.find(' ', banner.size())));
    if (const auto maker = line.find(" by "); line.starts_with("efi: EFI v") || line.starts_with("EFI v")) {
        return std::string(line.substr(0, maker));
    }
    if (is_known_log_line(line) || line.ends_with("physical RAM map:")) return std::string(line);
    const auto map = e820::parse_log_table(line);
    if (!map || !map->empty()) return std::string(line);
    return std::nullopt;
}

}  // namespace

Result<std::string> redacted_command_line(string_view text) {
    const auto line = CommandLine::parse(text);
    if (!line) return line.error();
    std::string shown;
    for (const Word& word : line->words()) shown += (shown.empty() ? "" : " ") + redacted_word(word);
    return shown;
}

std::string redacted_log(string_view text) {
    std::string shown;
    const bool prefixed = has_prefixes(text);  // of which something must stay
    std::size_t column = 0;
    e820::LogLines lines(text);
    while (const auto line = lines.next()) {
        if (line->prefixed) column = line->column;
        if (line->text == whole_log_mark) continue;
        if (const auto dropped = messages_dropped(line->text)) {
            shown += line->text.starts_with('*') ? dropped_line(dropped)
                                                 : fmt::format("kernel: Missed {} kernel messages", dropped);
            shown += "\n";
        } else if (const auto kept = redacted_line(line->text)) {
            const auto us = line->time_us;
            if (us)
                shown += fmt::format("[{:5}.{:06}] ", *us / 1000000, *us % 1000000);
            else if (line->prefixed)
                shown += "kernel: ";
            shown += *kept + "\n";
        } else if (prefixed && is_not_understood(*line, column)) {
            shown += removed(line->text.size()) + "\n";
        }
    }
    // Of a log that is damaged nothing is said.
    const auto log = parse_kernel_log(text);
    if (log && log->gaps.of_others != 0)
        shown += fmt::format("kernel: Missed {} kernel messages\n", log->gaps.of_others);
    if (log && shows_everything(*log)) shown += std::string(whole_log_mark) + "\n";
    return shown;
}

std::string redacted_version(string_view text) { return redacted_line(take_line(text)).value_or("") + "\n"; }

std::string kinds_of_processors(string_view cpuinfo) {
    std::string text;
    std::set<std::string> kinds;
    while (!cpuinfo.empty()) {
        std::string number, kind;
        for (string_view line = take_line(cpuinfo); !line.empty(); line = take_line(cpuinfo)) {
            if (line.starts_with("processor")) number = fmt::format("{}\n", line);
            for (const string_view wanted : {"vendor_id", "flags", "CPU implementer"})
                if (line.starts_with(wanted)) kind += fmt::format("{}\n", line);
        }
        if (!kinds.insert(kind).second) continue;
        if (!text.empty()) text += '\n';
        text += number;
        text += kind;
    }
    return text;
}

std::string anonymous_table(std::string table) {
    constexpr std::size_t checksum = 9, header_end = 36;
    for (std::size_t i = checksum; i < std::min(header_end, table.size()); ++i) table[i] = '\0';
    return table;
}

}  // namespace handoff
