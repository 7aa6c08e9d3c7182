// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/decide/question.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "e820/number.hpp"

namespace handoff {
namespace {

// Nobody said what kdump adds to the running kernel's command line. These two words are in the defaults of every
// distribution; the proof needs the second, so they become part of what is appended.
std::string missing_kdump_words(const CommandLine& line) {
    std::string words;
    for (const auto& [key, word] : {std::pair{"reset_devices", "reset_devices"}, std::pair{"nr_cpus", "nr_cpus=1"}})
        if (!line.has(key)) words += (words.empty() ? "" : " ") + std::string(word);
    return words;
}

void assume_kdump_words(Question& question, Findings& found) {
    question.assumed = missing_kdump_words(question.base);
    found.note("command-line-known",
               "assumed: the running kernel's command line" + (question.assumed.empty() ? "" : ", with " + question.assumed),
               question.machine.command_line.empty() ? "" : "proc/cmdline", "give --command-line");
    if (const auto line = CommandLine::parse(question.base.with(question.assumed))) question.base = *line;
}

}  // namespace

Question ask(const Machine& machine, const PlanRequest& request, Findings& found) {
    Question question{machine, request, {}, {}, {}, {}, {}, {}};
    if (const auto running = CommandLine::parse(machine.command_line)) {
        question.running = *running;
        if (const auto option = swiotlb_option(*running)) question.running_swiotlb = *option;
    }
    if (request.command_line) {
        const auto line = CommandLine::parse(*request.command_line);
        if (!line) {
            found.refuse("command-line-sound", line.error().message());
            return question;
        }
        question.base = *line;
    } else {
        question.base = for_crash_kernel(question.running);
    }
    question.given = question.base.text();
    if (!request.command_line) assume_kdump_words(question, found);
    const auto option = swiotlb_option(question.base);
    if (!option) {
        found.refuse("command-line-sound", option.error().message());
        return question;
    }
    question.swiotlb = *option;
    question.readable = true;
    return question;
}

unsigned crash_cpus(const Question& question) {
    for (const char* key : {"nr_cpus", "possible_cpus"})
        if (const auto number = e820::parse_prefixed(question.base.last(key).value_or(""));
            number && *number > 0 && *number < 65536)
            return static_cast<unsigned>(*number);
    return question.machine.possible_cpus.value_or(1024);
}

void judge_map_words(const Question& question, bool handoff_expected, Findings& found) {
    const CommandLine& base = question.base;
    if (base.ends_in_init_words())
        found.refuse("command-line-init", "the command line has a '--': words behind it go to init, not to the kernel", {},
                     "remove the '--'");
    if (!handoff_expected && (base.has(marker_key) || base.has(lent_key)))
        found.refuse("command-line-agrees", "there is a handoff on the command line already", {}, "plan without it");
    for (const Word* word : base.all("memmap"))
        if (word->value.value_or("").find("exactmap") != std::string::npos)
            found.refuse("command-line-agrees", "memmap=exactmap replaces the crash kernel's map", {},
                         "remove it; kexec passes the map itself");
}

namespace {

void judge_early_words(const CommandLine& base, Findings& found) {
    const auto refuse = [&](std::string text, std::string advice) {
        found.refuse("command-line-early", std::move(text), {}, std::move(advice));
    };
    for (const char* key : {"cma", "hugetlb_cma"})  // Fedora's defaults have both, with 0
        if (base.has(key) && base.last(key) != "0")
            refuse(fmt::format("{}= takes memory before the pool is made", key),
                   fmt::format("remove {}= from the crash kernel's command line, or make it 0", key));
    for (const char* key : {"crashkernel", "memtest", "movable_node", "kernelcore", "movablecore", "reserve_mem",
                            "efi_fake_mem", "add_efi_memmap", "page_owner"})
        if (base.has(key))
            refuse(fmt::format("{}= takes or tests memory before the pool is made", key),
                   fmt::format("remove {} from the crash kernel's command line", key));
    if (base.last("hugepagesz").value_or("").find('G') != std::string::npos)
        refuse("hugepagesz=1G takes memory before the pool is made", "remove it from the crash kernel's command line");
    if (base.last("numa").value_or("").find("fake") != std::string::npos)
        refuse("numa=fake= splits the crash kernel's memory", "remove it from the crash kernel's command line");
}

}  // namespace

void judge_words(const Question& question, Findings& found) {
    const CommandLine &base = question.base, &running = question.running;
    if (!question.swiotlb.unknown.empty())
        found.refuse("command-line-agrees",
                     fmt::format("swiotlb={} asks for something that is not understood", fmt::join(question.swiotlb.unknown, ",")),
                     {}, "remove it from the crash kernel's command line");
    judge_early_words(base, found);
    // Where the running kernel keeps its pool, the same IOMMU words keep the
    // crash kernel's; others may make it tear the pool down (swiotlb_exit()).
    for (const char* key : {"iommu", "intel_iommu", "amd_iommu"})
        if (!question.machine.command_line.empty() && base.last(key) != running.last(key))
            found.refuse("command-line-iommu",
                         fmt::format("{}= differs: '{}' for the running kernel, '{}' for the crash kernel", key,
                                     running.last(key).value_or(""), base.last(key).value_or("")),
                         {}, fmt::format("give the crash kernel the same {}=", key));
    if (!base.has("reset_devices"))
        found.warn("reset-devices", "reset_devices is missing: drivers may leave old DMA running", {},
                   "add reset_devices to the crash kernel's command line");
}

}  // namespace handoff
