// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/crash_log.hpp"

#include <string>

#include <gtest/gtest.h>

#include "lib/decide/crash_advice.hpp"

namespace handoff {
namespace {

using base::MiB;
using Kind = CrashLog::Kind;

constexpr const char* running =
    "[    0.000000] Linux version 6.1.0-50-amd64 (x) (gcc) #1 SMP\n"
    "[    0.000000] Command line: ro crashkernel=256M\n"
    "[    0.010000] Memory: 16000000K/16777216K available (14344K kernel code)\n"
    "[  100.000000] sysrq: Trigger a crash\n";
constexpr const char* crashed =
    "[    0.000000] Linux version 6.1.0-50-amd64 (x) (gcc) #1 SMP\n"
    "[    0.000000] Command line: ro nr_cpus=8 elfcorehdr=900536K\n"
    "[    0.001000] smpboot: Allowing 8 CPUs, 0 hotplug CPUs\n"
    "[    0.010000] Memory: 98304K/262144K available (14344K kernel code)\n"
    "[    0.020000] software IO TLB: mapped [mem 0x0000000032000000-0x0000000035ffffff] (64MB)\n";

std::string log(const std::string& more) { return std::string(running) + crashed + more; }

TEST(CrashLogText, IsTheLastBootWithAnElfcorehdr) {
    const auto found = read_crash_log(log(""));
    ASSERT_TRUE(found);
    EXPECT_EQ(found->line, 5u);
    EXPECT_EQ(found->total_bytes, 256 * MiB);
    EXPECT_EQ(found->available_bytes, 96 * MiB);
    EXPECT_EQ(found->pool, base::AddressRange::from_bounds(0x32000000, 0x36000000));
    EXPECT_EQ(read_crash_log(log("software IO TLB: mapped [mem 0x0000000032000000-0x0000000036000000] (64MB)\n"))->pool,
              found->pool)
        << "most kernels print the first byte behind it";
    EXPECT_EQ(found->cpus, 8u);
    EXPECT_TRUE(found->shortages.empty());
    EXPECT_FALSE(read_crash_log(running)) << "that is the running kernel's";
    EXPECT_EQ(read_crash_log(log("") + running)->line, 5u) << "the machine has booted again since";
    EXPECT_EQ(read_crash_log(crashed)->line, 1u) << "of a log of its own";
}

TEST(CrashLogText, SaysWhatWasShort) {
    const struct {
        const char* line;
        Kind kind;
    } cases[] = {
        {"software IO TLB: No low mem", Kind::no_pool},
        {"software IO TLB: Cannot allocate buffer", Kind::no_pool},
        {"software IO TLB: swiotlb_init_remap: Failed to allocate 393216 bytes align=0x1000", Kind::no_pool},
        {"nvme 0000:00:04.0: swiotlb buffer is full (sz: 65536 bytes), total 8192 (slots), used 8100 (slots)",
         Kind::pool_full},
        {"Initramfs unpacking failed: write error", Kind::unpacking},
        {"Out of memory: Kill process 1 (systemd) score 5 or sacrifice child", Kind::out_of_memory},
        {"Out of memory: Killed process 312 (makedumpfile) total-vm:1000kB", Kind::out_of_memory},
        {"Kernel panic - not syncing: System is deadlocked on memory", Kind::out_of_memory},
        {"kworker/0:1: page allocation failure: order:5, mode:0xcc0(GFP_KERNEL)", Kind::allocation},
        {"Memory cgroup out of memory: Killed process 9 (x)", Kind::allocation},
    };
    for (const auto& c : cases) {
        const std::string line = c.line;
        const auto found = read_crash_log(log("[    3.000000] " + line + "\n[    3.100000] " + line + "\n"));
        ASSERT_TRUE(found) << line;
        ASSERT_EQ(found->shortages.size(), 1u) << line;
        EXPECT_EQ(found->shortages[0], (CrashLog::Shortage{c.kind, line, 10, 2}));
        EXPECT_FALSE(what_would_help(*found).empty()) << line;
    }
}

TEST(CrashLogText, SaysWhetherTheDumpWasSaved) {
    for (const char* line : {"kdump[510]: saving vmcore complete", "The dumpfile is saved to /var/crash/dump.",
                             "kdump-tools[440]: saved vmcore in /var/crash/202611270900"})
        EXPECT_TRUE(read_crash_log(log(line + std::string("\n")))->dump_saved) << line;
    EXPECT_FALSE(read_crash_log(log("kdump[510]: saving vmcore\n"))->dump_saved);
}

TEST(CrashLogText, TakesNoNumberThatCannotBe) {
    for (const char* line : {"Memory: 5K/4K available", "Memory: 1K/99999999999999999K available", "Memory: /K"}) {
        const auto found = read_crash_log("Linux version 6.1.0 (x)\nCommand line: elfcorehdr=1K\n" + std::string(line));
        ASSERT_TRUE(found);
        EXPECT_EQ(found->total_bytes, 0u) << line;
    }
}

TEST(CrashAdvice, NamesThePoolAndTheCpusThatTookTheMemory) {
    const auto found = read_crash_log(log("Out of memory: Killed process 312 (makedumpfile)\n"));
    const auto help = what_would_help(*found);
    ASSERT_EQ(help.size(), 3u);
    EXPECT_NE(help[1].find("The pool took 64 MiB"), std::string::npos) << help[1];
    EXPECT_NE(help[2].find("8 CPUs"), std::string::npos) << help[2];
}

TEST(CrashAdvice, KnowsASizeThatWasTooSmallOnlyOfADumpThatWasLost) {
    const std::string killed = "Out of memory: Killed process 312 (makedumpfile)\n";
    constexpr std::uint64_t not_counted = 2 * MiB;  // the kernel does not count the ELF headers
    EXPECT_EQ(ran_out_with(*read_crash_log(log(killed))), 256 * MiB + not_counted - 64 * MiB);
    EXPECT_EQ(ran_out_with(*read_crash_log(log(killed + "kdump: saving vmcore complete\n"))), 0u);
    EXPECT_EQ(ran_out_with(*read_crash_log(log("x: swiotlb buffer is full (sz: 1 bytes)\n"))), 0u);
    EXPECT_EQ(ran_out_with(*read_crash_log(log("Initramfs unpacking failed: write error\n"))), 194 * MiB);
    EXPECT_EQ(ran_out_with(*read_crash_log(log("Initramfs unpacking failed: junk at the end of compressed archive\n"))),
              0u)
        << "that has nothing to do with memory";
    EXPECT_EQ(ran_out_with(*read_crash_log(log(""))), 0u);
}

TEST(CrashLogText, OfAnotherLogItIsSaidWhatThatIs) {
    const auto error = [](const std::string& text) {
        const auto found = expect_crash_log(text);
        return found ? std::string("a crash kernel's") : found.error().message();
    };
    EXPECT_EQ(error(log("")), "a crash kernel's");
    const std::string of_the_crashed = error(running);
    EXPECT_NE(
        of_the_crashed.find("2: expected the log of a crash kernel, found a command line without elfcorehdr=: this "
                            "is the log of a kernel that crashed, as vmcore-dmesg.txt has it"),
        std::string::npos)
        << of_the_crashed;
    EXPECT_NE(error("a letter\nto somebody\n").find("found 2 lines, and none of them is recognised"), std::string::npos)
        << error("a letter\nto somebody\n");
    EXPECT_NE(error("Linux version 6.1.0 (x)\nOut of memory: Killed process 1 (x)\n")
                  .find("without the kernel's command line"),
              std::string::npos);
}

}  // namespace
}  // namespace handoff
