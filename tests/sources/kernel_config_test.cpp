// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/kernel_config.hpp"

#include <zlib.h>

#include <cstring>
#include <string>

#include <gtest/gtest.h>

#include "lib/sources/gather.hpp"
#include "lib/sources/gzip.hpp"
#include "lib/sources/host.hpp"
#include "tests/bzimage_file.hpp"
#include "tests/temp_tree.hpp"

namespace handoff {
namespace {

constexpr const char* end_line = "# end of Kernel hacking\n";

std::string whole(const std::string& lines) { return "CONFIG_X86_64=y\n" + lines + end_line; }

KernelConfig parsed(const std::string& lines) {
    const auto config = parse_kernel_config(whole(lines));
    EXPECT_TRUE(config) << (config ? "" : config.error().message());
    return config ? *config : KernelConfig{};
}

std::string error_of(const std::string& text) {
    const auto config = parse_kernel_config(text);
    return config ? "" : config.error().message();
}

std::string gzipped(const std::string& text) {
    z_stream stream{};
    EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    std::string in = text, out(text.size() + 1024, '\0');
    stream.next_in = reinterpret_cast<Bytef*>(in.data());
    stream.avail_in = static_cast<uInt>(in.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
    out.resize(out.size() - stream.avail_out);
    deflateEnd(&stream);
    return out;
}

// --- the options

TEST(KernelConfigText, OfDebiansKernelsIsWhatAPlanStartsFrom) {
    for (const char* release :
         {"5.10.0-32-amd64", "6.1.0-50-amd64", "6.12.117+deb13-amd64", "7.2.13+deb14-amd64", "7.3.4+deb13-amd64"}) {
        const auto config = parse_kernel_config(read_file(std::string(FIXTURES_DIR "/configs/config-") + release));
        ASSERT_TRUE(config) << release << ": " << config.error().message();
        KernelConfig expected;
        if (config->kfence_objects == 0) expected.kfence_objects = 0;  // 5.10 and 6.1 have no KFENCE
        EXPECT_EQ(*config, expected) << release;
    }
}

TEST(KernelConfigText, SaysHowLargeTheLogIs) {
    const KernelConfig config = parsed("CONFIG_LOG_BUF_SHIFT=18\nCONFIG_LOG_CPU_MAX_BUF_SHIFT=15\n");
    EXPECT_EQ(config.log_buf_shift, 18u);
    EXPECT_EQ(config.log_cpu_max_buf_shift, 15u);
    EXPECT_EQ(parsed("").log_cpu_max_buf_shift, 0u) << "one processor, or a small kernel";
}

TEST(KernelConfigText, SaysHowManyObjectsKfenceHas) {
    EXPECT_EQ(parsed("CONFIG_KFENCE=y\nCONFIG_KFENCE_NUM_OBJECTS=1023\n").kfence_objects, 1023u);
    EXPECT_EQ(parsed("# CONFIG_KFENCE is not set\n").kfence_objects, 0u);
}

TEST(KernelConfigText, SaysWhatDebuggingTakes) {
    EXPECT_TRUE(parsed("CONFIG_KASAN=y\n").kasan);
    EXPECT_TRUE(parsed("CONFIG_KMSAN=y\n").kmsan);
    EXPECT_TRUE(parsed("CONFIG_STACKDEPOT_ALWAYS_INIT=y\n").stack_depot);
    EXPECT_FALSE(parsed("# CONFIG_KASAN is not set\nCONFIG_KASAN_VMALLOC=y\n").kasan);
    EXPECT_TRUE(parsed("CONFIG_KEXEC_HANDOVER_ENABLE_DEFAULT=y\n").kexec_handover);
}

TEST(KernelConfigText, SaysHowLargeAPoolIsByDefault) {
    EXPECT_EQ(parsed("CONFIG_SWIOTLB_DEFAULT_SIZE_MB=8\n").pool_bytes, 8 * base::MiB);
    EXPECT_EQ(parsed("").pool_bytes, 64 * base::MiB);
}

TEST(KernelConfigText, SaysWhetherThereIsAnAreaForContiguousDma) {
    const auto has = [](const std::string& lines) { return parsed("CONFIG_DMA_CMA=y\n" + lines).has_default_cma(); };
    const std::string mbytes = "CONFIG_CMA_SIZE_MBYTES=16\n", percent = "CONFIG_CMA_SIZE_PERCENTAGE=10\n";
    EXPECT_TRUE(has(mbytes + "CONFIG_CMA_SIZE_SEL_MBYTES=y\n"));
    EXPECT_FALSE(has("CONFIG_CMA_SIZE_MBYTES=0\nCONFIG_CMA_SIZE_SEL_MBYTES=y\n"));
    EXPECT_TRUE(has(percent + "CONFIG_CMA_SIZE_SEL_PERCENTAGE=y\n"));
    EXPECT_FALSE(has("CONFIG_CMA_SIZE_PERCENTAGE=0\nCONFIG_CMA_SIZE_SEL_PERCENTAGE=y\n"));
    EXPECT_TRUE(has(mbytes + percent + "CONFIG_CMA_SIZE_SEL_MIN=y\n"));
    EXPECT_FALSE(has(mbytes + "CONFIG_CMA_SIZE_PERCENTAGE=0\nCONFIG_CMA_SIZE_SEL_MIN=y\n"));
    EXPECT_TRUE(has(mbytes + "CONFIG_CMA_SIZE_PERCENTAGE=0\nCONFIG_CMA_SIZE_SEL_MAX=y\n"));
    EXPECT_FALSE(has("CONFIG_CMA_SIZE_MBYTES=0\nCONFIG_CMA_SIZE_PERCENTAGE=0\nCONFIG_CMA_SIZE_SEL_MAX=y\n"));
    EXPECT_FALSE(parsed(mbytes + "CONFIG_CMA_SIZE_SEL_MBYTES=y\n").has_default_cma()) << "without CONFIG_DMA_CMA";
}

TEST(KernelConfigText, SaysWhatIsBuiltIntoTheCommandLine) {
    const KernelConfig config = parsed(
        "CONFIG_CMDLINE_BOOL=y\nCONFIG_CMDLINE=\"quiet dyndbg=\\\"file x\\\" a\\\\b\"\nCONFIG_CMDLINE_OVERRIDE=y\n");
    EXPECT_EQ(config.command_line, "quiet dyndbg=\"file x\" a\\b");
    EXPECT_TRUE(config.command_line_alone);
    EXPECT_EQ(parsed("CONFIG_CMDLINE=\"quiet\"\n").command_line, "") << "without CONFIG_CMDLINE_BOOL";
    EXPECT_TRUE(parsed("CONFIG_BOOT_CONFIG_EMBED=y\n").bootconfig_embedded);
    EXPECT_TRUE(parsed("CONFIG_BOOT_CONFIG_FORCE=y\n").bootconfig_forced);
}

TEST(KernelConfigText, MustBeWholeAndOfX86) {
    EXPECT_EQ(error_of(end_line), "expected the configuration of an x86-64 kernel, found no CONFIG_X86_64=y");
    EXPECT_EQ(error_of("CONFIG_X86_64=y\n"), "expected a whole configuration, found no line '# end of Kernel hacking'");
    EXPECT_NE(error_of(""), "");
    EXPECT_EQ(error_of(whole("CONFIG_LOG_BUF_SHIFT=y\n")),
              "line 2: CONFIG_LOG_BUF_SHIFT has a value that it cannot have: 'y'");
    EXPECT_NE(error_of(whole("CONFIG_LOG_BUF_SHIFT=99\n")), "");
    EXPECT_NE(error_of(whole("CONFIG_KASAN=m\n")), "");
    EXPECT_NE(error_of(whole("CONFIG_CMDLINE=\"quiet\n")), "");
    EXPECT_NE(error_of(whole("CONFIG_SWIOTLB_DEFAULT_SIZE_MB=0\n")), "");
}

TEST(KernelConfigText, IsReducedToWhatIsRead) {
    const std::string text = whole(
        "# CONFIG_KMSAN is not set\nCONFIG_CC_VERSION_TEXT=\"gcc of example.org\"\nCONFIG_LOG_BUF_SHIFT=18\n"
        "CONFIG_CMDLINE_BOOL=y\nCONFIG_CMDLINE=\"quiet ip=10.0.0.1 dyndbg=\\\"file x\\\"\"\n");
    const std::string reduced = reduced_kernel_config(text);
    EXPECT_EQ(reduced.find("example"), std::string::npos);
    EXPECT_EQ(reduced.find("10.0.0.1"), std::string::npos) << "a word that may name the machine";
    EXPECT_EQ(parse_kernel_config(reduced)->log_buf_shift, 18u);
    EXPECT_EQ(parse_kernel_config(reduced)->command_line.size(), parse_kernel_config(text)->command_line.size());
    EXPECT_EQ(reduced_kernel_config(reduced), reduced);

    // What cannot be read stays unreadable: without the line the kernel would seem to have no words of its own.
    const std::string damaged = reduced_kernel_config("CONFIG_CMDLINE=\"q4\nCONFIG_X86_64=y\n");
    EXPECT_EQ(damaged, "CONFIG_CMDLINE=\nCONFIG_X86_64=y\n");
    EXPECT_EQ(reduced_kernel_config(damaged), damaged);
    EXPECT_FALSE(parse_kernel_config(damaged + "# end of Kernel hacking\n"));
}

// --- the files

TEST(KernelConfigFile, IsTheOneOfTheRelease) {
    const TempTree tree;
    tree.write("boot/config-6.1.0-50-amd64", whole("CONFIG_LOG_BUF_SHIFT=18\n"));
    tree.write("lib/modules/7.3.4+deb13-amd64/config", whole("CONFIG_LOG_BUF_SHIFT=19\n"));
    const Host host(tree.path());
    const auto boot = read_running_config(host, "6.1.0-50-amd64");
    ASSERT_TRUE(boot && *boot);
    EXPECT_EQ((*boot)->file, "boot/config-6.1.0-50-amd64");
    EXPECT_EQ((*boot)->config.log_buf_shift, 18u);
    const auto modules = read_running_config(host, "7.3.4+deb13-amd64");
    ASSERT_TRUE(modules && *modules);
    EXPECT_EQ((*modules)->file, "lib/modules/7.3.4+deb13-amd64/config");
    for (const char* release : {"", "6.1.0", "../boot/config-6.1.0-50-amd64", "x/y"}) {
        const auto none = read_running_config(host, release);
        EXPECT_TRUE(none && !*none) << release;
    }
}

TEST(KernelConfigFile, OfAnotherVersionIsNotThatOfTheRelease) {
    const TempTree tree;
    const auto read = [&tree](const char* version, const std::string& release) {
        tree.write("boot/config-" + release, "#\n# Automatically generated file; DO NOT EDIT.\n# Linux/x86 " +
                                                 std::string(version) + " Kernel Configuration\n#\n" + whole(""));
        const auto found = read_running_config(Host(tree.path()), release);
        return found ? std::string() : found.error().message();
    };
    EXPECT_EQ(read("6.1.170", "6.1.0-50-amd64"), "");
    EXPECT_EQ(read("7.2.13", "7.2.13+deb14-amd64"), "");
    EXPECT_EQ(read("6.12.3", "6.1.0-50-amd64"),
              "boot/config-6.1.0-50-amd64: expected the configuration of Linux '6.1.0-50-amd64', found one of Linux "
              "'6.12.3'");
    EXPECT_EQ(configured_version(reduced_kernel_config("# Linux/x86 6.12.3 Kernel Configuration\n" + whole(""))),
              "6.12.3");
    EXPECT_EQ(configured_version("CONFIG_X86_64=y\n# Linux/x86 6.12.3 Kernel Configuration\n"), "")
        << "not at the start";
}

TEST(KernelConfigFile, OfTheRunningKernelMayBeCompressed) {
    const TempTree tree;
    tree.write("proc/config.gz", gzipped(whole("CONFIG_LOG_BUF_SHIFT=20\n")));
    const auto found = read_running_config(Host(tree.path()), "6.6.9");
    ASSERT_TRUE(found && *found);
    EXPECT_EQ((*found)->config.log_buf_shift, 20u);
    tree.write("proc/config.gz", gzipped(whole("")).substr(0, 30));
    EXPECT_EQ(read_running_config(Host(tree.path()), "6.6.9").error().message(),
              "proc/config.gz: gzip: the data is damaged, or cut off");
}

TEST(KernelConfigFile, OfAnImageIsBesideIt) {
    const TempTree tree;
    tree.write("elsewhere/vmlinuz", "no image");
    tree.write("elsewhere/config-6.6.9", whole("CONFIG_LOG_BUF_SHIFT=21\n"));
    tree.write("machine/boot/config-6.6.9", whole("CONFIG_LOG_BUF_SHIFT=22\n"));
    const Host host(tree / "machine");
    const auto shift = [&](bool beside) {
        const auto found = read_image_config(host, tree / "elsewhere/vmlinuz", beside, "6.6.9");
        return found && *found ? (*found)->config.log_buf_shift : 0;
    };
    EXPECT_EQ(shift(true), 21u);
    EXPECT_EQ(shift(false), 22u) << "as it is installed";
    std::filesystem::remove(tree / "elsewhere/config-6.6.9");
    tree.write("6.6.9/vmlinuz", "no image");
    tree.write("6.6.9/config", whole("CONFIG_LOG_BUF_SHIFT=23\n"));
    EXPECT_EQ((*read_image_config(host, tree / "6.6.9/vmlinuz", true, "6.6.9"))->config.log_buf_shift, 23u);
    EXPECT_EQ((*read_image_config(host, tree / "elsewhere/vmlinuz", true, "6.6.9"))->config.log_buf_shift, 22u);
}

TEST(KernelConfigFile, OfAnotherReleaseIsNone) {
    const TempTree tree;
    tree.write("vmlinuz", "no image");
    tree.write("config-6.6.9", whole(""));
    tree.write("proc/config.gz", gzipped(whole("")));
    const auto found = read_image_config(Host(tree.path()), tree / "vmlinuz", true, "6.6.8");
    EXPECT_TRUE(found && !*found);
}

TEST(KernelConfigFile, MayBeInTheImage) {
    const std::string config = gzipped(whole("CONFIG_LOG_BUF_SHIFT=24\n"));
    const std::string kernel = "text with IKCFG_ST in it" + std::string(100, '\0') + "IKCFG_ST" + config + "IKCFG_ED";
    const auto text = embedded_config(bzimage("", gzipped(kernel)));
    ASSERT_TRUE(text);
    EXPECT_EQ(parse_kernel_config(*text)->log_buf_shift, 24u);
    EXPECT_FALSE(embedded_config(bzimage("", gzipped("no configuration"))));
    EXPECT_FALSE(embedded_config("no image"));

    const TempTree tree;
    tree.write("vmlinuz", bzimage("", gzipped(kernel)));
    const auto found = read_image_config(Host(tree.path()), tree / "vmlinuz", true, "6.6.9");
    ASSERT_TRUE(found && *found);
    EXPECT_EQ((*found)->config.log_buf_shift, 24u);
}

TEST(KernelConfigFile, IsTheMachinesWhereItIsOfTheRunningKernel) {
    const TempTree tree;
    tree.write("proc/sys/kernel/osrelease", "6.6.9\n");
    tree.write("boot/config-6.6.9", whole("CONFIG_KASAN=y\n"));
    const auto machine = gather(Host(tree.path()));
    ASSERT_TRUE(machine);
    ASSERT_TRUE(machine->config);
    EXPECT_TRUE(machine->config->kasan);
    EXPECT_EQ(machine->config_from.text(), "boot/config-6.6.9");
    tree.write("boot/config-6.6.9", "CONFIG_KASAN=y\n");
    const auto cut = gather(Host(tree.path()));
    EXPECT_FALSE(cut->config);
    ASSERT_EQ(cut->unread.size(), 1u);
    EXPECT_EQ(cut->unread.front().source, "boot/config-6.6.9");
}

TEST(Gzip, HoldsNoMoreThanItMay) {
    const std::string bytes = gzipped(std::string(200000, 'x'));
    EXPECT_TRUE(is_gzip(bytes));
    EXPECT_EQ(gunzip(bytes, 200001)->size(), 200000u);
    EXPECT_EQ(gunzip(bytes, 100000).error().message(), "gzip: more than 100000 bytes are in it");
    EXPECT_FALSE(gunzip(bytes.substr(0, bytes.size() / 2), 200001));
    EXPECT_FALSE(gunzip("", 10));
}

}  // namespace
}  // namespace handoff
