// SPDX-License-Identifier: GPL-2.0-or-later
// kexec's command line, read as kexec-tools reads it (kexec/kexec.c and the option tables of 2.0.25 and 2.0.32).
#include "lib/load/kexec_arguments.hpp"

#include <sstream>

#include <gtest/gtest.h>

namespace handoff {
namespace {

std::vector<std::string> words(const std::string& text) {
    std::istringstream in(text);
    std::vector<std::string> found;
    for (std::string w; in >> w;) found.push_back(w);
    return found;
}
KexecArguments read(const std::string& text) {
    const auto found = read_kexec_arguments(words(text));
    EXPECT_TRUE(found) << text;
    return found.value_or(KexecArguments{});
}

TEST(KexecArguments, EverySpellingOfACrashKernelsLoad) {
    for (const char* text : {"-p vmlinuz", "-lp vmlinuz", "vmlinuz -p", "--load-panic vmlinuz", "-l --load-pan vmlinuz",
                             "-p -- vmlinuz", "-xyip vmlinuz"}) {
        const auto found = read(text);
        EXPECT_TRUE(found.panic_load && found.not_modelled.empty()) << text;
        EXPECT_EQ(found.kernel, "vmlinuz") << text;
    }
}

TEST(KexecArguments, WhatLoadsNoCrashKernel) {
    for (const char* text : {"", "-l vmlinuz", "vmlinuz", "-p", "-p -u", "-pu", "-u -p vmlinuz", "-p --unload",
                             "-e -p vmlinuz", "-f -p vmlinuz", "-p -S", "--status -p vmlinuz",
                             "--print-ckr-size -p vmlinuz", "-v -p x", "-p --version x", "-p -- "})
        EXPECT_FALSE(read(text).panic_load) << text;
}

TEST(KexecArguments, EverySpellingOfTheLoadForAReboot) {
    for (const char* text : {"-l vmlinuz", "--load vmlinuz", "-s -l vmlinuz", "vmlinuz -cl", "-l -x -y -i vmlinuz"})
        EXPECT_TRUE(read(text).next_load) << text;
    for (const char* text :
         {"", "vmlinuz", "-l", "-e", "-l -e vmlinuz", "-l -f vmlinuz", "-lp vmlinuz", "-u -l vmlinuz", "-l -S vmlinuz",
          "-f vmlinuz", "-s vmlinuz", "-l --load-preserve-context"})
        EXPECT_FALSE(read(text).next_load) << text;
    EXPECT_FALSE(read("-l vmlinuz").may_change_load) << "the crash kernel stays as it is";
}

TEST(KexecArguments, UnloadingTheCrashKernelIsKnown) {
    for (const char* text : {"-p -u", "-pu", "--unload --load-panic"}) EXPECT_TRUE(read(text).panic_unload) << text;
    for (const char* text : {"-u", "-p -S", "-p -u -S", "-p vmlinuz"}) EXPECT_FALSE(read(text).panic_unload) << text;
}

TEST(KexecArguments, WhatMayChangeTheLoadedCrashKernel) {
    for (const char* text : {"-p vmlinuz", "-p -u", "-p", "-e -p vmlinuz", "-f -p vmlinuz", "-p --hotplug vmlinuz",
                             "-p --exec-live-update x", "-p --load-jump-back-helper x"})
        EXPECT_TRUE(read(text).may_change_load) << text;
    for (const char* text : {"", "-l vmlinuz", "-u", "-e", "-p -S", "--status -p vmlinuz",
                             "--print-ckr-size -p vmlinuz", "-v -p x", "-h -p x", "-p --version x", "-p --help x"})
        EXPECT_FALSE(read(text).may_change_load) << text;
}

TEST(KexecArguments, EverySpellingOfTheCommandLine) {
    for (const char* text :
         {"-p --append=ro v", "-p --append ro v", "-p --app=ro v", "-p --ap ro v", "-p --command-line=ro v",
          "-p --command-line ro v", "-p --com=ro v", "v -p --append=ro", "-p --append=x --command-line=ro v"}) {
        EXPECT_EQ(read(text).append, "ro") << text;
        EXPECT_EQ(read(text).kernel, "v") << text;
    }
    EXPECT_EQ(read("-p v").append, std::nullopt);
    EXPECT_EQ(read_kexec_arguments({"-p", "--append=", "v"})->append, "");
}

TEST(KexecArguments, EverySpellingOfTheRest) {
    for (const char* text : {"-p --initrd=i v", "-p --initrd i v", "-p --ini i v", "-p --ramdisk=i v", "-p --ramd i v"})
        EXPECT_EQ(read(text).initrd, "i") << text;
    for (const char* text : {"-p --reuse-cmdline v", "-p --reuse-c v"})
        EXPECT_TRUE(read(text).reuse_command_line) << text;
    EXPECT_EQ(read("-p -c v").loader, Loader::kexec_load);
    EXPECT_EQ(read("-p --kexec-syscall v").loader, Loader::kexec_load);
    EXPECT_EQ(read("-ps v").loader, Loader::kexec_file_load);
    EXPECT_EQ(read("-p --kexec-f v").loader, Loader::kexec_file_load);
    EXPECT_EQ(read("-p -a v").loader, Loader::automatic);
    EXPECT_EQ(read("-p -c -s v").loader, Loader::kexec_file_load) << "the last one wins";
    EXPECT_EQ(read("-p v").loader, std::nullopt);
    EXPECT_TRUE(read("-pd v").debug);
}

TEST(KexecArguments, OptionsThatAlterTheLoadAreNamed) {
    for (const char* text : {"--hotplug",
                             "--force-dtb",
                             "--no-cma",
                             "--dtb=x",
                             "--mem-min=1",
                             "--mem-max 1",
                             "--entry=1",
                             "--type=x",
                             "-t x",
                             "--noefi",
                             "--reuseinitrd",
                             "--pass-memmap-cmdline",
                             "--module=x",
                             "--real-mode",
                             "--entry-32bit",
                             "--args-linux",
                             "--elf32-core-headers",
                             "--load-preserve-context",
                             "--reuse-video-type",
                             "--serial=x",
                             "--console-vga",
                             "--reset-vga"})
        EXPECT_EQ(read(std::string("-p ") + text + " v").not_modelled.size(), 1u) << text;
    EXPECT_EQ(read("-p --hotplug v").not_modelled.front(), "--hotplug");
    EXPECT_TRUE(read("-p --elf64-core-headers v").not_modelled.empty()) << "the default on x86-64";
}

TEST(KexecArguments, WhatAVersionWouldReadOtherwiseIsNotRead) {
    EXPECT_FALSE(read_kexec_arguments(words("-p --d v"))) << "--debug, or ambiguous since there is --dtb";
    EXPECT_FALSE(read_kexec_arguments(words("--h")));
    for (const char* text : {"-p --no-such v", "--load-p v", "-p --re v", "-p --append", "-pZ v", "-p --initrd", "-?",
                             "-p --reuse v", "-p --debug=1 v", "-p --no-c v"})
        EXPECT_FALSE(read_kexec_arguments(words(text))) << text;
}

TEST(KexecArguments, TheDefaultSystemCallFollowsTheVersion) {
    EXPECT_EQ(loader_of(read("-p v"), "2.0.25"), Loader::kexec_load);
    EXPECT_EQ(loader_of(read("-p v"), "2.0.32"), Loader::automatic);
    EXPECT_EQ(loader_of(read("-p v"), std::nullopt), Loader::automatic);
    EXPECT_EQ(loader_of(read("-p -s v"), "2.0.25"), Loader::kexec_file_load);
}

TEST(KexecArguments, ReuseCmdlineLeavesOutWhatThatVersionLeavesOut) {
    const auto reuse = read("-p --reuse-cmdline --append=ro v");
    EXPECT_EQ(kexec_command_line(reuse, "BOOT_IMAGE=/v a crashkernel=1G b\n", std::nullopt), "a b ro");
    EXPECT_EQ(kexec_command_line(reuse, "crashkernel=1G,high crashkernel=0,low a\n", "2.0.25"),
              "crashkernel=0,low a ro");
    EXPECT_EQ(kexec_command_line(reuse, "crashkernel=1G,high crashkernel=0,low a\n", "2.0.32"), "a ro");
    EXPECT_EQ(kexec_command_line(reuse, "crashkernel=1G,high crashkernel=0,low a\n", "2.0.29"), std::nullopt);
    EXPECT_EQ(kexec_command_line(reuse, "no_crashkernel=1 crashkernel=1G\n", "2.0.32"),
              "no_crashkernel=1 crashkernel=1G ro")
        << "kexec gives up at the first place that is no word";
    EXPECT_EQ(kexec_command_line(read("-p --append=ro v"), "a", std::nullopt), "ro");
    EXPECT_EQ(kexec_command_line(read("-p --reuse-cmdline v"), "a", std::nullopt), "a");
    EXPECT_EQ(kexec_command_line(read("-p v"), "a", std::nullopt), "");
    EXPECT_EQ(kexec_command_line(read("-l --reuse-cmdline v"), "BOOT_IMAGE=/v crashkernel=1G,high crashkernel=0,low\n",
                                 "2.0.29"),
              "crashkernel=1G,high crashkernel=0,low")
        << "the next kernel keeps them";
}

TEST(KexecArguments, TheWordsComeLastAndNothingElseChanges) {
    EXPECT_EQ(
        with_words(read("v -x --ap ro -p -s --ramdisk i --reuse-c"), "W=1 X", "6.12.1"),
        (std::vector<std::string>{"-p", "-d", "-s", "-x", "--initrd=i", "--reuse-cmdline", "--append=ro W=1 X", "v"}));
    EXPECT_EQ(with_words(read("-p v"), "W", ""), (std::vector<std::string>{"-p", "-d", "--append=W", "v"}));
    EXPECT_EQ(with_words(read("-p -- -v"), "W", ""), (std::vector<std::string>{"-p", "-d", "--append=W", "--", "-v"}));
    EXPECT_EQ(with_words(read("-l -s --append=ro v"), "W", "6.12.1"),
              (std::vector<std::string>{"-d", "-s", "-l", "--append=ro W", "v"}));
    EXPECT_EQ(with_words(read("-l --append=ro v"), "", ""), (std::vector<std::string>{"-d", "-l", "--append=ro", "v"}));
    // Read again it is the same load with the words.
    const auto before = read("-pca --initrd i --append ro v w");
    auto after = read_kexec_arguments(with_words(before, "W", "6.1.0")).value();
    EXPECT_TRUE(after.debug);
    EXPECT_EQ(after.append, "ro W");
    after.debug = before.debug;
    after.append = before.append;
    after.given = before.given;
    EXPECT_EQ(after, before);
}

TEST(KexecArguments, AsGivenButForTheWordsWhichKexecTakesFromTheLastAppend) {
    const auto with = [](const char* arguments) { return given_with_words(read(arguments), "W=1"); };
    EXPECT_EQ(with("v -x --ap ro -p -s --ramdisk i --reuse-c"),
              (std::vector<std::string>{"v", "-x", "--ap", "ro", "-p", "-s", "--ramdisk", "i", "--reuse-c",
                                        "--append=ro W=1"}));
    EXPECT_EQ(with("-p --mem-max=1G v"), (std::vector<std::string>{"-p", "--mem-max=1G", "v", "--append=W=1"}));
    EXPECT_EQ(with("-p -- v"), (std::vector<std::string>{"-p", "--append=W=1", "--", "v"}));
    auto after = read_kexec_arguments(with("-ps --append ro --append nr_cpus=1 --initrd i v")).value();
    EXPECT_EQ(after.append, "nr_cpus=1 W=1");
}

TEST(KexecArguments, KexecFileLoadIsAskedForMessagesOnlyWhereTheKernelKnowsThatFlag) {
    const auto asks = [](const char* arguments, const char* release) {
        return read_kexec_arguments(with_words(read(arguments), "W", release)).value().debug;
    };
    for (const char* release : {"5.10.0-32-amd64", "6.1.0-50-cloud-amd64", "6.6.9", "6.7", "6.7.12"}) {
        EXPECT_FALSE(asks("-p -s v", release)) << release;
        EXPECT_TRUE(asks("-p -s -d v", release)) << "as the caller asked";
        EXPECT_TRUE(asks("-p -c v", release)) << "kexec itself says it";
        EXPECT_TRUE(asks("-p -a v", release)) << "kexec takes kexec_load then, and says it itself";
        EXPECT_TRUE(asks("-p v", release));
    }
    for (const char* release : {"6.8.0", "6.12.1", "6.8-rc1", "7.2.13", "10.0", "", "x", "6", "6.x"})
        EXPECT_TRUE(asks("-p -s v", release)) << release;
}

TEST(KexecArguments, TheKernelsDebugMessagesAreNeededWhereNobodyElseReportsTheSegments) {
    const auto needs = [](const char* arguments, const char* release) {
        return needs_load_messages(read(arguments), release);
    };
    EXPECT_TRUE(needs("-p -s v", "6.1.0-50-amd64"));
    EXPECT_TRUE(needs("-p v", "6.7.12")) << "whichever system call kexec takes";
    EXPECT_FALSE(needs("-p -c v", "6.1.0-50-amd64")) << "kexec itself says it";
    EXPECT_FALSE(needs("-p -s v", "6.8.0")) << "-d asks the kernel for it";
}

}  // namespace
}  // namespace handoff
