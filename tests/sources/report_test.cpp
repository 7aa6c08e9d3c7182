// SPDX-License-Identifier: GPL-2.0-or-later
// Machines in archives and in reports that other programs made.
#include "lib/sources/report.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>
#include <map>
#include <utility>
#include <vector>

#include "lib/service/service.hpp"
#include "lib/sources/archive.hpp"
#include "lib/sources/gather.hpp"
#include "lib/sources/layout.hpp"
#include "lib/sources/listing.hpp"
#include "tests/tar_file.hpp"
#include "tests/temp_tree.hpp"

namespace handoff {
namespace {

namespace fs = std::filesystem;
using base::Errc;
using base::Error;

const std::string log =
    "[    0.000000] Linux version 6.1.0-20-amd64 (builder@example) #1 SMP\n"
    "[    0.000000] Command line: ro crashkernel=256M\n";
const std::string wrapped = "[  100.000000] eth0: link is up\n";

/// What each machine of an archive is called, and what of its log or its error is said.
using Seen = std::vector<std::pair<std::string, std::string>>;

class Archived : public testing::Test {
protected:
    std::string write(const std::string& name, const std::string& bytes) {
        tree_.write(name, bytes);
        return tree_ / name;
    }
    std::string write(const TarFile& tar) { return write("x.tar", tar.bytes()); }

    Seen seen(const std::string& path) const {
        Seen all;
        reports_.each(path, [&](const std::string& name, const Result<Host>& host) {
            const std::string what = host ? host->kernel_log().value_or("no log") : host.error().message();
            all.emplace_back(name.starts_with(path) ? name.substr(path.size()) : name, what);
        });
        return all;
    }
    Host only(const std::string& path) const {
        auto host = reports_.only(path);
        if (!host) throw std::runtime_error(host.error().message());
        return *std::move(host);
    }
    std::string error(const std::string& path) const {
        const auto host = reports_.only(path);
        if (host) return "no error";
        return host.error().what;
    }

    TempTree tree_;
    Reports reports_{kdump_paths()};
};

// --- forms of archives

class EveryMachine : public testing::TestWithParam<std::string> {};

TEST_P(EveryMachine, IsTheSameInAnArchive) {
    const fs::path directory = fs::path(FIXTURES_DIR "/machines") / GetParam();
    const TempTree tree;
    tree.write("x.tar.gz", packed(TarFile().add_tree(directory, "./").bytes(), "gzip"));
    const Reports reports(kdump_paths());
    const auto host = reports.only(tree / "x.tar.gz");
    ASSERT_TRUE(host) << host.error().message();
    const auto there = gather(Host(directory)), here = gather(*host);
    ASSERT_EQ(there.has_value(), here.has_value());
    if (there) {
        EXPECT_TRUE(*there == *here);
    } else {
        EXPECT_EQ(there.error(), here.error());
    }
}

std::vector<std::string> machines() {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(FIXTURES_DIR "/machines"))
        if (entry.is_directory() && is_report(entry.path())) names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    return names;
}

INSTANTIATE_TEST_SUITE_P(Fixtures, EveryMachine, testing::ValuesIn(machines()), [](const auto& param_info) {
    std::string name = param_info.param;
    std::replace_if(
        name.begin(), name.end(), [](unsigned char c) { return !std::isalnum(c); }, '_');
    return name;
});

TEST_F(Archived, MayBeCompressedInEveryUsualWay) {
    const std::string tar = TarFile().add("dmesg", log).bytes();
    for (const char* filter : {"gzip", "bzip2", "xz", "zstd", "lz4"}) {
        SCOPED_TRACE(filter);
        EXPECT_EQ(seen(write("x", packed(tar, filter))), (Seen{{"", log}}));
    }
    EXPECT_EQ(seen(write("x", tar)), (Seen{{"", log}}));
}

TEST_F(Archived, MayHaveTheMachineInADirectoryOrTwo) {
    EXPECT_EQ(seen(write(TarFile().add("./dmesg", log))), (Seen{{"", log}}));
    EXPECT_EQ(seen(write(TarFile().add("server/dmesg", log))), (Seen{{"/server", log}}));
    EXPECT_EQ(seen(write(TarFile().add("2024/server/dmesg", log))), (Seen{{"/2024/server", log}}));
    EXPECT_NE(seen(write(TarFile().add("a/b/c/dmesg", log)))[0].second.find("x.tar: expected one of these"),
              std::string::npos);
}

TEST_F(Archived, IsNotCalledTwiceWhatItIsCalledAlready) {
    EXPECT_EQ(seen(write("server.tar", TarFile().add("server/dmesg", log).bytes())), (Seen{{"", log}}));
}

TEST_F(Archived, MayHoldSeveralMachinesWhichAreGivenInItsOrder) {
    const std::string path = write(TarFile().add("b/dmesg", log).add("b/proc/cmdline", "b").add("a/dmesg", wrapped));
    EXPECT_EQ(seen(path), (Seen{{"/b", log}, {"/a", wrapped}}));
    EXPECT_EQ(error(path), "expected one machine, found 2: the command audit takes such an archive");
}

TEST_F(Archived, MayHoldArchives) {
    const std::string one = packed(TarFile().add("dmesg", log).bytes(), "xz");
    const std::string two = packed(TarFile().add("c/dmesg", wrapped).bytes(), "gzip");
    EXPECT_EQ(seen(write(TarFile().add("a.tar.xz", one).add("all/b.tgz", two))),
              (Seen{{"/a.tar.xz", log}, {"/all/b.tgz/c", wrapped}}));
}

TEST_F(Archived, IsNotLookedIntoBelowTheSecond) {
    const std::string one = TarFile().add("dmesg", log).bytes(), two = TarFile().add("a.tar", one).bytes();
    const Seen found = seen(write(TarFile().add("b.tar", two)));
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].first, "/b.tar");
    EXPECT_NE(found[0].second.find("expected one of these and found none"), std::string::npos);
}

TEST_F(Archived, InAnotherThatIsDamagedDoesNotStopTheRest) {
    std::string cut = packed(TarFile().add("dmesg", log).bytes(), "xz");
    cut.resize(cut.size() / 2);
    const Seen found = seen(write(TarFile().add("a.tar.xz", cut).add("b/dmesg", log)));
    ASSERT_EQ(found.size(), 2U);
    EXPECT_NE(found[0].second.find("cannot be read"), std::string::npos);
    EXPECT_EQ(found[1], (std::pair<std::string, std::string>("/b", log)));
}

// --- hostile archives

TEST_F(Archived, LinksLeadNowhereButToOtherFilesOfTheMachine) {
    tree_.write("secret", "root:x");
    const TarFile tar = TarFile()
                            .add("m/proc/cmdline", "", TarFile::link, "/etc/hostname")
                            .add("m/proc/cpuinfo", "", TarFile::link, (tree_ / "secret").string())
                            .add("m/proc/iomem", "", TarFile::link, "../../secret")
                            .add("m/proc/version", "", TarFile::hard_link, "../secret")
                            .add("m/etc/kdump.conf", "", TarFile::device)
                            .add("m/sos_commands/kernel/dmesg", log)
                            .add("m/dmesg", "", TarFile::link, "sos_commands/kernel/dmesg")
                            .add("m/proc/sys/kernel/osrelease", "", TarFile::hard_link, "m/proc/sys/kernel/osrelease");
    const Host host = only(write(tar));
    EXPECT_EQ(*host.kernel_log(), log);
    for (const char* path :
         {"proc/cmdline", "proc/cpuinfo", "proc/iomem", "proc/version", "etc/kdump.conf", "proc/sys/kernel/osrelease"})
        EXPECT_EQ(host.read(path).error().code, Errc::not_found) << path;
}

TEST_F(Archived, AHardLinkIsTheFileThatItWasMadeOf) {
    const Host host =
        only(write(TarFile().add("m/dmesg", log).add("m/proc/version", "", TarFile::hard_link, "m/dmesg")));
    EXPECT_EQ(*host.read("proc/version"), log);
}

TEST_F(Archived, NamesWithTwoDotsAreNoFilesOfAMachine) {
    const Host host = only(write(TarFile().add("dmesg", log).add("x/../proc/cmdline", "a").add("../proc/iomem", "b")));
    EXPECT_FALSE(host.read("proc/cmdline"));
    EXPECT_FALSE(host.read("proc/iomem"));
}

TEST_F(Archived, AnAbsoluteNameIsTheMachinesOwn) {
    EXPECT_EQ(*only(write(TarFile().add("/proc/cmdline", "quiet").add("/dmesg", log))).read("proc/cmdline"), "quiet");
}

TEST_F(Archived, WhatIsThereTwiceIsRefusedUnlessItIsTheSame) {
    EXPECT_EQ(seen(write(TarFile().add("dmesg", log).add("dmesg", log))), (Seen{{"", log}}));
    EXPECT_EQ(error(write(TarFile().add("dmesg", log).add("dmesg", wrapped))),
              "it is in the archive twice, and not the same");
}

TEST_F(Archived, AMachineWhoseFilesAreNotTogetherIsSaidOnce) {
    const Seen found = seen(
        write(TarFile().add("a/dmesg", log).add("b/dmesg", log).add("a/proc/iomem", "x").add("a/proc/cmdline", "")));
    ASSERT_EQ(found.size(), 3U);
    EXPECT_EQ(found[2].first, "/a");
    EXPECT_EQ(found[2].second, "its files are not together in the archive");
}

TEST_F(Archived, WhatEndsEarlyIsAnErrorWhereverThatIs) {
    const TarFile tar = TarFile().add("a/dmesg", log).add("b/dmesg", log).add("b/proc/cmdline", "quiet");
    EXPECT_EQ(seen(write("x", tar.bytes())).size(), 2U);
    for (const std::string& whole : {tar.bytes_without_end(), packed(tar.bytes(), "xz"), packed(tar.bytes(), "gzip")})
        for (std::size_t size = 1; size < whole.size(); size += 97) {
            SCOPED_TRACE(size);
            const Seen found = seen(write("x", whole.substr(0, size)));
            ASSERT_FALSE(found.empty());
            EXPECT_EQ(found.back().second.find("Linux version"), std::string::npos) << found.back().second;
        }
    EXPECT_NE(seen(write("x", tar.bytes_without_end())).back().second.find("no end mark"), std::string::npos);
}

TEST_F(Archived, ABombIsLeftAfterAGibibyte) {
    // A member of 4 GiB, twice packed: 4 MiB of zeros become 4 KiB, a thousand of them one more.
    const std::string zeros = packed(std::string(4 * base::MiB, '\0'), "gzip");
    std::string bomb = packed(TarFile().header("big", std::size_t{4} * 1024 * base::MiB).bytes_without_end(), "gzip");
    for (int i = 0; i < 1024; ++i) bomb += zeros;
    EXPECT_NE(error(write("x.tar.gz", bomb)).find("expands to more than 200 times its size"), std::string::npos);
    for (const auto& [name, said] : seen(write(TarFile().add("x.tar.gz", bomb).add("m/dmesg", log))))
        EXPECT_NE(said.find("expands to more than 200 times"), std::string::npos) << name << ' ' << said;
}

TEST_F(Archived, AFileIsNoLargerThanTheMachinesMayBe) {
    const TarFile tar = TarFile().add("dmesg", std::string(64 * base::MiB + 1, 'x')).add("proc/cmdline", "quiet");
    EXPECT_NE(error(write(tar)).find("larger than 64 MiB"), std::string::npos);
}

TEST_F(Archived, AHoleIsNoMemory) {
    // A GNU sparse member of 1 TiB with no data.
    std::string header = TarFile().header("dmesg", 0, 'S').bytes_without_end();
    std::memcpy(header.data() + 257, "ustar  ", 8);
    const std::string end = "20000000000";  // octal, 2 TiB
    std::memcpy(header.data() + 386, end.data(), end.size());
    std::memcpy(header.data() + 386 + 12, "00000000000", 11);
    std::memcpy(header.data() + 483, end.data(), end.size());
    std::memset(header.data() + 148, ' ', 8);
    unsigned sum = 0;
    for (const char c : header) sum += static_cast<unsigned char>(c);
    std::snprintf(header.data() + 148, 8, "%06o", sum);
    const Seen found = seen(write("x.tar", header + std::string(1024, '\0')));
    ASSERT_EQ(found.size(), 1U);
    EXPECT_TRUE(found[0].second.empty() || found[0].second.find("larger") != std::string::npos) << found[0].second;
}

TEST_F(Archived, HugeNamesAreNoFilesOfAMachine) {
    TarFile tar;
    tar.long_named(std::string(500000, 'a') + "/dmesg", log).long_named("m/" + std::string(5000, 'b'), "x");
    EXPECT_EQ(seen(write(tar.add("m/dmesg", log))), (Seen{{"/m", log}}));
}

TEST_F(Archived, AMillionMembersCostTimeAlone) {
    TarFile some;
    for (int i = 0; i < 10000; ++i) some.add("m/etc/nothing", "");
    const std::string frame = packed(some.bytes_without_end(), "zstd");
    std::string bytes = packed(TarFile().add("m/dmesg", log).bytes_without_end(), "zstd");
    for (int i = 0; i < 100; ++i) bytes += frame;
    EXPECT_EQ(seen(write("x.tar.zst", bytes + packed(std::string(1024, '\0'), "zstd"))), (Seen{{"/m", log}}));
}

TEST_F(Archived, AFileMayBeAKernelLogAlone) {
    for (const char* filter : {"", "gzip", "bzip2", "xz", "zstd", "lz4"}) {
        SCOPED_TRACE(filter);
        const std::string path = write("host-7.txt", *filter == '\0' ? log : packed(log, filter));
        EXPECT_EQ(seen(path), (Seen{{"", log}}));
        EXPECT_EQ(only(path).path(Source::kernel_log), "host-7.txt");
        EXPECT_EQ(only(path).with_full_path(Error{Errc::input, "host-7.txt", 3, "x"}).source, path);
        EXPECT_EQ(gather(only(path))->command_line, "ro crashkernel=256M");
    }
}

TEST_F(Archived, AFileThatIsNeitherIsSaidWithHowMuchOfItWasLookedAt) {
    EXPECT_EQ(
        error(write("x.txt", "no\nlog\n")),
        "expected a tar archive or a kernel log, found neither: 2 lines, and none of them is recognised as one of a "
        "kernel's boot");
    EXPECT_NE(error(write("x.journal", "LPKSHHRH and more")).find("journalctl --file=FILE"), std::string::npos);
    EXPECT_EQ(error(write("x.txt", "")), "it is empty");
    EXPECT_EQ(error(write("x.txt", log + std::string(64 * base::MiB, 'x'))), "larger than 64 MiB");
}

TEST_F(Archived, WhatIsNoArchiveIsSaid) {
    for (const std::string& bytes : {std::string(), std::string("no archive\n"), std::string(1024, '\0'),
                                     packed("no archive\n", "xz"), TarFile().add("README", "x").bytes()}) {
        const std::string said = error(write("x.tar", bytes));
        EXPECT_TRUE(said.find("is empty") != said.npos || said.find("expected one of") != said.npos ||
                    said.find("ends early") != said.npos || said.find("found neither") != said.npos)
            << said;
    }
    EXPECT_EQ(error(tree_ / "gone.tar"), "No such file or directory");
}

// --- kinds of reports

/// The same files as a directory and as an archive.
class Report : public Archived {
protected:
    void file(const std::string& path, const std::string& content) {
        tree_.write("report/" + path, content);
        tar_.add("report/" + path, content);
    }
    std::array<Host, 2> both() { return {only(tree_ / "report"), only(write(tar_))}; }

    TarFile tar_;
};

TEST_F(Report, ASosreportHasItsLogWhereSosPutsIt) {
    file("sos_commands/kernel/dmesg", log);
    file("proc/cmdline", "ro crashkernel=256M\n");
    file("usr/lib/os-release", "ID=rhel\n");
    file("etc/kdump.conf", "core_collector makedumpfile -l\n");
    file("etc/sysconfig/kdump", "KDUMP_COMMANDLINE_APPEND=\"irqpoll\"\n");
    for (const Host& host : both()) {
        EXPECT_EQ(*host.kernel_log(), log);
        EXPECT_EQ(host.path(Source::kernel_log), "sos_commands/kernel/dmesg");
        EXPECT_EQ(gather(host)->command_line, "ro crashkernel=256M");
        EXPECT_EQ(find_kdump_service(host)->name, "kdumpctl");
    }
}

TEST_F(Report, OfSeveralLogsTheFirstThatShowsTheBootCounts) {
    file("sos_commands/kernel/dmesg", wrapped);
    file("sos_commands/logs/journalctl_--no-pager_--boot", "Jan 01 00:00:00 host kernel: " + log.substr(15));
    file("var/log/dmesg", log);
    for (const Host& host : both()) EXPECT_TRUE(host.path(Source::kernel_log).ends_with("--boot"));
}

TEST_F(Report, ALogWithoutTheBootIsBetterThanNone) {
    file("sos_commands/general/dmesg", wrapped);
    for (const Host& host : both()) EXPECT_EQ(*host.kernel_log(), wrapped);
}

TEST_F(Report, ASosreportSaysNothingOfDevices) {
    file("sos_commands/kernel/dmesg", log);
    file("sys/bus/pci/devices/0000:00:01.0/uevent", "DRIVER=e1000e\n");
    for (const Host& host : both()) EXPECT_EQ(gather(host)->devices, std::nullopt);
}

std::string section(const std::string& kind, const std::string& name, const std::string& text) {
    return "#==[ " + kind + " ]===================================#\n# " + name + "\n" + text + "\n";
}

TEST_F(Report, ASupportconfigHasSectionsWhoseLinesKeepTheirNumbers) {
    file("basic-environment.txt", section("Configuration File", "/etc/os-release", "ID=\"sles\"\n"));
    file("boot.txt", section("Command", "/bin/cat /proc/cmdline", "ro crashkernel=256M") +
                         section("Command", "/usr/bin/journalctl --boot=0 --no-pager -o short-iso", log) +
                         section("Command", "/bin/dmesg -T", wrapped));
    file("hardware.txt", section("Command", "/bin/cat /proc/cpuinfo", "processor\t: 0\nvendor_id\t: AuthenticAMD\n"));
    file("crash.txt", section("Configuration File", "/etc/sysconfig/kdump", "KDUMP_DUMPFORMAT=\"none\"\n") +
                          section("Command", "/bin/cat /sys/kernel/kexec_crash_size", "268435456\n"));
    for (const Host& host : both()) {
        EXPECT_EQ(*host.kernel_log(), std::string(5, '\n') + log + "\n");
        EXPECT_EQ(host.path(Source::kernel_log), "boot.txt");
        const auto machine = gather(host);
        ASSERT_TRUE(machine) << machine.error().message();
        EXPECT_EQ(machine->command_line, "ro crashkernel=256M");
        EXPECT_EQ(machine->crash_size, 256 * base::MiB);
        ASSERT_TRUE(find_kdump_service(host)) << find_kdump_service(host).error().message();
        EXPECT_EQ(find_kdump_service(host)->name, "suse");
    }
}

TEST_F(Report, AnApportReportHasFieldsAsFiles) {
    file("CurrentDmesg.txt", log);
    file("ProcCmdline", "/usr/bin/program --that crashed");
    file("ProcKernelCmdLine", "ro quiet");
    for (const Host& host : both()) {
        EXPECT_EQ(*host.kernel_log(), log);
        EXPECT_EQ(gather(host)->command_line, "ro quiet");
    }
}

TEST_F(Archived, AnApportReportMayBeOneFile) {
    // "hello kernel" in gzip, in two lines of base64, as apport writes it.
    const std::string gz = packed(log, "gzip");
    const auto base64 = [](std::string_view bytes) {
        constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        std::string text;
        for (std::size_t i = 0; i < bytes.size(); i += 3) {
            std::uint32_t bits = 0;
            for (std::size_t k = 0; k < 3; ++k)
                bits = bits << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0U);
            for (int k = 3; k >= 0; --k) text += digits[bits >> (6 * k) & 63];
            if (i + 3 > bytes.size())
                text.replace(text.size() - (i + 3 - bytes.size()), i + 3 - bytes.size(), i + 3 - bytes.size(), '=');
        }
        return text;
    };
    const std::string report = "ProblemType: KernelCrash\nArchitecture: amd64\nCurrentDmesg: base64\n " +
                               base64(gz.substr(0, 10)) + "\n " + base64(gz.substr(10)) +
                               "\nProcKernelCmdLine: ro quiet\nVmCore: base64\n not base64 at all, and not looked at\n";
    const Host host = only(write("linux.crash", report));
    EXPECT_EQ(*host.kernel_log(), log);
    EXPECT_EQ(gather(host)->command_line, "ro quiet");
    EXPECT_EQ(seen(write(TarFile().add("linux.crash", report))), (Seen{{"/linux.crash", log}}));
    EXPECT_NE(error(write("linux.crash", "ProblemType: x\nCurrentDmesg: base64\n ###\n")).find("base64"),
              std::string::npos);
}

TEST_F(Archived, AnApportReportMayBeLargerThanWhatIsKeptOfIt) {
    std::string report = "ProblemType: KernelCrash\nVmCore: base64\n";
    const std::string line = " " + std::string(1 << 20, 'A') + "\n";
    for (int i = 0; i < 80; ++i) report += line;
    report += " " + std::string(base::MiB * 80, 'A') + "\nCurrentDmesg:\n";
    for (std::string_view rest = log; !rest.empty();) {
        const auto end = rest.find('\n') + 1;
        report.append(" ").append(rest.substr(0, end));
        rest.remove_prefix(end);
    }
    EXPECT_EQ(*only(write("linux.crash", report)).kernel_log(), log);
    EXPECT_EQ(seen(write(TarFile().add("linux.crash", report))), (Seen{{"/linux.crash", log}}));
}

TEST_F(Report, ALogInItMayBeCompressed) {
    file("sos_commands/kernel/dmesg", wrapped);
    file("var/log/dmesg", packed(log, "xz"));
    for (const Host& host : both()) EXPECT_EQ(*host.kernel_log(), log);
}

TEST_F(Report, AnInsightsArchiveHasItsCommandsBesideTheMachinesFiles) {
    file("data/insights_commands/dmesg", wrapped);
    file("data/insights_commands/uname_-a", "Linux host 5.14.0-70.el9.x86_64 #1 SMP x86_64 GNU/Linux\n");
    file("data/proc/cmdline", "ro crashkernel=256M\n");
    file("data/etc/kdump.conf", "path /var/crash\n");
    file("data/etc/sysconfig/kdump", "");
    for (const Host& host : {only(tree_ / "report/data"), only(write(tar_))}) {
        EXPECT_EQ(*host.kernel_log(), wrapped);
        EXPECT_EQ(gather(host)->command_line, "ro crashkernel=256M");
        EXPECT_EQ(gather(host)->release, "5.14.0-70.el9.x86_64");
        EXPECT_EQ(find_kdump_service(host)->name, "kdumpctl");
    }
}

TEST_F(Report, AProblemOfAbrtIsNotTakenForAMachine) {
    file("analyzer", "abrt-vmcore");
    file("cmdline", "/usr/bin/program --that crashed");
    file("vmcore-dmesg.txt", log);
    file("dmesg", wrapped);
    for (const Host& host : both()) {
        EXPECT_EQ(*host.kernel_log(), log);
        EXPECT_EQ(gather(host)->command_line, "ro crashkernel=256M");
    }
}

TEST_F(Archived, MayBeOfMustGatherWithItsNodes) {
    const std::string top = "must-gather.local.1/quay-io-x-sha256-1/";
    const std::string report = packed(TarFile().add("sosreport-n2/sos_commands/kernel/dmesg", log).bytes(), "xz");
    EXPECT_EQ(seen(write(TarFile()
                             .add(top + "cluster-scoped-resources/core/nodes/n1.yaml", "x")
                             .add(top + "nodes/n1/dmesg", log)
                             .add(top + "nodes/n1/proc/cmdline", "ro")
                             .add(top + "sos/n2/sosreport-n2.tar.xz", report))),
              (Seen{{"/" + top + "nodes/n1", log}, {"/" + top + "sos/n2/sosreport-n2.tar.xz", log}}));
}

TEST_F(Archived, HasNoMachineInAProgramsFilesThatAreCalledAlike) {
    EXPECT_EQ(seen(write(TarFile()
                             .add("s/etc/logrotate.d/syslog", "/var/log/messages {}")
                             .add("s/usr/share/completions/dmesg", "complete")
                             .add("s/sos_commands/kernel/dmesg", log))),
              (Seen{{"/s", log}}));
}

TEST_F(Report, ADirectoryMayHaveAKernelLogUnderAnotherName) {
    for (const char* name : {"dmesg.txt", "dmesg.txt.gz", "messages-2026.xz", "kern.log.1", "console.log"}) {
        const std::string bytes = std::string(name).ends_with(".gz")   ? packed(log, "gzip")
                                  : std::string(name).ends_with(".xz") ? packed(log, "xz")
                                                                       : log;
        const std::string directory = std::string("of-") + name;
        tree_.write(directory + "/" + name, bytes);
        EXPECT_EQ(*only(tree_ / directory).kernel_log(), log) << name;
        EXPECT_EQ(seen(write(TarFile().add(directory + "/" + name, bytes))).front().second, log);
    }
}

TEST_F(Report, AListingOfBootHasTheInitrdsSize) {
    file("sos_commands/kernel/dmesg", log);
    file("etc/kdump.conf", "path /var/crash\n");
    file("etc/sysconfig/kdump", "");
    file("sos_commands/boot/ls_-alZR_.boot",
         "/boot:\ntotal 1234\ndr-xr-xr-x. 5 root root system_u:object_r:boot_t:s0     4096 May 14 10:21 .\n"
         "-rw-------. 1 root root system_u:object_r:boot_t:s0 33000000 May 14 10:21 initramfs-6.1.0-20-amd64kdump.img\n"
         "-rw-------. 1 root root system_u:object_r:boot_t:s0 99000000 May 14 10:21 initramfs-6.1.0-20-amd64.img\n\n"
         "/boot/grub2:\ntotal 4\n-rw-r--r--. 1 root root ? 64 May 14 10:21 grubenv\n");
    for (const Host& host : both()) EXPECT_EQ(listed_initrd_bytes(host, "6.1.0-20-amd64"), 33000000u);
    EXPECT_EQ(listed_initrd_bytes(only(tree_ / "report"), "6.1.0-21-amd64"), std::nullopt);
    EXPECT_EQ(listed_files("/boot/:\n-rw------- 1 0 0 12 2024-05-14 10:21 a\n-rw------- 1 0 0 x y z b\n-\n"),
              (std::map<std::string, std::uint64_t>{{"boot/a", 12}}));
}

TEST_F(Report, OfADirectoryOfCrashesTheLastOneCounts) {
    file("127.0.0.1-2024-01-01-00:00:00/vmcore-dmesg.txt", wrapped);
    file("127.0.0.1-2024-02-01-00:00:00/vmcore-dmesg.txt", log);
    for (const Host& host : both()) {
        EXPECT_EQ(*host.kernel_log(), log);
        EXPECT_EQ(host.path(Source::kernel_log), "127.0.0.1-2024-02-01-00:00:00/vmcore-dmesg.txt");
    }
}

TEST_F(Report, DebiansCrashesAreCalledByTheirDate) {
    file("202401010000/dmesg.202401010000", log);
    for (const Host& host : both()) EXPECT_EQ(*host.kernel_log(), log);
}

TEST_F(Archived, ADirectoryThatIsNoReportIsSaidWithWhatWasLookedFor) {
    tree_.write("some/file", "x");
    EXPECT_EQ(
        error(tree_ / "some"),
        "expected one of these and found none: a sosreport (sos_commands), an insights archive (insights_commands), a "
        "problem of abrt (abrt_version), a supportconfig "
        "(basic-environment.txt), a captured machine (proc or dmesg), an apport report (CurrentDmesg), a directory "
        "of crashes (vmcore-dmesg.txt), a directory with a kernel log (dmesg.txt, messages, kern.log, syslog or "
        "console.log); a tar archive of such, or a file that is a kernel log");
}

}  // namespace
}  // namespace handoff
