// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/kdump_service.hpp"

#include <gtest/gtest.h>

#include "lib/host.hpp"
#include "tests/temp_tree.hpp"

namespace {

using handoff::ConfigState;
using handoff::KdumpFamily;

constexpr std::string_view helpers = "/usr/lib/swiotlb-handoff";
const handoff::KdumpService debian = handoff::service_of(KdumpFamily::kdump_tools);

std::string enabled(std::string_view text) { return *handoff::with_handoff(text, debian, helpers); }

TEST(KdumpConfig, TheBlockIsSourcedByTheScriptsAndIsNothingToSystemd) {
    EXPECT_EQ(enabled("USE_KDUMP=1\n"),
              "USE_KDUMP=1\n"
              "# >>> swiotlb-handoff enable >>>\n"
              "# Written by 'swiotlb-handoff enable'; 'swiotlb-handoff disable' takes it away.\n"
              "[ ! -r /usr/lib/swiotlb-handoff/kdump-tools.sh ] || . /usr/lib/swiotlb-handoff/kdump-tools.sh\n"
              "# <<< swiotlb-handoff enable <<<\n");
    EXPECT_EQ(enabled("").find('='), std::string::npos) << "EnvironmentFile= would take it as a variable";
}

TEST(KdumpConfig, EnabledTwiceIsEnabledOnce) {
    for (const char* text : {"", "USE_KDUMP=1\n", "no end"}) EXPECT_EQ(enabled(enabled(text)), enabled(text)) << text;
}

TEST(KdumpConfig, DisabledIsByteForByteWhatItWas) {
    for (const char* text : {"", "\n", "\n\n", "USE_KDUMP=1\n", "USE_KDUMP=1", "a\r\nb\r\n", "# comment\n\n\n", "  "}) {
        EXPECT_EQ(*handoff::without_handoff(enabled(text), debian, helpers), text);
        EXPECT_EQ(*handoff::without_handoff(text, debian, helpers), text) << "never enabled";
    }
}

TEST(KdumpConfig, LinesAddedSinceStayWhereTheyAre) {
    EXPECT_EQ(*handoff::without_handoff("first\n" + enabled("a\n") + "last\n", debian, helpers), "first\na\nlast\n");
    EXPECT_EQ(*handoff::without_handoff(enabled("a") + "last\n", debian, helpers), "a\nlast\n") << "not 'alast'";
}

TEST(KdumpConfig, ADamagedBlockIsLeftToTheAdministrator) {
    const std::string whole = enabled("a\n");
    const auto replaced = [&](std::string_view what, std::string_view with) {
        std::string text = whole;
        return text.replace(text.find(what), what.size(), with);
    };
    const struct {
        std::string text, message;
    } cases[] = {
        {whole + whole, "line 7: expected one block of swiotlb-handoff, found the beginning of a second"},
        {replaced("# <<< swiotlb-handoff enable <<<\n", ""), "expected '# <<< swiotlb-handoff enable <<<', found the end of the file"},
        {replaced("# >>> swiotlb-handoff enable >>>\n", ""), "line 4: found '# <<< swiotlb-handoff enable <<<' without its beginning"},
        {replaced("# Written", "KEXEC_ARGS=-s\n# Written"), "line 6: the block of swiotlb-handoff was changed by hand: take it out by hand, or restore it"},
    };
    for (const auto& c : cases) {
        EXPECT_EQ(handoff::with_handoff(c.text, debian, helpers).error().message(), c.message);
        EXPECT_EQ(handoff::without_handoff(c.text, debian, helpers).error().message(), c.message);
        EXPECT_FALSE(handoff::handoff_in(c.text, debian, helpers));
    }
}

TEST(KdumpService, IsFoundByTheScriptsThatAreInstalled) {
    const auto found = [](std::initializer_list<std::pair<const char*, const char*>> files) -> std::string {
        TempTree tree;
        for (const auto& [path, text] : files) tree.write(path, text);
        const auto service = handoff::find_kdump_service(handoff::Host(tree.path()));
        return service ? handoff::name(service->family) : "none";
    };
    EXPECT_EQ(found({{"etc/os-release", "ID=debian\n"}}), "none") << "a Debian without kdump-tools";
    EXPECT_EQ(found({{"usr/sbin/kdump-config", ""}}), "kdump-tools");
    EXPECT_EQ(found({{"usr/bin/kdumpctl", ""}}), "kdumpctl");
    EXPECT_EQ(found({{"usr/lib/kdump/load.sh", ""}}), "suse");
    EXPECT_EQ(found({{"usr/sbin/kdump-config", ""}, {"usr/bin/kdumpctl", ""}, {"etc/os-release", "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n"}}),
              "kdumpctl") << "both: os-release decides";
}

TEST(KdumpService, FamilyFollowsFromOsRelease) {
    const struct {
        const char* text;
        std::optional<KdumpFamily> family;
    } cases[] = {
        {"ID=debian\n", KdumpFamily::kdump_tools},
        {"NAME=\"Ubuntu\"\nID=ubuntu\nID_LIKE=debian\n", KdumpFamily::kdump_tools},
        {"ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n", KdumpFamily::kdump_tools},
        {"ID=fedora\n", KdumpFamily::kdumpctl},
        {"ID=\"almalinux\"\nID_LIKE=\"rhel centos fedora\"\n", KdumpFamily::kdumpctl},
        {"ID=\"sles\"\nID_LIKE=\"suse\"\n", KdumpFamily::suse},
        {"ID=\"opensuse-tumbleweed\"\n", KdumpFamily::suse},
        {"ID=arch\n", std::nullopt},
        {"", std::nullopt},
    };
    for (const auto& c : cases) EXPECT_EQ(handoff::family_of(c.text), c.family) << c.text;
}

TEST(KdumpService, PlainAssignmentsAreReadWithoutAShell) {
    const struct {
        const char *text, *value;  // "?": not known
    } cases[] = {
        {"A=b\n", "b"}, {"A=\"b c\"\n", "b c"}, {"A='b $c'\n", "b $c"}, {" export A=b # why\n", "b"}, {"A=\n", ""}, {"A=b\nA=c\n", "c"},
        {"#A=b\n", "?"}, {"AB=c\n", "?"}, {"A=\"b $(c)\"\n", "?"}, {"A=\"b\n", "?"}, {"A=b c\n", "?"}, {"A=b\nA=$C\n", "?"},
    };
    for (const auto& c : cases) EXPECT_EQ(handoff::assigned(c.text, "A").value_or("?"), c.value) << c.text;
}

TEST(KdumpService, TheLikelyCommandLineIsWhatTheScriptsMakeOfIt) {
    const std::string running = "BOOT_IMAGE=/v root=/dev/vda ro crashkernel=192M hugepages=4 swiotlb=force";
    EXPECT_EQ(handoff::likely_command_line(debian, "", running),
              "root=/dev/vda ro swiotlb=force reset_devices systemd.unit=kdump-tools-dump.service nr_cpus=1 irqpoll usbcore.nousb");
    EXPECT_EQ(handoff::likely_command_line(debian, "KDUMP_CMDLINE=\"root=x\"\nKDUMP_CMDLINE_APPEND=\"nr_cpus=2\"\n", running), "root=x nr_cpus=2");
    EXPECT_EQ(handoff::likely_command_line(handoff::service_of(KdumpFamily::kdumpctl),
                                           "KDUMP_COMMANDLINE_REMOVE=\"hugepages swiotlb\"\nKDUMP_COMMANDLINE_APPEND=\"nr_cpus=1\"\n", running),
              "root=/dev/vda ro nr_cpus=1");
}

}  // namespace
