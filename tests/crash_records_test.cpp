// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/load/crash_records.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <functional>

#include <gtest/gtest.h>

#include "lib/decide/need.hpp"
#include "lib/load/wishes.hpp"
#include "lib/sources/host.hpp"
#include "tests/bzimage_file.hpp"
#include "tests/changed_text.hpp"
#include "tests/cpio_archive.hpp"
#include "tests/temp_tree.hpp"

namespace handoff {
namespace {

using base::GiB;
using base::MiB;

constexpr const char* line = "root=/dev/vda nr_cpus=1 swiotlb_handoff=0x6c000000-0x70000000";

// 176 MiB were reserved and 64 MiB handed over; of 176 MiB 71 were available at the lowest.
WatchedMemory seen() {
    WatchedMemory memory;
    memory.time = "2026-11-20T03:05:00Z";
    memory.release = "6.1.0";
    memory.command_line = std::string(line) + " elfcorehdr=0x5affc000";
    memory.possible_cpus = memory.running_cpus = "0";
    memory.ram_bytes = (176 + 64) * MiB;
    memory.total_bytes = 150 * MiB;
    memory.first_free_bytes = memory.first_available_bytes = 130 * MiB;
    memory.lowest_free_bytes = 20 * MiB;
    memory.lowest_available_bytes = 71 * MiB;
    memory.slabs = 32768;
    memory.slabs_used = 900;
    memory.oom_kills = 0;
    memory.vmcore_bytes = 8 * GiB - 240 * MiB;
    memory.collector = "makedumpfile -l -d 31 /proc/vmcore /var/crash/202611200305/dump-incomplete";
    memory.dump_bytes = 90 * MiB;
    memory.dump_seconds = 12;
    memory.dump_done = true;
    memory.looks = 300;
    return memory;
}

Record loaded() {
    Record record;
    record.outcome = Rung::handoff;
    record.loader = Loader::kexec_load;
    record.command_line = line;
    record.marker = AddressRange::from_bounds(0x6c000000, 0x70000000);
    record.kernel_sum = FileSum{1000, 0x1234};
    record.initrd_sum = FileSum{2000, 0x5678};
    return record;
}

PresentLoad now() {
    return {"6.1.0", FileSum{1000, 0x1234}, FileSum{2000, 0x5678}, 1u, Loader::automatic, 8 * GiB, CollectorOptions{}};
}

TEST(WatchedMemoryDocument, IsReadBackAsItWasWritten) {
    for (WatchedMemory memory : {seen(), WatchedMemory{}}) {
        if (memory.time.empty()) memory.time = "1970-01-01T00:00:00Z";
        const auto read = parse_watched_memory(to_text(memory) + "\n\n");
        ASSERT_TRUE(read) << read.error().message();
        EXPECT_EQ(*read, memory);
        EXPECT_EQ(number_in(to_text(memory), "lowest_available_bytes"), memory.lowest_available_bytes);
        EXPECT_EQ(number_in(to_text(memory), "ram_bytes"), memory.ram_bytes);
    }
}

TEST(WatchedMemoryDocument, HasTheTimeAsADate) {
    EXPECT_EQ(utc_text(0), "1970-01-01T00:00:00Z");
    EXPECT_EQ(utc_text(951827696), "2000-02-29T12:34:56Z");
    EXPECT_EQ(utc_text(1795796700), "2026-11-27T16:25:00Z");
    EXPECT_EQ(utc_text(~std::uint64_t{0}), "9999-12-31T23:59:59Z");
}

TEST(WatchedMemoryDocument, OfAnybodyIsRefusedWhereItIsNotOne) {
    const std::string text = to_text(seen());
    const auto with = [&](std::string_view part, std::string_view other) { return changed_text(text, part, other); };
    for (const auto& [document, why] : std::initializer_list<std::pair<std::string, const char*>>{
             {"", "JSON"},
             {text.substr(0, text.size() / 2), "JSON"},
             {std::string(2 * MiB, ' '), "1 MiB"},
             {with("\"schema\": 2", "\"schema\": 3"), "schema"},
             {with("\"command\": \"watch\"", "\"command\": \"kexec\""), "command"},
             {with("2026-11-20T03:05:00Z", "yesterday"), "time"},
             {with("\"release\": \"6.1.0\"", "\"release\": \"6.1.0\\u001b[2J\""), "control characters"},
             {with("\"total_bytes\": ", "\"total_bytes\": -"), "a number"},
             {with("\"total_bytes\": ", "\"total_bytes\": 99999999"), "1 PiB"},
             {with("\"lowest_available_bytes\": ", "\"lowest_available_bytes\": 9"), "no more than at first"},
             {with("\"ram_bytes\": ", "\"ram_bytes\": 1, \"x\": "), "no more than at first"},
             {with("\"looks\": ", "\"looks\": 1, \"looks\": "), "twice"},
             {with("\"dump_done\": true", "\"dump_done\": 1"), "true or false"},
             {with("\"oom_kills\": 0", "\"oom\": 0"), "oom_kills"}}) {
        SCOPED_TRACE(why);
        const auto read = parse_watched_memory(document);
        ASSERT_FALSE(read);
        EXPECT_EQ(read.error().code, Errc::input);
        EXPECT_NE(read.error().message().find(why), std::string::npos) << read.error().message();
    }
}

TEST(CrashRecord, CountsWhatWasNotAvailableBesideThePool) {
    EXPECT_EQ(bytes_taken(seen(), loaded()), (176 - 71) * MiB);
    Record own = loaded();
    own.marker.reset();
    EXPECT_EQ(bytes_taken(seen(), own), (176 - 71) * MiB) << "a pool of its own, of 32768 slabs";
    WatchedMemory unseen = seen();
    unseen.slabs.reset();
    EXPECT_EQ(bytes_taken(unseen, own), (240 - 71) * MiB) << "it may have had one";
    Record lent = loaded();
    lent.loan = true;
    EXPECT_EQ(bytes_taken(seen(), lent), (240 - 71) * MiB) << "ordinary memory, and in use";
}

struct Row {
    const char* why;  ///< "" where it holds
    std::function<void(WatchedMemory&, Record&, PresentLoad&)> change;
};

TEST(CrashRecord, HoldsForTheSameLoadAndNoOther) {
    for (const Row& row : std::initializer_list<Row>{
             {"", [](WatchedMemory&, Record&, PresentLoad&) {}},
             {"", [](WatchedMemory&, Record&, PresentLoad&p) { p.loader = Loader::kexec_load; }},
             {"", [](WatchedMemory&, Record&, PresentLoad&p) { p.ram_bytes = 4 * GiB; }},
             {"", [](WatchedMemory&, Record&, PresentLoad&p) { p.collector.reset(); }},
             {"", [](WatchedMemory&m, Record&, PresentLoad&) { m.slabs.reset(); }},
             {"", [](WatchedMemory&m, Record&, PresentLoad&) { m.oom_kills.reset(); }},
             {"", [](WatchedMemory&m, Record&, PresentLoad&) { m.command_line = "elfcorehdr=1K  " + m.command_line; }},
             {"",
              [](WatchedMemory&m, Record&, PresentLoad&p) {
                  m.possible_cpus = "0-6";  // without the machine's first CPU
                  p.cpus = 8;
              }},
             {"for the CPUs 0-5, and",
              [](WatchedMemory&m, Record&, PresentLoad&p) {
                  m.possible_cpus = "0-5";
                  p.cpus = 8;
              }},
             {"another image", [](WatchedMemory&, Record&, PresentLoad&p) { p.kernel->crc32++; }},
             {"another initrd", [](WatchedMemory&, Record&, PresentLoad&p) { p.initrd->bytes++; }},
             {"was Linux 6.1.0, and now Linux 6.12.0 would be loaded",
              [](WatchedMemory&, Record&, PresentLoad&p) { p.release = "6.12.0"; }},
             {"which image and initrd were loaded",
              [](WatchedMemory&, Record&r, PresentLoad&) { r.initrd_sum.reset(); }},
             {"which image and initrd will be", [](WatchedMemory&, Record&, PresentLoad&p) { p.kernel.reset(); }},
             {"for the CPUs 0, and the next one will prepare for 8 in all",
              [](WatchedMemory&, Record&, PresentLoad&p) { p.cpus = 8; }},
             {"for the CPUs 0-7, and the next one will prepare for 1 in all",
              [](WatchedMemory&m, Record&, PresentLoad&) { m.possible_cpus = "0-7"; }},
             {"for the CPUs , and", [](WatchedMemory&m, Record&, PresentLoad&) { m.possible_cpus = ""; }},
             {"not known for how many CPUs", [](WatchedMemory&, Record&, PresentLoad&p) { p.cpus.reset(); }},
             {"by kexec_load, and the next one will be loaded by kexec_file_load",
              [](WatchedMemory&, Record&, PresentLoad&p) { p.loader = Loader::kexec_file_load; }},
             {"had 8 GiB of memory then, and has 16 GiB now",
              [](WatchedMemory&, Record&, PresentLoad&p) { p.ram_bytes = 16 * GiB; }},
             {"other threads or buffers", [](WatchedMemory&, Record&, PresentLoad&p) { p.collector->threads = 4; }},
             {"of another load", [](WatchedMemory&m, Record&, PresentLoad&) { m.command_line = "root=/dev/vda"; }},
             {"no source says that its dump was finished",
              [](WatchedMemory&m, Record&, PresentLoad&) { m.dump_done = false; }},
             {"memory ran out", [](WatchedMemory&m, Record&, PresentLoad&) { m.oom_kills = 1; }},
             {"how much memory the crash kernel had",
              [](WatchedMemory&m, Record&, PresentLoad&) { m.ram_bytes.reset(); }},
             {"how much memory the machine had",
              [](WatchedMemory&m, Record&, PresentLoad&) { m.vmcore_bytes.reset(); }},
             {"contradict each other",
              [](WatchedMemory&, Record&r, PresentLoad&) { r.marker = AddressRange::from_size(GiB, GiB); }}}) {
        SCOPED_TRACE(row.why);
        WatchedMemory memory = seen();
        Record record = loaded();
        PresentLoad present = now();
        row.change(memory, record, present);
        const std::string why = why_not_used(memory, record, present);
        EXPECT_EQ(why.empty(), *row.why == '\0') << why;
        EXPECT_NE(why.find(row.why), std::string::npos) << why;
    }
}

/// A machine with Debian's kdump, its image and its initrd, and dumps.
class CrashRecords : public testing::Test {
protected:
    CrashRecords() {
        tree_.write("usr/sbin/kdump-config", "");
        tree_.write("etc/default/kdump-tools", "KDUMP_CMDLINE_APPEND=\"nr_cpus=1\"\nMAKEDUMP_ARGS=\"-c -d 31\"\n");
        tree_.write("var/lib/kdump/vmlinuz", bzimage("6.1.0 (x) #1"));
        tree_.write("var/lib/kdump/initrd.img", cpio::file("init", "x") + cpio::end());
        machine_.release = "6.1.0";
        machine_.command_line = "root=/dev/vda";
        machine_.possible_cpus = 2;
        machine_.ram = RangeSet({*AddressRange::from_size(MiB, 8 * GiB)});
    }
    void dump(const std::string& name, const WatchedMemory& memory, Record record = loaded()) const {
        record.kernel_sum = *sum_of(tree_ / "var/lib/kdump/vmlinuz");
        record.initrd_sum = *sum_of(tree_ / "var/lib/kdump/initrd.img");
        tree_.write("var/crash/" + name + "/swiotlb-handoff-memory.json", to_text(memory));
        tree_.write("var/crash/" + name + "/swiotlb-handoff.json", record_document(record).dump());
    }
    [[nodiscard]] PlanRequest asked() const {
        const Host host(tree_.path());
        auto request = request_for(host, machine_, {});
        EXPECT_TRUE(request) << request.error().message();
        look_at_sizes(host, machine_, *request);
        return *request;
    }
    const TempTree tree_;
    Machine machine_;
};

TEST_F(CrashRecords, OfThisLoadTakeThePlaceOfTheMargin) {
    EXPECT_FALSE(asked().measured);
    dump("202611200305", seen());
    const PlanRequest request = asked();
    ASSERT_TRUE(request.measured) << request.crash_records.at(0).why_not;
    EXPECT_EQ(request.measured->bytes, 105 * MiB);
    ASSERT_EQ(request.crash_records.size(), 1u);
    EXPECT_EQ(request.crash_records[0].file, "/var/crash/202611200305/swiotlb-handoff-memory.json");
    const Need need = need_for(machine_, request, 256 * MiB, Need::default_margin);
    EXPECT_EQ(need.find(NeedPart::measured)->basis, Basis::measured);
    EXPECT_EQ(need.find(NeedPart::measured)->from,
              "measured on 2026-11-20, when at the lowest point 71 of 150 MiB were available "
              "(/var/crash/202611200305/swiotlb-handoff-memory.json)");
    EXPECT_EQ(need.find(NeedPart::margin)->bytes, 16 * MiB);
    EXPECT_EQ(need.recommended(), 121 * MiB);
}

TEST_F(CrashRecords, OfSeveralTheOneThatTookMostCountsAndOthersAreNamed) {
    dump("202611200305", seen());
    WatchedMemory hungry = seen(), other = seen();
    hungry.time = "2026-11-10T00:00:00Z";
    hungry.lowest_available_bytes = 60 * MiB;
    dump("202611100000", hungry);
    other.time = "2026-11-26T00:00:00Z";
    other.release = "6.1.1";
    dump("202611260000", other);
    const PlanRequest request = asked();
    ASSERT_TRUE(request.measured);
    EXPECT_EQ(request.measured->bytes, 116 * MiB);
    ASSERT_EQ(request.crash_records.size(), 3u);
    EXPECT_EQ(request.crash_records[0].why_not,
              "that crash kernel was Linux 6.1.1, and now Linux 6.1.0 would be loaded");
    EXPECT_EQ(request.crash_records[1].why_not + request.crash_records[2].why_not, "");
}

TEST_F(CrashRecords, OfAnInitrdThatWasMadeAnewDoNotHold) {
    dump("202611200305", seen());
    tree_.write("var/lib/kdump/initrd.img", cpio::file("init", "y") + cpio::end());
    const PlanRequest request = asked();
    EXPECT_FALSE(request.measured);
    EXPECT_EQ(request.crash_records.at(0).why_not, "another initrd was loaded then");
}

TEST_F(CrashRecords, ThatCannotBeReadAreNamedAndNoError) {
    dump("damaged", seen());
    tree_.write("var/crash/damaged/swiotlb-handoff-memory.json", to_text(seen()).substr(0, 100));
    dump("huge", seen());
    tree_.write("var/crash/huge/swiotlb-handoff-memory.json", std::string(100 * base::KiB, ' '));
    dump("without", seen());
    std::filesystem::remove(tree_ / "var/crash/without/swiotlb-handoff.json");
    dump("other", seen());
    tree_.write("var/crash/other/swiotlb-handoff.json", "[[[[[[[[[[[[");
    tree_.write("var/crash/nothing/dump", "x");
    tree_.write("var/crash/kexec_cmd", "x");
    const PlanRequest request = asked();
    EXPECT_FALSE(request.measured);
    std::string all;
    for (const CrashRecord& r : request.crash_records) all += r.file + ": " + r.why_not + "\n";
    EXPECT_EQ(request.crash_records.size(), 4u) << all;
    for (const char* why : {"damaged/swiotlb-handoff-memory.json: expected JSON", "huge/swiotlb-handoff-memory.json: ",
                            "without/swiotlb-handoff-memory.json: there is no swiotlb-handoff.json beside it",
                            "swiotlb-handoff.json: expected at most 8 levels"})
        EXPECT_NE(all.find(why), std::string::npos) << all;
}

TEST_F(CrashRecords, AreLookedForWhereTheServicePutsDumps) {
    dump("202611200305", seen());
    tree_.write("etc/default/kdump-tools", "KDUMP_CMDLINE_APPEND=\"nr_cpus=1\"\nKDUMP_COREDIR=\"/srv/dumps\"\n");
    EXPECT_TRUE(asked().crash_records.empty());
    std::filesystem::create_directories(tree_ / "srv");
    std::filesystem::rename(tree_ / "var/crash", tree_ / "srv/dumps");
    EXPECT_TRUE(asked().measured);
}

TEST_F(CrashRecords, OfTheRunningMachineCountOnlyWhereNobodyButRootCanHaveWrittenThem) {
    if (::getuid() != 0) GTEST_SKIP() << "only root can make such a file";
    const std::string file = (tree_ / "var/crash/x/record").string().substr(1);
    tree_.write("var/crash/x/record", "content");
    const Host live("/");
    ASSERT_EQ(::chmod((tree_ / "var/crash/x").c_str(), 0755), 0);
    EXPECT_TRUE(live.read_of_root(file, 100));
    EXPECT_EQ(live.read_of_root(file, 3).error().code, Errc::io) << "too large";
    ASSERT_EQ(::chmod((tree_ / "var/crash/x/record").c_str(), 0666), 0);
    EXPECT_EQ(live.read_of_root(file, 100).error().code, Errc::not_permitted);
    ASSERT_EQ(::chmod((tree_ / "var/crash/x/record").c_str(), 0644), 0);
    ASSERT_EQ(::chmod((tree_ / "var/crash/x").c_str(), 01777), 0);
    EXPECT_EQ(live.read_of_root(file, 100).error().code, Errc::not_permitted);
}

TEST_F(CrashRecords, AnotherUsersDirectoryIsNoPlaceForThem) {
    if (::getuid() != 0) GTEST_SKIP() << "only root can give a directory away";
    tree_.write("var/crash/x/record", "content");
    ASSERT_EQ(::chown((tree_ / "var/crash/x").c_str(), 1234, 1234), 0);
    EXPECT_EQ(Host("/").read_of_root((tree_ / "var/crash/x/record").string().substr(1), 100).error().code,
              Errc::not_permitted);
}

// --- which file it is

TEST(FileSum, TellsFilesFromEachOther) {
    const TempTree tree;
    const auto sum = [&](const std::string& content) {
        tree.write("file", content);
        return *sum_of(tree / "file");
    };
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{256 * 1024}, std::size_t{3000001}}) {
        const std::string content(size, 'a');
        const FileSum before = sum(content);
        EXPECT_EQ(before.bytes, size);
        EXPECT_EQ(sum(content), before);
        EXPECT_NE(sum(content + 'a'), before);
        for (const std::size_t at : {std::size_t{0}, size / 2 / 4096 * 4096, size - 1}) {
            if (size == 0) continue;
            std::string other = content;
            other.replace(at, 40000, std::min<std::size_t>(40000, size - at), 'b');
            EXPECT_NE(sum(other), before) << size << " at " << at;
        }
    }
    EXPECT_FALSE(sum_of(tree / "none"));
}

}  // namespace
}  // namespace handoff
