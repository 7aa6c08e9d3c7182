// SPDX-License-Identifier: GPL-2.0-or-later
// Reading /proc/iomem, from 20 lines to a million, beside what kexec-tools does with the same file.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <string>

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "lib/sources/iomem.hpp"

namespace {

// A server's file, longer: RAM with what lies in it, and PCI windows with their devices.
std::string text_of(std::int64_t lines) {
    constexpr const char* names[] = {"System RAM",   "Reserved", "PCI Bus 0000:80",
                                     "0000:80:01.0", "nvme",     "ACPI Non-volatile Storage"};
    constexpr unsigned depths[] = {0, 0, 0, 1, 2, 0};
    std::string text;
    for (std::int64_t i = 0; i < lines; ++i) {
        const auto start = static_cast<std::uint64_t>(i) << 20;
        fmt::format_to(std::back_inserter(text), "{:{}}{:08x}-{:08x} : {}\n", "", depths[i % 6] * 2, start,
                       start + 0xfffff, names[i % 6]);
    }
    return text;
}

/// A file with so many lines, until the program ends.
const std::string& file_of(std::int64_t lines) {
    struct File {
        std::string path;
        explicit File(std::int64_t count) : path(fmt::format("/tmp/iomem-bench-{}", count)) {
            std::ofstream(path) << text_of(count);
        }
        File(const File&) = delete;
        File& operator=(const File&) = delete;
        ~File() { std::remove(path.c_str()); }
    };
    static std::map<std::int64_t, std::unique_ptr<File>> files;
    auto& file = files[lines];
    if (!file) file = std::make_unique<File>(lines);
    return file->path;
}

/// Stated anew from what kexec-tools does in get_crash_memory_ranges(): a line at a time, sscanf() for the numbers, and
/// the name compared with those that matter.
std::uint64_t sscanf_loop(const char* path) {
    std::FILE* file = std::fopen(path, "r");
    if (!file) std::abort();
    char line[160];
    std::uint64_t bytes = 0;
    while (std::fgets(line, sizeof line, file)) {
        unsigned long long start = 0, end = 0;
        int consumed = 0;
        if (std::sscanf(line, "%llx-%llx : %n", &start, &end, &consumed) != 2) continue;
        const char* name = line + consumed;
        for (const char* wanted : {"System RAM\n", "ACPI Tables\n", "ACPI Non-volatile Storage\n",
                                   "Persistent Memory\n", "Crash kernel\n", "GART\n"})
            if (std::strcmp(name, wanted) == 0) bytes += end - start + 1;
    }
    std::fclose(file);
    return bytes;
}

void iomem_sscanf(benchmark::State& state) {
    const std::string& path = file_of(state.range(0));
    for (auto _ : state) benchmark::DoNotOptimize(sscanf_loop(path.c_str()));
    state.SetItemsProcessed(state.iterations() * state.range(0));
}

void iomem_parse(benchmark::State& state) {
    const std::string& path = file_of(state.range(0));
    for (auto _ : state) {
        std::ifstream file(path, std::ios::binary | std::ios::ate);
        std::string text(static_cast<std::size_t>(file.tellg()), '\0');
        file.seekg(0).read(text.data(), static_cast<std::streamsize>(text.size()));
        const auto entries = handoff::parse_iomem(text);
        if (!entries) state.SkipWithError(entries.error().what.c_str());
        benchmark::DoNotOptimize(entries);
    }
    state.SetItemsProcessed(state.iterations() * state.range(0));
}

BENCHMARK(iomem_sscanf)->Arg(20)->Arg(1000)->Arg(30000)->Arg(1000000)->Unit(benchmark::kMicrosecond);
BENCHMARK(iomem_parse)->Arg(20)->Arg(1000)->Arg(30000)->Arg(1000000)->Unit(benchmark::kMicrosecond);

}  // namespace
