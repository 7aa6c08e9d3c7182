// SPDX-License-Identifier: GPL-2.0-or-later
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <span>

#include "lib/sources/gather.hpp"
#include "lib/sources/host.hpp"
#include "lib/sources/kernel_memory.hpp"
#include "swiotlb-handoff/machine.hpp"
#include "tests/temp_tree.hpp"

namespace handoff {
namespace {

AddressRange range(Address start, Address end) { return *AddressRange::from_bounds(start, end); }

Machine gathered(const std::filesystem::path& root) {
    auto machine = gather(Host(root));
    EXPECT_TRUE(machine) << (machine ? "" : machine.error().message());
    return machine ? *std::move(machine) : Machine{};
}
Machine gathered(const TempTree& tree) { return gathered(tree.path()); }

std::string error_of(const TempTree& tree) {
    const auto machine = gather(Host(tree.path()));
    return machine ? "no error" : machine.error().message();
}

std::vector<std::string> unread(const Machine& machine) {
    std::vector<std::string> messages;
    for (const Error& error : machine.unread) messages.push_back(error.message());
    return messages;
}

constexpr const char* iomem =
    "00001000-0009ffff : System RAM\n"
    "000f0000-000fffff : Reserved\n"
    "00100000-7ffdbfff : System RAM\n"
    "  49c00000-4aeca8df : Kernel code\n"
    "  4b000000-4bd62fff : Kernel rodata\n"
    "  4be00000-4c15b8ff : Kernel data\n"
    "  4ca50000-4cdfffff : Kernel bss\n"
    "  6e000000-7dffffff : Crash kernel\n"
    "100000000-1ffffffff : System RAM\n"
    "  1eb000000-1feffffff : Crash kernel\n";

void write_firmware_entry(const TempTree& tree, int number, const char* start, const char* end, const char* type) {
    const std::string directory = "sys/firmware/memmap/" + std::to_string(number) + "/";
    tree.write(directory + "start", start);
    tree.write(directory + "end", end);
    tree.write(directory + "type", type);
}

/// Of a kernel whose memory can be read, and has nothing that is looked for.
void write_core(const TempTree& tree) {
    const MemoryPiece piece{0xffffffff82000000, std::vector<std::byte>(8)};
    const auto core = minimal_core(std::span(&piece, 1));
    tree.write("proc/kcore", std::string(reinterpret_cast<const char*>(core.data()), core.size()));
}

TEST(Gather, AnEmptyDirectoryIsAMachineOfWhichNothingIsKnown) {
    const TempTree tree;
    const Machine machine = gathered(tree);
    EXPECT_FALSE(machine.live);
    EXPECT_TRUE(machine.iomem.empty());
    EXPECT_TRUE(machine.map.entries.empty());
    EXPECT_TRUE(machine.pool.empty());
    EXPECT_EQ(machine.encryption, Encryption::unknown);
    EXPECT_TRUE(machine.unread.empty());
}

TEST(Gather, ADirectoryThatIsNotThereIsAnError) {
    EXPECT_FALSE(gather(Host("/nonexistent/machine")));
    EXPECT_FALSE(gather_pool(Host("/nonexistent/machine")));
}

TEST(GatherPool, IsWhatVerifyAsksOfTheWholeMachine) {
    unsigned compared = 0;
    for (const auto& entry : std::filesystem::directory_iterator(FIXTURES_DIR "/machines")) {
        const auto whole = gather(Host(entry.path()));
        if (!whole) continue;
        const auto part = gather_pool(Host(entry.path()));
        ASSERT_TRUE(part) << entry.path() << ": " << part.error().message();
        EXPECT_EQ(part->command_line, whole->command_line) << entry.path();
        EXPECT_EQ(part->pool.empty(), whole->pool.empty()) << entry.path();
        if (!whole->pool.empty() && !part->pool.empty()) {
            EXPECT_EQ(part->pool.front(), whole->pool.front()) << entry.path();
        }
        if (!whole->iomem.empty()) {
            EXPECT_EQ(part->ram, whole->ram) << entry.path();
        }
        ++compared;
    }
    EXPECT_GT(compared, 20u);
}

TEST(GatherIomem, TellsRamReservationAndImage) {
    const TempTree tree;
    tree.write("proc/iomem", iomem);
    const Machine machine = gathered(tree);
    EXPECT_EQ(machine.ram.ranges(),
              (std::vector{range(0x1000, 0xa0000), range(0x100000, 0x7ffdc000), range(0x100000000, 0x200000000)}));
    EXPECT_EQ(machine.crash_kernel, (std::vector{range(0x6e000000, 0x7e000000), range(0x1eb000000, 0x1ff000000)}));
    EXPECT_EQ(machine.crash_kernel_from, (Evidence{"proc/iomem", 8}));
    EXPECT_EQ(machine.kernel_image, range(0x49c00000, 0x4ce00000));
    EXPECT_EQ(machine.map_from, (Evidence{"proc/iomem", 0})) << "for want of a better one";
    EXPECT_TRUE(machine.pool.empty());
}

TEST(GatherIomem, ThePoolOfAPatchedKernelInEverySpelling) {
    for (const char* name : {"Software IO TLB", "software IO TLB", "swiotlb", "SWIOTLB", "Software IO TLB (64MB)"}) {
        const TempTree tree;
        tree.write("proc/iomem", std::string("00100000-7ffdbfff : System RAM\n  6a000000-6dffffff : ") + name + "\n");
        const Machine machine = gathered(tree);
        ASSERT_EQ(machine.pool.size(), 1u) << name;
        EXPECT_EQ(machine.pool[0].range, range(0x6a000000, 0x6e000000));
        EXPECT_EQ(machine.pool[0].source, PoolSource::iomem);
        EXPECT_EQ(machine.pool[0].where, (Evidence{"proc/iomem", 2}));
    }
    const TempTree tree;
    tree.write("proc/iomem", "00100000-7ffdbfff : System RAM\n  6a000000-6dffffff : swiotlb-driver\n");
    EXPECT_TRUE(gathered(tree).pool.empty());
}

TEST(GatherIomem, PoolsOfSingleDevicesAreNotThePool) {
    const std::string ram = "00100000-7ffdbfff : System RAM\n";
    const TempTree tree;
    tree.write("proc/iomem", ram +
                                 "  40000000-400fffff : Software IO TLB 00:04.0\n"
                                 "  50000000-50ffffff : Software IO TLB 00:1c.0;pci:1b36:0010\n");
    EXPECT_EQ(gathered(tree).device_pools,
              (std::vector{DevicePool{"00:04.0", range(0x40000000, 0x40100000), {"proc/iomem", 2}},
                           DevicePool{"00:1c.0;pci:1b36:0010", range(0x50000000, 0x51000000), {"proc/iomem", 3}}}));
    EXPECT_TRUE(gathered(tree).pool.empty());
    tree.write("proc/iomem", ram + "  6a000000-6dffffff : Software IO TLB\n");
    EXPECT_TRUE(gathered(tree).device_pools.empty());
    EXPECT_EQ(gathered(tree).pool.size(), 1u);
}

TEST(GatherIomem, AnEmptyReservationIsNone) {
    const TempTree tree;
    tree.write("proc/iomem", "00100000-7ffdbfff : System RAM\n00000000-00000000 : Crash kernel\n");
    tree.write("dmesg", "crashkernel reserved: 0x9f000000 - 0xbf000000 (512 MB)\n");
    EXPECT_TRUE(gathered(tree).crash_kernel.empty()) << "what the log says has been given back since";
}

TEST(GatherIomem, ZeroedOnesNeedRoot) {
    const TempTree tree;
    tree.write("proc/iomem", "00000000-00000000 : System RAM\n");
    const auto machine = gather(Host(tree.path()));
    ASSERT_FALSE(machine);
    EXPECT_EQ(machine.error().code, Errc::not_permitted);
    EXPECT_EQ(machine.error().message(),
              "proc/iomem: every address is zero, because it was read without root (CAP_SYS_ADMIN)");
}

TEST(Gather, MalformedSourcesAreErrorsThatNameThem) {
    const struct {
        const char* file;
        std::string content;
        const char* message;
    } cases[] = {
        {"proc/iomem", "hello\n", "proc/iomem:1: expected 'start-end : name' in hexadecimal, found 'hello'"},
        {"proc/iomem", "", "proc/iomem: expected lines of 'start-end : name', found nothing"},
        {"proc/cmdline", std::string("ro\0quiet", 8),
         "proc/cmdline: expected one line of text, found a NUL byte or a second line"},
        {"dmesg", "software IO TLB at phys\nsoftware IO TLB at phys here\n",
         "dmesg:2: expected 'software IO TLB at phys 0xSTART - 0xEND', found 'software IO TLB at phys here'"},
    };
    for (const auto& c : cases) {
        const TempTree tree;
        tree.write(c.file, c.content);
        EXPECT_EQ(error_of(tree), c.message);
    }
    const TempTree tree;
    write_firmware_entry(tree, 0, "0x1000\n", "0xfff\n", "System RAM\n");
    EXPECT_EQ(error_of(tree).substr(0, 20), "sys/firmware/memmap:");
}

TEST(Gather, OptionalValuesThatAreMalformedAreNoted) {
    const TempTree tree;
    tree.write("sys/kernel/debug/swiotlb/io_tlb_nslabs", "many\n");
    tree.write("sys/kernel/kexec_crash_size", "\n");
    tree.write("sys/devices/system/cpu/possible", "3-0\n");
    tree.write("sys/devices/system/node/has_memory", "0-99999999999\n");
    const Machine machine = gathered(tree);
    EXPECT_FALSE(machine.slabs);
    EXPECT_FALSE(machine.possible_cpus);
    EXPECT_EQ(unread(machine),
              (std::vector<std::string>{
                  "sys/kernel/debug/swiotlb/io_tlb_nslabs:1: expected a decimal number, found 'many'",
                  "sys/kernel/kexec_crash_size:1: expected a decimal number, found nothing",
                  "sys/devices/system/cpu/possible:1: expected a list such as 0-3,5, found '3-0'",
                  "sys/devices/system/node/has_memory:1: expected a list such as 0-3,5, found '0-99999999999'",
              }));
}

TEST(Gather, TellsAnHvmGuestOfXenFromThoseWhoseMemoryIsXens) {
    for (const auto& [kind, is_xen] : {std::pair("PV\n", true), std::pair("PVH\n", true), std::pair("HVM\n", false)}) {
        const TempTree tree;
        tree.write("sys/hypervisor/type", "xen\n");
        tree.write("sys/hypervisor/guest_type", kind);
        EXPECT_EQ(gathered(tree).xen, is_xen) << kind;
    }
}

TEST(Gather, ReadsTheSingleValues) {
    const TempTree tree;
    tree.write("sys/kernel/debug/swiotlb/io_tlb_nslabs", "32768\n");
    tree.write("sys/kernel/debug/swiotlb/io_tlb_used", "7\n");
    tree.write("sys/kernel/debug/swiotlb/io_tlb_used_hiwater", "0\n");
    tree.write("sys/kernel/kexec_crash_size", "268435456\n");
    tree.write("sys/devices/system/cpu/possible", "0-3,8\n");
    tree.write("sys/devices/system/node/has_memory", "0-1\n");
    tree.write("sys/devices/system/node/possible", "0-7\n");
    tree.write("sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
    tree.write("sys/hypervisor/type", "xen\n");
    tree.write("sys/firmware/efi/fw_platform_size", "64\n");
    tree.write("proc/sys/kernel/osrelease", "6.1.0-50-amd64\n");
    tree.write("proc/cmdline", "ro swiotlb=force\n");
    tree.write("usr/sbin/kexec", std::string("\x7f"
                                             "ELF\0kexec-tools 2.0.25\0",
                                             23));
    const Machine machine = gathered(tree);
    EXPECT_EQ(machine.slabs, 32768u);
    EXPECT_EQ(machine.slabs_used, 7u);
    EXPECT_EQ(machine.slabs_hiwater, 0u);
    EXPECT_EQ(machine.crash_size, 268435456u);
    EXPECT_EQ(machine.possible_cpus, 5u);
    EXPECT_EQ(machine.memory_nodes, 2u);
    EXPECT_EQ(machine.possible_nodes, 8u);
    EXPECT_EQ(machine.lockdown, true);
    EXPECT_TRUE(machine.xen);
    EXPECT_TRUE(machine.efi);
    EXPECT_EQ(machine.release, "6.1.0-50-amd64");
    EXPECT_EQ(machine.command_line, "ro swiotlb=force");
    EXPECT_EQ(machine.kexec_tools, "2.0.25");
    EXPECT_TRUE(machine.unread.empty());
}

// fixtures/machines/debian-7.3-lend-untracked has the switch itself.
TEST(Gather, TheHighWaterMarkIsTrackedWhereTheCommandLineAsksForIt) {
    const TempTree tree;
    tree.write("sys/kernel/debug/swiotlb/io_tlb_used_hiwater", "0\n");
    tree.write("proc/sys/kernel/osrelease", "7.2.13+deb14-amd64\n");
    tree.write("proc/cmdline", "ro\n");
    EXPECT_FALSE(gathered(tree).hiwater_tracked) << "nobody says";
    tree.write("proc/sys/kernel/osrelease", "7.3.4+deb13-amd64\n");
    EXPECT_EQ(gathered(tree).hiwater_tracked, false) << "nothing but the word switches it on";
    tree.write("proc/cmdline", "ro swiotlb=track_hiwater\n");
    EXPECT_EQ(gathered(tree).hiwater_tracked, true);
    EXPECT_EQ(gathered(tree).slabs_hiwater, 0u);
}

TEST(Gather, TheReleaseComesFromWhereverItIs) {
    const TempTree tree;
    tree.write("dmesg", "Linux version 5.10.0 (x)\n");
    EXPECT_EQ(gathered(tree).release, "5.10.0");
    tree.write("proc/version", "Linux version 6.1.0 (x) (gcc)\n");
    EXPECT_EQ(gathered(tree).release, "6.1.0");
}

TEST(GatherMap, TheFirmwaresGoesBeforeTheLogs) {
    const TempTree tree;
    tree.write("dmesg",
               "BIOS-provided physical RAM map:\n"
               "BIOS-e820: [mem 0x0000000000000000-0x000000000009ffff] usable\n");
    EXPECT_EQ(gathered(tree).map_from, (Evidence{"dmesg", 2}));
    EXPECT_EQ(gathered(tree).ram.ranges(), std::vector{range(0, 0xa0000)});
    write_firmware_entry(tree, 0, "0x1000\n", "0x8ffff\n", "System RAM\n");
    const Machine machine = gathered(tree);
    EXPECT_EQ(machine.map_from, (Evidence{"sys/firmware/memmap", 0}));
    EXPECT_EQ(machine.ram.ranges(), std::vector{range(0x1000, 0x90000)});
}

TEST(GatherMap, ALogThatMayHaveLostTheBeginningOfItsMapIsNotUsed) {
    const TempTree tree;
    tree.write("dmesg", "BIOS-e820: [mem 0x0000000000100000-0x000000007fffffff] usable\n");
    const Machine machine = gathered(tree);
    EXPECT_TRUE(machine.map.entries.empty());
    EXPECT_EQ(unread(machine),
              std::vector<std::string>{"dmesg:1: expected a heading above the memory map: its beginning may be lost"});
}

TEST(GatherMap, TheSratOfTheFirmwareWhereTheLogHasNone) {
    std::string table(48, '\0');
    table.replace(0, 4, "SRAT");
    std::string cpu(16, '\0');
    cpu[1] = 16;
    std::string memory(40, '\0');
    memory[0] = 1;
    memory[1] = 40;
    memory[12] = 4;  // base 0x4_0000_0000
    memory[20] = 2;  // size 0x2_0000_0000
    memory[28] = 1;  // enabled
    std::string disabled = memory;
    disabled[12] = 64;
    disabled[28] = 0;
    const TempTree tree;
    tree.write("sys/firmware/acpi/tables/SRAT", table + cpu + memory + disabled);
    EXPECT_EQ(gathered(tree).srat_memory_end, 0x600000000u);
    for (const std::string& broken :
         {std::string(), table, table + std::string(2, '\0'), table + memory.substr(0, 39)}) {
        tree.write("sys/firmware/acpi/tables/SRAT", broken);
        EXPECT_FALSE(gathered(tree).srat_memory_end);
        EXPECT_EQ(unread(gathered(tree)),
                  std::vector<std::string>{"sys/firmware/acpi/tables/SRAT: expected an ACPI SRAT table"});
    }
}

TEST(GatherLog, SaysWhichBootCounts) {
    const Machine machine = gathered(std::filesystem::path(FIXTURES_DIR "/sources/two-boots-4.18"));
    EXPECT_EQ(unread(machine), std::vector<std::string>{"dmesg:174: the log holds 2 boots, the last one counts"});
    EXPECT_EQ(machine.crash_kernel, std::vector{range(0x29000000, 0x39000000)});
    ASSERT_EQ(machine.pool.size(), 1u);
    EXPECT_EQ(machine.pool[0].source, PoolSource::log);
    EXPECT_GT(machine.map_from.line, 174u);
}

TEST(GatherLog, APoolThatWasGivenBackIsNone) {
    const Machine machine = gathered(std::filesystem::path(FIXTURES_DIR "/sources/torn-down-5.15"));
    EXPECT_TRUE(machine.pool.empty());
    EXPECT_TRUE(machine.pool_torn_down);
}

TEST(GatherEncryption, ByEvidenceAlone) {
    constexpr const char* whole_log =
        "Linux version 6.1\nNR_IRQS: 1\npid_max: default: 1\nPCI-DMA: Using software bounce buffering for IO "
        "(SWIOTLB)\n";
    const struct {
        const char* cpuinfo;
        const char* log;
        Encryption encryption;
        const char* from;
    } cases[] = {
        {"", "", Encryption::unknown, ""},
        {"vendor_id\t: GenuineIntel\nflags\t\t: fpu vmx\n", "", Encryption::none, "proc/cpuinfo"},
        {"vendor_id\t: GenuineIntel\nflags\t\t: fpu hypervisor tdx_guest\n", "", Encryption::tdx, "proc/cpuinfo"},
        {"vendor_id\t: GenuineIntel\nflags\t\t: fpu hypervisor tdx_guest\n", whole_log, Encryption::tdx,
         "proc/cpuinfo"},
        {"vendor_id\t: AuthenticAMD\nflags\t\t: fpu svm\n", "", Encryption::none, "proc/cpuinfo"},
        {"vendor_id\t: AuthenticAMD\nflags\t\t: fpu svm sme sev sev_es\n", "", Encryption::unknown, ""},
        {"vendor_id\t: AuthenticAMD\nflags\t\t: fpu svm sme sev sev_es\n", whole_log, Encryption::none, "dmesg"},
        {"vendor_id\t: GenuineIntel\nflags\t\t: fpu hypervisor\n", "", Encryption::unknown, ""},
        {"vendor_id\t: AuthenticAMD\nflags\t\t: fpu hypervisor\n", "", Encryption::unknown, ""},
        {"vendor_id\t: AuthenticAMD\nflags\t\t: fpu hypervisor\n",
         "Memory Encryption Features active: AMD SEV SEV-ES SEV-SNP\n", Encryption::sev_snp, "dmesg:1"},
        {"vendor_id\t: GenuineIntel\nflags\t\t: fpu\n", "Memory Encryption Features active: Unknown\n",
         Encryption::unknown_kind, "dmesg:1"},
        {"vendor_id\t: GenuineIntel\nflags\t\t: fpu hypervisor tdx_guest\n",
         "Memory Encryption Features active: AMD SEV\n", Encryption::tdx, "proc/cpuinfo"},
        {"vendor_id\t: CentaurHauls\nflags\t\t: fpu\n", "", Encryption::unknown, ""},
        {"garbage\n", "", Encryption::unknown, ""},
    };
    for (const auto& c : cases) {
        const TempTree tree;
        tree.write("proc/cpuinfo", c.cpuinfo);
        tree.write("dmesg", c.log);
        const Machine machine = gathered(tree);
        EXPECT_EQ(machine.encryption, c.encryption) << c.cpuinfo << c.log;
        EXPECT_EQ(machine.encryption_from.text(), c.from) << c.cpuinfo << c.log;
    }
}

TEST(GatherEncryption, AnSnpGuestHasItsPlatformDevice) {
    const TempTree tree;
    std::filesystem::create_directories(tree / "sys/devices/platform/sev-guest");
    EXPECT_EQ(gathered(tree).encryption, Encryption::sev_snp);
    tree.write("dmesg", "Memory Encryption Features active: AMD SEV\n");
    EXPECT_EQ(gathered(tree).encryption, Encryption::sev_snp) << "whatever the log says, the strongest counts";
}

TEST(GatherEncryption, ThatMemoryIsMadePrivateAgainIsSeenByTheKernelsOwnSymbols) {
    constexpr const char* snp = "ffffffff81000000 T snp_kexec_finish\n";
    constexpr const char* tdx = "ffffffff81000000 t tdx_kexec_finish\n";
    constexpr const char* tdx_flags = "vendor_id\t: GenuineIntel\nflags\t\t: fpu hypervisor tdx_guest\n";
    constexpr const char* amd_flags = "vendor_id\t: AuthenticAMD\nflags\t\t: fpu hypervisor\n";
    constexpr const char* isolation = "Hyper-V: Isolation Config: Group A 0x1, Group B 0xba2\n";
    const struct {
        const char* what;
        const char* symbols;
        const char* cpuinfo;
        const char* log;
        bool platform_device;
        Encryption encryption;
        bool made_private;
    } cases[] = {
        {"SNP", snp, amd_flags, "", true, Encryption::sev_snp, true},
        {"SNP, an older kernel", tdx, amd_flags, "", true, Encryption::sev_snp, false},
        {"SNP by the log alone", snp, amd_flags, "Memory Encryption Features active: AMD SEV SEV-ES SEV-SNP\n", false,
         Encryption::sev_snp, false},
        {"SNP behind Hyper-V", snp, amd_flags, isolation, true, Encryption::sev_snp, false},
        {"SNP behind Hyper-V, of which no more than the name is left", snp, amd_flags,
         "Hypervisor detected: Microsoft Hyper-V\n", true, Encryption::sev_snp, false},
        {"TDX", tdx, tdx_flags, "", false, Encryption::tdx, true},
        {"TDX, an older kernel", snp, tdx_flags, "", false, Encryption::tdx, false},
        {"TDX without its flag, as behind a paravisor", tdx, amd_flags,
         "Memory Encryption Features active: Intel TDX\n", false, Encryption::tdx, false},
        {"neither", snp, "vendor_id\t: AuthenticAMD\nflags\t\t: fpu\n", "", false, Encryption::none, false},
    };
    for (const auto& c : cases) {
        const TempTree tree;
        write_core(tree);
        tree.write("proc/kallsyms", c.symbols);
        tree.write("proc/cpuinfo", c.cpuinfo);
        tree.write("dmesg", c.log);
        if (c.platform_device) std::filesystem::create_directories(tree / "sys/devices/platform/sev-guest");
        const Machine machine = gathered(tree);
        EXPECT_EQ(machine.encryption, c.encryption) << c.what;
        EXPECT_EQ(machine.makes_memory_private, c.made_private) << c.what;
    }
}

TEST(GatherLog, WhatIsMissingIsCounted) {
    const TempTree tree;
    tree.write("dmesg",
               "[    0.000000] Linux version 6.1\n[13/11 14:11] x\n** 2 printk messages dropped **\n"
               "[    0.100000] PCI-DMA: Using software bounce buffering for IO (SWIOTLB)\n");
    const Machine machine = gathered(tree);
    EXPECT_EQ(machine.log_gaps, (LogGaps{1, 2}));
    EXPECT_FALSE(machine.log_complete);
    EXPECT_TRUE(machine.pool_put_to_use);
    EXPECT_EQ(machine.encryption, Encryption::unknown);
}

TEST(GatherMap, SetupDataIsToldFromRamInTheLogsMap) {
    const TempTree tree;
    tree.write("dmesg",
               "Linux version 6.9\nBIOS-provided physical RAM map:\n"
               "BIOS-e820: [mem 0x0000000000001000-0x000000007fffffff] usable\n"
               "extended physical RAM map:\n"
               "reserve setup_data: [mem 0x0000000000001000-0x000000006fffffff] usable\n"
               "reserve setup_data: [mem 0x0000000070000000-0x0000000070000fff] usable\n"
               "reserve setup_data: [mem 0x0000000070001000-0x000000007fffffff] usable\n");
    const Machine machine = gathered(tree);
    ASSERT_EQ(machine.other_maps.size(), 1u);
    EXPECT_EQ(machine.other_maps[0].table.of(e820::Type::reserved_kern).ranges(),
              std::vector{range(0x70000000, 0x70001000)});
    EXPECT_EQ(machine.ram.ranges(), std::vector{range(0x1000, 0x80000000)}) << "it is RAM all the same";
}

TEST(GatherMap, WhatMemmapMadeOfTheFirmwaresMapIsKeptBesideIt) {
    const TempTree tree;
    tree.write("dmesg",
               "Linux version 6.1\nBIOS-provided physical RAM map:\n"
               "BIOS-e820: [mem 0x0000000000001000-0x000000007fffffff] usable\n"
               "user-defined physical RAM map:\n"
               "user: [mem 0x0000000000001000-0x000000006fffffff] usable\n"
               "user: [mem 0x0000000070000000-0x000000007fffffff] reserved\n");
    const Machine by_log = gathered(tree);
    ASSERT_EQ(by_log.other_maps.size(), 1u);
    EXPECT_EQ(by_log.other_maps[0].where, (Evidence{"dmesg", 5}));
    EXPECT_EQ(by_log.other_maps[0].table.of(e820::Type::ram).ranges(), std::vector{range(0x1000, 0x70000000)});
    write_firmware_entry(tree, 0, "0x1000\n", "0x7fffffff\n", "System RAM\n");
    const Machine by_firmware = gathered(tree);
    EXPECT_EQ(by_firmware.map_from.file, "sys/firmware/memmap");
    EXPECT_EQ(by_firmware.other_maps.size(), 2u) << "the log's copy of the firmware's map, too";
}

TEST(GatherAgreement, TheLogIsOfTheKernelThatRuns) {
    const TempTree tree;
    tree.write("dmesg", "Linux version 6.1.0 (x)\n");
    tree.write("proc/sys/kernel/osrelease", "6.1.0\n");
    EXPECT_TRUE(gathered(tree).contradictions.empty());
    tree.write("proc/sys/kernel/osrelease", "6.1.0-1\n");
    ASSERT_EQ(gathered(tree).contradictions.size(), 1u);
    EXPECT_EQ(gathered(tree).contradictions[0].where, (Evidence{"dmesg", 1}));
}

TEST(GatherAgreement, TheLogsCommandLineIsInTheRunningKernels) {
    const std::string cut(961, 'x');
    const struct {
        std::string log, running;
        bool agree;
    } cases[] = {
        {"ro crashkernel=1G", "ro crashkernel=1G", true},
        {"ro  crashkernel=1G ", "ro crashkernel=1G", true},
        {"ro crashkernel=1G", "quiet ro crashkernel=1G -- single", true},
        {"ro crashkernel=1G", "ro crashkernel=1G,high", false},
        {"ro crashkernel=1G", "ro", false},
        {"ro crashkernel=1G", "", false},
        {"", "ro", true},
        {"ro " + cut, "ro " + cut + "yy crashkernel=1G", true},
        {"rw " + cut, "ro " + cut + "yy crashkernel=1G", false},
        {"ro a=\\x5c", "ro a=\\", true},
    };
    for (const auto& c : cases) {
        const TempTree tree;
        tree.write("dmesg", "Command line: " + c.log + "\n");
        tree.write("proc/cmdline", c.running + "\n");
        EXPECT_EQ(gathered(tree).contradictions.empty(), c.agree) << c.log << " and " << c.running;
    }
}

TEST(GatherAgreement, AKernelThatReadsOnlyItsOwnLineLogsTheLoadersLine) {
    const TempTree tree;
    tree.write("dmesg", "Command line: ro crashkernel=1G\n");
    tree.write("proc/cmdline", "built in\n");
    tree.write("proc/sys/kernel/osrelease", "6.6.9\n");
    const std::string config = "CONFIG_X86_64=y\nCONFIG_CMDLINE_BOOL=y\nCONFIG_CMDLINE=\"built in\"\n";
    const std::string end = "# end of Kernel hacking\n";
    tree.write("boot/config-6.6.9", config + end);
    EXPECT_EQ(gathered(tree).contradictions.size(), 1u);
    tree.write("boot/config-6.6.9", config + "CONFIG_CMDLINE_OVERRIDE=y\n" + end);
    EXPECT_EQ(gathered(tree).contradictions.size(), 0u);
}

TEST(GatherAgreement, AReservationStaysWhereItWasMade) {
    const std::string ram = "00100000-ffffffff : System RAM\n", low = "  60000000-6fffffff : Crash kernel\n";
    const std::string above = "100000000-4ffffffff : System RAM\n", high = "  400000000-40fffffff : Crash kernel\n";
    const std::string log_low = "[    0.010000] crashkernel low memory reserved: 0x60000000 - 0x70000000 (256 MB)\n";
    const std::string log_high =
        "[    0.010000] crashkernel reserved: 0x0000000400000000 - 0x0000000420000000 (512 MB)\n";
    const struct {
        std::string iomem, log, size;
        bool agree;
        const char* what;
    } cases[] = {
        {ram + low + above + high, log_low + log_high, "536870912", true, "the upper part was made smaller"},
        {ram + low + above + high, log_low + log_high, "268435456", true, "as kernels before 6.5 count"},
        {ram + low + above, log_low + log_high, "268435456", true, "the upper part was given back"},
        {ram + above + high, log_low + log_high, "268435456", false, "the lower part cannot go alone"},
        {ram + above + high, log_high, "536870912", false, "the size counts another part"},
        {ram + low + above, log_high, "268435456", false, "it has moved"},
    };
    for (const auto& c : cases) {
        const TempTree tree;
        tree.write("proc/iomem", c.iomem);
        tree.write("dmesg", c.log);
        tree.write("sys/kernel/kexec_crash_size", c.size + "\n");
        EXPECT_EQ(gathered(tree).contradictions.empty(), c.agree) << c.what;
    }
}

TEST(GatherAgreement, TheLogsMapHasTheRamOfTheOthersBelow4G) {
    const TempTree tree;
    const auto log = [&tree](const char* end) {
        tree.write("dmesg",
                   "BIOS-provided physical RAM map:\n"
                   "BIOS-e820: [mem 0x0000000000000000-0x000000000009ffff] usable\n"
                   "BIOS-e820: [mem 0x0000000000100000-0x00000000" +
                       std::string(end) + "] usable\n");
        return gathered(tree).contradictions.size();
    };
    tree.write("proc/iomem", iomem);
    EXPECT_EQ(log("7ffdbfff"), 0u) << "what lies above 4 GiB may have been plugged in";
    EXPECT_EQ(log("7fffffff"), 0u) << "the kernel took memory out of the map";
    EXPECT_EQ(log("6fffffff"), 1u);
    tree.write("proc/cmdline", "memmap=1G@0x70000000\n");
    EXPECT_EQ(log("6fffffff"), 0u) << "RAM that was added by hand";
    write_firmware_entry(tree, 0, "0x0\n", "0x9ffff\n", "System RAM\n");
    write_firmware_entry(tree, 1, "0x100000\n", "0x7fffffff\n", "System RAM\n");
    EXPECT_EQ(log("7fffffff"), 0u);
    EXPECT_EQ(log("7ffdbfff"), 1u) << "the firmware's own map is the same one";
}

TEST(GatherLoader, SeesWhatKexecFileLoadAddsByItself) {
    const TempTree tree;
    tree.write("sys/kernel/config/crash_dm_crypt_keys/count", "3\n");
    tree.write("sys/kernel/security/ima/binary_runtime_measurements", std::string(5000, 'x'));
    tree.write("sys/kernel/crash_elfcorehdr_size", "917504\n");
    EXPECT_EQ(gathered(tree).neighbours.dm_crypt_keys, 3u);
    EXPECT_EQ(gathered(tree).neighbours.ima_list_bytes, 5000u);
    EXPECT_EQ(gathered(tree).neighbours.crash_elf_headers, 917504u);
}

TEST(GatherArchitecture, IsTheReleasesToo) {
    const struct {
        const char* release;
        bool other;
    } cases[] = {{"6.1.0-50-arm64", true},         {"5.14.0-570.el9.aarch64", true}, {"6.4.0-150600.23-default", false},
                 {"5.14.0-686.el9.x86_64", false}, {"6.1.0-50-amd64", false},        {"6.1.0-50-686-pae", true},
                 {"6.1.0-50-686", true},           {"6.12.41-s390x", true}};
    for (const auto& c : cases) {
        const TempTree tree;
        tree.write("proc/sys/kernel/osrelease", std::string(c.release) + "\n");
        EXPECT_EQ(gathered(tree).other_architecture, c.other) << c.release;
    }
}

TEST(GatherMachines, CapturedOnesSayWhatTheyAre) {
    const Machine uefi = gathered(std::filesystem::path(FIXTURES_DIR "/sources/debian-6.12-ovmf-128M-pool"));
    EXPECT_EQ(uefi.release, "6.12.107+deb13-amd64");
    ASSERT_EQ(uefi.pool.size(), 1u);
    EXPECT_EQ(uefi.pool[0].range, range(0x61000000, 0x69000000));
    EXPECT_EQ(uefi.slabs, 65536u);
    EXPECT_EQ(uefi.crash_kernel, std::vector{range(0x69000000, 0x79000000)});
    EXPECT_EQ(uefi.crash_size, 256 * base::MiB);
    EXPECT_TRUE(uefi.efi);
    EXPECT_EQ(uefi.encryption, Encryption::none);
    EXPECT_EQ(uefi.map.entries.size(), 18u);
    EXPECT_EQ(uefi.initrd_bytes, 0x1143000u);
    EXPECT_TRUE(uefi.unread.empty());

    const Machine high = gathered(std::filesystem::path(FIXTURES_DIR "/sources/debian-7.2-high-320M-default-low"));
    EXPECT_EQ(high.crash_kernel, (std::vector{range(0x6e000000, 0x7e000000), range(0x1eb000000, 0x1ff000000)}));
    EXPECT_FALSE(high.efi);
}

TEST(GatherMachines, ThisOneOrAWordWhyNot) {
    const auto machine = gather(Host());
    if (machine) {
        EXPECT_TRUE(machine->live);
        EXPECT_FALSE(machine->release.empty());
    } else {
        EXPECT_EQ(machine.error().code, Errc::not_permitted) << machine.error().message();
    }
}

}  // namespace
}  // namespace handoff
