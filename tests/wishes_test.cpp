// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/load/wishes.hpp"

#include <cstring>

#include <gtest/gtest.h>

#include "lib/sources/host.hpp"
#include "tests/bzimage_file.hpp"
#include "tests/cpio_archive.hpp"
#include "tests/temp_tree.hpp"

namespace handoff {
namespace {

/// A machine with Debian's kdump and its initrd of 5 bytes.
class Request : public testing::Test {
protected:
    Request() {
        tree_.write("usr/sbin/kdump-config", "");
        tree_.write("etc/default/kdump-tools", "USE_KDUMP=1\n");
        tree_.write("var/lib/kdump/initrd.img", "12345");
        machine_.release = "6.1.0";
    }
    [[nodiscard]] PlanRequest made(const Wishes& wishes = {}) const {
        auto request = request_for(Host(tree_.path()), machine_, wishes);
        EXPECT_TRUE(request) << request.error().message();
        return *std::move(request);
    }
    [[nodiscard]] std::string error(const Wishes& wishes = {}) const {
        const auto request = request_for(Host(tree_.path()), machine_, wishes);
        return request ? "no error" : request.error().message();
    }
    const TempTree tree_;
    Machine machine_;
};

TEST_F(Request, HasWhatIsWished) {
    Wishes wishes;
    wishes.command_line = "root=/dev/vda";
    wishes.loader = Loader::kexec_load;
    wishes.method = Method::ram;
    wishes.pool = AddressRange::from_bounds(0x75000000, 0x79000000);
    wishes.accept = {"lockdown"};
    wishes.leaves_pool_out = true;
    const PlanRequest request = made(wishes);
    EXPECT_EQ(request.command_line, "root=/dev/vda");
    EXPECT_EQ(request.loader, Loader::kexec_load);
    EXPECT_EQ(request.method, Method::ram);
    EXPECT_EQ(request.pool, wishes.pool);
    EXPECT_EQ(request.accept, wishes.accept);
    EXPECT_TRUE(request.leaves_pool_out);
}

TEST_F(Request, KnowsWhatTheServiceWillDoWithoutBeingToldAnything) {
    machine_.command_line = "root=/dev/vda ro crashkernel=256M";
    tree_.write("etc/default/kdump-tools",
                "KDUMP_CMDLINE_APPEND=\"nr_cpus=4\"\nMAKEDUMP_ARGS=\"-d 31 --num-threads 2\"\n");
    const PlanRequest request = made();
    EXPECT_FALSE(request.command_line);
    EXPECT_EQ(request.service_command_line, "root=/dev/vda ro nr_cpus=4");
    ASSERT_TRUE(request.collector_options);
    EXPECT_EQ(request.collector_options->threads, 2u);
}

TEST_F(Request, LooksIntoTheInitrdWhereThatIsAskedFor) {
    tree_.write("var/lib/kdump/initrd.img",
                cpio::file("lib/virtio-blk.ko", std::string(5000, 'm')) + cpio::file("lib/loop.ko", "m") + cpio::end());
    tree_.write("proc/modules", "virtio_blk 24576 2 - Live 0x0000000000000000\nkvm 1000000 0 - Live 0x0\n\nnonsense\n");
    PlanRequest request = made();
    EXPECT_FALSE(request.initrd_contents) << "who has no use for it does not wait for it";
    look_into_initrd(Host(tree_.path()), request);
    ASSERT_TRUE(request.initrd_contents);
    EXPECT_EQ(request.initrd_contents->file_bytes, 3 * base::page_size);
    EXPECT_EQ(request.initrd_contents->loaded_module_bytes, 24576u);

    tree_.write("var/lib/kdump/initrd.img", cpio::file("squash-root.img", "hsqs") + cpio::end());
    request = made();
    look_into_initrd(Host(tree_.path()), request);
    ASSERT_TRUE(request.initrd_contents);
    EXPECT_EQ(request.initrd_contents->loaded_module_bytes, 1024576u) << "which are in it is not seen";

    tree_.write("var/lib/kdump/initrd.img", "12345");
    request = made();
    look_into_initrd(Host(tree_.path()), request);
    EXPECT_FALSE(request.initrd_contents);
    ASSERT_TRUE(request.initrd_contents_problem);
    EXPECT_NE(request.initrd_contents_problem->message().find("var/lib/kdump/initrd.img: expected an initrd"),
              std::string::npos)
        << request.initrd_contents_problem->message();
}

TEST_F(Request, HasTheConfigurationOfItsImage) {
    const std::string config = "CONFIG_X86_64=y\nCONFIG_LOG_BUF_SHIFT=20\n# end of Kernel hacking\n";
    tree_.write("boot/vmlinuz-6.1.0", bzimage("6.1.0 (x) #1"));
    EXPECT_EQ(made().config, std::nullopt);
    tree_.write("boot/config-6.1.0", config);
    ASSERT_TRUE(made().config);
    EXPECT_EQ(made().config->log_buf_shift, 20u);
    EXPECT_EQ(made().config_from, "boot/config-6.1.0");

    tree_.write("mine/vmlinuz", bzimage("6.6.9 (x) #1"));
    Wishes wishes;
    wishes.kernel = (tree_ / "mine/vmlinuz").string();
    EXPECT_EQ(made(wishes).config, std::nullopt) << "that is another kernel's";
    tree_.write("mine/config-6.6.9", config);
    EXPECT_EQ(made(wishes).config_from, (tree_ / "mine/config-6.6.9").string());
    tree_.write("mine/config-6.6.9", "CONFIG_X86_64=y\n");
    EXPECT_EQ(made(wishes).config, std::nullopt);
    EXPECT_EQ(made(wishes).config_problem->source, (tree_ / "mine/config-6.6.9").string());
}

TEST_F(Request, HasTheInitrdThatIsNamedElseTheOneThatKdumpLoads) {
    EXPECT_EQ(made().initrd_bytes, 5u);
    tree_.write("mine", "123");
    Wishes wishes;
    wishes.initrd = (tree_ / "mine").string();
    EXPECT_EQ(made(wishes).initrd_bytes, 3u);
    wishes.initrd = "";
    EXPECT_EQ(made(wishes).initrd_bytes, 0u) << "a load without an initrd";
    std::filesystem::remove(tree_ / "usr/sbin/kdump-config");
    std::filesystem::remove(tree_ / "etc/default/kdump-tools");
    EXPECT_EQ(made().initrd_bytes, std::nullopt) << "nobody knows what will be loaded";
}

TEST_F(Request, HasTheImageThatIsNamedElseTheOneThatKdumpLoads) {
    EXPECT_EQ(made().image, std::nullopt) << "none is there: the plan assumes";
    tree_.write("var/lib/kdump/vmlinuz", "no image");
    const std::string of_kdump = (tree_ / "var/lib/kdump/vmlinuz").string();
    EXPECT_EQ(error().find(of_kdump), 0u) << error();
    Wishes wishes;
    wishes.kernel = (tree_ / "gone").string();
    EXPECT_EQ(error(wishes).find(*wishes.kernel), 0u) << error(wishes);
}

TEST_F(Request, LendsWhereTheUserOrTheConfigurationSaysSo) {
    EXPECT_FALSE(made().lend);
    Wishes wishes;
    wishes.lend = true;
    EXPECT_TRUE(made(wishes).lend);
    tree_.write("etc/default/kdump-tools", "SWIOTLB_HANDOFF_LEND=yes\n");
    EXPECT_TRUE(made().lend);
}

TEST_F(Request, TakesTheUsersWordForTheCollectorBeforeTheConfigurations) {
    EXPECT_EQ(made().collector, Collector::maps);
    Wishes wishes;
    wishes.collector = Collector::reads;
    EXPECT_EQ(made(wishes).collector, Collector::reads);
    std::filesystem::remove(tree_ / "etc/default/kdump-tools");
    EXPECT_EQ(made().collector, Collector::unknown);
}

TEST_F(Request, ReadsASecondConfigurationFileWhereTheServiceHasOne) {
    std::filesystem::remove(tree_ / "usr/sbin/kdump-config");
    tree_.write("usr/bin/kdumpctl", "");
    tree_.write("etc/sysconfig/kdump", "X=1\n");
    EXPECT_EQ(made().collector, Collector::unknown);
    tree_.write("etc/kdump.conf", "core_collector cp\n");
    EXPECT_EQ(made().collector, Collector::reads);
}

TEST(Wishes, AreCompletedByTheRecordOfTheLastLoad) {
    Record record;
    record.kernel = "/boot/vmlinuz";
    record.initrd = "initrd";  // relative to a directory that nobody knows
    record.loader = Loader::kexec_load;
    record.command_line = "root=/dev/vda nr_cpus=1 memmap=64M@0x75000000";
    record.append = " memmap=64M@0x75000000";
    record.loan = true;
    const Wishes same = as_recorded({}, record);
    EXPECT_EQ(same.kernel, "/boot/vmlinuz");
    EXPECT_EQ(same.initrd, std::nullopt);
    EXPECT_EQ(same.loader, Loader::kexec_load);
    EXPECT_EQ(same.command_line, "root=/dev/vda nr_cpus=1");
    EXPECT_TRUE(same.lend);

    Wishes said;
    said.kernel = "/other";
    said.loader = Loader::kexec_file_load;
    said.command_line = "root=/dev/vdb";
    const Wishes kept = as_recorded(said, record);
    EXPECT_EQ(kept.kernel, "/other");
    EXPECT_EQ(kept.loader, Loader::kexec_file_load);
    EXPECT_EQ(kept.command_line, "root=/dev/vdb");
}

}  // namespace
}  // namespace handoff
