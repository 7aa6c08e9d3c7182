// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/kernel/boot_words.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include <gtest/gtest.h>

#include "swiotlb-handoff/range.hpp"

namespace handoff {
namespace {

using base::GiB;
using base::KiB;
using base::MiB;

constexpr auto v5_10 = Series::linux_5_10;
constexpr auto v6_12 = Series::linux_6_12;
constexpr auto v7_2 = Series::linux_7_2;
constexpr auto every_series = {v5_10, Series::linux_6_1, v6_12, v7_2, Series::linux_7_3};

CommandLine line(std::string_view text) { return *CommandLine::parse(text); }

// The class of a line of one word.
WordClass class_of(std::string_view text, std::optional<Series> series = v6_12) {
    const CommandLine words = line(text);
    return classify(words.words().at(0), series).effect;
}

WordsJudged judged(std::string_view text, std::optional<Series> series = v6_12) {
    return judge_boot_words(line(text), series);
}

EarlyTake take(std::string_view text, std::uint64_t ram = 256 * MiB) { return early_take(judged(text), ram); }

// What is wrong with a line, as "class word".
std::vector<std::string> findings(std::string_view text, std::optional<Series> series = v6_12) {
    std::vector<std::string> found;
    for (const auto& finding : judged(text, series).findings)
        found.push_back(std::string(name(finding.effect.effect)) + " " + finding.word.text);
    return found;
}
using Findings = std::vector<std::string>;

std::string read(const std::string& name) {
    std::ostringstream text;
    text << std::ifstream(std::string(KERNEL_DIR) + "/" + name).rdbuf();
    return text.str();
}

// A kernel's list: word -> kinds.
std::map<std::string, std::set<std::string>> words_of(const std::string& series) {
    std::map<std::string, std::set<std::string>> words;
    std::istringstream lines(read("words/" + series + ".txt"));
    for (std::string text; std::getline(lines, text);)
        if (const auto blank = text.rfind(' '); text[0] != '#')
            words[text.substr(0, blank)].insert(text.substr(blank + 1));
    return words;
}

constexpr std::array<std::pair<WordKind, const char*>, 5> kinds = {{{WordKind::early, "early"},
                                                                    {WordKind::setup, "setup"},
                                                                    {WordKind::param, "param"},
                                                                    {WordKind::late, "late"},
                                                                    {WordKind::direct, "direct"}}};

constexpr std::array<const char*, 5> lists = {"5.10", "6.1", "6.12", "7.2", "7.3"};

// --- complete by construction

TEST(WordTable, HasEachWordOfEachKernelWithItsKinds) {
    std::map<std::string, std::set<std::string>> table;
    for (const WordEntry& entry : word_table())
        for (const auto& [kind, name] : kinds)
            if (entry.kinds.has(kind)) table[std::string(entry.name)].insert(name);
    for (const char* series : lists) {
        const auto words = words_of(series);
        EXPECT_GT(words.size(), 500u) << series;
        for (const auto& [word, listed] : words)
            for (const auto& kind : listed)
                EXPECT_TRUE(table[word].contains(kind)) << series << ": " << word << " " << kind << " has no class";
    }
}

TEST(WordTable, IsWhatTheFileSays) {
    const std::string text = read("word_classes.txt");
    const auto table = read_word_table(text);
    ASSERT_TRUE(table) << table.error().message();
    ASSERT_EQ(table->size(), word_table().size());
    for (std::size_t i = 0; i < table->size(); ++i) EXPECT_EQ((*table)[i].name, word_table()[i].name);
}

TEST(WordTable, GivesAReasonForEachClass) {
    for (const WordEntry& entry : word_table())
        EXPECT_TRUE(entry.why.ends_with('.')) << entry.name << ": " << entry.why;
}

TEST(WordTable, RefusesWhatItDoesNotUnderstand) {
    const auto error = [](std::string_view text) {
        const auto table = read_word_table(text);
        return table ? std::string("none") : table.error().message();
    };
    EXPECT_EQ(error("[harmless] Why.\na setup\n"), "none");
    EXPECT_EQ(error("[harmful] Why.\na setup\n"), "line 1: expected a heading, found '[harmful] Why.'");
    EXPECT_EQ(error("[harmless]\na setup\n"), "line 1: expected a heading, found '[harmless]'");
    EXPECT_EQ(error("[takes much] Why.\n"), "line 1: expected a heading, found '[takes much] Why.'");
    EXPECT_EQ(error("[refused unless odd] Why.\n"), "line 1: expected a heading, found '[refused unless odd] Why.'");
    EXPECT_EQ(error("[refused on 5.11] Why.\n"), "line 1: expected a heading, found '[refused on 5.11] Why.'");
    EXPECT_EQ(error("# comment\n\na setup\n"), "line 3: expected a new word and its kinds, found 'a setup'");
    EXPECT_EQ(error("[harmless] Why.\na\n"), "line 2: expected a new word and its kinds, found 'a'");
    EXPECT_EQ(error("[harmless] Why.\na soon\n"), "line 2: expected a new word and its kinds, found 'a soon'");
    EXPECT_EQ(error("[harmless] Why.\na setup\na early\n"),
              "line 3: expected a new word and its kinds, found 'a early'");
}

// --- words that take memory

TEST(Words, ALogBufferIsRoundedUpAndKeptWithItsRecords) {
    // 16 MiB of text, 12 of descriptors, 56 of infos.
    EXPECT_EQ(take("log_buf_len=9M").bytes, 84 * MiB);
    EXPECT_EQ(take("log_buf_len=9M").largest, 56 * MiB);
    EXPECT_EQ(take("log-buf-len=0x100000").bytes, 5 * MiB + 256 * KiB);
    EXPECT_EQ(take("log_buf_len=1m").bytes, take("log_buf_len=1M").bytes);
    EXPECT_EQ(take("log_buf_len=0").bytes, 0u);
    EXPECT_EQ(take("log_buf_len=junk").bytes, log_buffer_take(2 * GiB).bytes);
    EXPECT_EQ(take("log_buf_len=64E").bytes, log_buffer_take(2 * GiB).bytes);
    EXPECT_EQ(take("quiet").bytes, 0u);
}

TEST(Words, ASmallerLogBufferDoesNotUndoALargerOne) {
    for (const char* words : {"log_buf_len=64M log_buf_len=1K", "log_buf_len=1K log_buf_len=64M"})
        EXPECT_EQ(take(words).bytes, 336 * MiB) << words;
}

TEST(Words, EachHashTableTakesASixteenthOfMemoryAtMost) {
    EXPECT_EQ(take("dhash_entries=1000000", 256 * MiB).bytes, 16 * MiB);
    EXPECT_EQ(take("dhash_entries=1 dhash_entries=2", 256 * MiB).bytes, 16 * MiB);
    EXPECT_EQ(take("dhash_entries=1 ihash_entries=2", 256 * MiB).bytes, 32 * MiB);
    EXPECT_EQ(take("dhash_entries=1 ihash_entries=2", 256 * MiB).largest, 16 * MiB);
    EXPECT_EQ(class_of("mhash_entries=1000000"), WordClass::harmless);
    EXPECT_EQ(class_of("thash_entries=1000000"), WordClass::harmless);
}

TEST(Words, UsersInSlabDebuggingTakeTheStackDepot) {
    for (const char* word : {"slub_debug=U", "slub_debug", "slab_debug=FZU,dentry", "kmemleak=on", "page_owner=on"}) {
        EXPECT_EQ(class_of(word), WordClass::takes_memory) << word;
        EXPECT_EQ(take(word, 256 * MiB).bytes, 32768 * 16 + MiB) << word;
    }
    for (const char* word : {"slub_debug=-", "kmemleak=off", "page_owner=off", "page_owner=0"})
        EXPECT_EQ(class_of(word), WordClass::harmless) << word;
    EXPECT_EQ(take("page_owner=on", 64 * GiB).largest, 16 * MiB);
}

TEST(Words, EachListOfCpusOrInitcallsTakesALittle) {
    EXPECT_EQ(take("isolcpus=1-3").bytes, 16 * KiB + 128 * 13);
    EXPECT_EQ(take("isolcpus=1-3 nohz_full=1 rcu_nocbs").bytes, 3 * 16 * KiB + 128 * (13 + 12 + 10));
    EXPECT_EQ(take("initcall_blacklist=,,,,").bytes, 16 * KiB + 128 * 24);
}

// --- words that nothing bounds

TEST(Words, ContiguousMemoryIsRefusedUnlessItIsNone) {
    for (const char* word : {"numa_cma=0:64M", "cma_pernuma=64M", "cma=64M", "cma=64M@0-4G", "cma", "hugetlb_cma=2G",
                             "hugetlb_cma=0:0,1:1G", "hugetlb_cma=50%", "cma=0x100000"})
        for (const Series series : every_series) EXPECT_EQ(class_of(word, series), WordClass::refused) << word;
    for (const char* word : {"cma=0", "cma=0M", "cma=0k", "cma=0x0", "cma_pernuma=0", "numa_cma=0:0", "hugetlb_cma=0",
                             "hugetlb_cma=0:0,1:0G"})
        EXPECT_EQ(class_of(word), WordClass::harmless) << word;
}

TEST(Words, OfContiguousMemoryTheLastWordCounts) {
    EXPECT_EQ(findings("cma=64M cma=0"), Findings{});
    EXPECT_EQ(findings("cma=0 cma=64M"), Findings{"refused cma=64M"});
    EXPECT_EQ(findings("hugetlb_cma=1G hugetlb_cma=0"), Findings{"refused hugetlb_cma=1G"});
}

TEST(Words, AnAreaForContiguousDmaIsRefusedUnlessItsSizeIsNothingButZero) {
    for (const char* word : {"cma=64M:0", "cma=64M@0:0", "cma_pernuma=64M:0", "numa_cma=0:64M:0", "numa_cma=0:64M-0:0",
                             "numa_cma=0:0,1:64M", "hugetlb_cma=0:1G:0", "cma=0x"})
        EXPECT_EQ(class_of(word, v7_2), WordClass::refused) << word;
    for (const char* word :
         {"cma=0", "cma=0M", "cma_pernuma=0", "numa_cma=0:0,1:0", "hugetlb_cma=0", "hugetlb_cma=0:0"})
        EXPECT_EQ(class_of(word, v7_2), WordClass::harmless) << word;
}

TEST(Words, WhatDistributionsAddToTheCrashKernelsLineIsKnownOfEveryKernel) {
    for (const char* words :
         {"reset_devices systemd.unit=kdump-tools-dump.service nr_cpus=1 irqpoll usbcore.nousb",
          "reset_devices systemd.unit=kdump-tools-dump.service nr_cpus=1 irqpoll usbcore.nousb "
          "ata_piix.prefer_ms_hyperv=0",
          "irqpoll nr_cpus=1 reset_devices cgroup_disable=memory mce=off numa=off udev.children-max=2 panic=10 "
          "acpi_no_memhotplug transparent_hugepage=never nokaslr hest_disable novmcoredd cma=0 hugetlb_cma=0 "
          "pcie_ports=compat iTCO_wdt.pretimeout=0",
          "sysrq=yes reset_devices acpi_no_memhotplug cgroup_disable=memory nokaslr numa=off irqpoll nr_cpus=1 "
          "root=kdump rootflags=bind rd.udev.children-max=8 disable_cpu_apicid=0 panic=1",
          "console=tty0 console=ttyS0 nvme_core.io_timeout=4294967295 xen_blkfront.sda_is_xvda=1 net.ifnames=0"})
        for (const WordsJudged::Finding& found : judge_boot_words(line(words), std::nullopt).findings)
            ADD_FAILURE() << found.word.text << ": " << found.effect.why;
}

TEST(Words, AMemoryTestIsRefusedUnlessItHasNoPattern) {
    EXPECT_EQ(class_of("memtest"), WordClass::refused);
    EXPECT_EQ(class_of("memtest=4"), WordClass::refused);
    EXPECT_EQ(class_of("memtest=0"), WordClass::harmless);
    EXPECT_EQ(findings("memtest=4 memtest=0"), Findings{"refused memtest=4"});
}

TEST(Words, PagesOfAGibibyteAreRefusedHoweverTheyAreWritten) {
    EXPECT_EQ(findings("hugepagesz=1G hugepages=16 hugepagesz=2M hugepages=2048"), Findings{"refused hugepagesz=1G"});
    EXPECT_EQ(findings("default_hugepagesz=1G hugepages=2"), Findings{"refused default_hugepagesz=1G"});
    for (const char* size : {"1048576K", "1g", "1G", "0x40000000", "1024M", "1T"})
        EXPECT_EQ(findings("hugepagesz=" + std::string(size) + " hugepages=1"),
                  Findings{"refused hugepagesz=" + std::string(size)})
            << size;
    EXPECT_EQ(findings("hugepagesz=2M hugepages=512"), Findings{});
    EXPECT_EQ(findings("default_hugepagesz=1G"), Findings{});  // what is left after hugepages= was dropped
}

TEST(Words, FakeNodesAreRefusedEvenBesideNumaOff) {
    EXPECT_EQ(findings("numa=fake=4 numa=off"), Findings{"refused numa=fake=4"});
    EXPECT_EQ(findings("numa=off"), Findings{});
}

TEST(Words, ReservationsAndChangesOfTheMapAreRefused) {
    for (const char* word :
         {"reserve_mem=12M:4096:trace", "crashkernel=256M", "movable_node", "kernelcore=1G", "movablecore=50%",
          "add_efi_memmap", "efi_fake_mem=2G@4G:0x10000", "alloc_mptable=4K", "enable_mtrr_cleanup", "bootconfig",
          "memory_corruption_check_size=2G", "kfence.num_objects=65535", "percpu_alloc=page",
          "initrd=0x1000000,0x100000", "earlyprintk=xdbc", "trace_instance=boot@0x10000000:1M", "setcpuid=pse"})
        for (const Series series : every_series) EXPECT_EQ(class_of(word, series), WordClass::refused) << word;
    for (const char* word :
         {"memory_corruption_check_size=64K", "memory_corruption_check_size=1M", "memory_corruption_check=1",
          "percpu_alloc=embed", "initrd=/boot/initrd.img", "kho=off", "earlyprintk=ttyS0,115200", "trace_instance=foo",
          "clearcpuid=514", "kfence.sample_interval=100"})
        EXPECT_EQ(class_of(word), WordClass::harmless) << word;
}

// --- words that must be the running kernel's, and those with rules of their own

TEST(Words, TheIommuMattersWhereItDecidesOverThePool) {
    for (const char* word : {"amd_iommu=off", "iommu.passthrough=1", "iommu=pt"}) {
        EXPECT_EQ(class_of(word, v5_10), WordClass::same_as_running) << word;
        EXPECT_EQ(class_of(word, v6_12), WordClass::harmless) << word;
        EXPECT_EQ(class_of(word, std::nullopt), WordClass::same_as_running) << word;
    }
    EXPECT_EQ(class_of("intel_iommu=off", v5_10), WordClass::harmless);
    EXPECT_EQ(class_of("intel_iommu=off", v6_12), WordClass::harmless);
    EXPECT_EQ(class_of("intel_iommu=off", std::nullopt), WordClass::same_as_running);
    for (const char* word : {"iommu=force", "iommu=forcesac"})
        EXPECT_EQ(class_of(word, v7_2), WordClass::same_as_running) << word;
    for (const char* word : {"iommu=memaper=3", "iommu=pt,memaper"})
        EXPECT_EQ(class_of(word, v7_2), WordClass::refused) << word;
    EXPECT_EQ(class_of("kho=on", std::nullopt), WordClass::refused);
    EXPECT_EQ(class_of("kho=on", v7_2), WordClass::harmless);  // its scratch areas come after the pool
    EXPECT_EQ(class_of("mem_encrypt=on", v7_2), WordClass::same_as_running);
}

TEST(Words, SameAsTheRunningKernelsMeansEachOneInOrder) {
    const auto differ = [](std::string_view crash, std::string_view running) {
        const CommandLine a = line(crash), b = line(running);
        return judge_boot_words(a, v5_10, &b).findings.size();
    };
    EXPECT_EQ(differ("iommu=pt", "iommu=pt quiet"), 0u);
    EXPECT_EQ(differ("iommu=force iommu=pt", "iommu=force iommu=pt"), 0u);
    EXPECT_EQ(differ("iommu=force iommu=pt", "iommu=pt"), 2u);
    EXPECT_EQ(differ("iommu=memaper=3", "iommu=memaper=3"), 1u) << "an aperture, whatever the running kernel has";
    EXPECT_EQ(differ("iommu.passthrough=1", "iommu.passthrough=0"), 1u);
    EXPECT_EQ(differ("iommu=pt", ""), 1u);
}

TEST(Words, TheMapThePoolAndTheCpusAreJudgedElsewhere) {
    for (const char* word : {"memmap=4K$0x1000000", "mem=4G", "swiotlb=force", "nr_cpus=1", "possible_cpus=1",
                             "nokaslr", "elfcorehdr=0x1000", "dmcryptkeys=0x1000"})
        for (const Series series : every_series) EXPECT_EQ(class_of(word, series), WordClass::elsewhere) << word;
}

// --- what is no word of the kernel, or of none that is known

TEST(Words, AreHarmlessWhereTheyOnlyStoreAValue) {
    EXPECT_EQ(
        findings(
            "root=UUID=1 ro quiet irqpoll reset_devices cgroup_disable=memory udev.children-max=2 panic=10 rd.auto=1 "
            "console=ttyS0 nvme_core.default_ps_max_latency_us=0 systemd.unit=kdump.service mce=off numa=off"),
        Findings{});
}

TEST(Words, UnknownOnesAreForInitWhereTheKernelIsCoveredAndRefusedElsewhere) {
    EXPECT_EQ(class_of("kpti.bound=4G", v6_12), WordClass::no_kernel_word);
    EXPECT_EQ(class_of("early_pool=64M", v6_12), WordClass::no_kernel_word);
    EXPECT_EQ(class_of("early_pool=64M", std::nullopt), WordClass::not_covered);
    EXPECT_EQ(
        findings("quiet early_pool=64M rd.luks=0 systemd.unit=x udev.log_level=3 swiotlb_handoff=0x1-0x2 -- boot=1",
                 std::nullopt),
        Findings{"not_covered early_pool=64M"});
    EXPECT_EQ(class_of("rolling=1", std::nullopt), WordClass::not_covered);  // begins with "ro"
}

TEST(Words, BehindTwoDashesAreInits) {
    EXPECT_EQ(findings("quiet -- cma=64M crashkernel=1G", std::nullopt), Findings{});
}

TEST(Words, MatchAsInTheKernel) {
    EXPECT_EQ(class_of("numa-cma=0:64M"), WordClass::refused);
    EXPECT_EQ(class_of("\"cma=64M\""), WordClass::refused);
    EXPECT_EQ(class_of("cma=\"64M\""), WordClass::refused);
    EXPECT_EQ(class_of("cma_of_mine=64M"), WordClass::no_kernel_word);
    EXPECT_EQ(class_of("slub_debugging=1"), WordClass::takes_memory);  // __setup("slub_debug", …) answers to it
    EXPECT_EQ(class_of("dhash_entries"), WordClass::takes_memory);
    EXPECT_EQ(class_of("CMA=64M"), WordClass::no_kernel_word);
}

}  // namespace
}  // namespace handoff
