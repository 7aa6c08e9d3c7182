// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/service/service.hpp"

#include <gtest/gtest.h>

#include "lib/service/shell_config.hpp"
#include "lib/sources/host.hpp"
#include "tests/kdump_services.hpp"
#include "tests/temp_tree.hpp"

namespace {

using handoff::Collector;
using handoff::ConfigState;
using handoff::Errc;
using handoff::Host;

constexpr std::string_view helpers = "/usr/lib/swiotlb-handoff";
const handoff::KdumpService debian = kdump_service("kdump-tools");

std::string enabled(std::string_view text) { return *handoff::with_handoff(text, debian, helpers); }

TEST(KdumpConfig, TheBlockIsSourcedByTheScriptsAndIsNothingToSystemd) {
    EXPECT_EQ(enabled("USE_KDUMP=1\n"),
              "# >>> swiotlb-handoff enable >>>\n"
              "# Written by 'swiotlb-handoff enable'; 'swiotlb-handoff disable' takes it away.\n"
              "[ ! -r /usr/lib/swiotlb-handoff/kdump-tools.sh ] || . /usr/lib/swiotlb-handoff/kdump-tools.sh\n"
              "# <<< swiotlb-handoff enable <<<\n"
              "USE_KDUMP=1\n");
    EXPECT_EQ(enabled("").find('='), std::string::npos) << "EnvironmentFile= would take it as a variable";
}

TEST(KdumpConfig, EnabledTwiceIsEnabledOnce) {
    for (const char* text : {"", "USE_KDUMP=1\n", "no end"}) EXPECT_EQ(enabled(enabled(text)), enabled(text)) << text;
}

TEST(KdumpConfig, DisabledIsByteForByteWhatItWas) {
    for (const char* text : {"", "\n", "\n\n", "USE_KDUMP=1\n", "USE_KDUMP=1", "a\r\nb\r\n", "# comment\n\n\n", "  ",
                             "A=b\\", "return 0\n", "cat <<E\n", "A='"}) {
        EXPECT_EQ(*handoff::without_handoff(enabled(text), debian, helpers), text);
        EXPECT_EQ(*handoff::without_handoff(text, debian, helpers), text) << "never enabled";
    }
}

TEST(KdumpConfig, LinesAddedSinceStayWhereTheyAre) {
    EXPECT_EQ(*handoff::without_handoff("first\n" + enabled("a\n") + "last\n", debian, helpers), "first\na\nlast\n");
    EXPECT_EQ(*handoff::without_handoff("first\n" + enabled("a"), debian, helpers), "first\na");
}

TEST(KdumpConfig, TheBlockSeesWhichKexecAnAdministratorNames) {
    const handoff::KdumpService fedora = kdump_service("kdumpctl");
    const std::string block = *handoff::with_handoff("", fedora, helpers);
    const std::string named = "# why\nA='b c'\nexport KEXEC=/opt/kexec\n", behind = "return 0\n";
    EXPECT_EQ(*handoff::with_handoff(named + behind, fedora, helpers), named + block + behind);
    EXPECT_EQ(*handoff::without_handoff(named + block + behind, fedora, helpers), named + behind);
    EXPECT_EQ(*handoff::with_handoff(named + block + behind, fedora, helpers), named + block + behind);
    EXPECT_EQ(handoff::handoff_in(block + named, fedora, helpers).error().line, 7u) << "set since, behind the block";
    EXPECT_EQ(*handoff::with_handoff(named, debian, helpers), enabled("") + named) << "whose scripts set it themselves";
}

TEST(KdumpConfig, IsRefusedWhereWhatItSetsTakesAShellToKnow) {
    const handoff::KdumpService fedora = kdump_service("kdumpctl");
    const std::string message =
        "line 2: KEXEC is set here, and it is not known whether kdump would then load with swiotlb-handoff. Set it by "
        "KEXEC=/path in the first line of the file, or do without the handoff.";
    for (const char* config :
         {"A=b\nKEXEC=/no/newline", "A=b\nKEXEC=$(which kexec)\n", "A=1\nB=2; KEXEC=/k\n", "A=b\nKEXEC+=x\n",
          "return\nKEXEC=/k\n", "A=b\\\nKEXEC=/k\n", "cat <<E\nKEXEC=/k\n", "if true; then\nKEXEC=/k\n"})
        EXPECT_EQ(handoff::with_handoff(config, fedora, helpers).error().message(), message) << config;
    for (const char* config : {"# KEXEC=/opt/kexec", "KEXEC_ARGS=-s", "MY_KEXEC=x", "echo $KEXEC"})
        EXPECT_TRUE(handoff::with_handoff(config, fedora, helpers)) << config;
}

TEST(KdumpConfig, OfSuseHasABlockThatFillupAndYastKeep) {
    const handoff::KdumpService suse = kdump_service("suse");
    const std::string text = "## Path: System\n\nKDUMP_CPUS=1\n";
    const std::string with = *handoff::with_handoff(text, suse, helpers);
    // Comments and one assignment, whose value has no double quote in it, and no line behind that.
    EXPECT_EQ(with,
              "# >>> swiotlb-handoff enable >>>\n"
              "# Written by 'swiotlb-handoff enable'; 'swiotlb-handoff disable' takes it away.\n"
              "KEXEC=\"$(command -v /usr/lib/swiotlb-handoff/kexec || echo ${KEXEC-})\"\n" +
                  text);
    EXPECT_EQ(*handoff::with_handoff(with, suse, helpers), with);
    EXPECT_EQ(*handoff::without_handoff(with, suse, helpers), text);
    // fillup puts what the file began with in front of it or behind it.
    EXPECT_EQ(*handoff::without_handoff("# header\n" + with, suse, helpers), "# header\n" + text);
    EXPECT_EQ(*handoff::handoff_in("# header\n" + with, suse, helpers), ConfigState::present);
}

TEST(KdumpConfig, OfSuseIsRefusedWhereItSetsTheSameVariable) {
    const handoff::KdumpService suse = kdump_service("suse");
    const std::string block = *handoff::with_handoff("", suse, helpers);
    const std::string message =
        "KEXEC is set here. swiotlb-handoff would have to set it once more, and YaST keeps only one of two such lines. "
        "Remove this line, or do without the handoff.";
    EXPECT_EQ(handoff::with_handoff("A=b\nKEXEC=/opt/kexec\n", suse, helpers).error().message(), "line 2: " + message);
    EXPECT_EQ(handoff::handoff_in(block + "KEXEC=/opt/kexec\n", suse, helpers).error().message(), "line 4: " + message);
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
        {whole + whole, "line 6: expected one block of swiotlb-handoff, found the beginning of a second"},
        {replaced("# <<< swiotlb-handoff enable <<<\n", ""),
         "line 1: the block of swiotlb-handoff was changed by hand. Remove it by hand, or restore it"},
        {replaced("# >>> swiotlb-handoff enable >>>\n", ""),
         "line 3: found '# <<< swiotlb-handoff enable <<<' without its beginning"},
        {replaced("# Written", "KEXEC_ARGS=-s\n# Written"),
         "line 1: the block of swiotlb-handoff was changed by hand. Remove it by hand, or restore it"},
    };
    for (const auto& c : cases) {
        EXPECT_EQ(handoff::with_handoff(c.text, debian, helpers).error().message(), c.message);
        EXPECT_EQ(handoff::without_handoff(c.text, debian, helpers).error().message(), c.message);
        EXPECT_FALSE(handoff::handoff_in(c.text, debian, helpers));
    }
}

// --- which one is installed

using Files = std::initializer_list<std::pair<const char*, const char*>>;

handoff::Result<handoff::KdumpService> found(Files files) {
    const TempTree tree;
    for (const auto& [path, text] : files) tree.write(path, text);
    return handoff::find_kdump_service(Host(tree.path()));
}

std::string name_of(Files files) {
    const auto service = found(files);
    return service ? std::string(service->name) : service.error().message();
}

TEST(KdumpService, IsFoundByTheScriptThatIsInstalled) {
    EXPECT_EQ(name_of({{"usr/sbin/kdump-config", ""}}), "kdump-tools");
    EXPECT_EQ(name_of({{"usr/bin/kdumpctl", ""}}), "kdumpctl");
    EXPECT_EQ(name_of({{"usr/lib/kdump/load.sh", ""}}), "suse");
    EXPECT_EQ(name_of({{"usr/bin/kdumpctl", ""}, {"etc/os-release", "ID=arch\n"}}), "kdumpctl")
        << "whatever the distribution is";
}

TEST(KdumpService, OfSeveralIsTheOneOfTheDistribution) {
    const struct {
        const char *os_release, *service;
    } cases[] = {
        {"ID=debian\n", "kdump-tools"},
        {"NAME=\"Ubuntu\"\nID=ubuntu\nID_LIKE=debian\n", "kdump-tools"},
        {"ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n", "kdump-tools"},
        {"ID=fedora\n", "kdumpctl"},
        {"ID=\"almalinux\"\nID_LIKE=\"rhel centos fedora\"\n", "kdumpctl"},
        {"ID=\"sles\"\nID_LIKE=\"suse\"\n", "suse"},
        {"ID=\"opensuse-tumbleweed\"\n", "suse"},
        {"ID=\"opensuse-slowroll\"\nID_LIKE=\"opensuse suse\"\n", "suse"},
    };
    for (const auto& c : cases)
        EXPECT_EQ(name_of({{"usr/sbin/kdump-config", ""},
                           {"usr/bin/kdumpctl", ""},
                           {"usr/lib/kdump/load.sh", ""},
                           {"etc/os-release", c.os_release}}),
                  c.service)
            << c.os_release;
}

TEST(KdumpService, OfSeveralIsNotGuessedWhereTheDistributionIsNotKnown) {
    const auto service =
        found({{"usr/sbin/kdump-config", ""}, {"usr/bin/kdumpctl", ""}, {"etc/os-release", "ID=arch\n"}});
    ASSERT_FALSE(service);
    EXPECT_EQ(service.error().code, Errc::input);
    EXPECT_EQ(service.error().message(),
              "several kdump services are installed, and it is not known which one is in use: found "
              "/usr/sbin/kdump-config, /usr/bin/kdumpctl; os-release says arch");
    // Of a distribution whose own service is not there.
    EXPECT_FALSE(found({{"usr/sbin/kdump-config", ""}, {"usr/bin/kdumpctl", ""}, {"etc/os-release", "ID=sles\n"}}));
}

TEST(KdumpService, ThatIsNotKnownIsSaidWithWhatWasLookedFor) {
    const auto service = found({{"etc/os-release", "ID=void\n"}});
    ASSERT_FALSE(service);
    EXPECT_EQ(service.error().code, Errc::not_found);
    const std::string message = service.error().message();
    EXPECT_TRUE(message.starts_with("no kdump service was found: expected one of /")) << message;
    EXPECT_TRUE(message.ends_with("; os-release says void")) << message;
    for (const handoff::KdumpService& known : handoff::kdump_services())
        EXPECT_NE(message.find("/" + std::string(known.script)), std::string::npos) << message;
    EXPECT_EQ(name_of({{"etc/os-release", "ID=debian\n"}}).find("no kdump service was found"), 0u)
        << "a Debian without kdump-tools";
    EXPECT_NE(name_of({}).find("os-release does not name the distribution"), std::string::npos);
}

TEST(KdumpService, EachRowIsWhole) {
    for (const handoff::KdumpService& service : handoff::kdump_services()) {
        SCOPED_TRACE(service.name);
        for (const auto text : {service.name, service.script, service.config, service.reload, service.rebuild})
            EXPECT_FALSE(text.empty());
        EXPECT_FALSE(service.snippet.empty() && service.variable.empty()) << "the block would do nothing";
        EXPECT_FALSE(service.sourced_as.empty());
        for (const auto path : {service.script, service.config, service.collector_config})
            EXPECT_FALSE(path.starts_with('/'));
        EXPECT_FALSE(service.distributions.empty() || service.kernels.empty() || service.initrds.empty());
        ASSERT_FALSE(service.load.empty());
        EXPECT_TRUE(service.load.front().starts_with('/'));
        EXPECT_TRUE(service.command_line && service.collector && service.dump_target);
    }
}

// --- whether what it reads is read by a shell

std::string ignored(std::string_view name, const char* script) {
    const handoff::KdumpService& service = kdump_service(name);
    const TempTree tree;
    if (script) tree.write(std::string(service.script), script);
    const auto error = handoff::ignores_block(Host(tree.path()), service);
    return error ? error->message() : "";
}

TEST(IgnoresBlock, WhereTheScriptRunsTheConfigurationInNoShell) {
    EXPECT_EQ(ignored("suse", "KEXEC=/sbin/kexec\neval $($KDUMPTOOL dump_config)\n"),
              "usr/lib/kdump/load.sh: this script does not read /etc/sysconfig/kdump as a shell does, so what "
              "'swiotlb-handoff enable' writes there has no effect. The script gets the variables from 'kdumptool "
              "dump_config', which passes on only those that it knows. kdump before 1.9 does this (SLE 15 SP4 and "
              "SP5). A newer kdump sources the file. Until then, load by hand with 'swiotlb-handoff kexec'.");
    EXPECT_EQ(ignored("kdumpctl", "#!/usr/bin/python3\n# . /etc/sysconfig/kdump\nread('/etc/sysconfig/kdump')\n"),
              "usr/bin/kdumpctl: this script does not read /etc/sysconfig/kdump as a shell does, so what "
              "'swiotlb-handoff enable' writes there has no effect.");
}

TEST(IgnoresBlock, NotWhereAShellSourcesItOrThereIsNoScript) {
    EXPECT_EQ(ignored("suse", ". /usr/lib/kdump/kdump-read-config.sh\n"), "");
    EXPECT_EQ(ignored("kdumpctl", "if x; then\n\t. /etc/sysconfig/kdump\nfi\n"), "");
    EXPECT_EQ(ignored("kdump-tools", "[ -r $KDUMP_DEFAULTS ] && . $KDUMP_DEFAULTS\n"), "");
    EXPECT_EQ(ignored("kdump-tools", "\tsource \"/etc/default/kdump-tools\"\n"), "");
    EXPECT_EQ(ignored("suse", nullptr), "") << "of a captured machine";
}

TEST(KdumpService, NamesWhatItsVersionHas) {
    const auto reload = [](const char* script) {
        const auto service = found({{"usr/bin/kdumpctl", script}});
        return std::string(service->reload) + "; " + std::string(service->rebuild) + "; " + service->load.back();
    };
    EXPECT_EQ(reload("case $1 in\nreload) ;;\nrebuild) ;;\n"), "kdumpctl reload; kdumpctl rebuild; reload");
    EXPECT_EQ(reload("case $1 in\nreload) ;;\n"), "kdumpctl reload; touch /etc/kdump.conf; kdumpctl restart; reload");
    EXPECT_EQ(reload("case $1 in\nrestart) ;;\n"),
              "kdumpctl restart; touch /etc/kdump.conf; kdumpctl restart; restart");
}

TEST(UndoesCrashkernel, IsSaidWhereTheDistributionPutsItsOwnBack) {
    const auto undoes = [](Files files) {
        const TempTree tree;
        for (const auto& [path, text] : files) tree.write(path, text);
        const Host host(tree.path());
        return std::string(handoff::undoes_crashkernel(host, *handoff::find_kdump_service(host)));
    };
    const char* kdumpctl = "get auto_reset_crashkernel\n";
    EXPECT_EQ(undoes({{"usr/bin/kdumpctl", kdumpctl}, {"etc/kdump.conf", "path /var/crash\n"}}),
              "When its package is updated, kdumpctl puts the crashkernel= of the distribution back. "
              "'auto_reset_crashkernel no' in /etc/kdump.conf keeps another one.");
    EXPECT_EQ(undoes({{"usr/bin/kdumpctl", kdumpctl}, {"etc/kdump.conf", " auto_reset_crashkernel  no # ours\n"}}), "");
    EXPECT_EQ(undoes({{"usr/bin/kdumpctl", "of 2.0.17\n"}, {"etc/kdump.conf", "path /var/crash\n"}}), "");
    const char* own = "KDUMP_CRASHKERNEL=\"auto\"\n";
    EXPECT_EQ(undoes({{"usr/lib/kdump/load.sh", ""}, {"etc/sysconfig/kdump", own}}),
              "kdump-commandline.service puts the crashkernel= of the distribution back. "
              "KDUMP_CRASHKERNEL=\"crashkernel=...\" in /etc/sysconfig/kdump keeps another one.");
    EXPECT_EQ(undoes({{"usr/lib/kdump/load.sh", ""},
                      {"etc/sysconfig/kdump", "KDUMP_CRASHKERNEL=auto\nKDUMP_UPDATE_BOOTLOADER=false\n"}}),
              "");
    EXPECT_EQ(undoes({{"usr/lib/kdump/load.sh", ""}, {"etc/sysconfig/kdump", "KDUMP_CRASHKERNEL=crashkernel=9M\n"}}),
              "");
    EXPECT_EQ(undoes({{"usr/sbin/kdump-config", ""}}), "");
}

// --- whether all is there that it would call

TEST(NotInstalled, IsWhatTheServiceOrAGeneratorOfInitrdsWouldRun) {
    const auto missing = [](std::initializer_list<const char*> files) {
        const TempTree tree;
        for (const char* file : files) tree.write(file, "");
        return handoff::not_installed(Host(tree.path()), debian, "/usr/sbin/swiotlb-handoff", helpers);
    };
    EXPECT_EQ(missing({}),
              (std::vector<std::string>{"/usr/sbin/swiotlb-handoff", "/usr/lib/swiotlb-handoff/kexec",
                                        "/usr/lib/swiotlb-handoff/kdump-tools.sh", "/usr/lib/swiotlb-handoff/verify"}));
    EXPECT_EQ(missing({"usr/sbin/swiotlb-handoff", "usr/lib/swiotlb-handoff/kexec", "usr/lib/swiotlb-handoff/verify",
                       "usr/lib/swiotlb-handoff/kdump-tools.sh"}),
              std::vector<std::string>());
    EXPECT_EQ(missing({"usr/sbin/swiotlb-handoff", "usr/lib/swiotlb-handoff/kexec", "usr/lib/swiotlb-handoff/verify",
                       "usr/lib/swiotlb-handoff/kdump-tools.sh", "usr/sbin/mkinitramfs",
                       "usr/share/initramfs-tools/hooks/swiotlb-handoff", "usr/bin/dracut"}),
              (std::vector<std::string>{"/usr/share/initramfs-tools/scripts/init-top/swiotlb-handoff",
                                        "/usr/lib/dracut/modules.d/99swiotlb-handoff/module-setup.sh",
                                        "/usr/lib/dracut/modules.d/99swiotlb-handoff/report.sh"}));
}

// --- what follows from it

TEST(KdumpService, LoadsTheCrashKernelByTheSameScriptThatStatusNames) {
    const TempTree tree;
    tree.write("usr/sbin/kdump-config", "");
    tree.write("usr/bin/kdumpctl", "reload) ;;\n");
    tree.write("etc/os-release", "ID=fedora\n");
    EXPECT_EQ(*handoff::kdump_load_command(Host(tree.path())),
              (std::vector<std::string>{"/usr/bin/kdumpctl", "reload"}));
}

TEST(KdumpService, ALoadByAProgramThatIsNotThereIsNotTried) {
    const TempTree tree;
    tree.write("usr/lib/kdump/load.sh", "");
    EXPECT_EQ(handoff::kdump_load_command(Host(tree.path())).error().message(),
              "/usr/bin/systemctl: the program that loads the crash kernel does not exist");
    tree.write("usr/bin/systemctl", "");
    EXPECT_EQ(handoff::kdump_load_command(Host(tree.path()))->front(), "/usr/bin/systemctl");
}

TEST(KdumpService, KeepsItsImagesWhereItsOwnScriptsLook) {
    const TempTree tree;
    for (const char* file : {"boot/vmlinuz-6.1", "var/lib/kdump/vmlinuz", "var/lib/kdump/initrd.img",
                             "var/lib/kdump/initrd", "boot/initramfs-6.1kdump.img"})
        tree.write(file, "x");
    const auto image = [&](const char* script) {
        const TempTree with_script;
        std::filesystem::copy(tree.path(), with_script.path(), std::filesystem::copy_options::recursive);
        if (script) with_script.write(script, "");
        const auto files = handoff::crash_image(Host(with_script.path()), "6.1");
        const auto shown = [&](const auto& file) {
            return file ? std::filesystem::relative(*file, with_script.path()).string() : std::string("none");
        };
        return shown(files.kernel) + " " + shown(files.initrd);
    };
    EXPECT_EQ(image("usr/sbin/kdump-config"), "var/lib/kdump/vmlinuz var/lib/kdump/initrd.img");
    EXPECT_EQ(image("usr/bin/kdumpctl"), "boot/vmlinuz-6.1 boot/initramfs-6.1kdump.img");
    EXPECT_EQ(image("usr/lib/kdump/load.sh"), "boot/vmlinuz-6.1 var/lib/kdump/initrd");
    EXPECT_EQ(image(nullptr), "boot/vmlinuz-6.1 none") << "no service: the running kernel's own image";
}

TEST(KdumpService, FindsItsImagesInEachLayoutOfBoot) {
    struct Row {
        const char *what, *script, *config;
        std::vector<const char*> files;
        const char* images;
    };
    constexpr const char *kdumpctl = "usr/bin/kdumpctl", *load_sh = "usr/lib/kdump/load.sh";
    for (const Row& row : {
             Row{"a directory for the machine's id",
                 kdumpctl,
                 "",
                 {"boot/m1/6.1/vmlinuz", "boot/m1/6.1/initrdkdump", "boot/m2/6.1/vmlinuz"},
                 "boot/m1/6.1/vmlinuz boot/m1/6.1/initrdkdump"},
             {"as systemd names it",
              kdumpctl,
              "",
              {"boot/m1/6.1/linux", "boot/m1/6.1/initrdkdump"},
              "boot/m1/6.1/linux boot/m1/6.1/initrdkdump"},
             {"ostree",
              kdumpctl,
              "",
              {"boot/ostree/f-9/vmlinuz-6.1", "var/lib/kdump/initramfs-6.1kdump.img"},
              "boot/ostree/f-9/vmlinuz-6.1 var/lib/kdump/initramfs-6.1kdump.img"},
             {"a boot directory that is not written to",
              kdumpctl,
              "",
              {"boot/vmlinuz-6.1", "var/lib/kdump/initramfs-6.1kdump.img"},
              "boot/vmlinuz-6.1 var/lib/kdump/initramfs-6.1kdump.img"},
             {"one beside the image before one elsewhere",
              kdumpctl,
              "",
              {"boot/m1/6.1/vmlinuz", "boot/initramfs-6.1kdump.img", "boot/m1/6.1/initrdkdump"},
              "boot/m1/6.1/vmlinuz boot/m1/6.1/initrdkdump"},
             {"a unified kernel image",
              kdumpctl,
              "",
              {"boot/efi/EFI/Linux/m1-6.1.efi", "var/lib/kdump/initramfs-6.1kdump.img"},
              "boot/efi/EFI/Linux/m1-6.1.efi var/lib/kdump/initramfs-6.1kdump.img"},
             {"another release that the configuration names",
              kdumpctl,
              "KDUMP_KERNELVER=\"6.0\"\n",
              {"boot/vmlinuz-6.1", "boot/vmlinuz-6.0", "boot/initramfs-6.0kdump.img"},
              "boot/vmlinuz-6.0 boot/initramfs-6.0kdump.img"},
             {"SUSE's links",
              load_sh,
              "",
              {"boot/vmlinuz-6.1", "var/lib/kdump/kernel", "var/lib/kdump/initrd"},
              "var/lib/kdump/kernel var/lib/kdump/initrd"},
             {"SUSE before 1.9",
              load_sh,
              "",
              {"boot/vmlinuz-6.1", "boot/initrd-6.1-kdump"},
              "boot/vmlinuz-6.1 boot/initrd-6.1-kdump"},
         }) {
        const TempTree tree;
        tree.write("etc/machine-id", "m1\n");
        tree.write(row.script, "");
        tree.write("etc/sysconfig/kdump", row.config);
        for (const char* file : row.files) tree.write(file, "x");
        const auto found = handoff::crash_image(Host(tree.path()), "6.1");
        const auto shown = [&](const auto& file) {
            return file ? std::filesystem::relative(*file, tree.path()).string() : std::string("none");
        };
        EXPECT_EQ(shown(found.kernel) + " " + shown(found.initrd), row.images) << row.what;
    }
}

TEST(KdumpService, PlainAssignmentsAreReadWithoutAShell) {
    const struct {
        const char *text, *value;  // "?": not known
    } cases[] = {
        {"A=b\n", "b"},
        {"A=\"b c\"\n", "b c"},
        {"A='b $c'\n", "b $c"},
        {" export A=b # why\n", "b"},
        {"A=\n", ""},
        {"A=b\nA=c\n", "c"},
        {"#A=b\n", "?"},
        {"AB=c\n", "?"},
        {"A=\"b $(c)\"\n", "?"},
        {"A=\"b\n", "?"},
        {"A=b c\n", "?"},
        {"A=b\nA=$C\n", "?"},
        // What a shell makes of these is not what the line looks like.
        {"A=b\nA+=c\n", "?"},
        {"B=1; A=c\n", "?"},
        {"A=b\nB=1; A=c\n", "?"},
        {"A=b\nunset A\n", "?"},
        {"B=\"\nA=b\n\"\n", "?"},
        {"B=c\\\nA=b\n", "?"},
        {"if false; then\nA=b\nfi\n", "?"},
        {"f() {\n A=b\n}\n", "?"},
        {"cat <<END\nA=b\nEND\n", "?"},
        {"return 0\nA=b\n", "?"},
        {". /etc/other\nA=b\n", "?"},
        // And of these it is.
        {"A=\nA=b\n", "b"},
        {"A=$C\nA=b\n", "b"},
        {"A=b\nif true; then\nB=c\nfi\n", "b"},
        {"[ ! -r /usr/lib/swiotlb-handoff/kdump-tools.sh ] || . /usr/lib/swiotlb-handoff/kdump-tools.sh\nA=b\n", "b"},
        {"B=\"if $(c) it's\" # don't\nA=b\n", "b"},
    };
    for (const auto& c : cases) EXPECT_EQ(handoff::assigned(c.text, "A").value_or("?"), c.value) << c.text;
}

TEST(KdumpService, TheLikelyCommandLineIsWhatTheScriptsMakeOfIt) {
    const std::string running = "BOOT_IMAGE=/v root=/dev/vda ro crashkernel=192M hugepages=4 swiotlb=force";
    EXPECT_EQ(handoff::likely_command_line(debian, "", running),
              "root=/dev/vda ro swiotlb=force reset_devices systemd.unit=kdump-tools-dump.service nr_cpus=1 irqpoll "
              "usbcore.nousb");
    EXPECT_EQ(
        handoff::likely_command_line(debian, "KDUMP_CMDLINE=\"root=x\"\nKDUMP_CMDLINE_APPEND=\"nr_cpus=2\"\n", running),
        "root=x nr_cpus=2");
    EXPECT_EQ(handoff::likely_command_line(
                  kdump_service("kdumpctl"),
                  "KDUMP_COMMANDLINE_REMOVE=\"hugepages swiotlb\"\nKDUMP_COMMANDLINE_APPEND=\"nr_cpus=1\"\n", running),
              "root=/dev/vda ro nr_cpus=1");
}

TEST(KdumpService, OfSuseLimitsTheCpusAsItsConfigurationSays) {
    struct Row {
        const char* config;
        const char* word;  // "": no nr_cpus= at all
    };
    for (const Row& row : {Row{"X=1\n", "nr_cpus=32"},
                           {"KDUMP_CPUS=1\n", "nr_cpus=1"},
                           {"KDUMP_CPUS=\"4\"\n", "nr_cpus=4"},
                           {"KDUMP_CPUS=0\n", ""},
                           {"KDUMP_CPUS=$(nproc)\n", ""},
                           {"KDUMP_CPUS=many\n", ""}}) {
        const std::string line = handoff::likely_command_line(kdump_service("suse"), row.config, "root=/dev/vda ro");
        const std::string word = row.word;
        EXPECT_EQ(line.find("nr_cpus") != line.npos, !word.empty()) << row.config;
        EXPECT_NE((line + ' ').find(word + ' '), line.npos) << row.config << line;
    }
}

TEST(CollectorOptions, AreWhatTheConfigurationSays) {
    using Options = std::optional<handoff::CollectorOptions>;
    constexpr auto options = [](unsigned threads, bool are_cpus, std::uint64_t buffer) {
        return Options({threads, are_cpus, buffer});
    };
    struct Row {
        const char* service;
        const char* config;
        const char* kdump_conf;
        Options options;
    };
    for (const Row& row :
         {Row{"kdump-tools", "X=1\n", "", options(0, false, 0)},
          {"kdump-tools", "MAKEDUMP_ARGS=\"-c -d 31 --num-threads 4\"\n", "", options(4, false, 0)},
          {"kdump-tools", "MAKEDUMP_ARGS=\"--num-threads=4 --cyclic-buffer 1024\"\n", "",
           options(4, false, 1024 * 1024)},
          {"kdump-tools", "MAKEDUMP_ARGS=\"$args\"\n", "", std::nullopt},
          {"kdump-tools", "MAKEDUMP_ARGS=\"--num-threads\"\n", "", options(0, false, 0)},
          {"kdumpctl", "", "core_collector makedumpfile -l -d 31 --num-threads 8\n", options(8, false, 0)},
          {"kdumpctl", "", "", options(0, false, 0)},
          {"suse", "X=1\n", "", options(32, true, 0)},
          {"suse", "KDUMP_CPUS=0\n", "", options(65536, true, 0)},
          {"suse", "KDUMP_CPUS=1\n", "", options(0, false, 0)},
          {"suse", "KDUMP_DUMPFORMAT=ELF\n", "", options(0, false, 0)},
          {"suse", "MAKEDUMPFILE_OPTIONS=\"--num-threads 2\"\n", "", options(2, false, 0)},
          {"suse", "KDUMP_CPUS=$(nproc)\n", "", std::nullopt}})
        EXPECT_EQ(kdump_service(row.service).collector_options(row.config, row.kdump_conf), row.options)
            << row.service << row.config << row.kdump_conf;
}

TEST(DumpTarget, IsWhereTheConfigurationPutsADump) {
    using Kind = handoff::DumpTarget::Kind;
    struct Row {
        const char* service;
        const char* config;
        const char* kdump_conf;
        handoff::DumpTarget target;
    };
    const handoff::DumpTarget usual{Kind::directory, "var/crash", "/var/crash"}, unknown;
    const auto by = [](const char* how) { return handoff::DumpTarget{Kind::elsewhere, "", how}; };
    const auto on_a_device = [](std::string path) {
        return handoff::DumpTarget{Kind::device, path, "/" + path + " on the file system that /etc/kdump.conf names"};
    };
    for (const Row& row :
         {Row{"kdump-tools", "X=1\n", "", usual},
          {"kdump-tools", "KDUMP_COREDIR=\"/srv/dumps/\"\n", "", {Kind::directory, "srv/dumps", "/srv/dumps"}},
          {"kdump-tools", "KDUMP_COREDIR=$HOME\n", "", unknown},
          {"kdump-tools", "KDUMP_COREDIR=dumps\n", "", unknown},
          {"kdump-tools", "SSH=\"root@host\"\n", "", by("by ssh")},
          {"kdump-tools", "NFS=host:/dumps\n", "", by("by NFS")},
          {"kdump-tools", "FTP=$(cat x)\n", "", unknown},
          {"kdump-tools", "# SSH=\"root@host\"\nNFS=\n", "", usual},
          {"kdumpctl", "", "", usual},
          {"kdumpctl", "", "path /srv\n", {Kind::directory, "srv", "/srv"}},
          {"kdumpctl", "", "ssh root@host\npath /srv\n", by("by ssh")},
          {"kdumpctl", "", "nfs host:/x\n", by("by NFS")},
          {"kdumpctl", "", "raw /dev/sdb1\n", by("to a raw device")},
          {"kdumpctl", "", "xfs UUID=1234\n", on_a_device("var/crash")},
          {"kdumpctl", "", "path /dumps\ndracut_args --mount \"/dev/x /y ext4\"\n", on_a_device("dumps")},
          {"suse", "X=1\n", "", usual},
          {"suse", "KDUMP_SAVEDIR=\"file:///srv\"\n", "", {Kind::directory, "srv", "/srv"}},
          {"suse", "KDUMP_SAVEDIR=\"/srv\"\n", "", {Kind::directory, "srv", "/srv"}},
          {"suse", "KDUMP_SAVEDIR=\"nfs://host/x\"\n", "", by("by NFS")},
          {"suse", "KDUMP_SAVEDIR=\"sftp://u:p@host/x\"\n", "", by("by sftp")},
          {"suse", "KDUMP_SAVEDIR=\"gopher://host\"\n", "", unknown}}) {
        const auto target = kdump_service(row.service).dump_target(row.config, row.kdump_conf);
        EXPECT_EQ(target, row.target) << row.service << ": " << row.config << row.kdump_conf << target.text;
    }
}

TEST(Collector, IsWhatTheConfigurationSays) {
    struct Row {
        const char* service;
        const char* config;
        const char* kdump_conf;
        Collector collector;
    };
    constexpr Row rows[] = {
        {"kdump-tools", "USE_KDUMP=1\n", "", Collector::maps},
        {"kdump-tools", "USE_KDUMP=1\nMAKEDUMP_ARGS=\"-c -d 31\"\n", "", Collector::maps},
        {"kdump-tools", "USE_KDUMP=1\nMAKEDUMP_ARGS=\"-c -d 31 --non-mmap\"\n", "", Collector::reads},
        {"kdump-tools", "USE_KDUMP=1\nMAKEDUMP_ARGS=\"$(cat /etc/args)\"\n", "", Collector::unknown},
        {"kdump-tools", "  export MAKEDUMP_ARGS=\"-c --non-mmap\"\n", "", Collector::reads},
        {"kdump-tools", "A=1; MAKEDUMP_ARGS=\"-c --non-mmap\"\n", "", Collector::unknown},
        {"kdump-tools", "MAKEDUMP_ARGS=\"-c\"\nMAKEDUMP_ARGS+=\" --non-mmap\"\n", "", Collector::unknown},
        {"kdump-tools", "", "", Collector::unknown},
        {"kdumpctl", "X=1\n", "path /var/crash\ncore_collector makedumpfile -l --message-level 7 -d 31\n",
         Collector::maps},
        {"kdumpctl", "X=1\n", "path /var/crash\n", Collector::maps},
        {"kdumpctl", "X=1\n", "core_collector makedumpfile -F --non-mmap\n", Collector::reads},
        {"kdumpctl", "X=1\n", "core_collector cp --sparse=always\n", Collector::reads},
        {"kdumpctl", "X=1\n", "#core_collector cp\n", Collector::maps},
        {"kdumpctl", "X=1\n", "  core_collector cp\n", Collector::reads},
        {"kdumpctl", "X=1\n", "\tcore_collector\t\"makedumpfile -l\" # not --non-mmap\n", Collector::maps},
        {"kdumpctl", "X=1\n", "core_collector_x cp\n", Collector::maps},
        {"suse", "KDUMP_TRANSFER=\"cp /proc/vmcore /x\"\n", "", Collector::reads},
        {"suse", "KDUMP_TRANSFER=\"makedumpfile -d 31 /proc/vmcore /x\"\n", "", Collector::maps},
        {"suse", "KDUMP_TRANSFER=$(cat /x)\n", "", Collector::reads},
        {"suse", "KDUMP_TRANSFER=\"\"\n", "", Collector::maps},
        {"kdumpctl", "X=1\n", "", Collector::unknown},
        {"suse", "KDUMP_DUMPFORMAT=\"compressed\"\n", "", Collector::maps},
        {"suse", "KDUMP_DUMPFORMAT=\"none\"\n", "", Collector::reads},
        {"suse", "KDUMP_DUMPFORMAT=lzo\nMAKEDUMPFILE_OPTIONS=\"--non-mmap\"\n", "", Collector::reads},
        {"suse", "X=1\nKDUMP_DUMPFORMAT=$other\n", "", Collector::unknown},
    };
    for (const Row& row : rows)
        EXPECT_EQ(kdump_service(row.service).collector(row.config, row.kdump_conf), row.collector)
            << row.config << row.kdump_conf;
}

TEST(LoadSettings, AskToLendByOneLineOfTheConfiguration) {
    const auto lend = [](std::string_view config) { return handoff::load_settings(debian, config, "").lend; };
    EXPECT_TRUE(lend("USE_KDUMP=1\nSWIOTLB_HANDOFF_LEND=yes\n"));
    EXPECT_TRUE(lend("SWIOTLB_HANDOFF_LEND=\"yes\"\n"));
    EXPECT_FALSE(lend("#SWIOTLB_HANDOFF_LEND=yes\n"));
    EXPECT_FALSE(lend("SWIOTLB_HANDOFF_LEND=no\n"));
    EXPECT_FALSE(lend("SWIOTLB_HANDOFF_LEND=yes\nSWIOTLB_HANDOFF_LEND=\n"));
    EXPECT_FALSE(lend(""));
    EXPECT_FALSE(lend("USE_KDUMP=0\nif false; then\nSWIOTLB_HANDOFF_LEND=yes\nfi\n"));
    EXPECT_FALSE(lend("SWIOTLB_HANDOFF_LEND=yes\nunset SWIOTLB_HANDOFF_LEND\n"));
    EXPECT_FALSE(lend("NOTE='\nSWIOTLB_HANDOFF_LEND=yes\n'\n"));
}

}  // namespace
