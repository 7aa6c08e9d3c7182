// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/decide/pool.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "e820/type.hpp"
#include "lib/kernel/constants.hpp"
#include "lib/machine/shown_path.hpp"

namespace handoff {
namespace {

using base::page_size;
using base::whole_mib;

std::vector<PoolSighting> sightings(const Question& question) {
    std::vector<PoolSighting> seen = question.machine.pool;
    if (question.request.pool) seen.push_back({*question.request.pool, PoolSource::user, {"--pool", 0}});
    return seen;
}

// The first source where all of them show the same pool, and the handoff has it or a part of it.
const PoolSighting* agreed(const std::vector<PoolSighting>& seen, const std::optional<AddressRange>& promised,
                           Findings& found) {
    const PoolSighting& first = seen.front();
    for (const PoolSighting& other : seen)
        if (other.range != first.range) {
            found.refuse(
                "pool-agrees",
                fmt::format("{} shows the pool at {}, but {} shows it at {}.", shown_path(first.where.text()),
                            base::to_string(first.range), shown_path(other.where.text()), base::to_string(other.range)),
                first.where.text(), "Find out which one is old. It may be a log of another boot, or an old --pool.");
            return nullptr;
        }
    if (promised && !first.range.contains(*promised)) {
        found.refuse("pool-agrees",
                     fmt::format("The handoff promises {}, but the running kernel's pool is at {}.",
                                 base::to_string(*promised), base::to_string(first.range)),
                     first.where.text(),
                     "Check it on the machine that it is for, or give a capture of that machine with --root.");
        return nullptr;
    }
    return &first;
}

// Refuses if anything else overlaps the pool.
bool judge_neighbourhood(const Machine& machine, const Pool& pool, Findings& found) {
    bool alone = true;
    const auto refuse = [&](std::string text, std::string evidence) {
        found.refuse("pool-disjoint", std::move(text), std::move(evidence));
        alone = false;
    };
    for (const AddressRange& c : machine.crash_kernel)
        if (c.overlaps(pool.range))
            refuse(fmt::format("The pool overlaps the crashkernel reservation {}.", base::to_string(c)),
                   machine.crash_kernel_from.text());
    if (machine.kernel_image && machine.kernel_image->overlaps(pool.range))
        refuse("The pool overlaps the running kernel's image.", "proc/iomem");
    for (const e820::Entry& entry : machine.map.entries)
        if (entry.type != e820::Type::ram && entry.range.overlaps(pool.range))
            refuse(fmt::format("The pool overlaps {}, which is not RAM.", base::to_string(entry.range)),
                   machine.map_from.text());
    // Every other entry, known or unknown, says that this memory is used for something else.
    const auto is_pool = [&](const IomemEntry& entry) {
        if (pool.where == Evidence{"proc/iomem", entry.line}) return true;
        return std::any_of(machine.pool.begin(), machine.pool.end(), [&](const PoolSighting& s) {
            return s.source == PoolSource::iomem && s.where.line == entry.line;
        });
    };
    const auto holds_pools = [](IomemKind kind) {
        return kind != IomemKind::other && kind != IomemKind::pool && kind != IomemKind::device_pool;
    };
    for (const IomemEntry& entry : machine.iomem)
        if (entry.range.overlaps(pool.range) && !holds_pools(entry.kind()) && !is_pool(entry))
            refuse(fmt::format("The pool overlaps {}, which is '{}'.", base::to_string(entry.range), entry.name),
                   Evidence{"proc/iomem", entry.line}.text());
    return alone;
}

// Every map that a source shows, and what the running kernel's own words make of the firmware's, has the pool as RAM.
bool judge_maps(const Machine& machine, const Pool& pool, Findings& found) {
    std::vector<MapSighting> maps = machine.other_maps;
    if (!machine.map.entries.empty()) maps.push_back({machine.map, machine.map_from});
    const auto running = CommandLine::parse(machine.command_line);
    const bool has_words = running && (running->has("memmap") || running->has("mem"));
    if (auto map = has_words ? apply_memory_words(machine.map, *running) : e820::Table{}; map && has_words)
        maps.push_back({*std::move(map), {"proc/cmdline", 0}});
    bool all = true;
    for (const MapSighting& map : maps) {
        if (map.table.of(e820::Type::ram).contains(pool.range)) continue;
        found.refuse(
            "pool-in-ram",
            fmt::format("The sources contradict each other. {} shows the pool at {}, but {} does not show that memory "
                        "as part of one RAM range.",
                        shown_path(pool.where.text()), base::to_string(pool.range), shown_path(map.where.text())),
            map.where.text(), "Find out which one is of another boot or another machine.");
        all = false;
    }
    return all;
}

// The kernel reserves the first page of memory, so that every x86-64 machine's /proc/iomem has what e820 tables have
// (arch/x86/kernel/setup.c, trim_bios_range()). In lower case, as kernels before 4.11 have it, others have it too.
bool shows_e820(const std::vector<IomemEntry>& iomem) {
    return std::any_of(iomem.begin(), iomem.end(), [](const IomemEntry& entry) {
        const auto type = e820::from_iomem_name(entry.name);
        return type && *type != e820::Type::ram && (entry.name.front() != 'r' || entry.range.start() < base::MiB);
    });
}

}  // namespace

bool is_encrypted_guest(Encryption encryption) {
    return encryption != Encryption::none && encryption != Encryption::sme && encryption != Encryption::unknown;
}

std::string log_loss(const Machine& machine) {
    return machine.log_gaps.any() ? "In the kernel log " + machine.log_gaps.text() + "."
                                  : std::string("There is no kernel log, or it does not show the whole boot.");
}

bool judge_architecture(const Machine& machine, Findings& found) {
    if (machine.other_architecture) {
        found.refuse(
            "machine-x86-64",
            "This is not an x86-64 machine. Its kernel has no e820 map, and no memmap= word that adds memory to it.",
            {}, "swiotlb-handoff is for x86-64 only.");
        return false;
    }
    if (machine.map_from.file != "proc/iomem" || shows_e820(machine.iomem)) return true;
    found.refuse("machine-x86-64",
                 "/proc/iomem shows nothing but RAM. On an x86-64 machine it also shows what the firmware reserved. So "
                 "this is another kind of machine, or /proc/iomem is not complete.",
                 "proc/iomem", "Give the complete /proc/iomem, or the boot log.");
    return false;
}

bool judge_sources(const Machine& machine, Findings& found) {
    for (const Contradiction& c : machine.contradictions)
        found.refuse("sources-agree", "The sources contradict each other: " + c.text + ".", c.where.text(),
                     "Find out which one is of another boot or another machine.");
    return machine.contradictions.empty();
}

std::optional<Pool> find_pool(const Question& question, const std::optional<AddressRange>& promised, Findings& found) {
    const Machine& machine = question.machine;
    if (machine.no_pool_in_memory || (machine.pool_torn_down && machine.pool.empty())) {
        found.refuse("pool-found", "The running kernel has no pool, or freed it. There is nothing to hand over.",
                     machine.no_pool_in_memory ? "proc/kcore" : "");
        return std::nullopt;
    }
    if (machine.pool_not_understood)
        found.refuse("pool-understood", machine.pool_not_understood->what, machine.pool_not_understood->source,
                     "This kernel is newer than all that are known to this version. Look for a newer swiotlb-handoff.");
    const std::vector<PoolSighting> seen = sightings(question);
    if (seen.empty()) {
        found.refuse("pool-found", "No source shows a pool of the running kernel.", {},
                     machine.live ? "Run the command as root, so that it can read /proc/kcore and the kernel log, or "
                                    "give --pool START-END."
                                  : "Give --pool START-END.");
        return std::nullopt;
    }
    const PoolSighting* first = agreed(seen, promised, found);
    if (!first) return std::nullopt;
    // pci_iommu_init() in arch/x86/kernel/pci-dma.c gives the pool back where an IOMMU takes its place, and says which
    // it does; debugfs counts no slabs then.
    const bool log_alone =
        std::all_of(seen.begin(), seen.end(), [](const PoolSighting& s) { return s.source == PoolSource::log; });
    if (log_alone && !machine.pool_put_to_use && machine.slabs.value_or(0) == 0)
        found.missing(machine.live, "pool-found",
                      "The log shows that the kernel made a pool, but no source shows that the kernel kept it.",
                      {"the running kernel kept the pool that the log shows", "proc/kcore"},
                      "Give a log that has the line that begins with 'PCI-DMA:'.");
    const Pool pool{first->range, first->range.size() / slab_size, first->where};
    found.note("pool-found",
               fmt::format("The pool is at {}. It has {} MiB, {} slabs.", base::to_string(pool.range),
                           whole_mib(pool.range.size()), pool.slabs),
               pool.where.text());
    if (pool.range.start() % page_size == 0 && pool.range.end() % page_size == 0) return pool;
    found.refuse("pool-aligned",
                 fmt::format("The pool {} does not begin and end at a page boundary.", base::to_string(pool.range)),
                 pool.where.text());
    return std::nullopt;
}

bool judge_pool(const Machine& machine, const Pool& pool, Findings& found) {
    const std::string where = pool.where.text();
    if (pool.range.size() < smallest_pool_size || pool.slabs % segment_slabs != 0)
        found.refuse("pool-slabs", fmt::format("{} slabs are not a multiple of {}.", pool.slabs, segment_slabs), where);
    // debugfs counts those of all pools where there can be several (mm with CONFIG_SWIOTLB_DYNAMIC, 6.6 and later). The
    // kernel's memory has the count of the default pool, which was compared with its size.
    const bool counted = std::any_of(machine.pool.begin(), machine.pool.end(),
                                     [](const PoolSighting& s) { return s.source == PoolSource::memory; });
    if (machine.slabs && (counted ? *machine.slabs < pool.slabs : *machine.slabs != pool.slabs))
        found.refuse("pool-slabs",
                     fmt::format("By its size the pool has {} slabs, but debugfs says {}.", pool.slabs, *machine.slabs),
                     "sys/kernel/debug/swiotlb/io_tlb_nslabs");
    if (machine.slabs_used.value_or(0) != 0)
        found.warn("pool-in-use",
                   fmt::format("{} slabs are in use now, so devices may write to the pool after the crash.",
                               *machine.slabs_used),
                   "sys/kernel/debug/swiotlb/io_tlb_used");
    const bool below = pool.range.end() <= low_memory_end;
    if (!below)
        found.refuse("pool-below-4g",
                     fmt::format("The pool ends at {:#x}, above 4 GiB. A new kernel makes its pool only below 4 GiB.",
                                 pool.range.end()),
                     where);
    bool in_ram = machine.ram.contains(pool.range);
    if (in_ram)
        in_ram = judge_maps(machine, pool, found);
    else
        found.refuse("pool-in-ram", "The pool is not inside one System RAM range.", where);
    const bool alone = judge_neighbourhood(machine, pool, found);
    return below && in_ram && alone;
}

void judge_encryption(const Machine& machine, std::string_view who, Findings& found) {
    const std::string evidence = machine.encryption_from.text();
    switch (machine.encryption) {
        case Encryption::none:
            break;
        case Encryption::unknown_kind:
            found.refuse("encryption-none",
                         fmt::format("Memory is encrypted, and no source says how. The host may share the pages of the "
                                     "pool, and {} cannot know that.",
                                     who),
                         evidence);
            break;
        case Encryption::sme:
        case Encryption::sev:
        case Encryption::sev_es:
            found.refuse("encryption-unproven",
                         fmt::format("Memory is encrypted by {}. The handoff should work here, but nobody has shown it "
                                     "on real hardware.",
                                     name(machine.encryption)),
                         evidence, "Try it on a machine that may lose a dump, with --accept encryption-unproven.");
            break;
        case Encryption::vbs:
        case Encryption::sev_snp:
        case Encryption::tdx:
            if (machine.makes_memory_private)
                found.refuse(
                    "encryption-unshared",
                    fmt::format("This is a guest with {0}. According to its source, the kernel makes the pool private "
                                "again before {1} starts. Nobody has seen that. If it fails for a page, "
                                "{1} ends the guest when it first uses that page.",
                                name(machine.encryption), who),
                    evidence, "Try it on a machine that may lose a dump, with --accept encryption-unshared.");
            else
                found.refuse("encryption-none",
                             fmt::format("This is a guest with {}. The host shares the pages of the pool, and {} "
                                         "cannot know that.",
                                         name(machine.encryption), who),
                             evidence);
            break;
        case Encryption::unknown:
            found.missing(
                machine.live, "encryption-known", "No source says whether memory is encrypted. " + log_loss(machine),
                {"memory is not encrypted", "dmesg"},
                "Give the boot log. If you know that memory is not encrypted, give --accept encryption-known.");
            break;
    }
}

void judge_protection(const Machine& machine, Loader loader, Findings& found) {
    judge_encryption(machine, "the crash kernel", found);
    // One for the load and one more where kexec tries another system call, and one for a load without the handoff.
    constexpr std::uint64_t loads_of_a_handoff = 3;
    if (machine.loads_left && *machine.loads_left < loads_of_a_handoff)
        found.refuse(
            "loader-permitted",
            fmt::format("The kernel accepts only {} more loads of a crash kernel (kernel.kexec_load_limit_panic). A "
                        "handoff that fails may leave none for the load without it.",
                        *machine.loads_left),
            "proc/sys/kernel/kexec_load_limit_panic", "Set that limit higher at the next boot.");
    if (machine.lockdown.value_or(false) && loader == Loader::kexec_load)
        found.refuse("loader-permitted", "The kernel is locked down and accepts only kexec_file_load.",
                     "sys/kernel/security/lockdown", "Load with kexec -s.");
}

}  // namespace handoff
