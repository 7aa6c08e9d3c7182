// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/load/load_report.hpp"

#include <algorithm>
#include <array>
#include <map>

#include <fmt/format.h>

#include "base/number.hpp"
#include "base/scan.hpp"
#include "lib/kernel/command_line.hpp"

namespace handoff {

using base::take_line;
namespace {

std::string_view after(std::string_view text, std::string_view mark) {
    const auto at = text.find(mark);
    return at == text.npos ? std::string_view{} : text.substr(at + mark.size());
}

std::optional<std::uint64_t> hex_after(std::string_view text, std::string_view mark) {
    std::string_view rest = after(text, mark);
    while (rest.starts_with(' ') || rest.starts_with('=')) rest.remove_prefix(1);
    if (!rest.starts_with("0x")) return std::nullopt;
    rest.remove_prefix(2);
    return base::parse_number(rest.substr(0, rest.find_first_not_of("0123456789abcdefABCDEF")), 16);
}

// "segment[3].mem", "segment[3]:" and "Loading segment 3:" name segment 3.
std::optional<std::uint64_t> segment_number(std::string_view line) {
    std::string_view rest = after(line, "segment[");
    if (rest.empty()) rest = after(line, "Loading segment ");
    return base::parse_number(rest.substr(0, rest.find_first_not_of("0123456789")), 10);
}

struct Parts {
    std::optional<std::uint64_t> start, size;
};

constexpr std::string_view added_command_line = "Command line after adding";

// "0000000000001000-000000000009fbff (0)" and "... : System RAM", perhaps with a function's name in front.
bool is_range(std::string_view line) {
    constexpr std::size_t digits = 16;
    const auto hex = [&](std::size_t at) {
        const std::string_view part = line.substr(std::min(at, line.size()), digits);
        return part.size() == digits && part.find_first_not_of("0123456789abcdef") == part.npos;
    };
    if (!hex(0) || line.size() <= digits || line[digits] != '-' || !hex(digits + 1)) return false;
    const std::string_view rest = line.substr(2 * digits + 1);
    return rest.starts_with(" (") || rest.starts_with(" : ");
}

bool is_debug(std::string_view line) {
    constexpr std::array starts = {"Try gzip decompression.",
                                   "Try LZMA decompression.",
                                   "Try zstd decompression.",
                                   "Not zstd compressed",
                                   "not compressed by zstd",
                                   "lzma_decompress_file: read on ",
                                   "zstd decompressed input=",
                                   "kernel: 0x",
                                   "MEMORY RANGES",
                                   "CRASH MEMORY RANGES",
                                   "bzImage is relocatable",
                                   "sym: ",
                                   "kernel symbol ",
                                   "kernel vaddr = ",
                                   "kernel load physical addr start = ",
                                   "Cannot get kernel ",
                                   "Loaded purgatory at addr ",
                                   "Loaded real_mode_data and command line at ",
                                   "Loaded real-mode code and command line at ",
                                   "Loaded 64bit kernel at ",
                                   "Loaded 32bit kernel at ",
                                   "Loaded initrd at ",
                                   "Created elf header segment at ",
                                   "Created backup segment at ",
                                   "E820 memmap:",
                                   "Extended E820 via setup_data:",
                                   "extra E820 memmap are passed via setup_data",
                                   "Added ",
                                   "EDD Device ",
                                   "EDD raw data has length ",
                                   "kernel init_size ",
                                   "initrd_addr_max is ",
                                   "Memmap after adding segment",
                                   "Memmap after deleting segment",
                                   "Adding extra range: ",
                                   "Elf header: ",
                                   "Kernel text Elf header: ",
                                   "vmcoreinfo header: ",
                                   "crash_notes addr = ",
                                   "kexec_load: entry = ",
                                   "nr_segments = ",
                                   "segment[",
                                   "ELFCOREHDR_SIZE ",
                                   "R_X86_64_",
                                   "page_offset:",
                                   "Modified cmdline:",
                                   "kexec_file_load:"};
    if (std::any_of(starts.begin(), starts.end(), [&](std::string_view s) { return line.starts_with(s); })) return true;
    if (is_range(line) || line.ends_with("/firmware/edd does not exist.\n") ||
        line.ends_with("/firmware/edd does not exist."))
        return true;
    // "get_backup_area: 0000…", "get_crash_notes_per_cpu: crash_notes addr = …", "get_kernel_page_offset: …"
    const auto colon = line.find(": ");
    if (colon == line.npos || line.substr(0, colon).find(' ') != line.npos || !line.starts_with("get_")) return false;
    const std::string_view rest = line.substr(colon + 2);
    return is_range(rest) || rest.starts_with("crash_notes addr = ") || rest.starts_with("page_offset:");
}

}  // namespace

LoadAddresses parse_addresses(std::string_view text) {
    LoadAddresses found;
    while (!text.empty()) {
        const std::string_view line = take_line(text);
        if (line.starts_with(added_command_line)) {
            const auto words = CommandLine::parse(take_line(text));
            if (!words) continue;
            if (const auto value = words->last("elfcorehdr")) {
                std::string_view rest = *value;
                if (const auto address = base::take_memparse(rest); address && rest.empty()) found.elfcorehdr = address;
            }
            if (const auto value = words->last("acpi_rsdp"))
                if (const auto address = base::parse_prefixed(*value)) found.rsdp = address;
        } else if (const auto headers = hex_after(line, "Loaded ELF headers at ")) {
            found.elfcorehdr = headers;
        } else if (const auto rsdp = hex_after(line, "ACPI: RSDP ")) {
            found.rsdp = rsdp;
        }
    }
    return found;
}

std::string without_debug(std::string_view text) {
    std::string kept;
    while (!text.empty()) {
        const std::size_t length = std::min(text.find('\n'), text.size() - 1) + 1;
        const std::string_view line = text.substr(0, length);
        text.remove_prefix(length);
        if (line.starts_with(added_command_line))
            take_line(text);  // the command line itself
        else if (line != "\n" && !is_debug(line))
            kept += line;
    }
    return kept;
}

Result<std::vector<AddressRange>> parse_segments(std::string_view text) {
    std::map<std::uint64_t, Parts> parts;
    for (std::size_t line_number = 1; !text.empty(); ++line_number) {
        const std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(text.size(), line.size() + 1));
        const auto number = segment_number(line);
        if (!number) continue;
        const bool kernel_form = line.find(" mem=") != line.npos;
        // A report that begins anew replaces the last one.
        if (*number == 0 && (kernel_form || line.find("].buf ") != line.npos)) parts = {{0, Parts{}}};
        Parts& p = parts[*number];
        if (kernel_form) {
            p.start = hex_after(line, " mem=");
            p.size = hex_after(line, " memsz=");
            if (!p.start || !p.size) return base::input_error(line_number, "expected mem= and memsz= of a segment");
        } else if (line.find("].mem ") != line.npos) {
            p.start = hex_after(line, "].mem ");
        } else if (line.find("].memsz ") != line.npos) {
            p.size = hex_after(line, "].memsz ");
        }
    }
    std::vector<AddressRange> segments;
    for (const auto& [number, p] : parts) {
        const auto range = p.start && p.size ? AddressRange::from_size(*p.start, *p.size) : std::nullopt;
        if (!range || range->empty())
            return base::input_error(0, fmt::format("expected address and size of segment {}", number));
        segments.push_back(*range);
    }
    return segments;
}

std::optional<std::string> disagreement(const Plan& plan, const std::vector<AddressRange>& segments) {
    const auto has = [&](const AddressRange& r) {
        return std::find(segments.begin(), segments.end(), r) != segments.end();
    };
    const auto as_in = [&](const Load& load) {
        return std::all_of(load.segments.begin(), load.segments.end(), [&](const Segment& s) {
            return (s.name != "kernel" && s.name != "initrd") || has(s.range);
        });
    };
    const auto load = std::find_if(plan.loads.begin(), plan.loads.end(), as_in);
    if (load == plan.loads.end()) return "the kernel or the initrd was loaded at another place than planned";

    const AddressRange kernel = load->find("kernel")->range;
    for (const AddressRange& segment : segments)
        for (const AddressRange& fence : plan.fences)
            if (segment != kernel && segment.overlaps(fence))
                return fmt::format("the fence {} is in the segment {}", base::to_string(fence),
                                   base::to_string(segment));
    // Where the pool ends, free memory must not begin: a fence or a segment is there. With addr= it
    // does not matter what is beside the pool.
    if (plan.expected && plan.method != Method::addr &&
        load->map.of(e820::Type::ram).contains(*AddressRange::from_size(plan.expected->end(), base::page_size))) {
        const auto covers = [&](const AddressRange& r) { return r.contains(plan.expected->end()); };
        if (std::none_of(segments.begin(), segments.end(), covers) &&
            std::none_of(plan.fences.begin(), plan.fences.end(), covers))
            return fmt::format("nothing was loaded at {:#x}, at the end of the pool", plan.expected->end());
    }
    return std::nullopt;
}

bool load_messages_on(std::string_view control) {
    // "kernel/kexec_file.c:1234 [kexec_file]kexec_calculate_store_digests =_ "format"": "=_" is off
    while (!control.empty()) {
        const std::string_view line = take_line(control);
        const bool ours = std::any_of(load_message_files.begin(), load_message_files.end(),
                                      [&](std::string_view file) { return line.starts_with(file); });
        if (ours && line.find(" =_ ") == line.npos) return true;
    }
    return false;
}

}  // namespace handoff
