// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/decide/question.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/number.hpp"
#include "lib/decide/assumed.hpp"

namespace handoff {
namespace {

// It is not known what kdump adds to the running kernel's command line. Every distribution adds these two words by
// default. The proof needs the second one, so they become part of the words to append.
std::string missing_kdump_words(const CommandLine& line) {
    std::string words;
    for (const auto& [key, word] : {std::pair{"reset_devices", "reset_devices"}, std::pair{"nr_cpus", "nr_cpus=1"}})
        if (!line.has(key)) words += (words.empty() ? "" : " ") + std::string(word);
    return words;
}

void assume_kdump_words(Question& question, Findings& found) {
    question.assumed = missing_kdump_words(question.base);
    found.note("command-line-known",
               "The command line of the crash kernel is assumed to be that of the running kernel" +
                   (question.assumed.empty() ? "." : ", with " + question.assumed + "."),
               question.machine.command_line.empty() ? "" : "proc/cmdline", "Give --command-line.");
    if (const auto line = CommandLine::parse(question.base.with(question.assumed))) question.base = *line;
}

}  // namespace

Question ask(const Machine& machine, const PlanRequest& request, Findings& found) {
    Question question{machine, request, {}, {}, {}, {}, {}, false, {}, {}, {}};
    if (const KernelConfig* config = known_config(machine, request)) {
        question.config = *config;
        question.config_known = true;
    }
    if (const auto running = CommandLine::parse(machine.command_line)) {
        question.running = *running;
        if (const auto option = swiotlb_option(*running, machine.release)) question.running_swiotlb = *option;
    }
    if (request.command_line) {
        const auto line = CommandLine::parse(*request.command_line);
        if (!line) {
            found.refuse("command-line-sound", unreadable_line(line.error()));
            return question;
        }
        question.base = *line;
    } else {
        question.base = for_crash_kernel(question.running);
    }
    if (!request.added_words.empty())
        if (const auto line = CommandLine::parse(question.base.with(request.added_words))) question.base = *line;
    question.given = question.base.text();
    if (!request.command_line) assume_kdump_words(question, found);
    const auto option = swiotlb_option(question.base, crash_release(question));
    if (!option) {
        found.refuse("command-line-sound", unreadable_line(option.error()));
        return question;
    }
    question.swiotlb = *option;
    question.words = judge_boot_words(question.base, series_of(crash_release(question)),
                                      machine.command_line.empty() ? nullptr : &question.running);
    question.readable = true;
    return question;
}

std::string unreadable_line(const Error& error) {
    return "The crash kernel's command line cannot be read: " + error.message() + ".";
}

std::string to_add(std::string_view words) { return fmt::format("add {} to the crash kernel's command line", words); }

std::string advice_to_add(std::string_view words) {
    return fmt::format("Add {} to the crash kernel's command line.", words);
}

unsigned crash_cpus(const Question& question) {
    // kernel/smp.c, nrcpus(): one nr_cpus= only lowers what another left. arch/x86/kernel/smpboot.c: the last
    // possible_cpus= counts.
    std::uint64_t cpus = 65536;
    for (const Word* word : question.base.all("nr_cpus"))
        if (const auto number = base::parse_prefixed(word->value.value_or("")); number && *number > 0)
            cpus = std::min(cpus, *number);
    if (cpus < 65536) return static_cast<unsigned>(cpus);
    if (const auto number = base::parse_prefixed(question.base.last("possible_cpus").value_or(""));
        number && *number > 0 && *number < 65536)
        return static_cast<unsigned>(*number);
    return question.machine.possible_cpus.value_or(1024);
}

void judge_map_words(const Question& question, bool handoff_expected, Findings& found) {
    const CommandLine& base = question.base;
    if (!question.swiotlb.unknown.empty())
        found.refuse("command-line-agrees",
                     fmt::format("The word swiotlb={} is not understood.", fmt::join(question.swiotlb.unknown, ",")),
                     {}, "Remove it from the crash kernel's command line.");
    if (base.ends_in_init_words())
        found.refuse("command-line-init", "The command line has a '--'. Words after it go to init, not to the kernel.",
                     {}, "Remove the '--'.");
    if (!handoff_expected && (base.has(marker_key) || base.has(lent_key)))
        found.refuse("command-line-agrees", "The command line already has a handoff.", {},
                     "Plan for a command line without it.");
    for (const Word* word : base.all("memmap"))
        if (word->value.value_or("").find("exactmap") != std::string::npos)
            found.refuse("command-line-agrees", "The word memmap=exactmap replaces the memory map of the crash kernel.",
                         {}, "Remove it. kexec passes the memory map itself.");
}

namespace {

void judge_boot_word(const Question& question, const Word& word, const WordEffect& effect, Findings& found) {
    const std::string text = fmt::format("'{}' is on the crash kernel's command line. {}", word.text, effect.why);
    const std::string remove = fmt::format("Remove {} from the crash kernel's command line.", word.key);
    switch (effect.effect) {
        case WordClass::refused:
            found.refuse("command-line-early", text, {}, remove);
            break;
        case WordClass::same_as_running:
            found.refuse("command-line-iommu", text + " The running kernel's command line does not have the same word.",
                         {}, fmt::format("Give both kernels the same {}.", word.key));
            break;
        case WordClass::not_covered: {
            const std::string release = crash_release(question);
            // A capture may lack the release, which the machine itself has.
            const bool known = question.machine.live || !release.empty();
            found.missing(
                known, "command-line-covered",
                fmt::format("It is not known what '{}' does in {}. Only the words of Debian's and kernel.org's Linux "
                            "5.10, 6.1, 6.12, 7.2 and 7.3 are known.",
                            word.text, release.empty() ? "a kernel of an unknown release" : "Linux " + release),
                {fmt::format("the crash kernel has no word '{}'", word.text), "proc/sys/kernel/osrelease"}, remove);
            break;
        }
        default:
            break;
    }
}

// Words that both kernels must have, and only the running one has.
void judge_missing_words(const Question& question, Findings& found) {
    if (!question.machine.knows_command_line())
        found.missing(question.machine.live, "command-line-iommu",
                      "The command line of the running kernel is not known completely. It may have a word that the "
                      "crash kernel needs too.",
                      {"the running kernel's command line has no word that both kernels must have", "proc/cmdline"},
                      "Give /proc/cmdline.");
    const auto series = series_of(crash_release(question));
    for (const Word& word : question.running.words()) {
        const WordEffect effect = classify(word, series);
        if (effect.effect != WordClass::same_as_running || question.base.has(word.key)) continue;
        found.refuse("command-line-iommu",
                     fmt::format("'{}' is on the running kernel's command line, but not on the crash kernel's. {}",
                                 word.text, effect.why),
                     {}, fmt::format("Give both kernels the same {}.", word.key));
    }
}

}  // namespace

std::string crash_release(const Question& question) {
    const auto& image = question.request.image;
    return image && !image->release.empty() ? image->release : question.machine.release;
}

void judge_shared_words(const Question& question, Findings& found) {
    for (const auto& [word, effect] : question.words.findings)
        if (effect.effect == WordClass::same_as_running) judge_boot_word(question, word, effect, found);
}

void judge_words(const Question& question, Findings& found) {
    const CommandLine& base = question.base;
    for (const auto& [word, effect] : question.words.findings) judge_boot_word(question, word, effect, found);
    judge_missing_words(question, found);
    if (!base.has("reset_devices"))
        found.warn("reset-devices", "The word reset_devices is missing, so drivers may leave old DMA running.", {},
                   "Add reset_devices to the crash kernel's command line.");
}

}  // namespace handoff
