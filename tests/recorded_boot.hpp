// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <algorithm>
#include <bit>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "tests/kernel_reference.hpp"
#include "tests/memblock_reference.hpp"

// What real kernels asked memblock for before their pool, word by word of the command line, and the same requests in
// another machine. For tests only: shares no code with lib/. fixtures/early/README.md says what the lines are.

namespace reference {

inline constexpr u64 section = 128 * MiB;

struct Range {
    u64 start = 0, end = 0;  ///< half-open
};

/// What one kernel did with one command line.
struct RecordedBoot {
    struct Step {
        u64 bytes = 0;
        u64 align = 0;
        std::string caller;
        bool limited = false;        ///< it asked for memory below something
        std::optional<u64> of = {};  ///< gives back a part of that take, counted from 0
        u64 offset = 0;              ///< and from where on
    };
    std::string name;     ///< of the file, without ".txt"
    std::string release;  ///< "6.12.117+deb13-amd64"
    std::string words;    ///< on its command line, besides those that make it print
    u64 slabs = 0;
    std::vector<Range> ram, reserved;
    std::vector<Step> steps;  ///< up to the pool
    u64 pool = 0;             ///< where the pool went

    [[nodiscard]] std::string series() const { return name.substr(0, name.find('-')); }
    [[nodiscard]] bool takes_acpi_tables() const {
        return std::any_of(steps.begin(), steps.end(), [](const Step& s) { return s.caller == "acpi_table_upgrade"; });
    }
};

inline RecordedBoot read_recorded_boot(const std::filesystem::path& path) {
    RecordedBoot boot;
    boot.name = path.stem();
    std::ifstream in(path);
    for (std::string line; std::getline(in, line) && boot.pool == 0;) {
        std::istringstream parts(line);
        std::string what, text;
        parts >> what;
        if (line.starts_with("# kernel ")) boot.release = line.substr(9);
        if (what == "words") boot.words = line.substr(6);
        if (what == "slabs") parts >> boot.slabs;
        if (what == "ram" || what == "reserved") {
            parts >> text;
            const Range range{std::stoull(text, nullptr, 16),
                              std::stoull(text.substr(text.find('-') + 1), nullptr, 16)};
            (what == "ram" ? boot.ram : boot.reserved).push_back(range);
        }
        if (what != "take" && what != "free" && what != "pool") continue;
        RecordedBoot::Step step;
        parts >> step.bytes;
        if (what != "free") {
            parts >> text;
            step.align = std::stoull(text, nullptr, 16);
        }
        parts >> step.caller;
        if (what == "free") {
            u64 number = 0;
            parts >> number >> text;
            step.of = number;
            step.offset = std::stoull(text, nullptr, 16);
        }
        while (parts >> text) {
            if (text.starts_with("max=")) step.limited = true;
            if (text.starts_with("at=")) boot.pool = std::stoull(text.substr(3), nullptr, 16);
        }
        if (what != "pool") boot.steps.push_back(std::move(step));
    }
    return boot;
}

inline std::vector<RecordedBoot> recorded_boots(const std::filesystem::path& directory) {
    std::vector<RecordedBoot> boots;
    for (const auto& entry : std::filesystem::directory_iterator(directory))
        if (entry.path().extension() == ".txt") boots.push_back(read_recorded_boot(entry.path()));
    std::sort(boots.begin(), boots.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    return boots;
}

inline u64 bytes_of(const std::vector<Range>& ram) {
    u64 sum = 0;
    for (const Range& r : ram) sum += r.end - r.start;
    return sum;
}

inline u64 sections_of(const std::vector<Range>& ram) {
    std::vector<u64> numbers;
    for (const Range& r : ram)
        for (u64 n = r.start / section; n * section < r.end; ++n) numbers.push_back(n);
    std::sort(numbers.begin(), numbers.end());
    return static_cast<u64>(std::unique(numbers.begin(), numbers.end()) - numbers.begin());
}

/// The largest number that a word of the command line has, 0 without it.
inline u64 asked_for(const std::string& words, const std::string& parameter) {
    u64 number = 0;
    for (const Argument& argument : parse_args(words))
        if (same_parameter(argument.param, parameter) && argument.value) {
            const char* at = argument.value->c_str();
            number = std::max(number, strtoull_at(at));
        }
    return number;
}

/// mm/mm_init.c, alloc_large_system_hash(), for tables of 8 bytes an entry.
inline u64 hash_bytes(u64 ram, u64 asked, unsigned scale) {
    u64 entries = asked;
    if (entries == 0) entries = (ram / 4096 + 255) / 256 * 256 >> (scale - 12);
    return std::min(std::bit_ceil(entries) * 8, std::bit_floor(ram / 16));
}

/// lib/stackdepot.c, stack_depot_early_init(): a bucket for each 16 KiB. What a bucket takes differs between kernels.
inline u64 depot_bytes(u64 recorded, u64 recorded_ram, u64 ram) {
    const auto buckets = [](u64 bytes) { return std::clamp<u64>(std::bit_ceil(bytes >> 14), 4096, MiB); };
    return recorded / buckets(recorded_ram) * buckets(ram);
}

/// The steps of a recorded boot in a machine with this RAM: what depends on its size is as large as there, all else as
/// it was. `acpi_tables`: bytes of them in the initrd.
inline std::vector<RecordedBoot::Step> in_machine(const RecordedBoot& boot, const std::vector<Range>& ram,
                                                  u64 acpi_tables) {
    const u64 bytes = bytes_of(ram), recorded = bytes_of(boot.ram);
    const u64 sections = sections_of(ram), recorded_sections = sections_of(boot.ram);
    std::vector<RecordedBoot::Step> steps;
    std::vector<u64> number_of;  // where a recorded take is now
    u64 hashes = 0, takes = 0;
    const auto add = [&](const RecordedBoot::Step& step) {
        takes += step.of ? u64{0} : u64{1};
        steps.push_back(step);
    };
    bool map_done = false;
    for (RecordedBoot::Step step : boot.steps) {
        if (step.of) {
            step.of = number_of[*step.of];
            add(step);
            continue;
        }
        number_of.push_back(takes);
        if (step.caller == "vmemmap_populate_hugepages") {  // a piece for each section
            for (u64 n = 0; n < sections && !map_done; ++n) add(step);
            map_done = true;
            continue;
        }
        if (step.caller == "sparse_init_nid") step.bytes = step.bytes / recorded_sections * sections;
        if (step.caller == "alloc_large_system_hash") {
            // Of dentries, of inodes, and where a word asks for it, of stacks.
            if (hashes == 0) step.bytes = hash_bytes(bytes, asked_for(boot.words, "dhash_entries"), 13);
            if (hashes == 1) step.bytes = hash_bytes(bytes, asked_for(boot.words, "ihash_entries"), 14);
            if (hashes == 2) step.bytes = depot_bytes(step.bytes, recorded, bytes);
            ++hashes;
        }
        if (step.caller == "acpi_table_upgrade") step.bytes = acpi_tables;
        add(step);
    }
    return steps;
}

/// The same steps with others in front of the first that this caller makes, or at the end.
inline std::vector<RecordedBoot::Step> with_steps(std::vector<RecordedBoot::Step> steps, const std::string& caller,
                                                  const std::vector<RecordedBoot::Step>& more) {
    const auto at = std::find_if(steps.begin(), steps.end(), [&](const auto& s) { return s.caller == caller; });
    const auto takes = static_cast<u64>(std::count_if(steps.begin(), at, [](const auto& s) { return !s.of; }));
    for (auto step = at; step != steps.end(); ++step)
        if (step->of && *step->of >= takes) *step->of += more.size();
    steps.insert(at, more.begin(), more.end());
    return steps;
}

/// kernel/printk/printk.c, setup_log_buf(): the log, its descriptors, and its infos with CONFIG_PRINTK_EXECUTION_CTX.
inline std::vector<RecordedBoot::Step> log_steps(u64 bytes) {
    const u64 log = std::bit_ceil(bytes);
    return {{log, 8, "setup_log_buf"}, {log / 32 * 24, 8, "setup_log_buf"}, {log / 32 * 112, 8, "setup_log_buf"}};
}

/// mm/kfence/core.c, kfence_alloc_pool_and_metadata(): two pages for each object and two more.
inline std::vector<RecordedBoot::Step> kfence_steps(u64 objects) {
    return {{(objects + 1) * 8192, 4096, "kfence"}, {objects * 1172, 4096, "kfence"}};
}

/// Where the pool goes, in bytes from 0, after these steps; nullopt: nowhere, or an earlier request is not met, and the
/// kernel panics. `memory`: everything reserved already that is not asked for.
inline std::optional<Range> replay(Memblock memory, const std::vector<RecordedBoot::Step>& steps, u64 pool_bytes) {
    std::vector<std::optional<u64>> taken;
    u64 node_data = 0;
    for (const RecordedBoot::Step& step : steps) {
        if (step.of) {
            if (const auto& start = taken[*step.of])
                memory.release(*start + step.offset, *start + step.offset + step.bytes);
            continue;
        }
        u64 limit = ~u64{0};
        if (step.caller == "acpi_table_upgrade") limit = low_limit;
        // sparse_early_usemaps_alloc_pgdat_section(): the section that has the node's data.
        if (step.caller == "sparse_init_nid" && step.limited) limit = (node_data / section + 1) * section;
        auto at = memory.take(step.bytes, step.align, limit);
        if (!at && step.caller == "sparse_init_nid") at = memory.take(step.bytes, step.align);
        if (!at && step.caller != "init_mem_mapping") return std::nullopt;
        if (step.caller == "without_a_name") node_data = *at;
        taken.push_back(at);
    }
    for (u64 bytes = pool_bytes; bytes >= MiB; bytes /= 2)
        if (const auto at = memory.take(bytes, 4096, low_limit)) return Range{*at, *at + bytes};
    return std::nullopt;
}

}  // namespace reference
