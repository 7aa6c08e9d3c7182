// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/kernel_log.hpp"

#include <gtest/gtest.h>

#include "e820/log_text.hpp"
#include "tests/temp_tree.hpp"

namespace handoff {
namespace {

constexpr std::uint64_t MiB = base::MiB;

AddressRange range(Address start, Address end) { return *AddressRange::from_bounds(start, end); }

KernelLog parsed(std::string_view text) {
    const auto lines = e820::plain_log(std::string(text));
    auto log = parse_kernel_log(lines.value_or(""));
    EXPECT_TRUE(log) << (log ? "" : log.error().message());
    return log ? *std::move(log) : KernelLog{};
}

std::string error_of(std::string_view text) {
    const auto log = parse_kernel_log(text);
    return log ? "no error" : log.error().message();
}

KernelLog machine_log(const std::string& name) {
    return parsed(read_file(std::string(FIXTURES_DIR "/sources/") + name + "/dmesg"));
}

TEST(KernelLogPool, EveryFormOfTheLine) {
    const struct {
        const char* line;
        AddressRange pool;
    } forms[] = {
        {"software IO TLB: mapped [mem 0x0000000075000000-0x0000000079000000] (64MB)", range(0x75000000, 0x79000000)},
        {"software IO TLB: mapped [mem 0xdbff0000-0xdfff0000] (64MB)", range(0xdbff0000, 0xdfff0000)},
        {"software IO TLB [mem 0xca20c000-0xce20c000] (64MB) mapped at [ffff8800ca20c000-ffff8800ce20bfff]",
         range(0xca20c000, 0xce20c000)},
        {"software IO TLB [mem 0xca20c000-0xce20c000] (64MB) mapped at [(____ptrval____)-(____ptrval____)]",
         range(0xca20c000, 0xce20c000)},
        {"software IO TLB [mem 0xd699d000-0xda99cfff] (64MB) mapped at [x]", range(0xd699d000, 0xda99d000)},
        {"software IO TLB at phys 0x20000000 - 0x24000000", range(0x20000000, 0x24000000)},
        {"software IO TLB: mapped [mem 0x0000000075000000-0x0000000075040000] (0MB)", range(0x75000000, 0x75040000)},
    };
    for (const auto& form : forms) {
        const KernelLog log = parsed(form.line);
        ASSERT_TRUE(log.pool) << form.line;
        EXPECT_EQ(log.pool->value, form.pool) << form.line;
        EXPECT_EQ(log.pool->line, 1u);
    }
}

TEST(KernelLogPool, LinesThatAreNotThePool) {
    for (const char* line : {
             "Placing 64MB software IO TLB between ffff880020000000 - ffff880024000000",
             "software IO TLB: area num 4.",
             "software IO TLB: SWIOTLB bounce buffer size adjusted to 1MB",
             "software IO TLB: SWIOTLB bounce buffer size adjusted 131072 -> 65536 slabs",
             "software IO TLB: SWIOTLB bounce buffer size roundup to 128MB",
             "software IO TLB: swiotlb_memblock_alloc: Failed to allocate 268435456 bytes tlb structure",
             "software IO TLB: Memory encryption is active and system is using DMA bounce buffers",
             "software IO TLB: No low mem",
             "PCI-DMA: Using software bounce buffering for IO (SWIOTLB)",
             "Reserved memory: created restricted DMA pool at 0x75000000, size 64 MiB",
             "host program[1]: software IO TLB: mapped [mem 0x75000000-0x79000000] (64MB)",
         }) {
        const KernelLog log = parsed(line);
        EXPECT_FALSE(log.pool) << line;
        EXPECT_FALSE(log.pool_torn_down) << line;
    }
}

TEST(KernelLogPool, TornDownUnlessMadeAgain) {
    constexpr const char* mapped = "software IO TLB: mapped [mem 0x75000000-0x79000000] (64MB)\n";
    constexpr const char* torn = "software IO TLB: tearing down default memory pool\n";
    const KernelLog down = parsed(std::string(mapped) + torn);
    EXPECT_FALSE(down.pool);
    EXPECT_TRUE(down.pool_torn_down);
    const KernelLog again = parsed(std::string(mapped) + torn + mapped);
    EXPECT_TRUE(again.pool);
    EXPECT_FALSE(again.pool_torn_down);
}

TEST(KernelLogPool, ALineThatDoesNotParseIsAnError) {
    EXPECT_EQ(error_of("x\nsoftware IO TLB: mapped [mem"),
              "line 2: expected '[mem 0xSTART-0xEND] (SIZEMB)' of a swiotlb pool, "
              "found 'software IO TLB: mapped [mem'");
    for (const char* line : {
             "software IO TLB: mapped [mem 0x75000000-0x79000000] (32MB)",           // the size is another one
             "software IO TLB: mapped [mem 0x79000000-0x75000000] (64MB)",           // reversed
             "software IO TLB: mapped [mem 0x75000000-0x79000000",                   // cut
             "software IO TLB: mapped [mem 0x75000000-0x75000000] (0MB)",            // empty
             "software IO TLB: mapped [mem 0x75000000-0x10000000079000000] (64MB)",  // more than 64 bits
             "software IO TLB at phys 0x20000000",
         }) {
        EXPECT_NE(error_of(line), "no error") << line;
    }
}

TEST(KernelLogCrashKernel, EveryFormOfTheLine) {
    const KernelLog old = parsed(
        "Reserving 72MB of low memory at 2016MB for crashkernel (System low RAM: 1702MB)\n"
        "Reserving 130MB of memory at 5048MB for crashkernel (System RAM: 17408MB)\n");
    EXPECT_EQ(old.crash_kernel_low->value, *AddressRange::from_size(2016 * MiB, 72 * MiB));
    EXPECT_EQ(old.crash_kernel->value, *AddressRange::from_size(5048 * MiB, 130 * MiB));
    EXPECT_EQ(old.crash_kernel->line, 2u);

    const KernelLog now = parsed(
        "crashkernel low memory reserved: 0x27000000 - 0x37000000 (256 MB)\n"
        "crashkernel reserved: 0x000000109f000000 - 0x00000010bf000000 (512 MB)\n"
        "crashkernel CMA reserved: 64 MB in 1 ranges\n");
    EXPECT_EQ(now.crash_kernel_low->value, range(0x27000000, 0x37000000));
    EXPECT_EQ(now.crash_kernel->value, range(0x109f000000, 0x10bf000000));
    EXPECT_EQ(now.crash_cma->value, 64 * MiB);
}

TEST(KernelLogCrashKernel, LinesThatReserveNothing) {
    for (const char* line : {
             "kexec: Reserving the low 1M of memory for crashkernel",
             "Reserving the low 1M of memory for crashkernel",
             "Reserving Intel graphics memory at [mem 0x7d800000-0x7f7fffff]",
             "crashkernel: memory value expected",
             "cannot allocate crashkernel low memory (size:0x10800000).",
             "crashkernel size resulted in zero bytes",
             "Using crashkernel=auto, the size chosen is a best effort estimation.",
         }) {
        const KernelLog log = parsed(line);
        EXPECT_FALSE(log.crash_kernel) << line;
        EXPECT_FALSE(log.crash_kernel_low) << line;
    }
}

TEST(KernelLogCrashKernel, ALineThatDoesNotParseIsAnError) {
    for (const char* line : {
             "Reserving 130MB of memory at for crashkernel",
             "Reserving 0MB of memory at 48MB for crashkernel",
             "Reserving 130MB of memory at 99999999999999MB for crashkernel",
             "crashkernel reserved: 0x9f000000 - 0xbf000000 (256 MB)",
             "crashkernel reserved: 0xbf000000 - 0x9f000000 (512 MB)",
             "crashkernel CMA reserved: some MB in 1 ranges",
         }) {
        EXPECT_NE(error_of(line), "no error") << line;
    }
}

TEST(KernelLogMachine, ReadsWhatElseItSays) {
    const KernelLog log = parsed(
        "Linux version 6.1.0-50-amd64 (builder@host) (gcc) #1 SMP\n"
        "Command line: ro swiotlb=force\n"
        "BIOS-provided physical RAM map:\n"
        "efi: EFI v2.7 by EDK II\n"
        "Hypervisor detected: Xen HVM\n"
        "RAMDISK: [mem 0x7969b000-0x7a7ddfff]\n"
        "ACPI: SRAT: Node 0 PXM 0 [mem 0x00000000-0x7fffffff]\n"
        "ACPI: SRAT: Node 1 PXM 1 [mem 0x100000000-0x27fffffff] hotplug\n"
        "ACPI: SRAT: PXM 0 -> APIC 0x00 -> Node 0\n"
        "Initmem setup node 0 [mem 0x0000000000001000-0x000000013fffffff]\n"
        "Initmem setup node 1 as memoryless\n"
        "Initmem setup node 2 [mem 0x0000000140000000-0x000000027fffffff]\n"
        "CPU topo: Allowing 2 present CPUs plus 6 hotplug CPUs\n"
        "RAMDISK: gzip image found at block 0\n");
    EXPECT_EQ(log.boots, 1u);
    EXPECT_TRUE(log.complete);
    EXPECT_EQ(log.release->value, "6.1.0-50-amd64");
    EXPECT_EQ(log.command_line->value, "ro swiotlb=force");
    EXPECT_TRUE(log.efi);
    EXPECT_EQ(log.xen, Xen::hvm);
    EXPECT_EQ(log.initrd->value.size(), 0x1143000u);
    EXPECT_EQ(log.srat_memory_end->value, 0x280000000u);
    EXPECT_EQ(log.memory_nodes->value, 2u);
    EXPECT_EQ(log.possible_cpus->value, 8u);
    EXPECT_EQ(parsed("smpboot: Allowing 4 CPUs, 2 hotplug CPUs").possible_cpus->value, 6u);
    EXPECT_EQ(parsed("RAMDISK: 1fb37000 - 1ffdf000").initrd->value, range(0x1fb37000, 0x1ffdf000));
    EXPECT_EQ(parsed("SRAT: Node 0 PXM 0 100000-80000000").srat_memory_end->value, 0x80000000u);
}

TEST(KernelLogMachine, ACommandLineThatPrintkMayHaveCutIsMarked) {
    EXPECT_FALSE(parsed("Command line: ro").command_line_cut);
    EXPECT_TRUE(parsed("Command line: " + std::string(1000, 'x')).command_line_cut);
}

TEST(KernelLogEncryption, EveryFormOfTheLine) {
    const struct {
        const char* line;
        Encryption encryption;
    } forms[] = {
        {"Memory Encryption Features active: AMD SEV SEV-ES SEV-SNP", Encryption::sev_snp},
        {"Memory Encryption Features active: AMD SEV SEV-ES", Encryption::sev_es},
        {"Memory Encryption Features active: AMD SEV", Encryption::sev},
        {"Memory Encryption Features active: AMD SME", Encryption::sme},
        {"Memory Encryption Features active: Intel TDX", Encryption::tdx},
        {"Memory Encryption Features active: Unknown", Encryption::unknown_kind},
        {"Memory Encryption Features active: Pixie Dust", Encryption::unknown_kind},
        {"Memory Encryption Features active:", Encryption::unknown_kind},
        {"HYGON SME", Encryption::unknown_kind},
        {"HYGON CSV3", Encryption::unknown_kind},
        {"AMD Memory Encryption Features active: SEV SEV-ES", Encryption::sev_es},
        {"AMD Secure Memory Encryption (SME) active", Encryption::sme},
        {"AMD Secure Encrypted Virtualization (SEV) active", Encryption::sev},
        {"Hyper-V: Isolation Config: Group A 0x1, Group B 0xba2", Encryption::sev_snp},
        {"Hyper-V: Isolation Config: Group A 0x1, Group B 0xba3", Encryption::tdx},
        {"Hyper-V: Isolation Config: Group A 0x0, Group B 0x1", Encryption::vbs},
        {"Hyper-V: Isolation Config: Group A 0x0, Group B 0x7", Encryption::unknown_kind},
        {"Hyper-V: privilege flags low 0xae7f, high 0x7b8030, hints 0x9e4e24, misc 0xe0bed7b2",
         Encryption::unknown_kind},
        {"Hyper-V: features 0xae7f, privilege high: 0x7b8030, hints 0xc2c, misc 0xe0bed7b2", Encryption::unknown_kind},
        {"SEV: Using SNP CPUID table, 28 entries present.", Encryption::sev_snp},
        {"SEV: SNP running at VMPL0.", Encryption::sev_snp},
        {"SEV: SNP guest platform device initialized.", Encryption::sev_snp},
        {"SEV: Status: SEV SEV-ES SEV-SNP", Encryption::sev_snp},
        {"SEV: Status: SEV SEV-ES", Encryption::sev_es},
        {"SEV: Status: vTom", Encryption::sev_snp},
        {"SEV: Status: ReflectVC", Encryption::unknown_kind},
        {"tdx: Guest detected", Encryption::tdx},
        {"software IO TLB: Memory encryption is active and system is using DMA bounce buffers",
         Encryption::unknown_kind},
        {"systemd[1]: Detected confidential virtualization sev-snp.", Encryption::sev_snp},
        {"systemd[1]: Detected confidential virtualization tdx.", Encryption::tdx},
        {"systemd[1]: Detected confidential virtualization cca.", Encryption::unknown_kind},
    };
    for (const auto& form : forms) EXPECT_EQ(encryption_of(parsed(form.line)), form.encryption) << form.line;
}

TEST(KernelLogEncryption, IsTheStrongestThatIsNamed) {
    constexpr const char* isolation = "Hyper-V: Isolation Config: Group A 0x1, Group B 0xba2\n";
    constexpr const char* features = "Memory Encryption Features active: AMD SEV\n";
    EXPECT_EQ(encryption_of(parsed(std::string(isolation) + features)), Encryption::sev_snp);
    EXPECT_EQ(encryption_of(parsed(std::string(features) + isolation)), Encryption::sev_snp);
    EXPECT_FALSE(parsed("Hyper-V: Isolation Config: Group A 0x0, Group B 0x0").encryption) << "no isolation";
    EXPECT_FALSE(parsed("Hyper-V: privilege flags low 0xae7f, high 0x3b8030, hints 0x9e4e24").encryption);
    EXPECT_NE(error_of("Hyper-V: Isolation Config: Group C"), "no error");
    EXPECT_NE(error_of("Hyper-V: privilege flags low 0xae7f, high zero"), "no error");
    constexpr const char* bounces = "software IO TLB: Memory encryption is active and system is using DMA\n";
    EXPECT_EQ(encryption_of(parsed(std::string(features) + bounces)), Encryption::sev) << "the kind that has a name";
}

TEST(KernelLogEncryption, AGuestOfHyperVThatSaysSevIsAnSnpGuest) {
    constexpr const char* sev = "Memory Encryption Features active: AMD SEV\n";
    for (const char* line : {"Hypervisor detected: Microsoft Hyper-V\n", "Hyper-V: Host Build 10.0.22477.1400-1-0\n",
                             "DMI: Microsoft Corporation Virtual Machine/Virtual Machine, BIOS x\n"}) {
        EXPECT_EQ(encryption_of(parsed(std::string(line) + sev)), Encryption::sev_snp) << line;
        EXPECT_EQ(encryption_of(parsed(std::string(sev) + line)), Encryption::sev_snp) << line;
        EXPECT_FALSE(parsed(line).encryption) << line;
    }
    EXPECT_EQ(encryption_of(parsed(std::string("Hypervisor detected: KVM\n") + sev)), Encryption::sev);
}

TEST(KernelLogMachine, OfAnotherArchitectureIsToldByItsFirstLine) {
    EXPECT_TRUE(
        parsed("Booting Linux on physical CPU 0x0000000000 [0x410fd083]\nLinux version 5.1.0\n").other_architecture);
    EXPECT_FALSE(
        parsed("Booting Linux on physical CPU 0x0\nLinux version 5.1.0\nLinux version 6.1.0\n").other_architecture)
        << "a boot of another machine before it";
    EXPECT_FALSE(parsed("Linux version 6.1.0\n").other_architecture);
}

TEST(KernelLogPool, TwoThatDifferInOneBootAreBothKept) {
    constexpr const char* first = "software IO TLB: mapped [mem 0x75000000-0x79000000] (64MB)\n";
    constexpr const char* second = "software IO TLB: mapped [mem 0x65000000-0x69000000] (64MB)\n";
    const KernelLog log = parsed(std::string(first) + second);
    ASSERT_TRUE(log.pool && log.other_pool);
    EXPECT_EQ(log.pool->value, range(0x65000000, 0x69000000));
    EXPECT_EQ(log.other_pool->value, range(0x75000000, 0x79000000));
    EXPECT_FALSE(parsed(std::string(first) + first).other_pool) << "said twice";
    EXPECT_FALSE(
        parsed(std::string(first) + "software IO TLB: tearing down default memory pool\n" + second).other_pool);
}

TEST(KernelLogCrashKernel, CmaThatWasReservedInPartCounts) {
    const KernelLog log = parsed("crashkernel CMA reservation failed: 512 MB requested, 256 MB reserved in 2 ranges\n");
    ASSERT_TRUE(log.crash_cma);
    EXPECT_EQ(log.crash_cma->value, 256 * MiB);
}

TEST(KernelLogEncryption, IsNoneOnlyWhereTheWholeLogIsThere) {
    const std::string begin = "Linux version 6.1.0\n", witnesses = "NR_IRQS: 4352\npid_max: default: 32768\n";
    const std::string end = "PCI-DMA: Using software bounce buffering for IO (SWIOTLB)\n";
    EXPECT_EQ(encryption_of(parsed(begin + witnesses + end)), Encryption::none);
    EXPECT_EQ(encryption_of(parsed(begin + "Mount-cache hash table entries: 8192\nNET: Registered PF_NETLINK\n" + end)),
              Encryption::none);
    EXPECT_EQ(encryption_of(parsed(begin + end + std::string(whole_log_mark) + "\n")), Encryption::none) << "a capture";
    EXPECT_EQ(encryption_of(parsed(begin + witnesses)), Encryption::unknown) << "cut off at the end";
    EXPECT_EQ(encryption_of(parsed(witnesses + end)), Encryption::unknown) << "wrapped";
    EXPECT_EQ(encryption_of(parsed("")), Encryption::unknown);
}

// What a search for a few words leaves has no two lines that every boot has and nobody looks for.
TEST(KernelLogEncryption, IsNotNoneWhereALogWasSearched) {
    const std::string begin = "Linux version 6.1.0 (x) #1 SMP\nCommand line: ro\nBIOS-provided physical RAM map:\n";
    const std::string end =
        "PCI-DMA: Using software bounce buffering for IO (SWIOTLB)\nFreeing unused kernel memory: 1K\n";
    for (const char* found :
         {"", "Memory: 1928908K/3145168K available (14343K kernel code)\n", "smp: Brought up 1 node, 2 CPUs\n",
          "Freeing SMP alternatives memory: 36K\n",
          "smpboot: Allowing 2 CPUs, 0 hotplug CPUs\nMemory: 1928908K/3145168K available\nsmp: Brought up 1 node\n"
          "Freeing SMP alternatives memory: 36K\n",
          "NET: Registered PF_NETLINK/PF_ROUTE protocol family\nNET: Registered PF_INET protocol family\n"})
        EXPECT_EQ(encryption_of(parsed(begin + found + end)), Encryption::unknown) << found;
}

TEST(KernelLogGaps, ALineWithoutAKnownPrefixAmongOthersIsNotUnderstood) {
    constexpr const char* begin =
        "[    0.000000] Linux version 6.1.0\n[    0.010000] NR_IRQS: 4352\n[    0.020000] pid_max: default: 32768\n";
    constexpr const char* end =
        "[    0.050000] smp: Brought up 1 node, 2 CPUs\n"
        "[    0.100000] PCI-DMA: Using software bounce buffering for IO (SWIOTLB)\n";
    const struct {
        const char* what;
        std::string text;
        std::uint64_t not_understood;
    } cases[] = {
        {"all are", std::string(begin) + end, 0},
        {"a date of a form that is not known", std::string(begin) + "[13/11 14:11] Memory Encryption: SEV\n" + end, 1},
        {"the first line of the boot is such a one",
         std::string(
             "[13/11 14:11] Linux version 6.1\n[  +0.000000] Command line: ro\nNR_IRQS:1\npid_max: default: 1\n") +
             end,
         1},
        {"what a mailer cut in two", std::string(begin) + "[    0.000000] efi: ACPI=0x1\nSMBIOS=0x2\n> x\n" + end, 2},
        {"a bare line that is known all the same", std::string(begin) + "Mount-cache hash table entries: 1\n" + end, 0},
        {"blank lines and those of one message", std::string(begin) + "\n               of the same message\n" + end,
         0},
        {"indented, but not as far as a message is", std::string(begin) + "   [13/11 14:11] x\n" + end, 1},
        {"what looks like JSON, and is none", std::string(begin) + "{\n\"x\": 1\n" + end, 2},
        {"stars", std::string(begin) + "** encryption **\n" + end, 1},
        {"printk that says it again", std::string(begin) + "** replaying previous printk message **\n" + end, 0},
        {"only the first line has nothing in front",
         std::string("Linux version 6.1.0\nhello\nNR_IRQS:1\npid_max: default: 1\n") + end, 1},
        {"the early console", std::string(begin) + "Poking KASLR using RDRAND RDTSC...\n" + end, 0},
        {"dmesg -J",
         "{\n   \"dmesg\": [\n {\n\"pri\": 6,\n\"time\": 0.5,\n\"msg\": \"Linux version 6.1.0\"\n},{\n\"pri\": "
         "6,\n\"time\": "
         "1.0,\n\"msg\": \"NR_IRQS: 1\"\n},{\n\"msg\": \"pid_max: default: 1\"\n}\n]\n}\n" +
             std::string("[    1.050000] smp: Brought up 1 node, 2 CPUs\n"),
         0},
        {"a log without prefixes",
         "Linux version 6.1.0\nhello\nNR_IRQS: 1\npid_max: default: 1\nsmp: Brought up 1 node\nPCI-DMA: Disabling "
         "AGP.\n",
         0},
        {"before the boot", std::string("SeaBIOS (version 1)\n") + begin + end, 0},
        {"after the initcalls", std::string(begin) + end + "[  OK  ] Started cron\n", 0},
        {"of a boot before", std::string(begin) + "x\n" + end + begin + end, 0},
        {"of a boot before that broke off, and this one's first line is lost",
         std::string(
             "[    0.000000] Command line: a\nx\n[    0.000000] Command line: b\nNR_IRQS:1\npid_max: default: 1\n") +
             end,
         1},
    };
    for (const auto& c : cases) {
        const KernelLog log = parsed(c.text);
        EXPECT_EQ(log.gaps.not_understood, c.not_understood) << c.what;
        EXPECT_EQ(log.gaps.dropped, 0u) << c.what;
        EXPECT_EQ(encryption_of(log), c.not_understood == 0 ? Encryption::none : Encryption::unknown) << c.what;
    }
}

TEST(KernelLogGaps, WhatTheLogSaysThatItDroppedIsMissing) {
    constexpr const char* begin =
        "[    0.000000] Linux version 6.1.0\n[    0.010000] NR_IRQS: 4352\n[    0.020000] pid_max: default: 32768\n";
    constexpr const char* end =
        "[    0.050000] smp: Brought up 1 node, 2 CPUs\n"
        "[    0.100000] PCI-DMA: Using software bounce buffering for IO (SWIOTLB)\n";
    const struct {
        std::string text;
        std::uint64_t dropped;
    } cases[] = {
        {std::string(begin) + "** 12 printk messages dropped **\n" + end, 12},
        {std::string(begin) + "** 12 printk messages dropped ** [    0.05] x\n" + end, 12},
        {std::string(begin) + end + "** 12 printk messages dropped **\n", 0},
        {std::string(begin) + "** replaying previous printk message **\n" + end, 0},
        {std::string(begin) + end + "Nov 13 14:11:02 host systemd-journald[99]: Missed 3 kernel messages\n", 3},
        {std::string(begin) + "Nov 13 14:11:02 host kernel: [4.1K blob data]\n" + end, 1},
        {"** 12 printk messages dropped **\n" + std::string(begin) + end, 0},
    };
    for (const auto& c : cases) {
        const KernelLog log = parsed(c.text);
        EXPECT_EQ(log.gaps.dropped, c.dropped) << c.text;
        EXPECT_EQ(log.gaps.not_understood, 0u) << c.text;
        EXPECT_EQ(shows_everything(log), c.dropped == 0) << c.text;
    }
}

// Logs of several machines that were merged by their times.
TEST(KernelLogGaps, LinesOfAnotherMachineAreNotOfThisBoot) {
    const auto said = [](const char* host, const std::string& text) {
        return std::string("May 14 10:21:07 ") + host + " kernel: " + text + "\n";
    };
    const std::string pool = "software IO TLB: mapped [mem 0x75000000-0x79000000] (64MB)";
    const std::string another = "software IO TLB: mapped [mem 0x65000000-0x69000000] (64MB)";
    const std::string begin =
        said("a", "Linux version 6.1") + said("a", "NR_IRQS: 1") + said("a", "pid_max: default: 1");
    const std::string end = said("a", "PCI-DMA: Using software bounce buffering for IO (SWIOTLB)");

    const KernelLog mixed = parsed(begin + said("b", another) + end + said("b", another) + said("a", pool));
    EXPECT_EQ(mixed.pool->value, range(0x75000000, 0x79000000));
    EXPECT_FALSE(mixed.other_pool);
    EXPECT_EQ(mixed.gaps.of_others, 2u);
    EXPECT_EQ(mixed.gaps.text(), "2 lines are of another machine");
    EXPECT_EQ(encryption_of(mixed), Encryption::unknown);

    const KernelLog renamed = parsed(begin + said("b", "smp: Brought up 1 node, 2 CPUs") + said("b", pool));
    EXPECT_EQ(renamed.pool->value, range(0x75000000, 0x79000000)) << "it learned its name while it booted";
    EXPECT_EQ(encryption_of(renamed), Encryption::none);
}

TEST(KernelLogBoots, OneWhoseBeginningIsLostIsToldByItsTimesAndByTheJournal) {
    const std::string whole = "[    0.000000] Linux version 6.1\n[   99.000000] smp: Brought up 1 node, 2 CPUs\n";
    const std::string tail = "software IO TLB: mapped [mem 0x65000000-0x69000000] (64MB)\n";
    for (const std::string& next : {"[    1.000000] " + tail, "-- Boot 6f3a --\n[   99.500000] " + tail,
                                    "-- Reboot --\n[   99.500000] " + tail}) {
        const KernelLog log = parsed(whole + next);
        EXPECT_EQ(log.boots, 2u) << next;
        EXPECT_FALSE(log.complete) << next;
        EXPECT_FALSE(log.release) << next;
    }
    EXPECT_EQ(parsed(whole + "[   98.900000] " + tail).boots, 1u) << "clocks of processors differ a little";
}

TEST(KernelLogBoots, ACrashKernelsOwnIsNotTheMachines) {
    const std::string machines =
        "Linux version 6.1\nCommand line: ro crashkernel=256M\n"
        "software IO TLB: mapped [mem 0x75000000-0x79000000] (64MB)\n";
    const std::string crash =
        "Linux version 6.1\nCommand line: ro reset_devices elfcorehdr=900536K\n"
        "software IO TLB: mapped [mem 0x65000000-0x69000000] (64MB)\n";
    const KernelLog one = parsed(machines + crash);
    EXPECT_EQ(one.pool->value, range(0x75000000, 0x79000000));
    EXPECT_EQ(one.boots, 2u);
    EXPECT_EQ(one.crash_boots, 1u);
    EXPECT_EQ(one.first_line, 1u);
    EXPECT_EQ(one.end_line, 4u);
    EXPECT_FALSE(one.of_crash_kernel);
    EXPECT_EQ(parsed(machines + crash + crash).crash_boots, 2u);
    EXPECT_EQ(parsed(machines + crash + machines).crash_boots, 0u) << "the machine booted again";
    EXPECT_EQ(parsed(machines + crash + machines).first_line, 7u);

    const KernelLog alone = parsed(crash);
    EXPECT_TRUE(alone.of_crash_kernel);
    EXPECT_EQ(alone.pool->value, range(0x65000000, 0x69000000));
    EXPECT_FALSE(parsed("Command line: ro x=elfcorehdr=1").of_crash_kernel);
    EXPECT_TRUE(parsed("Command line: elfcorehdr=0xd000000").of_crash_kernel);
    EXPECT_TRUE(parsed("Command line: ro reset_devices " + std::string(1000, 'x')).of_crash_kernel) << "it was cut off";
}

TEST(KernelLogCrashKernel, WhyNothingWasReservedIsQuoted) {
    for (const char* line : {
             "crashkernel reservation failed - No suitable area found.",
             "crashkernel reservation failed - memory is in use.",
             "crashkernel low reservation failed - No suitable area found.",
             "Cannot reserve 256MB crashkernel low memory, please try smaller size.",
             "cannot allocate crashkernel (size:0x20000000)",
             "cannot allocate crashkernel low memory (size:0x10800000).",
             "reserve_crashkernel: Error reserving crashkernel memblock.",
             "crashkernel=auto resulted in zero bytes of reserved memory.",
             "kexec: crashkernel=auto resulted in zero bytes of reserved memory.",
             "kexec: crashkernel: Memory value expected",
             "crashkernel CMA reservation not supported",
             "Memory for crash kernel (0x0 to 0x0) notwithin permissible range",
             "crashkernel size resulted in zero bytes",
             "crashkernel: Memory value expected",
             "crashkernel: unrecognized char: x",
             "Ignoring crashkernel for a Xen PV domain",
         }) {
        const KernelLog log = parsed("x\n" + std::string(line));
        ASSERT_EQ(log.reservation_failures.size(), 1u) << line;
        EXPECT_EQ(log.reservation_failures[0], (Logged<std::string>{line, 2}));
        EXPECT_FALSE(log.crash_kernel);
    }
    EXPECT_TRUE(parsed("Cannot reserve 4MB for the display").reservation_failures.empty());
}

TEST(KernelLogMachine, XenHvmIsAMachineOfItsOwn) {
    for (const char* line : {"Hypervisor detected: Xen", "Hypervisor detected: Xen PV", "Booting kernel on Xen",
                             "Booting paravirtualized kernel on Xen", "Booting paravirtualized kernel on Xen PVH",
                             "Hypervisor detected: Xen HVM\nBooting kernel on Xen PVH",
                             "Xen: [mem 0x0000000000000000-0x000000000009dfff] usable"})
        EXPECT_TRUE(is_paravirtualised(parsed(line))) << line;
    for (const char* line :
         {"Hypervisor detected: Xen HVM", "Hypervisor detected: Xen\nBooting paravirtualized kernel on Xen HVM",
          "Hypervisor detected: KVM", "Booting paravirtualized kernel on bare hardware"})
        EXPECT_FALSE(is_paravirtualised(parsed(line))) << line;
}

TEST(KernelLogLines, ThatAMailerCutAreJoinedWhereAValueNeedsIt) {
    const KernelLog line = parsed(
        "[    0.000000] Command line: BOOT_IMAGE=/vmlinuz root=UUID=0 ro\ncrashkernel=192M swiotlb=force\n"
        "[    0.000000] BIOS-provided physical RAM map:\n");
    EXPECT_EQ(line.command_line->value, "BOOT_IMAGE=/vmlinuz root=UUID=0 ro crashkernel=192M swiotlb=force");
    const KernelLog pool =
        parsed("> [    0.376184] software IO TLB: mapped [mem\n> 0x00000000b898e000-0x00000000bc98e000] (64MB)\n");
    EXPECT_EQ(pool.pool->value, range(0xb898e000, 0xbc98e000));
    const KernelLog features =
        parsed("[    0.376184] Memory Encryption Features active: AMD SEV SEV-ES\nSEV-SNP AndSomeMore\n[    0.4] x\n");
    EXPECT_EQ(encryption_of(features), Encryption::sev_snp);
    for (const char* not_wrapped : {"[    0.000000] Command line: ro\nswiotlb=force\n",
                                    "[    0.000000] Command line: ro\n[    0.000000] swiotlb=force\n"})
        EXPECT_EQ(parsed(not_wrapped).command_line->value, "ro") << not_wrapped;
    EXPECT_NE(error_of("[    0.100000] software IO TLB: mapped [mem\n[    0.100000] 0xb898e000-0xbc98e000] (64MB)\n"),
              "no error");
}

TEST(KernelLogLines, AreCounted) {
    const KernelLog log = parsed("hello\n\nLinux version 6.1\nworld\nCommand line: ro\n");
    EXPECT_EQ(log.lines, 4u);
    EXPECT_EQ(log.recognised, 2u);
    EXPECT_EQ(parsed("hello\n").recognised, 0u);
}

TEST(KernelLogGaps, AreSaidInWords) {
    EXPECT_EQ(LogGaps{}.text(), "");
    EXPECT_EQ((LogGaps{1, 0}.text()), "1 line was not understood");
    EXPECT_EQ((LogGaps{3, 1}.text()), "3 lines were not understood, 1 message was dropped");
}

TEST(KernelLogPool, IsPutToUseOnceTheIommusAreKnown) {
    constexpr const char* made = "software IO TLB: mapped [mem 0x75000000-0x79000000] (64MB)\n";
    constexpr const char* used = "PCI-DMA: Using software bounce buffering for IO (SWIOTLB)\n";
    EXPECT_FALSE(parsed(made).pool_put_to_use);
    EXPECT_TRUE(parsed(std::string(made) + used + made).pool_put_to_use);
    EXPECT_FALSE(parsed(std::string(made) + "PCI-DMA: Intel(R) Virtualization Technology\n").pool_put_to_use);
}

TEST(KernelLogEncryption, WhatAProcessorCouldDoIsNoEvidence) {
    for (const char* line : {"kvm_amd: SEV enabled (ASIDs 1 - 509)", "SEV supported: 509 ASIDs",
                             "SEV-SNP: RMP table physical range [0x0000000016000000 - 0x00000000568fffff]",
                             "virt/tdx: TDX not supported by the host platform"}) {
        EXPECT_FALSE(parsed(line).encryption) << line;
    }
}

TEST(KernelLogBoots, TheLastOneCounts) {
    const KernelLog log = parsed(
        "Linux version 6.1.0\n"
        "Command line: first\n"
        "BIOS-provided physical RAM map:\n"
        "efi: EFI v2.7 by EDK II\n"
        "software IO TLB: mapped [mem 0x75000000-0x79000000] (64MB)\n"
        "Linux version 6.2.0\n"
        "Command line: second\n"
        "BIOS-provided physical RAM map:\n");
    EXPECT_EQ(log.boots, 2u);
    EXPECT_EQ(log.first_line, 6u);
    EXPECT_EQ(log.command_line->value, "second");
    EXPECT_FALSE(log.pool) << "it is the first boot's";
    EXPECT_FALSE(log.efi);
}

TEST(KernelLogBoots, AWrappedLogBeforeAWholeOneIsABootToo) {
    const KernelLog log = parsed(
        "software IO TLB: mapped [mem 0x75000000-0x79000000] (64MB)\n"
        "Command line: second\n");
    EXPECT_EQ(log.boots, 2u);
    EXPECT_TRUE(log.complete);
    EXPECT_FALSE(log.pool);
}

TEST(KernelLogBoots, TheSameFirstLineTwiceIsTwoBoots) {
    EXPECT_EQ(parsed("Command line: first\nCommand line: second\n").boots, 2u);
    EXPECT_EQ(parsed("Linux version 6.1\nCommand line: first\nBIOS-provided physical RAM map:\n").boots, 1u);
}

TEST(KernelLogBoots, AWrappedLogIsNotComplete) {
    const KernelLog log = parsed("software IO TLB: mapped [mem 0x75000000-0x79000000] (64MB)\n");
    EXPECT_EQ(log.boots, 1u);
    EXPECT_FALSE(log.complete);
    EXPECT_TRUE(log.pool);
}

TEST(KernelLogBoots, TextWithoutAnyKnownLineHoldsNone) {
    for (const char* text : {"", "\n\n", "hello", "\x1b[1m\xff\xfe binary"}) EXPECT_EQ(parsed(text).boots, 0u);
    EXPECT_EQ(parsed(std::string(1000, '\0')).boots, 0u);
}

TEST(KernelLogMachines, RealLogs) {
    const KernelLog two = machine_log("two-boots-4.18");
    EXPECT_EQ(two.boots, 2u);
    EXPECT_EQ(two.crash_kernel->value, *AddressRange::from_size(656 * MiB, 256 * MiB));
    EXPECT_EQ(two.pool->value, range(0x4fd6d000, 0x53d6d000));

    const KernelLog reboot = machine_log("crash-and-reboot-6.13");
    EXPECT_EQ(reboot.boots, 3u);
    EXPECT_EQ(reboot.pool->value, range(0x3aec5000, 0x3eec5000)) << "not that of the boot that crashed";
    EXPECT_EQ(reboot.crash_kernel->value, range(0x11000000, 0x2d000000));

    const KernelLog high = machine_log("high-and-low-6.8");
    EXPECT_EQ(high.crash_kernel->value, range(0x4057000000, 0x4077000000));
    EXPECT_EQ(high.crash_kernel_low->value, range(0x04000000, 0x14000000));

    EXPECT_EQ(machine_log("exclusive-ends-3.2").pool->value, range(0xd77e4000, 0xdb7e4000));
    EXPECT_EQ(machine_log("inclusive-end-3.6").pool->value, range(0xd699d000, 0xda99d000));
    EXPECT_EQ(machine_log("halved-pool-6.16").pool->value.size(), 128 * MiB);
    EXPECT_TRUE(machine_log("torn-down-5.15").pool_torn_down);
    EXPECT_TRUE(is_paravirtualised(machine_log("xen-pv-6.12")));
}

}  // namespace
}  // namespace handoff
