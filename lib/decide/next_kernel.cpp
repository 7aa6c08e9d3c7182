// SPDX-License-Identifier: GPL-2.0-or-later
// The old pool becomes that of the kernel which an ordinary kexec starts. That kernel has all memory of the machine, so
// only addr= makes its pool land, and it reserves the range before it allocates anything. What is left to judge is
// whether the range is free by then.
#include "lib/decide/next_kernel.hpp"

#include <algorithm>
#include <bit>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "lib/decide/neighbours.hpp"
#include "lib/decide/pool.hpp"
#include "lib/kernel/constants.hpp"
#include "lib/kernel/crashkernel.hpp"

namespace handoff {
namespace {

using base::MiB;
using e820::Type;

const char* const remove_word = "Remove it from the next kernel's command line.";

/// The next kernel's command line, as it reads it: what is built into its image comes first (arch/x86/kernel/setup.c,
/// setup_arch()).
std::optional<CommandLine> next_line(const PlanRequest& request, Findings& found) {
    const std::string built_in = request.config ? request.config->command_line : std::string();
    const std::string given = request.command_line.value_or("");
    auto line = CommandLine::parse(built_in.empty() ? given : built_in + ' ' + given);
    if (line) return *std::move(line);
    found.refuse("next-words", "The next kernel's command line cannot be read: " + line.error().message() + ".");
    return std::nullopt;
}

/// The same as a question about it; nullopt where it cannot be read.
std::optional<Question> ask_next(const Machine& machine, const PlanRequest& request, Findings& found) {
    Question question{machine, request, {}, {}, {}, {}, {}, false, {}, {}, {}};
    if (const auto running = CommandLine::parse(machine.command_line)) {
        question.running = *running;
        if (const auto option = swiotlb_option(*running, machine.release)) question.running_swiotlb = *option;
    }
    const auto line = next_line(request, found);
    if (!line) return std::nullopt;
    question.base = *line;
    question.given = request.command_line.value_or("");
    const auto option = swiotlb_option(question.base, request.image->release);
    if (!option) {
        found.refuse("next-words", "The next kernel's command line cannot be read: " + option.error().message() + ".");
        return std::nullopt;
    }
    question.swiotlb = *option;
    return question;
}

/// What the loader passes on. kexec_file_load passes no more entries than boot_params has room for
/// (arch/x86/kernel/kexec-bzimage64.c, setup_e820_entries(); E820_MAX_ENTRIES_ZEROPAGE).
e820::Table passed_map(const Machine& machine, Loader loader) {
    constexpr std::size_t most = 128;
    e820::Table map = machine.map;
    if (loader != Loader::kexec_load && map.entries.size() > most) map.entries.resize(most);
    return map;
}

/// Why the next kernel makes no pool; "" where it makes one.
std::string no_pool_text(const Question& question, const e820::Table& map) {
    if (forced_by_running(question)) return {};
    const RangeSet memory = map.of(Type::ram);
    const auto& ram = memory.ranges();
    switch (const PoolCause cause = pool_cause(question, ram.empty() ? 0 : ram.back().end()); cause) {
        case PoolCause::forbidden:
            return "With swiotlb=noforce the next kernel makes no pool.";
        case PoolCause::iommu_off:
            return "With iommu=off the next kernel makes no pool.";
        default:
            return makes_pool(cause) ? "" : "The next kernel makes no pool: all its memory is below 4 GiB.";
    }
}

/// Whether the caller's own swiotlb= is about another pool than this one.
bool asks_for_another(const SwiotlbOption& option, const Pool& pool) {
    return option.addr.value_or(pool.range.start()) != pool.range.start() ||
           option.slabs.value_or(pool.slabs) != pool.slabs;
}

std::string words_for(const Question& question, const Pool& pool) {
    const SwiotlbOption& option = question.swiotlb;
    const bool force = option.force || forced_by_running(question);
    // Where the line is that of the running kernel, which was started so, it need not grow by each kexec.
    if (option.addr == pool.range.start() && option.slabs == pool.slabs && option.force == force) return {};
    return fmt::format("swiotlb={}{},addr={:#x}", pool.slabs, force ? ",force" : "", pool.range.start());
}

void judge_next_words(const Question& question, const std::string& words, Findings& found) {
    const PlanRequest& request = question.request;
    if (question.base.ends_in_init_words())
        found.refuse("next-words", "The command line has a '--'. Words after it go to init, not to the next kernel.",
                     {}, "Remove the '--'.");
    if (!question.swiotlb.unknown.empty())
        found.refuse("next-words",
                     fmt::format("The word swiotlb={} is not understood.", fmt::join(question.swiotlb.unknown, ",")),
                     {}, remove_word);
    if (request.config && request.config->command_line_alone)
        found.refuse("next-words",
                     "The next kernel ignores the command line that it is given (CONFIG_CMDLINE_OVERRIDE).",
                     request.config_from);
    if (request.config && request.config->bootconfig_embedded)
        found.refuse(
            "next-words",
            "The next kernel's image has a bootconfig, and its words are not known (CONFIG_BOOT_CONFIG_EMBED).",
            request.config_from);
    const std::uint64_t length = question.base.with(words).size();
    if (length > request.image->cmdline_size)
        found.refuse("next-words",
                     fmt::format("With the words that are appended, the command line has {} bytes. The image accepts "
                                 "only {}.",
                                 length, request.image->cmdline_size),
                     {}, "Make the next kernel's command line shorter.");
}

void judge_next_crashkernel(const Question& question, const e820::Table& map, const Pool& pool, Findings& found) {
    const auto asked = reservation_of(question.base, map.of(Type::ram).size());
    if (!asked || !*asked || !(*asked)->base) return;  // what the kernel does not understand, it does not reserve
    const auto range = AddressRange::from_size(*(*asked)->base, (*asked)->size);
    if (range && range->overlaps(pool.range))
        found.refuse("next-crashkernel",
                     fmt::format("{} on the next kernel's command line is at {}, which overlaps the pool. The next "
                                 "kernel would reserve nothing for a crash kernel.",
                                 (*asked)->text(), base::to_string(*range)),
                     {}, "Leave out the offset.");
}

/// kexec-tools looks for a place for each segment between --mem-min and --mem-max, and refuses a segment that is not
/// there (kexec/kexec.c, locate_hole() and valid_memory_segment()). It takes the highest place, so it is left what is
/// above the pool, if that has room.
std::string room_beside(const Question& question, const e820::Table& map, const Pool& pool, Findings& found) {
    const Image& image = *question.request.image;
    const std::uint64_t wanted =
        image.init_size + image.kernel_alignment + question.request.initrd_bytes.value_or(0) + MiB;
    const auto has_room = [&](Address start, Address end) {
        const auto side = AddressRange::from_bounds(start, std::max(start, end));
        const RangeSet ram = map.of(Type::ram).within(*side);
        return std::any_of(ram.ranges().begin(), ram.ranges().end(),
                           [&](const AddressRange& r) { return r.size() >= wanted; });
    };
    if (has_room(pool.range.end(), physical_memory_end)) return fmt::format("--mem-min={:#x}", pool.range.end());
    if (has_room(image.pref_address, pool.range.start())) return fmt::format("--mem-max={:#x}", pool.range.start() - 1);
    found.refuse("next-segments",
                 fmt::format("Neither above nor below the pool are {} MiB of memory in one piece, in which kexec could "
                             "put the kernel and the initrd.",
                             base::whole_mib(wanted)));
    return {};
}

void judge_loads_left(const Machine& machine, Findings& found) {
    // A load that is refused afterwards is undone, and the caller's made: three runs of kexec, each of which may try
    // both system calls.
    constexpr std::uint64_t calls = 6;
    if (machine.next_loads_left && *machine.next_loads_left < calls)
        found.refuse("loader-permitted",
                     fmt::format("The kernel accepts only {} more loads for a reboot (kernel.kexec_load_limit_reboot). "
                                 "A load that is refused afterwards may leave none.",
                                 *machine.next_loads_left),
                     "proc/sys/kernel/kexec_load_limit_reboot", "Set that limit higher at the next boot.");
}

/// All but the verdict. What makes the plan not needed is noted by rule next-pool.
void pursue(const Question& question, NextPlan& next, Findings& found) {
    const Machine& machine = question.machine;
    const Loader loader = question.request.loader;
    const e820::Table passed = passed_map(machine, loader);
    const auto map = apply_memory_words(passed, question.base);
    if (!map) return found.refuse("next-words", "A word of the next kernel's command line: " + map.error().what + ".");
    const std::string no_pool = no_pool_text(question, *map);
    if (!no_pool.empty()) return found.note("next-pool", no_pool);
    const auto pool = find_pool(question, std::nullopt, found);
    if (!pool || !judge_pool(machine, *pool, found)) return;
    next.plan.pool = pool->range;
    if (asks_for_another(question.swiotlb, *pool))
        return found.note("next-pool", "swiotlb= on the next kernel's command line asks for another pool than this.");
    if (!std::has_single_bit(pool->slabs))
        found.refuse("pool-power-of-two", fmt::format("{} slabs are not a power of two.", pool->slabs));
    judge_encryption(machine, "the next kernel", found);
    judge_loads_left(machine, found);
    if (!map->of(Type::ram).contains(pool->range))
        found.refuse("next-map",
                     fmt::format("In the memory map of the next kernel the pool {} is not RAM as a whole.",
                                 base::to_string(pool->range)),
                     machine.map_from.text(), "Remove the memmap= or mem= word that takes it away.");
    next.plan.append = words_for(question, *pool);
    judge_next_words(question, next.plan.append, found);
    judge_next_crashkernel(question, *map, *pool, found);
    if (const std::string where = handover_evidence(machine); !where.empty() && loader != Loader::kexec_load)
        found.refuse("next-handover",
                     "Kexec HandOver is on. kexec_file_load may pass it on, and a kernel that gets one refuses addr=.",
                     where, "Load with kexec_load (kexec -c), or boot with kho=off.");
    if (loader != Loader::kexec_file_load) next.keep_out = room_beside(question, passed, *pool, found);
    next.plan.expected = pool->range;
    next.plan.after = *map;
}

bool has_note(const std::vector<Reason>& reasons) {
    return std::any_of(reasons.begin(), reasons.end(), [](const Reason& r) { return r.is("next-pool"); });
}

}  // namespace

NextPlan decide_next(const Machine& machine, const PlanRequest& request) {
    Findings found(request.accept);
    NextPlan next;
    next.plan.method = Method::addr;
    next.plan.loader = request.loader;
    next.plan.base = request.command_line.value_or("");
    if (!request.image || !request.image->swiotlb_addr)
        found.note("next-pool", "The next kernel's image does not announce that it knows swiotlb=...,addr=.");
    else if (judge_architecture(machine, found) && judge_sources(machine, found))
        if (const auto question = ask_next(machine, request, found)) pursue(*question, next, found);
    next.plan.verdict = found.refused()             ? Verdict::refused
                        : has_note(found.reasons()) ? Verdict::not_needed
                                                    : Verdict::ready;
    if (next.plan.verdict != Verdict::ready) {
        next.keep_out.clear();
        next.plan.append.clear();
        next.plan.expected.reset();
        next.plan.after = {};
    }
    next.plan.reasons = found.take();
    next.plan.assumptions = found.take_assumptions();
    return next;
}

std::string objection_to_next(const Plan& plan, const Image& image, const std::vector<AddressRange>& segments) {
    if (segments.empty()) return "requires next-segments: it cannot be seen where the segments were put";
    const std::uint64_t runs_in = base::align_up(image.init_size, base::page_size);
    for (const AddressRange& segment : segments) {
        // The kernel unpacks itself to its preferred address, if it is loaded below that
        // (arch/x86/boot/compressed/head_64.S, LOAD_PHYSICAL_ADDR). Only its segment is as large as what it runs in.
        AddressRange used = segment;
        if (segment.size() == runs_in && segment.start() < image.pref_address)
            used = AddressRange::from_bounds(segment.start(), image.pref_address + runs_in).value_or(segment);
        if (used.overlaps(*plan.pool))
            return fmt::format("requires next-segments: the segment {} was put into the pool {}",
                               base::to_string(segment), base::to_string(*plan.pool));
    }
    return {};
}

std::optional<AddressRange> asked_by_addr(const Machine& machine) {
    const auto line = CommandLine::parse(machine.command_line);
    if (!line) return std::nullopt;
    const auto option = swiotlb_option(*line, machine.release);
    if (!option || !option->addr || !option->slabs) return std::nullopt;
    return AddressRange::from_size(*option->addr, *option->slabs * slab_size);
}

}  // namespace handoff
