// SPDX-License-Identifier: GPL-2.0-or-later
// Every form in which people have kernel logs: one boot, dressed in each, says the same.
#include <gtest/gtest.h>

#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "e820/log.hpp"
#include "e820/log_text.hpp"
#include "lib/sources/kernel_log.hpp"

namespace handoff {
namespace {

struct Message {
    unsigned microseconds;
    std::string text;
};

const std::vector<Message> boot{
    {0, "Linux version 6.12.10 (builder@host) (gcc) #1 SMP"},
    {0, "Command line: ro crashkernel=192M"},
    {0, "BIOS-provided physical RAM map:"},
    {0, "BIOS-e820: [mem 0x0000000000100000-0x00000000bffd9fff] usable"},
    {0, "efi: EFI v2.7 by a maker"},
    {4000, "crashkernel reserved: 0x00000000b3000000 - 0x00000000bf000000 (192 MB)"},
    {61000, "NR_IRQS: 4352, nr_irqs: 48, preallocated irqs: 16"},
    {87000, "pid_max: default: 32768 minimum: 301"},
    {125000, "smp: Brought up 1 node, 2 CPUs"},
    {300000, "PCI-DMA: Using software bounce buffering for IO (SWIOTLB)"},
    {300001, "software IO TLB: mapped [mem 0x00000000af000000-0x00000000b3000000] (64MB)"},
};
constexpr const char* another_pool = "software IO TLB: mapped [mem 0x0000000010000000-0x0000000014000000] (64MB)";

std::string seconds(unsigned microseconds) {
    char text[32];
    std::snprintf(text, sizeof text, "%5u.%06u", microseconds / 1000000, microseconds % 1000000);
    return text;
}

/// A line each, with something in front.
using Front = std::function<std::string(const Message&)>;
std::string with_front(const Front& front) {
    std::string text;
    for (const Message& m : boot) text += front(m) + m.text + "\n";
    return text;
}
std::string with_front(const std::string& front) {
    return with_front([&](const Message&) { return front; });
}
std::string with_time(const std::string& before, const std::string& behind) {
    return with_front([&](const Message& m) { return before + seconds(m.microseconds) + behind; });
}

/// A record each, as `record` writes one of a kernel's message; all others are in `between`.
std::string with_records(const std::function<std::string(const Message&)>& record, const std::string& between = "") {
    std::string text;
    for (const Message& m : boot) text += (text.empty() ? "" : between) + record(m);
    return text;
}

std::string field(const std::string& name, const std::string& value) { return "\"" + name + "\":\"" + value + "\""; }

std::string json_line(const Message& m) {
    return "{" + field("__CURSOR", "s=1") + "," + field("_TRANSPORT", "kernel") + "," +
           field("_SOURCE_MONOTONIC_TIMESTAMP", std::to_string(m.microseconds)) + "," + field("PRIORITY", "6") + "," +
           field("_HOSTNAME", "host") + "," + field("_BOOT_ID", "b1") + "," + field("SYSLOG_IDENTIFIER", "kernel") +
           "," + field("MESSAGE", m.text) + "}";
}

std::string json_bytes(const Message& m) {
    std::string bytes;
    for (const char c : m.text) bytes += (bytes.empty() ? "" : ", ") + std::to_string(static_cast<int>(c));
    return "{ \"MESSAGE\" : [ " + bytes + " ], \"_TRANSPORT\" : \"kernel\" }\n";
}

std::string json_pretty(const Message& m) {
    return "{\n\t\"__REALTIME_TIMESTAMP\" : \"1715674867123456\",\n\t\"MESSAGE\" : \"" + m.text +
           "\",\n\t\"_TRANSPORT\" : \"kernel\",\n\t\"_SOURCE_MONOTONIC_TIMESTAMP\" : \"" +
           std::to_string(m.microseconds) + "\"\n}\n";
}

std::string dmesg_json(const Message& m) {
    return "{\n         \"pri\": 6,\n         \"time\": " + seconds(m.microseconds) + ",\n         \"msg\": \"" +
           m.text + "\"\n      }";
}

std::string export_record(const Message& m) {
    return "__CURSOR=s=1;i=2\n__MONOTONIC_TIMESTAMP=9000000\n_BOOT_ID=b1\n_TRANSPORT=kernel\nPRIORITY=6\nMESSAGE=" +
           m.text + "\n_SOURCE_MONOTONIC_TIMESTAMP=" + std::to_string(m.microseconds) + "\n\n";
}

std::string binary_export(const Message& m) {
    std::string size(8, '\0');
    size[0] = static_cast<char>(m.text.size());
    return "_TRANSPORT=kernel\nMESSAGE\n" + size + m.text + "\n\n";
}

std::string verbose_record(const Message& m) {
    return "Tue 2024-05-14 10:21:07.123456 CEST [s=1f;i=1;b=b1;m=3;t=6;x=7]\n    PRIORITY=6\n    _TRANSPORT=kernel\n"
           "    _HOSTNAME=host\n    MESSAGE=" +
           m.text + "\n    _SOURCE_MONOTONIC_TIMESTAMP=" + std::to_string(m.microseconds) + "\n";
}

std::string logcat(const Message& m) {  // what stands before the first colon is a tag, of at least eight characters
    std::string text = m.text;
    const auto colon = text.find(": ");
    if (colon == text.npos) text = "        : " + text;
    if (colon < 8) text.insert(colon, std::string(8 - colon, ' '));
    return "05-14 10:21:07.123     0     0 I " + text + "\n";
}

std::string utf16(const std::string& text, bool big_endian, bool mark) {
    std::string out = !mark ? "" : big_endian ? "\xfe\xff" : "\xff\xfe";
    for (const char c : text) out += big_endian ? std::string{'\0', c} : std::string{c, '\0'};
    return out;
}

std::string with_crlf(const std::string& text) {
    std::string out;
    for (const char c : text) out += c == '\n' ? std::string("\r\n") : std::string(1, c);
    return out;
}

/// The first line of a minute has the minute, all others the time since the line before: dmesg -H.
std::string by_the_minute(const std::string& minute) {
    bool first = true;
    return with_front([&](const Message& m) {
        const bool begins = std::exchange(first, false) || m.microseconds == 300000;
        return begins ? "[" + minute + "] " : std::string("[  +0.000000] ");
    });
}

struct Form {
    const char* name;
    std::string log;
    /// In this form, a line of a program that speaks the kernel's words; "" where the form cannot tell who speaks.
    std::string of_a_program = "";
};

std::vector<Form> forms() {
    const std::string cjk_month = "7\xe6\x9c\x88", korean_month = "11\xec\x9b\x94";
    const std::string pool = another_pool;
    return {
        {"no time (printk.time=0, journalctl -o cat)", with_front("")},
        {"dmesg", with_time("[", "] ")},
        {"dmesg -r", with_time("<6>[", "] ")},
        {"dmesg -x", with_time("kern  :info  : [", "] ")},
        {"dmesg -T", with_front("[Tue May 14 10:21:07 2024] ")},
        {"dmesg -T, German", with_front("[Di Mai 14 10:21:07 2024] ")},
        {"dmesg -T, Chinese", with_front("[\xe4\xb8\x89 " + cjk_month + " 21 15:20:47 2021] ")},
        {"dmesg -T, Thai", with_front("[\xe0\xb8\x9e. \xe0\xb8\x9e.\xe0\xb8\x84. 14 10:21:07 2024] ")},
        {"dmesg -T, Vietnamese", with_front("[T3 Th05 14 10:21:07 2024] ")},
        {"dmesg -T -x", with_front("kern  :warn  : [Tue May 14 10:21:07 2024] ")},
        {"dmesg -H", by_the_minute("May14 10:21")},
        {"dmesg -H of a day of one digit", by_the_minute("May 4 10:21")},
        {"dmesg -H, Japanese", by_the_minute(cjk_month + " 4 14:11")},
        {"dmesg -H, Korean", by_the_minute(korean_month + "13 14:11")},
        {"dmesg -d", with_time("[", " <    0.000000>] ")},
        {"dmesg --time-format=delta", with_front("[<    0.000000>] ")},
        {"dmesg --time-format=iso", with_front("2024-05-14T10:21:07,123456+02:00 ")},
        {"dmesg --json", "{\n   \"dmesg\": [\n      " + with_records(dmesg_json, ",") + "\n   ]\n}\n"},
        {"dmesg --json, cut out",
         with_records([](const Message& m) { return "         \"msg\": \"" + m.text + "\"\n"; })},
        {"printk.caller", with_time("[", "][    T0] ")},
        {"/dev/kmsg", with_front([](const Message& m) { return "6,1," + std::to_string(m.microseconds) + ",-;"; })},
        {"netconsole", with_front("6.12.10,6,1,0,-;")},
        {"crash's log -T", with_front("[Tue May 14 10:21:07 UTC 2024] ")},
        {"journalctl -o short", with_front("May 14 10:21:07 host kernel: "),
         "May 14 10:21:07 host program[1]: " + pool},
        {"journalctl -o short, Chinese", with_front(cjk_month + " 21 15:20:47 host kernel: "),
         cjk_month + " 21 15:20:47 host program[1]: " + pool},
        {"journalctl -o short, with printk's time", with_time("May 14 10:21:07 host kernel: [", "] "),
         "May 14 10:21:07 host program[1]: " + pool},
        {"journalctl -o short-precise", with_front("May 14 10:21:07.123456 host kernel: "),
         "May 14 10:21:07.123456 host program[1]: " + pool},
        {"journalctl -o short-full", with_front("Tue 2024-05-14 10:21:07 JST host kernel: "),
         "Tue 2024-05-14 10:21:07 JST host program[1]: " + pool},
        {"journalctl -o short-iso", with_front("2024-05-14T10:21:07+0200 host kernel: "),
         "2024-05-14T10:21:07+0200 host program[1]: " + pool},
        {"journalctl -o short-iso-precise", with_front("2024-05-14T10:21:07.123456+02:00 kernel-7 kernel: "),
         "2024-05-14T10:21:07.123456+02:00 kernel-7 program[1]: " + pool},
        {"journalctl -o short-monotonic", with_time("[", "] host kernel: "), "[    0.100000] host program[1]: " + pool},
        {"journalctl -o short-delta", with_time("[", " <    0.000001 >] host kernel: "),
         "[    0.100000 <    0.000001 >] host program[1]: " + pool},
        {"journalctl -o short-unix", with_front("1715674867.123456 host kernel: "),
         "1715674867.123456 host program[1]: " + pool},
        {"journalctl -o json", with_records(json_line, "\n"),
         "{\"_TRANSPORT\":\"stdout\",\"SYSLOG_IDENTIFIER\":\"kernel\",\"MESSAGE\":\"" + pool + "\"}"},
        {"journalctl -o json, of bytes", with_records(json_bytes),
         "{\"_TRANSPORT\":\"syslog\",\"MESSAGE\":\"" + pool + "\"}"},
        {"journalctl -o json, two on a line", with_records(json_line, " "),
         "{\"_TRANSPORT\":\"syslog\",\"SYSLOG_IDENTIFIER\":\"x\",\"MESSAGE\":\"" + pool + "\"}"},
        {"journalctl -o json, as an array", "[" + with_records(json_line, ",\n") + "]\n"},
        {"journalctl -o json-pretty", with_records(json_pretty),
         "{\n\t\"_TRANSPORT\" : \"audit\",\n\t\"MESSAGE\" : \"" + pool + "\"\n}\n"},
        {"journalctl -o json-sse", with_records([](const Message& m) { return "data: " + json_line(m) + "\n\n"; })},
        {"journalctl -o json-seq", with_records([](const Message& m) { return "\x1e" + json_line(m) + "\n"; })},
        {"journalctl -o export", with_records(export_record),
         "_TRANSPORT=journal\nSYSLOG_IDENTIFIER=x\nMESSAGE=" + pool + "\n\n"},
        {"journalctl -o export, of bytes", with_records(binary_export), "_TRANSPORT=stdout\nMESSAGE=" + pool + "\n\n"},
        {"journalctl -o verbose", "-- Journal begins at Tue 2024-05-14 --\n" + with_records(verbose_record),
         "Tue 2024-05-14 10:21:07.123456 CEST [s=1f;i=1;b=b1]\n    _TRANSPORT=syslog\n    MESSAGE=" + pool + "\n"},
        {"syslogd", with_time("May 14 10:21:07 host kernel: [", "] "), "May 14 10:21:07 host program: " + pool},
        {"Debian's installer", with_time("May 14 10:21:07 kernel: [", "]  ")},
        {"OpenWrt's logread", with_time("Tue May 14 10:21:07 2024 kern.notice kernel: [", "] ")},
        {"busybox' syslogd", with_time("May 14 10:21:07 host kern.info kernel: [", "] ")},
        {"rsyslog", with_time("2024-05-14T10:21:07.123456+02:00 host kernel: [", "] "),
         "2024-05-14T10:21:07.123456+02:00 host program[1]: " + pool},
        {"RFC 5424", with_time("<6>1 2024-05-14T10:21:07.123456+02:00 host kernel - - - [", "] "),
         "<6>1 2024-05-14T10:21:07.123456+02:00 host program 1 - - " + pool},
        {"anaconda", with_front("03:09:07,559 INFO kernel:"), "03:09:07,559 INFO program:" + pool},
        {"anaconda with a level in capitals", with_front("03:09:07,559 WARNING kernel:")},
        {"talosctl dmesg", with_front("10.5.0.2: kern:    info: [2024-05-14T10:21:07.123456789Z]: ")},
        {"kubectl logs --prefix", with_time("[pod/reader-7x2/main] [", "] ")},
        {"kubectl logs --timestamps", with_time("2024-05-14T10:21:07.123456789Z [", "] ")},
        {"a container's log", with_time("2024-05-14T10:21:07.123456789Z stdout F [", "] ")},
        {"a container's log, in JSON", with_records([](const Message& m) {
             return R"({"log":"[)" + seconds(m.microseconds) + "] " + m.text + R"(\n","stream":"stdout"})" + "\n";
         })},
        {"docker compose logs", with_time("node-1  | [", "] ")},
        {"logcat", with_records(logcat)},
        {"a serial console that ts(1) stamped", with_time("May 14 10:21:07 [", "] ")},
        {"a serial console of libvirt", with_time("2024-05-14 10:21:07.123+0000: [", "] ")},
        {"in colours", with_time("\x1b[32m[", "] \x1b[0m\x1b[33m")},
        {"quoted in a mail", with_time("> > [", "] ")},
        {"with no-break spaces", with_time("[\xc2\xa0", "]\xc2\xa0")},
        {"with CRLF", with_crlf(with_time("[", "] "))},
        {"with the mark of UTF-8", "\xef\xbb\xbf" + with_time("[", "] ")},
        {"UTF-16", utf16(with_time("[", "] "), false, true)},
        {"UTF-16, the other way round", utf16(with_crlf(with_time("[", "] ")), true, true)},
        {"UTF-16 without its mark", utf16(with_time("[", "] "), false, false)},
    };
}

Result<KernelLog> read(const std::string& file) {
    const auto lines = e820::plain_log(file);
    if (!lines) return lines.error();
    return parse_kernel_log(*lines);
}

TEST(LogForms, SayWhatThePlainLogSays) {
    for (const Form& form : forms()) {
        SCOPED_TRACE(form.name);
        const auto log = read(form.log);
        ASSERT_TRUE(log) << log.error().message();
        ASSERT_TRUE(log->pool && log->crash_kernel && log->release && log->command_line) << *e820::plain_log(form.log);
        EXPECT_EQ(log->pool->value, *AddressRange::from_bounds(0xaf000000, 0xb3000000));
        EXPECT_EQ(log->crash_kernel->value, *AddressRange::from_bounds(0xb3000000, 0xbf000000));
        EXPECT_EQ(log->release->value, "6.12.10");
        EXPECT_EQ(log->command_line->value, "ro crashkernel=192M");
        EXPECT_EQ(log->boots, 1u);
        EXPECT_TRUE(log->efi);
        EXPECT_TRUE(shows_everything(*log)) << log->gaps.text() << "\n" << *e820::plain_log(form.log);
        EXPECT_EQ(encryption_of(*log), Encryption::none);
        const auto maps = e820::parse_log_table(*e820::plain_log(form.log));
        ASSERT_TRUE(maps) << maps.error().message();
        ASSERT_EQ(maps->size(), 1u);
        EXPECT_EQ(maps->front().maps.front().table.entries.size(), 1u);
        EXPECT_TRUE(maps->front().maps.front().headed);
    }
}

TEST(LogForms, KeepTheNumbersOfTheFilesLines) {
    for (const Form& form : forms()) {
        if (form.log.find('\0') != std::string::npos) continue;
        std::size_t number = 1, at = form.log.find("b3000000] (64MB)");
        if (at == std::string::npos) continue;
        for (std::size_t i = 0; i < at; ++i) number += form.log[i] == '\n' ? 1U : 0U;
        EXPECT_EQ(read(form.log)->pool->line, number) << form.name;
    }
}

TEST(LogForms, WhatAProgramSaysIsNotTheKernels) {
    for (const Form& form : forms()) {
        if (form.of_a_program.empty()) continue;
        const auto log = read(form.log + "\n" + form.of_a_program);
        ASSERT_TRUE(log) << form.name << ": " << log.error().message();
        EXPECT_EQ(log->pool->value.start(), 0xaf000000u) << form.name;
        EXPECT_FALSE(log->other_pool) << form.name;
    }
}

// A line in a form that nobody knows, before the kernel has said everything.
TEST(LogForms, ALineThatIsNotUnderstoodIsAGap) {
    for (const Form& form : forms()) {
        if (form.log.find('\n') == std::string::npos || form.log.find('\0') != std::string::npos) continue;
        if (std::string(form.name).starts_with("no time")) continue;  // whose lines may be anything
        const auto at = form.log.rfind('\n', form.log.find("pid_max"));
        std::string log = form.log;
        // A record is not torn apart.
        if (log.find("TRANSPORT") != log.npos || log.find("\"time\"") != log.npos) continue;
        log.insert(at, "\n<<13.11.2024>> Memory Encryption: yes");
        const auto read_log = read(log);
        ASSERT_TRUE(read_log) << form.name << read_log.error().message();
        EXPECT_FALSE(shows_everything(*read_log)) << form.name;
        EXPECT_EQ(encryption_of(*read_log), Encryption::unknown) << form.name;
    }
}

TEST(LogForms, CutAnywhereShowNothingElse) {
    for (const Form& form : forms()) {
        for (std::size_t size = 0; size < form.log.size(); size += 17) {
            const auto log = read(form.log.substr(0, size));
            if (!log) {
                EXPECT_EQ(log.error().code, Errc::input) << form.name;
                continue;
            }
            if (log->pool) {
                EXPECT_EQ(log->pool->value.start(), 0xaf000000u) << form.name << " at " << size;
            }
            if (log->crash_kernel) {
                EXPECT_EQ(log->crash_kernel->value.end(), 0xbf000000u) << form.name << " at " << size;
            }
        }
    }
}

TEST(LogRecords, AMessageOfSeveralLinesHasTheNumberOfItsRecord) {
    const auto log = read(
        "{\"_TRANSPORT\":\"kernel\",\"MESSAGE\":\"Linux version 6.1\"}\n"
        "{\"_TRANSPORT\":\"kernel\",\"MESSAGE\":\"x\\ny\\nMemory Encryption Features active: AMD SEV\"}\n"
        "{\"_TRANSPORT\":\"kernel\",\"MESSAGE\":\"software IO TLB: tearing down default memory pool\"}\n");
    ASSERT_TRUE(log) << log.error().message();
    ASSERT_TRUE(log->encryption);
    EXPECT_EQ(log->encryption->line, 2u);
}

TEST(LogRecords, AMessageThatJournalctlLeftOutIsAGap) {
    for (const char* lost :
         {"{\"_TRANSPORT\":\"kernel\",\"MESSAGE\":null}\n", "May 14 10:21:07 host kernel: [4.1K blob data]\n"}) {
        std::string text;
        for (const Message& m : boot) text += json_line(m) + "\n" + (m.microseconds == 4000 ? lost : "");
        const auto log = read(text);
        ASSERT_TRUE(log);
        EXPECT_EQ(log->gaps.dropped, 1u) << lost;
        EXPECT_FALSE(shows_everything(*log));
    }
}

TEST(LogRecords, AnotherBootIsToldByItsIdentity) {
    std::string text;
    for (const Message& m : boot) text += json_line(m) + "\n";
    std::string tail = json_line({9000000, another_pool});
    tail.replace(tail.find("b1"), 2, "b2");
    const auto log = read(text + tail + "\n");
    ASSERT_TRUE(log);
    EXPECT_EQ(log->boots, 2u);
    EXPECT_FALSE(log->complete) << "its beginning is not there";
    EXPECT_EQ(log->pool->value.start(), 0x10000000u);
}

TEST(LogRecords, WhatSystemdSaysOfEncryptionCounts) {
    for (const char* line : {"{\"_TRANSPORT\":\"kernel\",\"SYSLOG_IDENTIFIER\":\"systemd\",\"_PID\":\"1\",\"MESSAGE\":"
                             "\"Detected confidential "
                             "virtualization sev-snp.\"}\n",
                             "May 14 10:21:07 host systemd[1]: Detected confidential virtualization sev-snp.\n"}) {
        const auto log = read(line);
        ASSERT_TRUE(log);
        EXPECT_EQ(encryption_of(*log), Encryption::sev_snp) << line;
    }
}

TEST(LogRecords, TextThatOnlyLooksLikeRecordsStaysAsItIs) {
    for (const std::string& text :
         {std::string("{ not json\n[    0.000000] Linux version 6.1\n"),
          std::string("{}\n{\"a\":1}\nLinux version 6.1\n"),
          std::string("[    0.000000] Linux version 6.1 {\"MESSAGE\":\"x\"}\n"),
          std::string("MESSAGE\nLinux version 6.1\n"), std::string("{\"MESSAGE\":\"x\nLinux version 6.1\n")}) {
        const auto lines = e820::plain_log(text);
        ASSERT_TRUE(lines);
        EXPECT_EQ(*lines, text);
    }
}

TEST(LogRecords, HostileOnesAreNotQuadratic) {
    for (const std::string part :
         {"{", "{\"", "{\"dmesg\":[", "{\"MESSAGE\":[", "\x1e{\n", "{\"a\":1,\n", "}", "MESSAGE\n", "_A=1\n\n",
          "MESSAGE\n\xff\xff\xff\xff\xff\xff\xff\xff", "x [s=]\n", "x [s=]\n    ", "\xef\xbb\xbf", "\xff\xfe"}) {
        std::string text = part;
        while (text.size() < 1'000'000) text += part;
        EXPECT_TRUE(e820::plain_log(text)) << part;
    }
}

TEST(LogText, BinaryFilesAreNamedWithWhatToDo) {
    const struct {
        std::string bytes;
        const char* says;
    } files[] = {
        {std::string("LPKSHHRH\0\0\1", 11), "journalctl --file=FILE --dmesg"},
        {"\x1f\x8b\x08", "gzip: unpack it first"},
        {std::string("\xfd"
                     "7zXZ\0\0",
                     7),
         "xz: unpack it first"},
        {"\x28\xb5\x2f\xfd\x04", "zstd: unpack it first"},
        {"BZh91AY", "bzip2: unpack it first"},
    };
    for (const auto& file : files) {
        const auto text = e820::plain_log(file.bytes);
        ASSERT_FALSE(text);
        EXPECT_NE(text.error().message().find(file.says), std::string::npos) << text.error().message();
    }
}

}  // namespace
}  // namespace handoff
