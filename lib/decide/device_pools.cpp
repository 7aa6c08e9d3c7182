// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/decide/device_pools.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "lib/kernel/constants.hpp"
#include "lib/kernel/device_pools.hpp"

namespace handoff {
namespace {

bool is_one_of(const DevicePool& pool, const std::vector<DevicePool>& pools) {
    return std::any_of(pools.begin(), pools.end(), [&](const DevicePool& other) { return same_pool(pool, other); });
}

// A dump through a pool of 8 MiB was seen to be written, and one through 1 MiB not: it was full.
constexpr std::uint64_t sufficient_device_pool = 8 * base::MiB;

bool announced(const Question& question) { return question.request.image && question.request.image->swiotlb_dev; }

// A word can have these devices and this range, and the memory is RAM that nothing else has.
std::string against(const Machine& machine, const DevicePool& pool) {
    constexpr std::string_view letters = "0123456789abcdefABCDEFpci:./;";
    const auto line = CommandLine::parse(device_pool_word(pool));
    const bool a_word =
        pool.devices.find_first_not_of(letters) == std::string::npos && line && is_one_of(pool, device_pools_on(*line));
    if (!a_word) return fmt::format("no word can ask for the pool of {}", pool.devices);
    Findings unsaid;
    if (judge_pool(machine, {pool.range, pool.range.size() / slab_size, pool.where}, unsaid)) return {};
    return fmt::format("the sources do not show the pool of {} as RAM below 4 GiB that nothing else has", pool.devices);
}

// A word that is not the running kernel's.
const Word* word_of_caller(const Question& question) {
    for (const Word* word : question.base.all(device_pool_key)) {
        const auto pool = device_pool_of(*word);
        if (!pool || !is_one_of(*pool, question.machine.device_pools)) return word;
    }
    return nullptr;
}

std::string why_none(const Question& question, Method method) {
    if (!question.request.image) return "it is not known which image is loaded";
    if (!announced(question)) return "the crash kernel's image does not announce that it knows swiotlb_dev=";
    if (method != Method::addr) return fmt::format("method {} cannot", name(method));
    if (const Word* word = word_of_caller(question))
        return fmt::format("the crash kernel's command line has a word of its own, {}", word->text);
    const auto there = device_pools_on(question.base);
    for (const DevicePool& pool : question.machine.device_pools) {
        if (auto why = against(question.machine, pool); !why.empty()) return why;
        if (pool.range.size() < sufficient_device_pool)
            return fmt::format("the pool of {} has less than {} MiB, which may be too small for a dump", pool.devices,
                               sufficient_device_pool / base::MiB);
        // Scripts of kdump pass words through a shell. One that came with the running kernel's line did so already.
        if (pool.devices.find(';') != std::string::npos && !is_one_of(pool, there))
            return fmt::format(
                "a shell may read the ';' in {}, which has to be on the crash kernel's command line already",
                device_pool_word(pool));
    }
    return {};
}

// Why the crash kernel would not have this pool; "" where it would.
std::string objection(const Proposal& c, const CommandLine& line, const DevicePool& pool) {
    if (!c.cargo.image.swiotlb_dev) return "the crash kernel's image does not announce that it knows swiotlb_dev=";
    if (c.method != Method::addr) return "the words have no addr= for the pool of all other devices";
    const auto& old = c.question.machine.device_pools;
    const auto one =
        std::find_if(old.begin(), old.end(), [&](const DevicePool& other) { return same_pool(pool, other); });
    if (one == old.end()) return "the running kernel has no such pool";
    if (auto why = against(c.question.machine, *one); !why.empty()) return why;
    for (const Scenario& s : c.scenarios) {
        auto memory = memory_of(c, s, line);
        if (!memory) return "the memory map cannot be read";
        auto& taken = memory->maybe_reserved;  // by this word as well, and perhaps by another one
        if (const auto own = std::find(taken.begin(), taken.end(), pool.range); own != taken.end()) taken.erase(own);
        if (find_refused_addr(*memory, pool.range)) return "that memory is not free RAM of the crash kernel as a whole";
    }
    return {};
}

std::string texts_of(const std::vector<DevicePool>& pools) {
    std::vector<std::string> texts;
    texts.reserve(pools.size());
    for (const DevicePool& pool : pools)
        texts.push_back(fmt::format("{} at {}", pool.devices, base::to_string(pool.range)));
    return fmt::format("{}", fmt::join(texts, ", "));
}

}  // namespace

DeviceChoice choose_device_pools(const Question& question, Method method) {
    DeviceChoice choice;
    if (question.machine.device_pools.empty()) return choice;
    choice.why_not = why_none(question, method);
    if (!choice.why_not.empty()) return choice;
    // Of several pools that name a device it gets the first one.
    const std::vector<DevicePool>& listed = question.machine.device_pools;
    std::vector<DevicePool> in_order = device_pools_on(question.running);
    in_order.insert(in_order.end(), listed.begin(), listed.end());
    for (const DevicePool& pool : in_order)
        if (is_one_of(pool, listed) && !is_one_of(pool, choice.pools)) choice.pools.push_back(pool);
    return choice;
}

void judge_device_words(const Question& question, Method method, Findings& found) {
    if (!announced(question)) return;
    const Machine& machine = question.machine;
    const auto met = [&](const AddressRange& range) {
        return std::any_of(machine.crash_kernel.begin(), machine.crash_kernel.end(),
                           [&](const AddressRange& r) { return r.overlaps(range); }) ||
               std::any_of(machine.pool.begin(), machine.pool.end(),
                           [&](const PoolSighting& s) { return s.range.overlaps(range); });
    };
    for (const Word* word : question.base.all(device_pool_key)) {
        const auto pool = device_pool_of(*word);
        if (!has_form_of_device_pool(*word))
            found.refuse("device-pools", fmt::format("The word {} is not understood.", word->text), {},
                         "Remove it from the crash kernel's command line.");
        else if (pool && method != Method::addr && (question.base.has("memmap") || met(pool->range)))
            found.refuse("device-pools",
                         fmt::format("The word {} takes memory before the crash kernel makes its pool, and method {} "
                                     "does not count with that.",
                                     word->text, name(method)),
                         {}, "Use --method addr, or remove the word.");
    }
}

void judge_device_pools(const Proposal& c, const CommandLine& line, Findings& found) {
    const auto pools = inherited_device_pools(line);
    for (const DevicePool& pool : pools)
        if (const auto why = objection(c, line, pool); !why.empty())
            found.refuse("device-pools",
                         fmt::format("The words hand over the pool of {} at {}, but {}.", pool.devices,
                                     base::to_string(pool.range), why),
                         {}, "Leave out swiotlb_dev= and the memmap= that adds its memory.");
    for (const DevicePool& pool : c.devices)
        if (!is_one_of(pool, pools))
            found.refuse("device-pools",
                         fmt::format("A kernel has at most {} pools of single devices.", most_device_pools));
}

void report_device_pools(const Machine& machine, const std::vector<DevicePool>& handed_over, const std::string& why_not,
                         Findings& found) {
    if (!handed_over.empty())
        found.note("device-pools", "Pools of single devices are handed over as well: " + texts_of(handed_over) + ".");
    std::vector<DevicePool> left = machine.device_pools;
    std::erase_if(left, [&](const DevicePool& pool) { return is_one_of(pool, handed_over); });
    if (left.empty()) return;
    std::vector<std::string_view> names;
    names.reserve(left.size());
    for (const DevicePool& pool : left) names.push_back(pool.devices);
    found.warn("device-pools",
               fmt::format("Pools of single devices are not handed over, because {}: {}. In the crash kernel these "
                           "devices do DMA as without swiotlb_dev=.",
                           why_not, fmt::join(names, ", ")),
               left.front().where.text());
}

}  // namespace handoff
