// SPDX-License-Identifier: GPL-2.0-or-later
// Every form in which people have kernel logs: one boot, dressed in each, says the same.
#include <gtest/gtest.h>

#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "e820/log.hpp"
#include "lib/sources/kernel_log.hpp"
#include "lib/sources/log_file.hpp"
#include "tests/tar_file.hpp"

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

/// "I/tag     (    0): text", where the tag is what stands before the first colon.
std::string logcat_brief(const Message& m) {
    const auto colon = m.text.find(": ");
    const std::string tag = colon == m.text.npos ? "" : m.text.substr(0, colon);
    const std::string text = colon == m.text.npos ? m.text : m.text.substr(colon + 2);
    return "I/" + tag + std::string(tag.size() < 8 ? 8 - tag.size() : 0, ' ') + "(    0): " + text + "\n";
}
std::string logcat_long(const Message& m) {
    const auto colon = m.text.find(": ");
    const std::string tag = colon == m.text.npos ? "" : m.text.substr(0, colon);
    const std::string text = colon == m.text.npos ? m.text : m.text.substr(colon + 2);
    return "[ 05-14 10:21:07.123     0:    0 I/" + tag + std::string(tag.size() < 8 ? 8 - tag.size() : 0, ' ') +
           " ]\n" + text + "\n\n";
}

/// As RFC 2045 has it: no line is longer than 76 characters, and "=" is "=3D".
std::string quoted_printable(const std::string& text) {
    std::string out;
    std::size_t column = 0;
    for (const char c : text) {
        const std::string part = c == '=' ? "=3D" : std::string(1, c);
        if (c != '\n' && column + part.size() > 75) {
            out += "=\n";
            column = 0;
        }
        out += part;
        column = c == '\n' ? 0 : column + part.size();
    }
    return out;
}

std::string base64(const std::string& bytes) {
    constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        std::uint32_t bits = 0;
        for (std::size_t k = 0; k < 3; ++k)
            bits = bits << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0U);
        for (int k = 3; k >= 0; --k) out += digits[bits >> (6 * k) & 63];
        if (i + 3 > bytes.size())
            out.replace(out.size() - (i + 3 - bytes.size()), i + 3 - bytes.size(), i + 3 - bytes.size(), '=');
        if (i % 57 == 54) out += '\n';
    }
    return out + "\n";
}

/// A mail with a part that is encoded, between two that are not.
std::string mail(const std::string& encoding, const std::string& body) {
    return "From: Somebody <somebody@example.org>\nSubject: no dump\nMIME-Version: 1.0\n"
           "Content-Type: multipart/mixed;\n boundary=\"=-x1\"\n\n--=-x1\nContent-Type: "
           "text/plain\n\nHello,\n\n--=-x1\n"
           "Content-Type: text/plain; name=\"dmesg.txt\"\nContent-Transfer-Encoding: " +
           encoding + "\n\n" + body + "\n--=-x1\nContent-Type: text/plain\n\nThanks\n--=-x1--\n";
}

std::string escaped(const std::string& text) {
    std::string out;
    for (const char c : text) out += c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '&' ? "&amp;" : std::string(1, c);
    return out;
}

std::string replaced(std::string text, const std::string& what, const std::string& with) {
    for (auto at = text.find(what); at != text.npos; at = text.find(what, at + with.size()))
        text.replace(at, what.size(), with);
    return text;
}

std::string json_text(const std::string& text) { return replaced(replaced(text, "\"", "\\\""), "\n", "\\r\\n"); }

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
    /// A line of the kernel is a line of the file.
    bool line_by_line = true;
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
        {"RFC 5424 with structured data",
         with_time("<6>1 2024-05-14T10:21:07.123Z host kernel - - [meta sequenceId=\"1\"] [", "] "),
         "<6>1 2024-05-14T10:21:07.123Z host program - - [meta sequenceId=\"1\"] " + pool},
        {"what collects logs, in JSON", with_records([](const Message& m) {
             return R"({"host":"h","message":"[)" + seconds(m.microseconds) + "] " + m.text + R"(","level":"info"})" +
                    "\n";
         })},
        {"with labels", with_time("2024-05-14T10:21:07Z {job=\"kernel\",host=\"a\"} [", "] ")},
        {"fluentd", with_time("2024-05-14 10:21:07.000000000 +0000 kernel: [", "] ")},
        {"a hypervisor's log", with_time("2024-05-14T10:21:07.1Z| vcpu-0| I005: [", "] ")},
        {"a patch", with_time("+[", "] ")},
        {"compressed by lzma", packed(with_time("[", "] "), "lzma"), "", false},
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
        {"logcat -v brief", with_records(logcat_brief), "I/software IO TLB(  312): " + pool.substr(17)},
        {"logcat -v time", with_records([](const Message& m) { return "05-14 10:21:07.123 " + logcat_brief(m); }),
         "05-14 10:21:07.124 I/software IO TLB(  312): " + pool.substr(17)},
        {"logcat -v long", with_records(logcat_long),
         "[ 05-14 10:21:07.123   312:  312 I/software IO TLB ]\n" + pool.substr(17) + "\n"},
        {"kubectl logs --prefix --timestamps",
         with_time("[pod/reader-7x2/main] 2024-05-14T10:21:07.123456789Z [", "] ")},
        {"stern", with_time("reader-7x2 main [", "] ")},
        {"grep -n", with_front([n = 0](const Message& m) mutable {
             return std::to_string(++n) + ":[" + seconds(m.microseconds) + "] ";
         })},
        {"grep of a file", with_time("host/dmesg.txt:[", "] ")},
        {"cat -n", with_front([n = 0](const Message& m) mutable {
             return "     " + std::to_string(++n) + "\t[" + seconds(m.microseconds) + "] ";
         })},
        {"a console that PuTTY recorded", with_time("2024.05.14 10:21:07 [", "] ")},
        {"a console that Tera Term recorded", with_time("[2024-05-14 10:21:07.123] [", "] ")},
        {"a console that minicom recorded", with_time("[2024-05-14 10:21:07] [", "] ")},
        {"a console with a clock of twelve hours", with_time("5/14/2024 10:21:07 AM: [", "] ")},
        {"a console by its name", with_time("ttyS0: [", "] ")},
        {"a typescript",
         "Script started on 2024-05-14 10:21:07+02:00 [TERM=\"xterm\" COLUMNS=\"80\"]\n"
         "\x1b]0;user@host: ~\auser@host:~$ dmesg\r\n" +
             with_crlf(with_time("\x1b[32m[", "] \x1b(B\x1b[m")) + "\nScript done on 2024-05-14\n"},
        {"with marks of a shell", with_time("\x1b]133;A\x1b\\[", "] ")},
        {"with carriage returns alone", replaced(with_time("[", "] "), "\n", "\r"), "", false},
        {"with carriage returns around", replaced(with_time("[", "] "), "\n", "\r\r\n")},
        {"behind a boot loader's line", "Loading initial ramdisk ...\r\x1b[K" + with_time("[", "] ")},
        {"quoted in a mail, several deep", with_time(">> > >[", "] ")},
        {"quoted-printable", quoted_printable(with_time("[", "] ")), "", false},
        {"quoted-printable, quoted", quoted_printable(with_time("> [", "] ")), "", false},
        {"a mail in quoted-printable", mail("quoted-printable", quoted_printable(with_time("[", "] "))), "", false},
        {"a mail with CRLF", with_crlf(mail("quoted-printable", quoted_printable(with_time("[", "] ")))), "", false},
        {"a mail in base64", mail("base64", base64(with_time("[", "] "))), "", false},
        {"a mail with a log that is compressed", mail("BASE64", base64(packed(with_time("[", "] "), "gzip"))), "",
         false},
        {"escaped for HTML", escaped(with_time("<6>[", "] "))},
        {"escaped for HTML, quoted", escaped(with_time("> > [", "] "))},
        {"a page of HTML", "<!DOCTYPE html>\n<html><body><pre class=\"log\">" +
                               with_time("<span class=\"time\">[", "]</span> ") + "</pre></body></html>\n"},
        {"a page of HTML with divisions",
         "<html><body><div>" + replaced(with_time("[", "]&nbsp;"), "\n", "</div><div>") + "</div></body></html>", "",
         false},
        {"aws ec2 get-console-output",
         "{\n    \"InstanceId\": \"i-0\",\n    \"Output\": \"" + json_text(with_time("[", "] ")) + "\"\n}\n", "",
         false},
        {"gcloud get-serial-port-output",
         "{\"contents\": \"" + json_text(with_time("[", "] ")) + "\", \"next\": \"9\"}", "", false},
        {"az get-boot-log", "\"" + json_text(with_time("[", "] ")) + "\"\n", "", false},
        {"compressed by gzip", packed(with_time("[", "] "), "gzip"), "", false},
        {"compressed by bzip2", packed(with_time("[", "] "), "bzip2"), "", false},
        {"compressed by xz", packed(with_time("[", "] "), "xz"), "", false},
        {"compressed by zstd, in two",
         packed(with_time("[", "] ").substr(0, 200), "zstd") + packed(with_time("[", "] ").substr(200), "zstd"), "",
         false},
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
    const auto lines = log_lines(file);
    if (!lines) return lines.error();
    return parse_kernel_log(*lines);
}

TEST(LogForms, SayWhatThePlainLogSays) {
    for (const Form& form : forms()) {
        SCOPED_TRACE(form.name);
        const auto log = read(form.log);
        ASSERT_TRUE(log) << log.error().message();
        ASSERT_TRUE(log->pool && log->crash_kernel && log->release && log->command_line) << *log_lines(form.log);
        EXPECT_EQ(log->pool->value, *AddressRange::from_bounds(0xaf000000, 0xb3000000));
        EXPECT_EQ(log->crash_kernel->value, *AddressRange::from_bounds(0xb3000000, 0xbf000000));
        EXPECT_EQ(log->release->value, "6.12.10");
        EXPECT_EQ(log->command_line->value, "ro crashkernel=192M");
        EXPECT_EQ(log->boots, 1u);
        EXPECT_TRUE(log->efi);
        EXPECT_TRUE(shows_everything(*log)) << log->gaps.text() << "\n" << *log_lines(form.log);
        EXPECT_EQ(encryption_of(*log), Encryption::none);
        const auto maps = e820::parse_log_table(*log_lines(form.log));
        ASSERT_TRUE(maps) << maps.error().message();
        ASSERT_EQ(maps->size(), 1u);
        EXPECT_EQ(maps->front().maps.front().table.entries.size(), 1u);
        EXPECT_TRUE(maps->front().maps.front().headed);
    }
}

TEST(LogForms, KeepTheNumbersOfTheFilesLines) {
    for (const Form& form : forms()) {
        if (!form.line_by_line || form.log.find('\0') != std::string::npos) continue;
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

// Two machines' consoles in one file: the one that began last counts, as of two boots.
TEST(LogForms, OfTwoMachinesInTurnTheLinesAreToldApartByTheirNames) {
    for (const auto& [one, two] : {std::pair("node-1  | [", "node-2  | ["),
                                   {"[pod/a/main] [", "[pod/b/main] ["},
                                   {"ttyS0: [", "ttyS1: ["},
                                   {"May 14 10:21:07 alpha kernel: [", "May 14 10:21:07 beta kernel: ["}}) {
        std::string log;
        for (const Message& m : boot) {
            const std::string behind = seconds(m.microseconds) + "] ";
            std::string other = m.text;
            if (other.starts_with("BIOS-e820:")) {
                log += two + behind + "BIOS-e820: [mem 0x0000000000000000-0x000000000009fbff] usable\n";
                other = "BIOS-e820: [mem 0x0000000000200000-0x00000000afffffff] usable";
            }
            if (other.starts_with("software IO")) other = another_pool;
            log += two + behind + other + "\n" + one + behind + m.text + "\n";
        }
        SCOPED_TRACE(log);
        const auto found = read(log);
        ASSERT_TRUE(found);
        EXPECT_EQ(found->boots, 2u);
        ASSERT_TRUE(found->pool);
        EXPECT_EQ(found->pool->value.start(), 0xaf000000u);
        EXPECT_GT(found->gaps.of_others, 0u);
        const auto maps = e820::parse_log_table(log);
        ASSERT_TRUE(maps) << maps.error().message();
        ASSERT_EQ(maps->size(), 2u);
        EXPECT_EQ(maps->front().maps.front().table.entries.size(), 2u);
        EXPECT_EQ(maps->back().maps.front().table.entries.size(), 1u);
    }
}

// A line in a form that nobody knows, before the kernel has said everything.
TEST(LogForms, ALineThatIsNotUnderstoodIsAGap) {
    for (const Form& form : forms()) {
        if (!form.line_by_line || form.log.find('\0') != std::string::npos) continue;
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
        const auto lines = log_lines(text);
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
        EXPECT_TRUE(log_lines(text)) << part;
    }
}

TEST(LogText, TheJournalsOwnFilesAreNamedWithWhatToDo) {
    const auto text = log_lines(std::string("LPKSHHRH\0\0\1", 11));
    ASSERT_FALSE(text);
    EXPECT_NE(text.error().message().find("journalctl --file=FILE --dmesg"), std::string::npos);
}

TEST(LogText, OfACompressedFileThatIsCutOffNothingIsSaid) {
    for (const char* filter : {"gzip", "bzip2", "xz", "zstd"}) {
        const std::string whole = packed(with_time("[", "] "), filter);
        EXPECT_FALSE(log_lines(whole.substr(0, whole.size() / 2))) << filter;
    }
}

}  // namespace
}  // namespace handoff
