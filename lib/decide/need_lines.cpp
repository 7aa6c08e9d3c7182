// SPDX-License-Identifier: GPL-2.0-or-later
// How much each thing takes: docs/need.md, with the sources of the numbers.
#include <algorithm>
#include <string>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/number.hpp"
#include "lib/decide/assumed.hpp"
#include "lib/decide/crash_advice.hpp"
#include "lib/decide/need.hpp"
#include "lib/decide/question.hpp"
#include "lib/kernel/constants.hpp"
#include "lib/kernel/early_take.hpp"
#include "lib/kernel/next_boot.hpp"
#include "lib/kernel/placement.hpp"

namespace handoff {
namespace {

using base::align_up;
using base::GiB;
using base::KiB;
using base::MiB;
using base::page_size;

// An initrd that was not read is assumed to be this much larger when it is unpacked.
constexpr std::uint64_t unpack_factor = 4;
// A compressed module is assumed to take this many times the size of its file when it is loaded.
constexpr std::uint64_t module_factor = 4;
constexpr std::uint64_t usual_modules = 16 * MiB;

// fs/ramfs or mm/shmem.c: struct inode or shmem_inode_info, struct dentry, and what the slabs round up.
constexpr std::uint64_t inode_at_least = 768, inode_at_most = 2 * KiB;

std::uint64_t bounded(std::uint64_t bytes) { return std::min(bytes, largest_reservation); }

// The running kernel's image lies in memory from its code to the end of its bss, and so does the crash kernel's where
// it is the same.
NeedLine image_line(const Machine& machine, const PlanRequest& request) {
    const Image image = assumed_image(machine, request);
    NeedLine line{NeedPart::image, align_up(bounded(image.init_size), 2 * MiB), 0, Basis::assumed, "no image was read"};
    if (!request.image) return line;
    line.basis = Basis::read;
    line.from = "init_size in the image's header";
    if (machine.kernel_image && image.release == machine.release && !image.release.empty())
        line.at_least = std::min(line.bytes, machine.kernel_image->size());
    return line;
}

NeedLine initrd_line(const PlanRequest& request) {
    const std::uint64_t bytes = bounded(assumed_initrd_bytes(request));
    if (!request.initrd_bytes) return {NeedPart::initrd, bytes, 0, Basis::assumed, "no initrd was read"};
    return {NeedPart::initrd, bytes, bytes, Basis::read, "the size of the file"};
}

NeedLine unpacked_line(const PlanRequest& request) {
    if (request.initrd_bytes == 0u) return {NeedPart::unpacked, 0, 0, Basis::read, "no initrd is loaded"};
    const auto& contents = request.initrd_contents;
    if (!contents) {
        const std::uint64_t bytes = bounded(assumed_initrd_bytes(request));
        return {NeedPart::unpacked, unpack_factor * bytes, 0, Basis::assumed,
                fmt::format("{} times the size of the packed initrd{}", unpack_factor,
                            request.initrd_contents_problem ? "; " + request.initrd_contents_problem->message() : "")};
    }
    // A symbolic link has a page of its own in ramfs. The index of a file's pages: mm's xarray, 576 bytes for 64 pages.
    const std::uint64_t bytes = contents->file_bytes + contents->file_bytes / 256 + contents->inodes * inode_at_most +
                                contents->symbolic_links * page_size;
    return {NeedPart::unpacked, bounded(bytes), bounded(contents->file_bytes + contents->inodes * inode_at_least),
            Basis::read,
            contents->formats.empty()
                ? "the size of its files; it is not compressed"
                : fmt::format("it was unpacked to count ({})", fmt::join(contents->formats, ", "))};
}

// init/do_mounts.c, init_rootfs(): the root file system is a tmpfs, which takes half of the memory that is free when it
// is mounted, if no option asks for something else. If the contents of the initrd are only assumed, this is left out:
// it would be an assumption that rests on another one.
void add_root_limit(const Question& question, Need& need) {
    const NeedLine unpacked = *need.find(NeedPart::unpacked);
    const auto type = question.base.last("rootfstype");
    const bool tmpfs = type ? type->find("tmpfs") != type->npos : question.base.last("root").value_or("").empty();
    if (!tmpfs || unpacked.bytes == 0 || unpacked.basis == Basis::assumed) return;
    need.lines.push_back(
        {NeedPart::root_limit, unpacked.bytes, 0, unpacked.basis,
         "without root= the initrd is unpacked into a tmpfs, which takes no more than half of the free memory"});
}

// What the crash kernel may take over, and needs struct pages and slots for: the pool, and those of single devices.
std::uint64_t taken_over(const Question& question) {
    std::uint64_t bytes = pool_bytes(question.machine);
    if (question.request.image && question.request.image->swiotlb_dev)
        for (const DevicePool& pool : question.machine.device_pools) bytes += pool.range.size();
    return bytes;
}

EarlyDemand early_with(const Question& question, std::uint64_t reservation_bytes, unsigned cpus,
                       const EarlyTake& more) {
    // The addresses do not matter: the bound depends on sizes, and on the number of sections of 128 MiB.
    RangeSet memory;
    memory.add(*AddressRange::from_size(0, bounded(reservation_bytes)));
    const std::uint64_t pool = bounded(taken_over(question));
    memory.add(*AddressRange::from_size(64 * GiB, pool));
    return early_demand({memory, pool / slab_size, cpus, more.bytes, more.largest, 0});
}

NeedLine early_line(const Question& question, std::uint64_t reservation_bytes) {
    EarlyTake more = early_take(question.words, reservation_bytes);
    more += early_take(question.config, 1, reservation_bytes);
    // struct page of what is reserved is taken whatever the kernel's configuration is.
    RangeSet memory;
    memory.add(*AddressRange::from_size(0, bounded(reservation_bytes)));
    const std::uint64_t certain = early_demand({memory, 0, 1, 0, 0, 0}).memory_map;
    return {NeedPart::early, bounded(early_with(question, reservation_bytes, 1, more).total()), certain,
            question.config_known ? Basis::read : Basis::assumed,
            question.config_known ? "a bound for this configuration, for kernels of 5.10 to 7.3"
                                  : "a bound for Debian's configuration, for kernels of 5.10 to 7.3"};
}

// How many CPUs the crash kernel prepares for, and how many of them it starts.
struct Cpus {
    unsigned possible = 1;
    unsigned running = 1;
    Basis basis = Basis::read;
    std::string from;
};

Cpus cpus_of(const Question& question, const PlanRequest& original) {
    Cpus cpus;
    const auto& machine = question.machine;
    cpus.possible = std::max(1u, std::min(crash_cpus(question), machine.possible_cpus.value_or(65536)));
    cpus.running = cpus.possible;
    if (const auto most = base::parse_prefixed(question.base.last("maxcpus").value_or("")))
        cpus.running = std::clamp(static_cast<unsigned>(std::min<std::uint64_t>(*most, 65536)), 1u, cpus.possible);
    const bool limited = question.base.has("nr_cpus") || question.base.has("possible_cpus");
    const bool line_known = original.command_line || original.service_command_line;
    cpus.basis =
        limited ? (line_known ? Basis::read : Basis::assumed) : (machine.possible_cpus ? Basis::read : Basis::assumed);
    const std::string limit = !limited                ? "the possible CPUs of the machine, because there is no nr_cpus="
                              : original.command_line ? "the crash kernel's command line"
                              : original.service_command_line ? "the command line that kdump's configuration makes"
                                                              : "nr_cpus=1, which every kdump service adds";
    cpus.from = fmt::format("{} CPUs, {} of them started: {}", cpus.possible, cpus.running, limit);
    return cpus;
}

// What further CPUs take: per-CPU areas for all that are possible, as early_demand() bounds them; of each that runs its
// threads (10 of 32 KiB), the slabs that it keeps, lists of pages: 1 MiB.
void add_cpus(const Question& question, const Cpus& cpus, std::uint64_t reservation_bytes, Need& need) {
    if (cpus.possible <= 1) return;
    const EarlyTake log = early_take(question.config, cpus.possible, reservation_bytes);
    const EarlyTake log_of_one = early_take(question.config, 1, reservation_bytes);
    const std::uint64_t areas = early_with(question, reservation_bytes, cpus.possible, {}).total() -
                                early_with(question, reservation_bytes, 1, {}).total();
    const std::uint64_t bytes = areas + (log.bytes - log_of_one.bytes) + (cpus.running - 1) * MiB;
    // arch/x86: stacks for interrupts and exceptions, and what mm/percpu.c keeps for later: 64 KiB in any
    // configuration.
    const std::uint64_t certain = cpus.basis == Basis::read ? (cpus.possible - 1) * 64 * KiB : 0;
    need.lines.push_back({NeedPart::cpus, bounded(bytes), bounded(certain), cpus.basis, cpus.from});
}

// A loaded module takes no more memory than its unpacked file. If the running kernel says how much its modules take,
// only those modules count that it has loaded, because the crash kernel has the same devices.
NeedLine modules_line(const PlanRequest& request) {
    if (request.initrd_bytes == 0u) return {NeedPart::modules, 0, 0, Basis::read, "no initrd is loaded"};
    const auto& contents = request.initrd_contents;
    if (!contents)
        return {NeedPart::modules, std::min(usual_modules, bounded(assumed_initrd_bytes(request))), 0, Basis::assumed,
                "the size of the initrd, but no more than 16 MiB, because the initrd was not read"};
    std::uint64_t files = 0;
    bool compressed = false;
    for (const ModuleFile& module : contents->modules) {
        files += module.bytes * (module.compressed ? module_factor : 1);
        compressed = compressed || module.compressed;
    }
    const bool hidden = contents->packed_root_bytes != 0;
    if (contents->loaded_module_bytes && (hidden || *contents->loaded_module_bytes <= files))
        return {NeedPart::modules, bounded(*contents->loaded_module_bytes), 0, Basis::read,
                hidden ? "the size of all modules that the running kernel has loaded"
                       : "the size of those modules of the initrd that the running kernel has loaded"};
    if (hidden)
        return {NeedPart::modules, usual_modules, 0, Basis::assumed,
                "the modules of the initrd are in a packed root file system, which was not read"};
    return {NeedPart::modules, bounded(files), 0, compressed ? Basis::assumed : Basis::read,
            compressed ? fmt::format("all modules of the initrd, {} times as large as they are packed", module_factor)
                       : std::string("the size of all modules of the initrd")};
}

void add_page_cache(const PlanRequest& request, Need& need) {
    if (!request.initrd_contents || request.initrd_contents->packed_root_bytes == 0) return;
    need.lines.push_back({NeedPart::page_cache, bounded(request.initrd_contents->packed_root_bytes), 0, Basis::assumed,
                          "the size of the packed root file system, of which parts are read into memory again"});
}

// makedumpfile.c: two bits for each page of the machine, in a file in /tmp, or, where they are more than 4 MiB
// (calculate_cyclic_buffer_size()), two buffers of that size. The rest: buffers for compressing and for reading, for
// each section of 128 MiB 64 bytes, for each thread its own (initial_for_parallel()).
NeedLine makedumpfile_line(const Machine& machine, const PlanRequest& request, unsigned running_cpus) {
    constexpr std::uint64_t cyclic_buffer = 4 * MiB, buffers = 2 * MiB, thread_bytes = MiB;
    const CollectorOptions options = request.collector_options.value_or(CollectorOptions{});
    const auto& ranges = machine.ram.ranges();
    const std::uint64_t end = ranges.empty() ? 0 : ranges.back().end();
    const std::uint64_t both = align_up(end / page_size / 4, page_size);
    const std::uint64_t buffer = options.buffer_bytes != 0 ? options.buffer_bytes : cyclic_buffer;
    const std::uint64_t bitmaps = options.buffer_bytes == 0 && both <= buffer ? both : std::min(both, 2 * buffer);
    const unsigned threads = options.threads_are_cpus ? std::min(options.threads, running_cpus) : options.threads;
    return {NeedPart::makedumpfile, bounded(bitmaps + buffers + end / (128 * MiB) * 64 + threads * thread_bytes), 0,
            request.collector_options ? Basis::read : Basis::assumed,
            fmt::format("{}bitmaps of {} KiB, {} threads",
                        request.collector_options ? "" : "its options are not known, so they are assumed: ",
                        bitmaps / KiB, threads)};
}

// A crash was measured, so the memory of programs and drivers is known. Otherwise only the margin stands for it.
void add_measured(const MeasuredNeed& measured, std::uint64_t margin, Need& need) {
    need.lines.push_back(
        {NeedPart::measured, bounded(measured.bytes), 0, Basis::measured,
         fmt::format("measured on {}, when at the lowest point {} of {} MiB were available ({})",
                     measured.time.substr(0, measured.time.find('T')), measured.lowest_available_bytes / MiB,
                     measured.total_bytes / MiB, measured.file)});
    need.lines.push_back({NeedPart::margin, bounded(margin_beside(measured, margin)), 0, Basis::assumed,
                          "an eighth of what was measured, but at least 16 MiB, because the next crash may take more"});
}

// As the crash kernel's command line will be.
PlanRequest of_service(const PlanRequest& request) {
    PlanRequest wanted;
    wanted.image = request.image;
    wanted.config = request.config;
    wanted.added_words = request.added_words;
    wanted.command_line = request.command_line ? request.command_line : request.service_command_line;
    return wanted;
}

}  // namespace

std::optional<unsigned> known_crash_cpus(const Machine& machine, const PlanRequest& request) {
    Findings ignored;
    const PlanRequest wanted = of_service(request);
    const Cpus cpus = cpus_of(ask(machine, wanted, ignored), request);
    return cpus.basis == Basis::read ? std::optional(cpus.possible) : std::nullopt;
}

Need need_for(const Machine& machine, const PlanRequest& request, std::uint64_t reservation_bytes,
              std::uint64_t margin) {
    Findings ignored;  // plan() says what is wrong with the command line
    const PlanRequest wanted = of_service(request);
    const Question question = ask(machine, wanted, ignored);
    const Cpus cpus = cpus_of(question, request);
    Need need;
    need.lines = {image_line(machine, request), unpacked_line(request), early_line(question, reservation_bytes)};
    add_cpus(question, cpus, reservation_bytes, need);
    need.lines.push_back(initrd_line(request));
    add_root_limit(question, need);
    if (request.measured) {
        add_measured(*request.measured, margin, need);
    } else {
        need.lines.push_back(modules_line(request));
        add_page_cache(request, need);
        need.lines.push_back(makedumpfile_line(machine, request, cpus.running));
        need.lines.push_back({NeedPart::margin, bounded(margin), 0, Basis::assumed, "as --margin says"});
    }
    if (machine.last_crash) need.ran_out_with = bounded(ran_out_with(*machine.last_crash));
    return need;
}

}  // namespace handoff
