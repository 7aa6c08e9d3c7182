// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/host.hpp"
#include "lib/sources/kexec_program.hpp"
#include "lib/sources/kmsg.hpp"
#include "lib/sources/user_file.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/temp_tree.hpp"

namespace handoff {
namespace {

using base::Errc;

TEST(Host, ReadsAFileAtTheMachinesOwnPath) {
    const TempTree tree;
    tree.write("proc/cmdline", "ro quiet\n");
    const Host host(tree.path());
    EXPECT_FALSE(host.live());
    EXPECT_EQ(*host.read(Source::command_line), "ro quiet\n");
    EXPECT_EQ(host.path(Source::command_line), "proc/cmdline");
}

TEST(Host, TheRootDirectoryIsTheRunningMachine) {
    EXPECT_TRUE(Host().live());
    EXPECT_TRUE(Host("/").read(Source::command_line).has_value());
    EXPECT_EQ(Host("/").path(Source::kernel_log), "dev/kmsg");
}

TEST(Host, AMissingFileIsNotFoundWithItsPath) {
    const TempTree tree;
    const auto text = Host(tree.path()).read(Source::iomem);
    ASSERT_FALSE(text);
    EXPECT_EQ(text.error().code, Errc::not_found);
    EXPECT_EQ(text.error().message(), "proc/iomem: No such file or directory");
}

TEST(Host, AKexecThatDpkgDivertedIsFoundBehindTheScriptInItsPlace) {
    const TempTree tree;
    tree.write("usr/sbin/kexec", "#!/bin/sh\nexec swiotlb-handoff kexec -- \"$@\"\n");
    EXPECT_FALSE(find_kexec(Host(tree.path())));
    tree.write("usr/sbin/kexec.distrib", "kexec-tools 2.0.25");
    EXPECT_EQ(find_kexec(Host(tree.path()))->path, (tree / "usr/sbin/kexec.distrib").string());
}

TEST(Host, WhatTheKernelSaysFromNowOnIsReadAlone) {
    const TempTree tree;
    tree.write("dmesg", "[    0.000000] said before\n");
    const Host host(tree.path());
    const auto end = host.log_end();
    ASSERT_TRUE(end) << end.error().message();
    EXPECT_EQ(*host.log_since(*end), "");
    std::ofstream(tree / "dmesg", std::ios::app) << "[    1.000000] said since\n";
    EXPECT_EQ(*host.log_since(*end), "[    1.000000] said since\n");
    EXPECT_FALSE(Host(tree / "gone").log_end());
    if (const auto live = Host().log_end()) {
        EXPECT_LT(Host().log_since(*live)->size(), Host().kernel_log()->size());
    }
}

TEST(Host, AMissingRootIsNotTheSameAsAMachineWithoutFiles) {
    const TempTree tree;
    const Host host(tree / "gone");
    EXPECT_TRUE(host.unusable());
    EXPECT_EQ(host.read(Source::iomem).error().code, Errc::io);
}

/// Makes root somebody else, for as long as it lives.
class NotRoot {
public:
    NotRoot() { EXPECT_EQ(seteuid(was_ == 0 ? nobody : was_), 0); }
    ~NotRoot() { EXPECT_EQ(seteuid(was_), 0); }
    NotRoot(const NotRoot&) = delete;
    NotRoot& operator=(const NotRoot&) = delete;

private:
    static constexpr uid_t nobody = 65534;
    uid_t was_ = geteuid();
};

TEST(Host, AFileThatMayNotBeReadIsNotPermitted) {
    const TempTree tree;
    tree.write("proc/iomem", "x");
    chmod(tree.path().c_str(), 0755);
    EXPECT_TRUE(Host(tree.path()).read(Source::iomem));
    chmod((tree / "proc/iomem").c_str(), 0);
    const NotRoot somebody;
    EXPECT_EQ(Host(tree.path()).read(Source::iomem).error().code, Errc::not_permitted);
}

TEST(Host, SymbolicLinksStayInsideTheRoot) {
    const TempTree outside;
    outside.write("secret", "outside");
    const TempTree tree;
    tree.write("proc/real", "inside");
    std::filesystem::create_symlink(outside / "secret", tree / "proc/iomem");
    std::filesystem::create_symlink("../../../../../../../../etc/passwd", tree / "proc/cmdline");
    std::filesystem::create_symlink("/proc/real", tree / "proc/version");
    std::filesystem::create_symlink("cpuinfo", tree / "proc/cpuinfo");
    const Host host(tree.path());
    EXPECT_FALSE(host.read(Source::iomem));
    EXPECT_FALSE(host.read(Source::command_line));
    EXPECT_EQ(host.read(Source::version).value_or(""), "inside");
    EXPECT_FALSE(host.read(Source::cpuinfo)) << "a link to itself";
}

TEST(Host, ALinkedDirectoryLeadsNowhereElse) {
    const TempTree outside;
    outside.write("iomem", "outside");
    const TempTree tree;
    std::filesystem::create_symlink(outside.path(), tree / "proc");
    EXPECT_FALSE(Host(tree.path()).read(Source::iomem));
}

TEST(Host, RefusesWhatIsNoRegularFileWithoutWaiting) {
    const TempTree tree;
    std::filesystem::create_directories(tree / "proc");
    ASSERT_EQ(mkfifo((tree / "proc/iomem").c_str(), 0600), 0);
    std::filesystem::create_directories(tree / "proc/cmdline");
    const Host host(tree.path());
    EXPECT_EQ(host.read(Source::iomem).error().message(), "proc/iomem: expected a regular file");
    EXPECT_EQ(host.read(Source::command_line).error().message(), "proc/cmdline: expected a regular file");
}

TEST(Host, AFileOf64MiBIsTheLargestOneRead) {
    const TempTree tree;
    tree.write("proc/iomem", "");
    std::filesystem::resize_file(tree / "proc/iomem", 64 * base::MiB);
    const Host host(tree.path());
    EXPECT_EQ(host.read(Source::iomem).value_or("").size(), 64 * base::MiB);
    std::filesystem::resize_file(tree / "proc/iomem", 64 * base::MiB + 1);
    EXPECT_EQ(host.read(Source::iomem).error().message(), "proc/iomem: larger than 64 MiB");
}

TEST(Host, FindsTheKernelsOwnSymbols) {
    const TempTree tree;
    tree.write("proc/kallsyms",
               "ffffffff81000000 T _text\n"
               "ffffffffa81c1300 b io_tlb_default_mem\n"
               "not a line\n"
               "ffffffffa81c1400 D io_tlb_end\n"
               "ffffffffc0001000 b io_tlb_start\t[some_module]");
    constexpr std::string_view names[] = {"io_tlb_default_mem", "io_tlb_start", "io_tlb_end"};
    const auto symbols = Host(tree.path()).symbols(names);
    ASSERT_TRUE(symbols);
    EXPECT_EQ(*symbols, (Symbols{{"io_tlb_default_mem", 0xffffffffa81c1300}, {"io_tlb_end", 0xffffffffa81c1400}}));
}

TEST(Host, FindsSymbolsWhereverTheReadBufferEnds) {
    const TempTree tree;
    std::string text;
    for (int i = 0; i < 20000; ++i) text += "ffffffff81000000 T a_name_of_some_length_" + std::to_string(i) + "\n";
    text += "ffffffffa81c1300 b io_tlb_default_mem\n";
    tree.write("proc/kallsyms", text);
    constexpr std::string_view names[] = {"io_tlb_default_mem", "a_name_of_some_length_0",
                                          "a_name_of_some_length_12345", "a_name_of_some_length_19999"};
    EXPECT_EQ(Host(tree.path()).symbols(names)->size(), 4u);
}

TEST(Host, HiddenSymbolAddressesAreNotPermitted) {
    const TempTree tree;
    tree.write("proc/kallsyms", "0000000000000000 b io_tlb_default_mem\n");
    constexpr std::string_view names[] = {"io_tlb_default_mem"};
    EXPECT_EQ(Host(tree.path()).symbols(names).error().code, Errc::not_permitted);
}

TEST(Host, TwoSymbolsOfOneNameAreAnError) {
    const TempTree tree;
    tree.write("proc/kallsyms", "ffffffff81000000 b io_tlb_end\nffffffff81000008 b io_tlb_end\n");
    constexpr std::string_view names[] = {"io_tlb_end"};
    EXPECT_EQ(Host(tree.path()).symbols(names).error().message(),
              "proc/kallsyms: expected one symbol io_tlb_end, found two");
}

TEST(Host, FirmwareMapEntriesComeInNumericOrder) {
    const TempTree tree;
    for (const char* name : {"10", "9", "0", "not-a-number"}) {
        for (const char* file : {"start", "end", "type"}) {
            tree.write(std::string("sys/firmware/memmap/") + name + "/" + file, std::string(file) + name + "\n");
        }
    }
    const auto entries = Host(tree.path()).firmware_map();
    ASSERT_TRUE(entries);
    ASSERT_EQ(entries->size(), 3u);
    EXPECT_EQ((*entries)[0].name, "0");
    EXPECT_EQ((*entries)[1].name, "9");
    EXPECT_EQ((*entries)[2].name, "10");
    EXPECT_EQ((*entries)[2].type, "type10\n");
}

TEST(Host, AFirmwareMapEntryThatLacksAFileIsNotSkipped) {
    const TempTree tree;
    tree.write("sys/firmware/memmap/0/start", "0x0\n");
    EXPECT_EQ(Host(tree.path()).firmware_map().error().source, "sys/firmware/memmap/0/end");
}

TEST(LinesOfKmsg, TurnsRecordsIntoLinesOfTheKernelAlone) {
    EXPECT_EQ(lines_of_kmsg("5,0,0,-;Linux version 6.1\n"
                            "6,1,12345678,-,caller=T1;software IO TLB: mapped\n SUBSYSTEM=x\n DEVICE=y\n"
                            "14,2,12345679,-;software IO TLB: a program says so\n"
                            "30,3,12345680,-;systemd[1]: and another\n"),
              "[    0.000000] Linux version 6.1\n[   12.345678] software IO TLB: mapped\n");
}

TEST(LinesOfKmsg, SaysWhereRecordsAreMissing) {
    EXPECT_EQ(lines_of_kmsg("5,7,0,-;Linux version 6.1\n6,8,1,-;one\n12,9,1,-;a program's\n6,12,2,-;two\n"),
              "[    0.000000] Linux version 6.1\n[    0.000001] one\n** 2 printk messages dropped **\n"
              "[    0.000002] two\n");
}

TEST(LinesOfKmsg, StopsAtWhatIsNoRecord) {
    EXPECT_EQ(lines_of_kmsg("6,0,1,-;one\ngarbage\n6,1,2,-;two\n"), "[    0.000001] one\n");
}

TEST(KernelLog, MessagesThatAreOfNoUseKeepTheirLineOnly) {
    const auto keep = [](std::string_view message) { return message == "two"; };
    EXPECT_EQ(lines_of_kmsg("6,0,1,-;one\n6,1,2,-;two\n12,2,3,-;of a program\n6,3,4,-;three\n", keep),
              "\n[    0.000002] two\n\n");
}

TEST(KexecToolsVersion, IsOneOfTheProgramsStrings) {
    EXPECT_EQ(kexec_tools_version(std::string_view("\0\1kexec-tools \0kexec-tools 2.0.25\0x", 33)), "2.0.25");
    EXPECT_EQ(kexec_tools_version("kexec-tools 2.0.32"), "2.0.32");
    EXPECT_EQ(kexec_tools_version("kexec-tools"), std::nullopt);
    EXPECT_EQ(kexec_tools_version(""), std::nullopt);
}

TEST(ReadUserFile, HasALimitAndNamesTheFileAsGiven) {
    const TempTree tree;
    tree.write("kernel", "0123456789");
    EXPECT_EQ(*read_user_file(tree / "kernel", 10), "0123456789");
    EXPECT_EQ(read_user_file(tree / "kernel", 9).error().source, (tree / "kernel").string());
    EXPECT_EQ(read_user_file(tree / "gone", 9).error().code, Errc::not_found);
}

TEST(ReadUserFileHead, GivesTheBeginningAndTheWholeSize) {
    const TempTree tree;
    tree.write("kernel", "0123456789");
    EXPECT_EQ(read_user_file_head(tree / "kernel", 4)->bytes, "0123");
    EXPECT_EQ(read_user_file_head(tree / "kernel", 4)->size, 10u);
    EXPECT_EQ(read_user_file_head(tree / "kernel", 40)->bytes, "0123456789");
    EXPECT_FALSE(read_user_file_head(tree.path(), 4));
    EXPECT_EQ(open_user_file(tree / "kernel", 10)->size, 10u);
    EXPECT_EQ(open_user_file(tree / "kernel", 9).error().what, "larger than 0 MiB");
}

}  // namespace
}  // namespace handoff
