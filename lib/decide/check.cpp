// SPDX-License-Identifier: GPL-2.0-or-later
#include "swiotlb-handoff/check.hpp"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "e820/memmap.hpp"
#include "lib/decide/question.hpp"
#include "lib/kernel/command_line.hpp"
#include "lib/kernel/constants.hpp"
#include "lib/kernel/kaslr.hpp"

namespace handoff {
namespace {

using e820::Type;

// The crash kernel's command line, as it reads it.
struct Line {
    CommandLine words;
    SwiotlbOption swiotlb;
    std::vector<e820::MemmapOp> memmap;  // of all memmap= words, in order
};

// What it promises: the old pool at this place, as a pool or as ordinary RAM.
struct Promise {
    AddressRange region;
    bool loan = false;
};

// The release of the kernel that reads the words; "" where it is not known.
std::string release_of(const CheckInput& input) {
    const auto& image = input.request.image;
    if (image && !image->release.empty()) return image->release;
    return input.machine ? input.machine->release : "";
}

std::optional<Line> read_line(const std::string& text, std::string_view release, Findings& found) {
    const auto unsound = [&](std::string why) {
        found.refuse("command-line-sound", std::move(why));
        return std::nullopt;
    };
    const auto words = CommandLine::parse(text);
    const auto option = words ? swiotlb_option(*words, release) : words.error();
    if (!option) return unsound(unreadable_line(option.error()));
    Line line{*words, *option, {}};
    for (const Word* word : line.words.all("memmap")) {
        const auto ops = e820::parse_memmap(word->value.value_or(""));
        if (!ops) return unsound(fmt::format("The word '{}' cannot be read: {}.", word->text, ops.error().what));
        line.memmap.insert(line.memmap.end(), ops->begin(), ops->end());
    }
    return line;
}

// RAM of the pool's size that a memmap= word adds.
std::optional<AddressRange> unmarked_region(const Line& line) {
    if (!line.swiotlb.slabs) return std::nullopt;
    std::optional<AddressRange> region;
    for (const e820::MemmapOp& op : line.memmap)
        if (const auto* add = std::get_if<e820::AddRange>(&op);
            add && add->type == Type::ram && add->range.size() == *line.swiotlb.slabs * slab_size)
            region = add->range;
    return region;
}

// The marker says what is meant.
std::optional<Promise> find_promise(const Line& line, Findings& found) {
    const auto marker = read_marker(line.words);
    const auto lent = read_marker(line.words, lent_key);
    for (const auto* one : {&marker, &lent})
        if (!*one) {
            found.refuse("command-line-sound", unreadable_line(one->error()));
            return std::nullopt;
        }
    if (*marker && *lent) {
        found.refuse("command-line-agrees", "The command line both hands over and lends the pool.");
        return std::nullopt;
    }
    if (*lent) return Promise{**lent, true};
    if (const auto region = *marker ? *marker : unmarked_region(line)) return Promise{*region, false};
    found.refuse("handoff-present",
                 "The command line has no handoff: neither the word swiotlb_handoff= nor RAM of the size of the pool.");
    return std::nullopt;
}

void judge_pool_words(const Line& line, const AddressRange& pool, Findings& found) {
    const SwiotlbOption& option = line.swiotlb;
    found.note("handoff-present", fmt::format("The handoff promises a pool at {}.", base::to_string(pool)));
    if (!option.slabs || *option.slabs * slab_size != pool.size())
        found.refuse("pool-slabs", fmt::format("swiotlb= asks for {} slabs, but the region has {}.",
                                               option.slabs ? std::to_string(*option.slabs) : "the default number of",
                                               pool.size() / slab_size));
    if (option.noforce) found.refuse("command-line-agrees", "With swiotlb=noforce the crash kernel makes no pool.");
    if (option.addr && *option.addr != pool.start())
        found.refuse("command-line-agrees", fmt::format("addr={:#x} is not the start of the region.", *option.addr));
}

void judge_lent_words(const Line& line, const AddressRange& pool, Findings& found) {
    found.note("handoff-present", fmt::format("The pool at {} is lent as ordinary RAM.", base::to_string(pool)));
    if (line.swiotlb.force && !line.swiotlb.noforce)
        found.refuse("lend-no-bounce", "With swiotlb=force the crash kernel makes a pool of its own.");
    if (iommu_words(line.words).soft)
        found.refuse("lend-no-bounce", "With iommu=soft the crash kernel makes a pool of its own.");
}

// True where the words add the region as RAM.
bool judge_memmap(const Line& line, const AddressRange& pool, bool map_given, Findings& found) {
    std::size_t added = 0;
    for (const e820::MemmapOp& op : line.memmap) {
        const auto* add = std::get_if<e820::AddRange>(&op);
        if (!add || !add->range.overlaps(pool)) continue;
        if (add->type == Type::ram && add->range == pool)
            ++added;
        else
            found.refuse("command-line-agrees", fmt::format("memmap={} overlaps the region.", e820::to_word(op)));
    }
    if (added > 1) found.refuse("map-once", "The words add the region as RAM more than once.");
    if (added != 1 && !map_given)
        found.refuse("map-once", "No memmap= word adds the region as RAM, and no memory map was given.");
    return added == 1;
}

void judge_map(const Line& line, const AddressRange& pool, const e820::Table& given, bool words_add_it,
               Findings& found) {
    const auto map = apply_memory_words(given, line.words);
    if (!map) {
        found.refuse("command-line-sound", unreadable_line(map.error()));
        return;
    }
    const bool in_table = given.of(Type::ram).overlaps(pool);
    if (in_table && words_add_it)
        found.refuse("map-once", "The region is RAM in the memory map already, and the words add it again.");
    if (in_table && !switches_kaslr_off(line.words))
        found.refuse("kaslr-blind", "The region is RAM in the table of boot_params, so KASLR can put the kernel there.",
                     {}, "Add nokaslr.");
    if (!map->of(Type::ram).contains(pool))
        found.refuse("map-once", "In the memory map of the crash kernel the region is not RAM as a whole.");
}

void judge_core(const ElfCore& core, const Promise& promise, Findings& found) {
    std::vector<AddressRange> loads = core.loads;
    // The kernel's own text is there twice, once by its virtual address.
    std::sort(loads.begin(), loads.end());
    loads.erase(std::unique(loads.begin(), loads.end()), loads.end());
    for (const AddressRange& load : loads) {
        if (!load.overlaps(promise.region)) continue;
        if (!load.contains(promise.region))
            found.refuse("elfcorehdr-agrees",
                         fmt::format("PT_LOAD {} has only a part of the region.", base::to_string(load)));
        else if (promise.loan)
            found.note("elfcorehdr-agrees", fmt::format("The dump has the pages of the lent pool, in PT_LOAD {}. Only "
                                                        "a program that maps /proc/vmcore can read them.",
                                                        base::to_string(load)));
        else
            found.note("elfcorehdr-agrees", fmt::format("The dump has the pages of the pool, in PT_LOAD {}. They hold "
                                                        "bounce data of the crash kernel itself.",
                                                        base::to_string(load)));
    }
    if (core.notes == 0)
        found.refuse("elfcorehdr-agrees",
                     "The ELF headers have no notes, so the dump has no CPU state and no vmcoreinfo.");
}

PlanRequest request_of(const CheckInput& input, const Promise& promise) {
    PlanRequest request = input.request;
    request.command_line = input.command_line;
    request.lend = promise.loan;
    return request;
}

// What plan() says of the words alone, on no machine.
void judge_words_alone(const CheckInput& input, const Promise& promise, Findings& found) {
    const Machine nobodys;
    const PlanRequest request = request_of(input, promise);
    const Question question = ask(nobodys, request, found);
    judge_map_words(question, true, found);
    if (!promise.loan) judge_words(question, found);
}

// True where the crash kernel, which this machine is, has a pool to compare with.
bool compare_booted(const Machine& machine, const Promise& promise, Findings& found) {
    for (const PoolSighting& seen : machine.pool)
        if (promise.loan)
            found.refuse("pool-agrees",
                         fmt::format("The pool is lent, but this kernel has a pool of its own at {}.",
                                     base::to_string(seen.range)),
                         seen.where.text());
        else if (seen.range != promise.region)
            found.refuse("pool-agrees",
                         fmt::format("The handoff promises {}, but the pool of this kernel is at {}.",
                                     base::to_string(promise.region), base::to_string(seen.range)),
                         seen.where.text());
    return !machine.pool.empty();
}

// Everything about the machine, or without one about the words alone.
void judge_machine(const CheckInput& input, const Promise& promise, CheckResult& result) {
    std::vector<Reason> reasons;
    if (input.machine && !input.booted) {
        Plan reviewed = review(*input.machine, request_of(input, promise), promise.region);
        result.compared = true;
        result.proven = reviewed.verdict == Verdict::ready;
        result.assumptions = std::move(reviewed.assumptions);
        reasons = std::move(reviewed.reasons);
    } else {
        Findings found(input.request.accept);
        if (input.machine)
            result.compared = compare_booted(*input.machine, promise, found);
        else
            judge_words_alone(input, promise, found);
        result.assumptions = found.take_assumptions();
        reasons = found.take();
    }
    std::move(reasons.begin(), reasons.end(), std::back_inserter(result.reasons));
}

}  // namespace

bool CheckResult::sound() const { return first_refusal(reasons) == nullptr; }

CheckResult check(const CheckInput& input) {
    CheckResult result;
    Findings found(input.request.accept);
    const auto line = read_line(input.command_line, release_of(input), found);
    const auto promise = line ? find_promise(*line, found) : std::nullopt;
    if (promise) {
        const AddressRange& region = promise->region;
        if (promise->loan)
            judge_lent_words(*line, region, found);
        else
            judge_pool_words(*line, region, found);
        const bool words_add_it = judge_memmap(*line, region, input.map.has_value(), found);
        if (input.map) judge_map(*line, region, *input.map, words_add_it, found);
        if (input.core) judge_core(*input.core, *promise, found);
        result.pool = region;
        result.loan = promise->loan;
    }
    result.reasons = found.take();
    if (promise) judge_machine(input, *promise, result);
    return result;
}

}  // namespace handoff
