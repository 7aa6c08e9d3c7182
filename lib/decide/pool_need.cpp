// SPDX-License-Identifier: GPL-2.0-or-later
// Whether the crash kernel makes a pool, and needs one.
#include "lib/decide/pool.hpp"

#include <fmt/format.h>

#include "lib/kernel/constants.hpp"

namespace handoff {

PoolCause pool_cause(const Question& question) {
    const auto& reserved = question.machine.crash_kernel;
    return pool_cause(question, reserved.empty() ? 0 : reserved.back().end());
}

PoolCause pool_cause(const Question& question, Address memory_end) {
    const Machine& machine = question.machine;
    const CommandLine& base = question.base;
    if (question.swiotlb.noforce) return PoolCause::forbidden;
    if (question.swiotlb.force) return PoolCause::forced;
    if (machine.encryption != Encryption::none && machine.encryption != Encryption::unknown)
        return PoolCause::encryption;
    const IommuWords iommu = iommu_words(base);
    if (iommu.off) return PoolCause::iommu_off;
    if (iommu.soft) return PoolCause::iommu_soft;
    if (memory_end > low_memory_end) return PoolCause::high_memory;
    const bool srat_counts = base.last("numa").value_or("") != "off" && base.last("acpi").value_or("") != "off";
    return machine.srat_memory_end.value_or(0) > low_memory_end && srat_counts ? PoolCause::srat : PoolCause::none;
}

bool makes_pool(PoolCause cause) {
    return cause != PoolCause::forbidden && cause != PoolCause::iommu_off && cause != PoolCause::none;
}

bool forced_by_running(const Question& question) {
    const SwiotlbOption& running = question.running_swiotlb;
    return !question.base.has("swiotlb") && running.force && !running.noforce;
}

std::string words_against_needless_pool(const Question& question) {
    return !forced_by_running(question) && pool_cause(question) == PoolCause::srat ? "numa=off" : "";
}

PoolNeed judge_need(const Question& question, Findings& found) {
    const Machine& machine = question.machine;
    const auto not_needed = [&](std::string text, std::string evidence = {}) {
        found.note("pool-needed", std::move(text), std::move(evidence));
        return PoolNeed{};
    };
    const auto needed = [&](bool forced, std::string text, std::string evidence = {}) {
        found.note("pool-needed", std::move(text), std::move(evidence));
        return PoolNeed{true, forced};
    };
    const PoolCause cause = pool_cause(question);
    if (forced_by_running(question))
        return needed(true, "The running kernel has swiotlb=force, so the crash kernel gets it too and makes a pool.",
                      "proc/cmdline");
    switch (cause) {
        case PoolCause::forbidden:
            return not_needed("With swiotlb=noforce the crash kernel makes no pool.");
        case PoolCause::forced:
            return needed(true, "With swiotlb=force the crash kernel makes a pool.");
        case PoolCause::encryption:
            return needed(
                false,
                fmt::format("Memory is encrypted ({}), so the crash kernel makes a pool.", name(machine.encryption)),
                machine.encryption_from.text());
        case PoolCause::iommu_off:
            return not_needed("With iommu=off the crash kernel makes no pool.");
        case PoolCause::iommu_soft:
            return needed(false, "With iommu=soft the crash kernel makes a pool.");
        case PoolCause::high_memory:
            return needed(false,
                          fmt::format("The reservation ends above 4 GiB, at {:#x}, so the crash kernel makes a pool.",
                                      machine.crash_kernel.back().end()),
                          machine.crash_kernel_from.text());
        case PoolCause::srat:
            // A kernel without any of that memory still makes a pool for it, and needs none.
            found.warn("pool-needed",
                       fmt::format("All memory of the crash kernel is below 4 GiB, so it needs no pool. It makes one "
                                   "all the same, because ACPI's SRAT names memory up to {:#x}.",
                                   *machine.srat_memory_end),
                       {},
                       advice_to_add(words_against_needless_pool(question)) +
                           " Then it makes no pool, which is better than a handoff.");
            return {};
        case PoolCause::none:
            break;
    }
    return not_needed(
        "The crash kernel makes no pool: all its memory is below 4 GiB, it is not encrypted, and there is no "
        "swiotlb=force.",
        machine.crash_kernel_from.text());
}

}  // namespace handoff
