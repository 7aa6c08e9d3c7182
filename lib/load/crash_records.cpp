// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/load/crash_records.hpp"

#include <algorithm>
#include <functional>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "lib/decide/need.hpp"
#include "lib/kernel/constants.hpp"
#include "lib/service/service.hpp"
#include "lib/service/shell_config.hpp"
#include "lib/sources/gather.hpp"
#include "lib/sources/host.hpp"

namespace handoff {
namespace {

using base::GiB;
using base::MiB;

constexpr std::size_t most_directories = 64;
constexpr std::size_t largest_memory_record = 64 * base::KiB, largest_load_record = MiB;

// As words, however many blanks are between them.
std::string spaced(std::string_view line) { return fmt::format(" {} ", fmt::join(split(line), " ")); }

// A crash kernel that runs on another CPU than the machine's first one may leave that one out, because starting it
// would reset the machine: check_for_real_bsp() in arch/x86/kernel/cpu/topology.c (6.9 and later). The margin covers
// one CPU.
bool for_as_many(const WatchedMemory& memory, unsigned cpus) {
    const auto then = count_of_list(memory.possible_cpus);
    return then && (*then == cpus || *then + 1 == cpus);
}

// A difference between the load that was seen and the present one; "" where there is none.
std::string difference(const WatchedMemory& memory, const Record& load, const PresentLoad& now) {
    if (memory.release != now.release)
        return fmt::format("that crash kernel was Linux {}, and now {} would be loaded", memory.release,
                           now.release.empty() ? "another kernel" : "Linux " + now.release);
    if (!load.kernel_sum || !load.initrd_sum)
        return "the record of that load does not say which image and initrd were loaded";
    if (!now.kernel || !now.initrd) return "it is not known which image and initrd will be loaded";
    if (load.kernel_sum != now.kernel) return "another image was loaded then";
    if (load.initrd_sum != now.initrd) return "another initrd was loaded then";
    if (!now.cpus) return "it is not known for how many CPUs the crash kernel will prepare";
    if (!for_as_many(memory, *now.cpus))
        return fmt::format("that crash kernel prepared for the CPUs {}, and the next one will prepare for {} in all",
                           memory.possible_cpus, *now.cpus);
    if (now.loader != Loader::automatic && load.loader != now.loader)
        return fmt::format("that crash kernel was loaded by {}, and the next one will be loaded by {}",
                           name(load.loader), name(now.loader));
    const CollectorOptions then = memory_of_makedumpfile(memory.collector);
    if (now.collector && !now.collector->threads_are_cpus && then != *now.collector)
        return fmt::format("the dump was saved by '{}', and makedumpfile has other threads or buffers now",
                           memory.collector);
    return {};
}

}  // namespace

std::string why_not_used(const WatchedMemory& memory, const Record& load, const PresentLoad& now) {
    if (!memory.dump_done) return "no source says that its dump was finished";
    if (memory.oom_kills.value_or(0) != 0) return "memory ran out there, and the kernel ended programs";
    if (!memory.ram_bytes) return "it does not say how much memory the crash kernel had";
    if (!memory.vmcore_bytes) return "it does not say how much memory the machine had";
    if (spaced(memory.command_line).find(spaced(load.command_line)) == std::string::npos)
        return "the record of a load beside it is of another load";
    if (auto text = difference(memory, load, now); !text.empty()) return text;
    // /proc/vmcore lacks the reservation, and may lack the pool.
    const std::uint64_t then = *memory.vmcore_bytes + *memory.ram_bytes;
    if (now.ram_bytes > then + GiB)
        return fmt::format("the machine had {} GiB of memory then, and has {} GiB now", then / GiB,
                           now.ram_bytes / GiB);
    if (bytes_taken(memory, load) == 0) return "its numbers contradict each other";
    return {};
}

std::uint64_t bytes_taken(const WatchedMemory& memory, const Record& load) {
    std::uint64_t pool = 0;
    if (load.marker)
        pool = load.loan ? 0 : load.marker->size();
    else if (memory.slabs)
        pool = *memory.slabs * slab_size;
    const std::uint64_t not_taken = memory.lowest_available_bytes + pool, had = memory.ram_bytes.value_or(0);
    return had > not_taken ? had - not_taken : 0;
}

Result<WatchedMemory> memory_beside_dump(const Host& host, const std::string& directory) {
    const auto text = host.read_of_root(fmt::format("{}/{}", directory, memory_record_file), largest_memory_record);
    return text ? parse_watched_memory(*text) : Result<WatchedMemory>(text.error());
}

namespace {

PresentLoad present_load(const Machine& machine, const PlanRequest& request) {
    PresentLoad now;
    now.release = request.image && !request.image->release.empty() ? request.image->release : machine.release;
    if (!request.image_from.empty()) now.kernel = sum_if_read(request.image_from);
    if (!request.initrd_from.empty()) now.initrd = sum_if_read(request.initrd_from);
    if (request.initrd_bytes == 0u) now.initrd = FileSum{};
    now.cpus = known_crash_cpus(machine, request);
    now.loader = request.loader;
    now.ram_bytes = machine.ram.size();
    now.collector = request.collector_options;
    return now;
}

// One of them; nullopt where the directory has none. `now` is made when it is first needed, since that reads the files.
std::optional<CrashRecord> examine(const Host& host, const std::string& directory,
                                   const std::function<const PresentLoad&()>& now,
                                   std::optional<MeasuredNeed>& measured) {
    CrashRecord found;
    const std::string path = fmt::format("{}/{}", directory, memory_record_file);
    found.file = "/" + path;
    const auto memory = memory_beside_dump(host, directory);
    if (!memory && memory.error().code == Errc::not_found) return std::nullopt;
    if (!memory) {
        found.why_not = memory.error().what;
        return found;
    }
    found.time = memory->time;
    found.release = memory->release;
    const auto record = host.read_of_root(fmt::format("{}/{}", directory, load_record_file), largest_load_record);
    const auto load = record ? parse_record(*record) : Result<Record>(record.error());
    if (!load) {
        found.why_not =
            record || record.error().code != Errc::not_found
                ? fmt::format("{}: {}", load_record_file, load.error().what)
                : fmt::format("there is no {} beside it, which would say what was loaded", load_record_file);
        return found;
    }
    found.why_not = why_not_used(*memory, *load, now());
    if (!found.why_not.empty()) return found;
    const MeasuredNeed need{found.file, found.time, bytes_taken(*memory, *load), memory->lowest_available_bytes,
                            memory->total_bytes};
    if (!measured || need.bytes > measured->bytes) measured = need;
    return found;
}

}  // namespace

void look_for_crash_records(const Host& host, const Machine& machine, PlanRequest& request) {
    const auto service = find_kdump_service(host);
    // "" where the service puts dumps where they cannot be seen from here.
    const std::string top = service ? dump_target(host, *service).path : "var/crash";
    auto names = top.empty() ? Result<std::vector<std::string>>(std::vector<std::string>()) : host.names_in(top);
    if (!names) return;
    std::optional<PresentLoad> known;
    const auto now = [&]() -> const PresentLoad& {
        if (!known) known = present_load(machine, request);
        return *known;
    };
    std::optional<MeasuredNeed> measured;
    std::vector<CrashRecord> records;
    std::size_t looked_at = 0;
    for (auto it = names->rbegin(); it != names->rend() && looked_at < most_directories; ++it, ++looked_at)
        if (auto record = examine(host, fmt::format("{}/{}", top, *it), now, measured))
            records.push_back(*std::move(record));
    std::stable_sort(records.begin(), records.end(),
                     [](const CrashRecord& a, const CrashRecord& b) { return a.time > b.time; });
    request.measured = std::move(measured);
    request.crash_records = std::move(records);
}

}  // namespace handoff
