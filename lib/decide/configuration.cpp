// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/decide/configuration.hpp"

#include <fmt/format.h>

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
            const std::string text = fmt::format("Linux {} was not tested; the bounds are those of Debian's {}",
                                                 release, nearest_tested(release));
            if (question.config_known || !live)
                found.warn("release-tested", text, {}, "try it on a machine that may lose a dump");
            else
                found.refuse("release-tested", text + ", and its configuration is not known", {},
                             "install its configuration as /" + config_file(question));
            return;
        }
        case Coverage::outside:
            found.refuse("release-tested",
                         fmt::format("Linux {} is none of those that were looked at: 5.10 to 7.3", release), {},
                         "load a crash kernel of another release; kdump may have a setting for it");
            return;
        case Coverage::unknown:
            found.missing(live, "release-tested", "the crash kernel's release is not known",
                          {"the crash kernel's release was tested", "proc/sys/kernel/osrelease"});
            return;
    }
}

void judge_early(const Question& question, Findings& found) {
    const KernelConfig& config = question.config;
    const std::string evidence = read_from(question);
    if (config.has_default_cma() && question.base.last("cma").value_or("").empty())
        found.refuse("config-early",
                     "the crash kernel reserves an area for contiguous DMA, perhaps where the pool should land "
                     "(CONFIG_CMA_SIZE_MBYTES, CONFIG_CMA_SIZE_PERCENTAGE)",
                     evidence, "add cma=0 to the crash kernel's command line");
    if (config.kasan || config.kmsan)
        found.refuse("config-early",
                     fmt::format("the crash kernel shadows its memory for debugging ({}), which was not tested",
                                 config.kasan ? "CONFIG_KASAN" : "CONFIG_KMSAN"),
                     evidence, "load a crash kernel without it");
    if (config.lock_stat)
        found.refuse("config-early",
                     "the crash kernel keeps statistics of its locks, which take several MiB for each CPU "
                     "(CONFIG_LOCK_STAT)",
                     evidence, "load a crash kernel without it");
    if (config.builtin_tables)
        found.refuse("config-early",
                     "the crash kernel may take ACPI tables from its own image, which are not looked at "
                     "(CONFIG_ACPI_TABLE_OVERRIDE_VIA_BUILTIN_INITRD)",
                     evidence, "load a crash kernel without it");
    if (config.kexec_handover && !question.base.has("kho"))
        found.refuse(
            "config-early",
            "the crash kernel reserves scratch areas for Kexec HandOver (CONFIG_KEXEC_HANDOVER_ENABLE_DEFAULT)",
            evidence, "add kho=off to the crash kernel's command line");
}

// A word that does nothing to memory, or that the running kernel has as well.
void judge_built_in(const Question& question, const CommandLine& line, Findings& found) {
    const std::string evidence = read_from(question);
    const auto refuse = [&](const Word& word, std::string_view why) {
        found.refuse("config-words",
                     fmt::format("'{}' is built into the crash kernel's image (CONFIG_CMDLINE): {}", word.text, why),
                     evidence, "load a crash kernel without it");
    };
    const auto series = series_of(crash_release(question));
    const WordsJudged judged =
        judge_boot_words(line, series, question.machine.command_line.empty() ? nullptr : &question.running);
    for (const auto& [word, effect] : judged.findings) refuse(word, effect.why);
    for (const auto& [word, effect] : judged.takers) refuse(word, effect.why);
    for (const char* key : {"hugepages", "hugepagesz", "default_hugepagesz"})
        for (const Word* word : line.all(key))
            refuse(*word, "Whether pages of 1 GiB are taken early depends on other words.");
    for (const Word* word : line.all("iommu")) refuse(*word, "It decides whether the kernel makes a pool.");
    for (const Word& word : line.words())
        if (const WordEffect effect = classify(word, series); effect.effect == WordClass::elsewhere)
            refuse(word, effect.why);
}

}  // namespace

void judge_configuration(const Question& question, Findings& found) {
    judge_release(question, found);
    const auto& problem = question.request.config_problem;
    const std::string cure = "install its configuration as /" + config_file(question);
    if (!question.config_known && problem)
        found.refuse("config-known", "the crash kernel's configuration cannot be used: " + problem->what,
                     Evidence{problem->source, problem->line}.text(), cure);
    else if (!question.config_known)
        found.missing(
            question.machine.live, "config-known",
            "the crash kernel's configuration was not found: what it takes of memory before its pool is "
            "not known",
            {"the crash kernel's configuration takes no more memory early than Debian's", config_file(question)}, cure);
    judge_early(question, found);
}

void judge_added_words(const Question& question, Findings& found) {
    const KernelConfig& config = question.config;
    const std::string evidence = read_from(question);
    if (config.bootconfig_embedded)
        found.refuse("config-words",
                     "the crash kernel's image has a bootconfig, whose words are not known (CONFIG_BOOT_CONFIG_EMBED)",
                     evidence, "load a crash kernel without it");
    if (config.bootconfig_forced && question.request.initrd_bootconfig)
        found.refuse("config-words",
                     "the crash kernel's initrd ends in a bootconfig, whose words are not looked at "
                     "(CONFIG_BOOT_CONFIG_FORCE)",
                     evidence, "build the initrd without it");
    if (config.command_line.empty()) return;
    if (config.command_line_alone)
        found.refuse("command-line-agrees",
                     "the crash kernel reads no command line but its own (CONFIG_CMDLINE_OVERRIDE)", evidence,
                     "load another crash kernel");
    const auto line = CommandLine::parse(config.command_line);
    if (!line)
        return found.refuse("command-line-sound", "CONFIG_CMDLINE of the crash kernel: " + line.error().message(),
                            evidence);
    if (line->ends_in_init_words())
        found.refuse("command-line-init",
                     "CONFIG_CMDLINE of the crash kernel has a '--': words behind it go to init, not to the kernel",
                     evidence, "load another crash kernel");
    judge_built_in(question, *line, found);
}

}  // namespace handoff
