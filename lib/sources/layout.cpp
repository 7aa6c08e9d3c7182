// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/layout.hpp"

#include <fnmatch.h>

#include <array>
#include <utility>

#include <fmt/format.h>

#include "base/scan.hpp"
#include "lib/sources/kexec_program.hpp"
#include "lib/sources/source.hpp"

namespace handoff {
namespace {

using std::string_view;

constexpr string_view log = "dmesg", command_line = "proc/cmdline", cpuinfo = "proc/cpuinfo";

/// With the machine's files at their own paths, or attached to a problem of one.
std::vector<ReportLayout> collectors() {
    return {
        // sos 4.12, sos/report/plugins/{kernel,kdump,logs,processor}.py. PCI devices are not taken from it: it has some
        // of their files only, which would look like a machine without drivers.
        {.name = "a sosreport",
         .mark = "sos_commands",
         .signs = {"sos_commands", "sos_reports"},
         .own_paths = true,
         .rows = {{"sos_commands/kernel/dmesg", "", log},
                  {"sos_commands/general/dmesg", "", log},
                  {"sos_commands/kernel/dmesg_-T", "", log},
                  {"sos_commands/logs/journalctl_--no-pager*--boot", "", log},
                  {"var/log/dmesg", "", log},
                  {"sos_commands/logs/journalctl_--no-pager", "", log},
                  {"var/log/messages", "", log},
                  {"var/log/kern.log", "", log},
                  {"var/log/syslog", "", log},
                  {"sos_commands/boot/ls_*_.boot", "", boot_listing},
                  {"sos_commands/kernel/uname_-a", "", uname_output},
                  {"var/crash/*/kexec-dmesg.log", "", crash_kernel_log},
                  {"usr/lib/os-release", "", "etc/os-release"}}},
        // insights-core, insights/specs/insights_archive.py: what insights-client collects on RHEL.
        {.name = "an insights archive",
         .mark = "insights_commands",
         .signs = {"insights_commands"},
         .own_paths = true,
         .rows = {{"insights_commands/dmesg", "", log},
                  {"var/log/dmesg", "", log},
                  {"var/log/messages", "", log},
                  {"insights_commands/ls_-lanR_.boot", "", boot_listing},
                  {"insights_commands/uname_-a", "", uname_output}}},
        // abrt, src/plugins/vmcore_event.conf and abrt-action-analyze-vmcore.
        {.name = "a problem of abrt",
         .mark = "abrt_version",
         .signs = {"abrt_version", "analyzer"},
         .rows = {{"vmcore-dmesg.txt", "", log},
                  {"dmesg_log", "", log},
                  {"dmesg", "", log},
                  {"kexec-dmesg.log", "", crash_kernel_log},
                  {"os_info", "", "etc/os-release"},
                  {"cpuinfo", "", cpuinfo}}},
    };
}

/// supportconfig 3.2.14. It has no /proc/iomem.
ReportLayout supportconfig() {
    return {.name = "a supportconfig",
            .mark = "basic-environment.txt",
            .signs = {"basic-environment.txt", "supportconfig.txt", "boot.txt"},
            .rows = {{"boot.txt", "*dmesg*", log},
                     {"boot.txt", "*journalctl*boot*", log},
                     {"boot.txt", "*/var/log/boot.msg*", log},
                     {"messages.txt", "*/var/log/messages*", log},
                     {"crash.txt", "*dmesg.txt*", log},
                     {"boot.txt", "*ls -l*/boot*", boot_listing},
                     {"basic-environment.txt", "*uname -a*", uname_output},
                     {"proc.txt", "*/proc/iomem*", "proc/iomem"},
                     {"boot.txt", "*/proc/cmdline*", command_line},
                     {"hardware.txt", "*/proc/cpuinfo*", cpuinfo},
                     {"crash.txt", "*/etc/sysconfig/kdump*", "etc/sysconfig/kdump"},
                     {"crash.txt", "*/sys/kernel/kexec_crash_size*", "sys/kernel/kexec_crash_size"},
                     {"crash.txt", "*/sys/kernel/kexec_crash_loaded*", "sys/kernel/kexec_crash_loaded"},
                     {"basic-environment.txt", "*/etc/os-release*", "etc/os-release"}}};
}

/// Files that somebody put together.
std::vector<ReportLayout> files() {
    return {
        {.name = "a captured machine",
         .mark = "proc or dmesg",
         .signs = {"proc", "sys", "dmesg"},
         .own_paths = true,
         .rows = {}},
        // What apport-unpack(1) makes, and what a bug has as attachments. ProcCmdline would be of a program.
        {.name = "an apport report",
         .mark = "CurrentDmesg",
         .signs = {"CurrentDmesg", "CurrentDmesg.txt", "BootDmesg.txt", "VmCoreDmesg", "VmCoreDmesg.txt",
                   "ProcKernelCmdLine", "ProcKernelCmdLine.txt"},
         .rows = {{"CurrentDmesg", "", log},
                  {"CurrentDmesg.txt", "", log},
                  {"BootDmesg", "", log},
                  {"BootDmesg.txt", "", log},
                  {"VmCoreDmesg", "", log},
                  {"VmCoreDmesg.txt", "", log},
                  {"ProcKernelCmdLine", "", command_line},
                  {"ProcKernelCmdLine.txt", "", command_line},
                  {"ProcCpuinfo", "", cpuinfo},
                  {"ProcCpuinfo.txt", "", cpuinfo},
                  {"ProcCpuinfoMinimal", "", cpuinfo},
                  {"ProcCpuinfoMinimal.txt", "", cpuinfo}}},
        // Fedora's vmcore-dmesg.txt, Debian's dmesg.DATE, openSUSE's dmesg.txt, each in a directory of the crash's
        // date.
        {.name = "a directory of crashes",
         .mark = "vmcore-dmesg.txt",
         .signs = {"vmcore-dmesg.txt", "*/vmcore-dmesg.txt", "dmesg.[0-9]*", "*/dmesg.[0-9]*", "*/dmesg.txt"},
         .rows = {{"vmcore-dmesg.txt", "", log},
                  {"*/vmcore-dmesg.txt", "", log},
                  {"dmesg.[0-9]*", "", log},
                  {"*/dmesg.[0-9]*", "", log},
                  {"*/dmesg.txt", "", log},
                  {"kexec-dmesg.log", "", crash_kernel_log},
                  {"*/kexec-dmesg.log", "", crash_kernel_log}}},
        // What somebody saved under a name of his own.
        {.name = "a directory with a kernel log",
         .mark = "dmesg.txt, messages, kern.log, syslog or console.log",
         .signs = {"dmesg.*", "kern.log*", "messages", "messages[-.]*", "syslog", "syslog.[0-9]*", "console.log*"},
         .rows = {{"dmesg.*", "", log},
                  {"kern.log*", "", log},
                  {"messages", "", log},
                  {"messages[-.]*", "", log},
                  {"syslog", "", log},
                  {"syslog.[0-9]*", "", log},
                  {"console.log*", "", log}},
         .deepest = 1},
    };
}

/// In the order in which they are looked for: what anybody may have called so stands last.
std::vector<ReportLayout> table() {
    std::vector<ReportLayout> all = collectors();
    all.push_back(supportconfig());
    for (ReportLayout& layout : files()) all.push_back(std::move(layout));
    return all;
}

}  // namespace

std::span<const ReportLayout> layouts() {
    static const std::vector<ReportLayout> all = table();
    return all;
}

std::vector<std::string> own_paths() {
    std::vector<std::string> patterns;
    for (const SourceInfo& source : sources()) {
        const std::string path = fmt::format(fmt::runtime(source.path), "*");
        if (source.kept == Kept::entries || source.kept == Kept::pci_drivers || source.kept == Kept::platform_drivers ||
            source.kept == Kept::reserved_regions)
            patterns.push_back(path + "/*/*");
        else
            patterns.push_back(path);
    }
    for (const string_view path : kexec_paths()) patterns.emplace_back(path);
    return patterns;
}

std::span<const string_view> telling_directories() {
    static const std::array directories{info(Source::firmware_map).path, info(Source::snp_platform).path,
                                        info(Source::pci_devices).path, info(Source::platform_devices).path,
                                        info(Source::iommu_groups).path};
    return directories;
}

bool matches(string_view pattern, const std::string& path) {
    return ::fnmatch(std::string(pattern).c_str(), path.c_str(), FNM_PATHNAME | FNM_PERIOD | FNM_NOESCAPE) == 0;
}

bool matches_name(string_view pattern, string_view name) {
    return ::fnmatch(std::string(pattern).c_str(), std::string(name).c_str(), FNM_NOESCAPE) == 0;
}

bool is_sign(string_view sign, const std::string& path) {
    constexpr int flags = FNM_PATHNAME | FNM_PERIOD | FNM_NOESCAPE | FNM_LEADING_DIR;
    return ::fnmatch(std::string(sign).c_str(), path.c_str(), flags) == 0;
}

std::vector<Section> sections_of(string_view file) {
    std::vector<Section> sections;
    const char* text = nullptr;  // where the last section's text begins
    const auto end_last = [&](const char* end) {
        if (text != nullptr) sections.back().text = {text, static_cast<std::size_t>(end - text)};
    };
    std::size_t lines = 0;
    bool named_next = false;
    for (string_view rest = file; !rest.empty();) {
        const char* begin = rest.data();
        const string_view line = base::take_line(rest);
        ++lines;
        if (line.starts_with("#==[ ")) {
            end_last(begin);
            text = nullptr;
            named_next = true;
        } else if (named_next) {
            named_next = false;
            if (!line.starts_with("# ")) continue;
            sections.push_back({base::trimmed(line.substr(2)), {}, lines});
            text = rest.data();
        }
    }
    end_last(file.data() + file.size());
    return sections;
}

}  // namespace handoff
