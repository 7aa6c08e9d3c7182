// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/decide/configuration.hpp"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "lib/decide/pool.hpp"

namespace handoff {
namespace {

std::string config_file(const Question& question) {
    const std::string release = crash_release(question);
    return "boot/config-" + (release.empty() ? "RELEASE" : release);
}

// Where the configuration was read.
std::string read_from(const Question& question) {
    return question.request.config ? question.request.config_from : question.machine.config_from.text();
}

void judge_release(const Question& question, Findings& found) {
    const bool live = question.machine.live;
    const std::string release = crash_release(question);
    switch (coverage_of(release)) {
        case Coverage::tested:
            return;
        case Coverage::between: {
            const std::string text = fmt::format("Linux {} was not tested. The plan uses the bounds of Debian's {}.",
                                                 release, nearest_tested(release));
            if (question.config_known || !live)
                found.warn("release-tested", text, {}, "Try it on a machine that may lose a dump.");
            else
                found.refuse("release-tested", text + " Its configuration is not known.", {},
                             "Install its configuration as /" + config_file(question) + ".");
            return;
        }
        case Coverage::outside:
            found.refuse("release-tested",
                         fmt::format("Linux {} is not supported. Only Linux 5.10 to 7.3 are known.", release), {},
                         "Load a crash kernel of another release. kdump may have a setting for this.");
            return;
        case Coverage::unknown:
            found.missing(live, "release-tested", "The release of the crash kernel is not known.",
                          {"the crash kernel's release was tested", "proc/sys/kernel/osrelease"});
            return;
    }
}

constexpr std::string_view no_cma = "cma=0", no_scratch = "kho=off";

bool takes_default_cma(const Question& question) {
    return question.config.has_default_cma() && question.base.last("cma").value_or("").empty();
}

bool takes_scratch(const Question& question) { return question.config.kexec_handover && !question.base.has("kho"); }

void judge_early(const Question& question, Findings& found) {
    const KernelConfig& config = question.config;
    const std::string evidence = read_from(question);
    if (takes_default_cma(question))
        found.refuse("config-early",
                     "The crash kernel reserves an area for contiguous DMA, perhaps where its pool should be "
                     "(CONFIG_CMA_SIZE_MBYTES, CONFIG_CMA_SIZE_PERCENTAGE).",
                     evidence, advice_to_add(no_cma));
    if (config.kasan || config.kmsan)
        found.refuse("config-early",
                     fmt::format("The crash kernel takes memory for debugging ({}). This was not tested.",
                                 config.kasan ? "CONFIG_KASAN" : "CONFIG_KMSAN"),
                     evidence, "Load a crash kernel without it.");
    if (config.lock_stat)
        found.refuse(
            "config-early",
            "The crash kernel keeps statistics of its locks, which take several MiB for each CPU (CONFIG_LOCK_STAT).",
            evidence, "Load a crash kernel without it.");
    if (config.builtin_tables)
        found.refuse("config-early",
                     "The crash kernel may take ACPI tables from its own image, which are not read here "
                     "(CONFIG_ACPI_TABLE_OVERRIDE_VIA_BUILTIN_INITRD).",
                     evidence, "Load a crash kernel without it.");
    if (takes_scratch(question))
        found.refuse(
            "config-early",
            "The crash kernel reserves scratch areas for Kexec HandOver (CONFIG_KEXEC_HANDOVER_ENABLE_DEFAULT).",
            evidence, advice_to_add(no_scratch));
}

// What is found of the joined line and not of the given one comes from what is built in. The kernel reads
// CONFIG_CMDLINE first (arch/x86/kernel/setup.c, setup_arch()).
void judge_joined(const Question& question, const CommandLine& built_in, Findings& found) {
    const auto refuse = [&](std::string text) {
        found.refuse("config-words", std::move(text), read_from(question), "Load a crash kernel without it.");
    };
    const auto joined = CommandLine::parse(built_in.with(question.base.text()));
    if (!joined) return refuse("CONFIG_CMDLINE of the crash kernel cannot be read: " + joined.error().message() + ".");
    const auto series = series_of(crash_release(question));
    const WordsJudged judged =
        judge_boot_words(*joined, series, question.machine.command_line.empty() ? nullptr : &question.running);
    using Found = std::vector<WordsJudged::Finding>;
    const auto judge = [&](const Found& all, const Found& of_given) {
        for (const WordsJudged::Finding& one : all) {
            const bool given = std::any_of(of_given.begin(), of_given.end(), [&](const WordsJudged::Finding& own) {
                return own.word.text == one.word.text;
            });
            if (given) continue;
            refuse(fmt::format(
                "With the words that are built into the crash kernel's image (CONFIG_CMDLINE), '{}' matters. {}",
                one.word.text, one.effect.why));
        }
    };
    judge(judged.findings, question.words.findings);
    judge(judged.takers, question.words.takers);
    for (const Word& word : built_in.words())
        if (const WordEffect effect = classify(word, series); effect.effect == WordClass::elsewhere)
            refuse(
                fmt::format("'{}' is built into the crash kernel's image (CONFIG_CMDLINE). {}", word.text, effect.why));
    Question whole = question;
    whole.base = *joined;
    if (pool_cause(whole) != pool_cause(question))
        refuse(
            "The words that are built into the crash kernel's image (CONFIG_CMDLINE) decide whether it makes a pool.");
}

}  // namespace

std::string words_against_early_areas(const Question& question) {
    std::string words(takes_default_cma(question) ? no_cma : "");
    if (takes_scratch(question)) words += (words.empty() ? "" : " ") + std::string(no_scratch);
    return words;
}

void judge_configuration(const Question& question, Findings& found) {
    judge_release(question, found);
    const auto& problem = question.request.config_problem;
    const std::string cure = "Install its configuration as /" + config_file(question) + ".";
    if (!question.config_known && problem)
        found.refuse("config-known", "The configuration of the crash kernel cannot be used: " + problem->what + ".",
                     Evidence{problem->source, problem->line}.text(), cure);
    else if (!question.config_known)
        found.missing(
            question.machine.live, "config-known",
            "The configuration of the crash kernel was not found. So it is not known how much memory the kernel takes "
            "before its pool.",
            {"the crash kernel's configuration takes no more memory early than Debian's", config_file(question)}, cure);
    judge_early(question, found);
}

void judge_added_words(const Question& question, Findings& found) {
    const KernelConfig& config = question.config;
    const std::string evidence = read_from(question);
    if (config.bootconfig_embedded)
        found.refuse(
            "config-words",
            "The crash kernel's image has a bootconfig, and its words are not known (CONFIG_BOOT_CONFIG_EMBED).",
            evidence, "Load a crash kernel without it.");
    if (config.bootconfig_forced && question.request.initrd_bootconfig)
        found.refuse("config-words",
                     "The crash kernel's initrd ends with a bootconfig, and its words are not read here "
                     "(CONFIG_BOOT_CONFIG_FORCE).",
                     evidence, "Build the initrd without it.");
    if (config.command_line.empty()) return;
    if (config.command_line_alone)
        found.refuse("command-line-agrees",
                     "The crash kernel ignores the command line that it is given (CONFIG_CMDLINE_OVERRIDE).", evidence,
                     "Load another crash kernel.");
    const auto line = CommandLine::parse(config.command_line);
    if (!line)
        return found.refuse("command-line-sound",
                            "CONFIG_CMDLINE of the crash kernel cannot be read: " + line.error().message() + ".",
                            evidence);
    if (line->ends_in_init_words())
        found.refuse("command-line-init",
                     "CONFIG_CMDLINE of the crash kernel has a '--'. Words after it go to init, not to the kernel.",
                     evidence, "Load another crash kernel.");
    judge_joined(question, *line, found);
}

}  // namespace handoff
