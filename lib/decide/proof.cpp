// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/decide/proof.hpp"

#include "lib/kernel/placement.hpp"

#include <algorithm>

#include "lib/kernel/device_pools.hpp"
#include "lib/kernel/kaslr.hpp"

namespace handoff {
namespace {

using base::align_up;
using base::MiB;
using base::page_size;
using e820::Type;

// The running kernel tells how much of its image is reserved; another
// version's may be smaller.
std::uint64_t image_at_least(const Proposal& c) {
    const Machine& machine = c.question.machine;
    const bool same = !c.cargo.image.release.empty() && c.cargo.image.release == machine.release;
    return c.question.request.image && same && machine.kernel_image ? machine.kernel_image->size() : 0;
}

}  // namespace

EarlyDemand demand_of(const Proposal& c, const RangeSet& ram) {
    const Question& question = c.question;
    const unsigned cpus = crash_cpus(question);
    EarlyTake more = early_take(question.words, ram.size());
    more += early_take(question.config, cpus, ram.size());
    return early_demand({ram, c.pool.slabs, cpus, more.bytes, more.largest, c.cargo.initrd_acpi_bytes});
}

e820::Table boot_map(const Proposal& c, const Load& load) {
    e820::Table map = load.map;
    if (c.method == Method::e820) map.add(c.pool.range, Type::ram);
    return map;
}

Result<CrashMemory> memory_of(const Proposal& c, const Scenario& s, const CommandLine& line) {
    const auto map = apply_memory_words(boot_map(c, s.load), line);
    if (!map) return map.error();
    CrashMemory memory;
    memory.ram = map->of(Type::ram);
    for (const Segment& segment : s.load.segments) {
        if (segment.name == "initrd")
            memory.reserved.push_back(segment.range);
        else if (segment.name == "setup_data" && c.cargo.setup_data == true)
            memory.reserved.push_back(*AddressRange::from_size(segment.range.start(), page_size));
        if (segment.name != "kernel") memory.maybe_reserved.push_back(segment.range);
        // With CONFIG_CRASH_HOTPLUG there is room in it for 16384 headers of
        // 56 bytes (kernel/crash_core.c, crash_get_elfcorehdr_size()).
        if (segment.name == "elfcorehdr" && s.load.loader == Loader::kexec_file_load)
            memory.maybe_reserved.push_back(*AddressRange::from_size(segment.range.start(), MiB));
    }
    Kaslr kaslr = kaslr_with(line);
    if (c.method == Method::addr) kaslr.avoid.push_back(c.pool.range);
    // Pools of single devices are reserved before that of addr=, or refused.
    for (const DevicePool& pool : c.cargo.image.swiotlb_dev ? device_pools_on(line) : std::vector<DevicePool>()) {
        memory.maybe_reserved.push_back(pool.range);
        kaslr.avoid.push_back(pool.range);
    }
    const Image& image = c.cargo.image;
    const std::uint64_t least = image_at_least(c);
    // extract_kernel(): room for the larger of the payload and the image.
    const std::uint64_t needed = align_up(std::max({image.uncompressed_bytes, least, page_size}), 2 * MiB);
    memory.images =
        image_addresses(s.load, s.in, image.uncompressed_bytes || least ? needed : image.init_size / 2, kaslr);
    memory.image_at_least = least;
    memory.image_at_most = align_up(std::max({image.init_size, image.uncompressed_bytes, least}), 2 * MiB);
    return memory;
}

Result<Proof> prove(const Proposal& c, const CommandLine& line) {
    Proof proof;
    for (const Scenario& s : c.scenarios) {
        const auto memory = memory_of(c, s, line);
        if (!memory) return memory.error();
        proof.images += memory->images.size();
        const EarlyDemand demand = demand_of(c, memory->ram);
        proof.early_bytes = std::max(proof.early_bytes, demand.total());
        proof.counterexample = c.method == Method::addr ? find_refused_addr(*memory, c.pool.range)
                                                        : find_counterexample(*memory, c.pool.range, demand);
        if (proof.counterexample) break;
    }
    return proof;
}

}  // namespace handoff
