// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/capture.hpp"

#include <bpf/btf.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstring>
#include <memory>
#include <set>

#include "lib/kernel/boot_words.hpp"
#include "lib/sources/gather.hpp"
#include "lib/sources/kernel_config.hpp"
#include "lib/sources/kernel_memory.hpp"
#include "lib/sources/redact.hpp"
#include "swiotlb-handoff/machine.hpp"
#include "tests/temp_tree.hpp"

namespace handoff {
namespace {

/// The machine without what a capture cannot carry: that it is the running one, what a system call tells, the words of
/// the command line that may name it, and, since not every line of the log is kept, the numbers of those that are, and
/// how many there were.
Machine carried(Machine machine) {
    machine.live = false;
    machine.random_ready.reset();
    machine.command_line = redacted_command_line(machine.command_line).value_or("");
    if (machine.config) machine.config->command_line = redacted_command_line(machine.config->command_line).value_or("");
    const auto forget_line = [](const std::string& file, std::size_t& line) {
        if (file == info(Source::kernel_log).path) line = 0;
    };
    for (Evidence* evidence : {&machine.map_from, &machine.crash_kernel_from, &machine.encryption_from})
        forget_line(evidence->file, evidence->line);
    for (MapSighting& map : machine.other_maps) forget_line(map.where.file, map.where.line);
    for (Contradiction& c : machine.contradictions) forget_line(c.where.file, c.where.line);
    for (PoolSighting& sighting : machine.pool) forget_line(sighting.where.file, sighting.where.line);
    for (Error& error : machine.unread) forget_line(error.source, error.line);
    for (LogQuote& quote : machine.reservation_failures) forget_line(quote.where.file, quote.where.line);
    std::erase_if(machine.unread,
                  [](const Error& error) { return error.what.find(" recognised") != std::string::npos; });
    return machine;
}

/// Of two machines: "" where they are the same, else the first thing that differs.
std::string difference(const Machine& a, const Machine& b) {
    if (a == b) return "";
    const std::pair<const char*, bool> members[] = {
        {"release", a.release == b.release},
        {"command_line", a.command_line == b.command_line},
        {"iomem", a.iomem == b.iomem},
        {"map", a.map == b.map && a.map_from == b.map_from},
        {"crash_kernel", a.crash_kernel == b.crash_kernel && a.crash_kernel_from == b.crash_kernel_from},
        {"pool", a.pool == b.pool},
        {"encryption", a.encryption == b.encryption && a.encryption_from == b.encryption_from},
        {"devices", a.devices == b.devices && a.external_devices == b.external_devices},
        {"platform_devices", a.platform_devices == b.platform_devices},
        {"neighbours", a.neighbours == b.neighbours},
        {"config", a.config == b.config && a.config_from == b.config_from},
        {"pool_areas", a.pool_areas == b.pool_areas},
        {"unread", a.unread == b.unread},
    };
    for (const auto& [name, same] : members)
        if (!same) return name;
    return "another member";
}

std::set<std::string> files_below(const std::filesystem::path& root) {
    std::set<std::string> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
        if (!entry.is_directory()) files.insert(std::filesystem::relative(entry.path(), root).string());
    }
    return files;
}

void expect_the_same(const std::filesystem::path& one, const std::filesystem::path& other) {
    const auto a = gather(Host(one)), b = gather(Host(other));
    ASSERT_TRUE(a) << a.error().message();
    ASSERT_TRUE(b) << b.error().message();
    EXPECT_EQ(difference(carried(*a), carried(*b)), "");
}

void expect_that_a_capture_says_the_same(const std::filesystem::path& machine) {
    SCOPED_TRACE(machine.string());
    const TempTree tree;
    const auto report = capture(Host(machine), tree / "copy");
    ASSERT_TRUE(report) << report.error().message();
    expect_the_same(tree / "copy", machine);
    EXPECT_EQ(std::set<std::string>(report->written.begin(), report->written.end()), files_below(tree / "copy"));
}

TEST(Capture, OfACapturedMachineSaysTheSame) {
    unsigned machines = 0;
    for (const char* collection : {FIXTURES_DIR "/sources", FIXTURES_DIR "/machines"}) {
        for (const auto& machine : std::filesystem::directory_iterator(collection)) {
            // Some are there because they cannot be gathered, and some have their files elsewhere.
            if (!machine.is_directory() || !gather(Host(machine.path()))) continue;
            expect_that_a_capture_says_the_same(machine.path());
            ++machines;
        }
    }
    EXPECT_GE(machines, 10u);
}

TEST(Capture, KeepsHowMuchOfTheLogIsMissing) {
    for (const char* log : {"[13/11 14:11] Linux version 6.1\n[  +0.000000] Command line: ro\nhello\n"
                            "[  +0.000000] smp: Brought up 1 node, 2 CPUs\n",
                            "Nov 13 14:11:02 host kernel: Linux version 6.1\n** 2 printk messages dropped **\nhello\n"
                            "Nov 13 14:11:02 host kernel: smp: Brought up 1 node, 2 CPUs\n"
                            "Nov 13 14:11:02 host systemd-journald[99]: Missed 3 kernel messages\n",
                            "Linux version 6.1\nhello\nsmp: Brought up 1 node, 2 CPUs\n",
                            "Linux version 6.1\nNR_IRQS: 4352\npid_max: default: 32768 minimum: 301\nhello\n"
                            "smp: Brought up 1 node, 2 CPUs\n"}) {
        const TempTree tree;
        tree.write("dmesg", log);
        expect_that_a_capture_says_the_same(tree.path());
    }
}

TEST(Capture, KeepsOfImasListHowLongItIs) {
    const TempTree tree, made;
    tree.write("sys/kernel/security/ima/binary_runtime_measurements", "/home/somebody/secret");
    ASSERT_TRUE(capture(Host(tree.path()), made / "copy"));
    EXPECT_EQ(read_file(made / "copy/sys/kernel/security/ima/binary_runtime_measurements"), std::string(21, '\0'));
    expect_the_same(made / "copy", tree.path());
}

TEST(Capture, OfThisMachineCanBeCapturedAgain) {
    const TempTree tree;
    const auto report = capture(Host(), tree / "once");
    ASSERT_TRUE(report) << report.error().message();
    ASSERT_TRUE(capture(Host(tree / "once"), tree / "twice"));
    expect_the_same(tree / "once", tree / "twice");
    for (const auto& file : files_below(tree / "once")) {
        EXPECT_EQ(read_file(tree / "once" / file), read_file(tree / "twice" / file)) << file;
    }
}

/// A machine whose pool only the kernel's memory shows; 6.6 and later.
void write_kernel_memory(const TempTree& tree, std::uint64_t start, std::uint64_t end, std::uint64_t slabs) {
    const std::unique_ptr<btf, void (*)(btf*)> types(btf__new_empty(), btf__free);
    const int word = btf__add_int(types.get(), "long unsigned int", 8, 0);
    btf__add_struct(types.get(), "task_struct", 8192);
    btf__add_field(types.get(), "secret", word, 0, 0);
    const int slot = btf__add_struct(types.get(), "io_tlb_slot", 24);
    const int slots = btf__add_ptr(types.get(), slot);
    const int pool = btf__add_struct(types.get(), "io_tlb_pool", 64);
    btf__add_field(types.get(), "start", word, 0, 0);
    btf__add_field(types.get(), "end", word, 64, 0);
    btf__add_field(types.get(), "vaddr", word, 128, 0);
    btf__add_field(types.get(), "nslabs", word, 192, 0);
    btf__add_field(types.get(), "slots", slots, 256, 0);
    btf__add_struct(types.get(), "io_tlb_mem", 128);
    btf__add_field(types.get(), "defpool", pool, 0, 0);
    std::uint32_t size = 0;
    const auto* raw = static_cast<const char*>(btf__raw_data(types.get(), &size));
    tree.write("sys/kernel/btf/vmlinux", std::string(raw, size));

    const std::uint64_t words[] = {0x1111, start, end, 0x5ec3e700, slabs, 0x2222, 0, 0};
    MemoryPiece piece{0xffffffff82000000, std::vector<std::byte>(sizeof words)};
    std::memcpy(piece.bytes.data(), words, sizeof words);
    const auto core = minimal_core(std::span(&piece, 1));
    tree.write("proc/kcore", std::string(reinterpret_cast<const char*>(core.data()), core.size()));
    tree.write("proc/kallsyms",
               "ffffffff81000000 T secret_function\n"
               "ffffffff82000008 b io_tlb_default_mem\n"
               "ffffffff82000030 D sme_me_mask\n"
               "ffffffff82000038 D sev_status\n");
}

TEST(Capture, TakesOfTheKernelsMemoryOnlyThePool) {
    const TempTree tree;
    write_kernel_memory(tree, 0x75000000, 0x79000000, 32768);
    const auto report = capture(Host(tree.path()), tree / "copy");
    ASSERT_TRUE(report) << report.error().message();
    EXPECT_EQ(files_below(tree / "copy"),
              (std::set<std::string>{"proc/kallsyms", "proc/kcore", "sys/kernel/btf/vmlinux"}));
    expect_the_same(tree / "copy", tree.path());

    const auto machine = gather(Host(tree / "copy"));
    ASSERT_EQ(machine->pool.size(), 1u);
    EXPECT_EQ(machine->pool[0].source, PoolSource::memory);
    EXPECT_EQ(machine->pool[0].range, AddressRange::from_bounds(0x75000000, 0x79000000));
    EXPECT_EQ(read_file(tree / "copy/proc/kallsyms").find("secret"), std::string::npos);
    EXPECT_EQ(read_file(tree / "copy/sys/kernel/btf/vmlinux").find("secret"), std::string::npos);
    EXPECT_EQ(read_file(tree / "copy/proc/kcore").find(std::string("\x00\xe7\xc3\x5e", 4)), std::string::npos)
        << "the word between the bounds and the slabs";
}

TEST(Capture, AMachineWithoutAPoolInMemoryKeepsSayingSo) {
    const TempTree tree;
    write_kernel_memory(tree, 0, 0, 0);
    ASSERT_TRUE(capture(Host(tree.path()), tree / "copy"));
    EXPECT_TRUE(gather(Host(tree / "copy"))->no_pool_in_memory);
}

/// A machine that has every source.
void write_everything(const TempTree& tree) {
    // "1" is the kernel's release as well.
    for (const SourceInfo& source : sources()) tree.write(path_of(source.id, "1"), "1\n");
    for (const Source config : {Source::boot_config, Source::modules_config, Source::running_config})
        tree.write(path_of(config, "1"), "CONFIG_X86_64=y\nCONFIG_NR_CPUS=64\n# end of Kernel hacking\n");
    for (const auto directory : {Source::firmware_map, Source::pci_devices, Source::platform_devices,
                                 Source::snp_platform, Source::iommu_groups})
        std::filesystem::remove(tree / info(directory).path);
    tree.write("proc/iomem", "00100000-7fffffff : System RAM\n");
    tree.write("sys/firmware/memmap/0/start", "0x0\n");
    tree.write("sys/firmware/memmap/0/end", "0x9fbff\n");
    tree.write("sys/firmware/memmap/0/type", "System RAM\n");
    tree.write("sys/bus/pci/devices/0000:00:01.0/uevent", "DRIVER=ahci\nPCI_CLASS=10601\n");
    tree.write("sys/bus/pci/devices/0000:00:01.0/dma_mask_bits", "64\n");
    tree.write("sys/bus/pci/devices/0000:00:01.0/consistent_dma_mask_bits", "64\n");
    tree.write("sys/bus/pci/devices/0000:00:01.0/config",
               std::string("\x86\x80\x22\x29\x07\0\0\0\0\x01\x06\x01\0\0\0\0", 16));
    tree.write("sys/bus/pci/devices/0000:00:02.0/config",
               std::string("\x06\x11\0\0\x07\0\0\0\0\0\x04\x06\0\0\x01\0", 16));
    tree.write("sys/bus/pci/devices/0000:00:03.0/config",
               std::string("\x86\x80\0\0\x04\0\0\0\0\0\0\x02\0\0\x80\0", 16));
    tree.write("sys/kernel/iommu_groups/0/reserved_regions",
               "0x00000000000e0000 0x00000000000fffff direct\n0x00000000fee00000 0x00000000feefffff msi\n");
    tree.write("swiotlb-handoff/pool-traces",
               "pool: 0x75000000-0x79000000\nareas: 1\nmoved-areas: 0\nslabs-used: 0\nblank-bytes: 67108864\n");
    tree.write("sys/bus/platform/devices/PNP0103:00/uevent", "DRIVER=rtc_cmos\n");
    tree.write("sys/devices/platform/sev-guest/uevent", "");
    write_kernel_memory(tree, 0x75000000, 0x79000000, 32768);
}

TEST(Capture, ForgetsNoSource) {
    const TempTree tree;
    write_everything(tree);
    const auto report = capture(Host(tree.path()), tree / "copy");
    ASSERT_TRUE(report) << report.error().message();
    EXPECT_TRUE(report->not_read.empty()) << report->not_read.front().message();
    std::vector<Source> left_out;
    for (const SourceInfo& source : sources())
        if (!std::filesystem::exists(tree / "copy" / path_of(source.id, "1"))) left_out.push_back(source.id);
    EXPECT_EQ(left_out, (std::vector{Source::page_flags, Source::memory_use, Source::modules, Source::load_record,
                                     Source::os_release}))
        << "what is not the kernel's, or of use beside an initrd alone";
    expect_the_same(tree / "copy", tree.path());
}

TEST(Capture, KeepsOfADevicesConfigurationSpaceWhatIsReadOfIt) {
    const TempTree tree;
    write_everything(tree);
    ASSERT_TRUE(capture(Host(tree.path()), tree / "copy"));
    const auto machine = gather(Host(tree / "copy"));
    EXPECT_EQ(machine->devices->front().masters_bus, true);
    EXPECT_EQ(machine->ownerless_masters, std::vector<std::string>{"0000:00:03.0"});
    EXPECT_EQ(machine->narrow_bridges, std::vector<std::string>{"0000:00:02.0"});
    EXPECT_EQ(machine->iommu_groups, 1u);
    EXPECT_EQ(machine->firmware_dma, std::vector{*AddressRange::from_bounds(0xe0000, 0x100000)});
    EXPECT_EQ(read_file(tree / "copy/sys/bus/pci/devices/0000:00:03.0/config").substr(0, 4), std::string(4, '\0'))
        << "which device it is";
}

TEST(Capture, KeepsOfTheConfigurationWhatIsRead) {
    const TempTree tree;
    tree.write("machine/proc/sys/kernel/osrelease", "6.12.0-55.el10.x86_64\n");
    tree.write("machine/lib/modules/6.12.0-55.el10.x86_64/config",
               "CONFIG_CC_VERSION_TEXT=\"gcc of somebody\"\nCONFIG_X86_64=y\nCONFIG_LOG_BUF_SHIFT=20\n"
               "CONFIG_CMDLINE_BOOL=y\nCONFIG_CMDLINE=\"log_buf_len=1M host=here\"\n# end of Kernel hacking\n");
    expect_that_a_capture_says_the_same(tree / "machine");
    ASSERT_TRUE(capture(Host(tree / "machine"), tree / "copy"));
    EXPECT_EQ(read_file(tree / "copy/lib/modules/6.12.0-55.el10.x86_64/config"),
              "CONFIG_X86_64=y\nCONFIG_LOG_BUF_SHIFT=20\nCONFIG_CMDLINE_BOOL=y\n"
              "CONFIG_CMDLINE=\"log_buf_len=1M host=remo\"\n# end of Kernel hacking\n");
}

TEST(Capture, KeepsWhetherThereAreDevicesAndWhetherTheyAreUnderstood) {
    const auto devices_of = [](const std::filesystem::path& root) { return gather(Host(root))->devices; };
    const TempTree none;
    none.write("machine/proc/cmdline", "ro\n");
    ASSERT_TRUE(capture(Host(none / "machine"), none / "copy"));
    EXPECT_EQ(devices_of(none / "copy"), std::nullopt) << "nobody can say";

    const TempTree without_driver;
    without_driver.write("machine/sys/bus/pci/devices/0000:00:01.0/uevent", "PCI_CLASS=10601\n");
    ASSERT_TRUE(capture(Host(without_driver / "machine"), without_driver / "copy"));
    EXPECT_EQ(devices_of(without_driver / "copy"), std::vector<DmaDevice>());

    const TempTree odd;
    odd.write("machine/sys/bus/pci/devices/0000:00:01.0/uevent", "DRIVER=ahci\nPCI_CLASS=10601\n");
    odd.write("machine/sys/bus/pci/devices/0000:00:01.0/dma_mask_bits", "many\n");
    odd.write("machine/sys/bus/pci/devices/0000:00:01.0/consistent_dma_mask_bits", "64\n");
    ASSERT_TRUE(capture(Host(odd / "machine"), odd / "copy"));
    EXPECT_EQ(devices_of(odd / "machine"), std::nullopt);
    expect_the_same(odd / "copy", odd / "machine");
}

TEST(Capture, SaysWhatItCouldNotTake) {
    const TempTree tree;
    tree.write("machine/proc/iomem", "00000000-00000000 : System RAM\n");
    tree.write("machine/proc/kcore", "no core file");
    const auto report = capture(Host(tree / "machine"), tree / "copy");
    ASSERT_TRUE(report);
    EXPECT_EQ(report->written, std::vector<std::string>{"swiotlb-handoff/not-permitted"});
    EXPECT_TRUE(report->incomplete);
    EXPECT_EQ(gather(Host(tree / "copy")).error().code, Errc::not_permitted)
        << "what is missing is not what is not there";
    ASSERT_EQ(report->not_read.size(), 2u);
    EXPECT_EQ(report->not_read[0].source, "proc/iomem");
    EXPECT_EQ(report->not_read[0].code, Errc::not_permitted);
    EXPECT_EQ(report->not_read[1].source, "proc/kcore");
}

TEST(Capture, WritesIntoANewOrEmptyDirectoryOnly) {
    const TempTree tree;
    tree.write("machine/proc/cmdline", "ro\n");
    const Host host(tree / "machine");
    tree.write("full/file", "x");
    ASSERT_EQ(::chmod((tree / "full").c_str(), 0755), 0);
    EXPECT_EQ(capture(host, tree / "full").error().what, "expected a new or empty directory");
    struct stat status {};
    ASSERT_EQ(::stat((tree / "full").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777u, 0755u) << "a directory that is refused stays as it is";
    EXPECT_FALSE(capture(host, tree / "gone/copy"));
    EXPECT_FALSE(capture(host, tree / "full/file"));
    std::filesystem::create_directories(tree / "elsewhere");
    std::filesystem::create_symlink(tree / "elsewhere", tree / "link");
    EXPECT_FALSE(capture(host, tree / "link"));
    EXPECT_TRUE(std::filesystem::is_empty(tree / "elsewhere"));
    std::filesystem::create_directories(tree / "empty");
    EXPECT_TRUE(capture(host, tree / "empty"));
    EXPECT_FALSE(capture(Host(tree / "no-machine"), tree / "copy"));
    EXPECT_FALSE(std::filesystem::exists(tree / "copy"));
}

TEST(Capture, IsClosedToOthers) {
    const TempTree tree;
    tree.write("machine/proc/cmdline", "ro\n");
    ASSERT_TRUE(capture(Host(tree / "machine"), tree / "copy"));
    struct stat status {};
    ASSERT_EQ(::stat((tree / "copy").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0700u);
    ASSERT_EQ(::stat((tree / "copy/proc/cmdline").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0644u);
}

TEST(RedactedCommandLine, KeepsWordsAboutMemoryAndTheLengthOfAll) {
    const std::string line =
        "BOOT_IMAGE=/vmlinuz-6.1 root=UUID=3e6be9de-8139-11d1-9106-a43f08d823a6 ro quiet swiotlb=65536,force "
        "crashkernel=256M memmap=64M@0x75000000 ip=192.0.2.7::192.0.2.1:255.255.255.0:somehost:eth0 luks-1234 "
        "rd.luks.options=\"a b\" -- initword";
    const auto shown = redacted_command_line(line);
    ASSERT_TRUE(shown);
    EXPECT_EQ(shown->size(), line.size());
    for (const char* kept : {"BOOT_IMAGE=", "root=", " ro quiet swiotlb=65536,force crashkernel=256M ",
                             " memmap=64M@0x75000000 ", " -- "}) {
        EXPECT_NE(shown->find(kept), std::string::npos) << kept << " in " << *shown;
    }
    for (const char* gone : {"3e6be9de", "192.0", "somehost", "luks-1234", "vmlinuz", "initword", "\""}) {
        EXPECT_EQ(shown->find(gone), std::string::npos) << gone << " in " << *shown;
    }
    EXPECT_EQ(*redacted_command_line(*shown), *shown);
}

TEST(RedactedCommandLine, IsJudgedAsTheWholeOne) {
    const auto judged = [](const std::string& text, std::optional<Series> series) {
        const auto line = CommandLine::parse(text);
        const WordsJudged words = judge_boot_words(*line, series);
        std::vector<WordClass> effects;
        for (const auto* list : {&words.findings, &words.takers})
            for (const auto& finding : *list) effects.push_back(finding.effect.effect);
        return std::pair(effects, early_take(words, 256 * base::MiB).bytes);
    };
    for (const WordEntry& entry : word_table()) {
        std::string key(entry.name);
        if (key.ends_with('=')) key.pop_back();
        if (key.ends_with('*')) key.back() = 'x';
        for (const char* value : {"", "=64M", "=0", "=off", "=auto", "=0x1000,0x2000", "=\\\\initrd", "=1,2,3"})
            for (const auto series :
                 {std::optional<Series>(), std::optional(Series::linux_5_10), std::optional(Series::linux_7_2)}) {
                const std::string line = key + value;
                EXPECT_EQ(judged(*redacted_command_line(line), series), judged(line, series)) << line;
            }
    }
}

TEST(RedactedLog, KeepsOnlyTheLinesThatAreRead) {
    const std::string shown = redacted_log(
        "Dec  1 10:39:28 somehost kernel: [    0.000000] Linux version 6.1.0 (someone@somewhere) (gcc) #1 SMP\n"
        "Dec  1 10:39:28 somehost kernel: [    0.000000] Command line: root=UUID=1234 swiotlb=force\n"
        "Dec  1 10:39:28 somehost kernel: [    0.000000] BIOS-provided physical RAM map:\n"
        "Dec  1 10:39:28 somehost kernel: [    0.000000] BIOS-e820: [mem 0x0000000000000000-0x000000000009ffff] "
        "usable\n"
        "Dec  1 10:39:28 somehost kernel: [    0.000000] DMI: Maker Model, Serial 1234567\n"
        "Dec  1 10:39:28 somehost kernel: [    0.000000] efi: EFI v2.7 by Some Maker\n"
        "Dec  1 10:39:28 somehost kernel: [    1.500000] e1000 0000:00:03.0 eth0: 52:54:00:12:34:56\n"
        "Dec  1 10:39:29 somehost sshd[17]: Accepted publickey for someone\n"
        "Dec  1 10:39:29 somehost kernel: [    1.600000] software IO TLB: mapped [mem 0x75000000-0x79000000] (64MB)\n");
    EXPECT_EQ(shown,
              "[    0.000000] Linux version 6.1.0\n"
              "[    0.000000] Command line: root=removedre swiotlb=force\n"
              "[    0.000000] BIOS-provided physical RAM map:\n"
              "[    0.000000] BIOS-e820: [mem 0x0000000000000000-0x000000000009ffff] usable\n"
              "[    0.000000] efi: EFI v2.7\n"
              "[    1.600000] software IO TLB: mapped [mem 0x75000000-0x79000000] (64MB)\n");
}

}  // namespace
}  // namespace handoff
