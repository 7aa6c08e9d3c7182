// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/decide/need.hpp"

#include <gtest/gtest.h>

#include "tests/synthetic_machine.hpp"

namespace handoff {
namespace {

using base::MiB;

constexpr std::uint64_t margin = Need::default_margin;

TEST(Need, RecommendsWhatIsMostAtOneMomentAndTheMargin) {
    Need need;
    need.lines = {{NeedPart::image, 50 * MiB, 40 * MiB, Basis::read, ""},
                  {NeedPart::initrd, 20 * MiB, 20 * MiB, Basis::read, ""},
                  {NeedPart::makedumpfile, 8 * MiB, 2 * MiB, Basis::read, ""},
                  {NeedPart::margin, 64 * MiB, 0, Basis::assumed, ""}};
    EXPECT_EQ(need.recommended(), 134 * MiB) << "the initrd is free again when makedumpfile runs";
    need.lines.push_back({NeedPart::modules, 30 * MiB, 0, Basis::read, ""});
    EXPECT_EQ(need.recommended(), 152 * MiB);
    EXPECT_FALSE(need.rests_on_assumptions()) << "a margin always is one";
}

TEST(Need, WhatWasMeasuredStandsForAllButTheMarginAndForNothingThatNobodyCouldSee) {
    PlanRequest request = synthetic_request();
    request.measured = MeasuredNeed{"/var/crash/x/swiotlb-handoff-memory.json", "2026-11-20T03:05:00Z", 200 * MiB,
                                    40 * MiB, 240 * MiB};
    const Machine machine = synthetic_machine();
    const Need large = need_for(machine, request, 256 * MiB, margin);
    EXPECT_EQ(large.recommended(), (200 + 25) * MiB) << "an eighth of it is the margin";
    for (const NeedPart part : {NeedPart::modules, NeedPart::makedumpfile}) EXPECT_FALSE(large.find(part));

    request.measured->bytes = 60 * MiB;
    const Need small = need_for(machine, request, 256 * MiB, margin);
    EXPECT_EQ(small.find(NeedPart::margin)->bytes, 16 * MiB);
    const std::uint64_t unpacking = small.find(NeedPart::image)->bytes + small.find(NeedPart::unpacked)->bytes +
                                    small.find(NeedPart::early)->bytes + small.find(NeedPart::initrd)->bytes;
    EXPECT_EQ(small.recommended(), unpacking + 16 * MiB) << "the packed initrd lies beside the unpacked one";
    EXPECT_EQ(need_for(machine, request, 256 * MiB, 4 * MiB).recommended(), unpacking + 4 * MiB);
    request.measured.reset();
    EXPECT_EQ(small.lower_bound(), need_for(machine, request, 256 * MiB, margin).lower_bound());
}

TEST(Need, IsBoundedFromBelowByWhatIsTakenAtOneMoment) {
    Need need;
    need.lines = {{NeedPart::image, 50 * MiB, 40 * MiB, Basis::read, ""},
                  {NeedPart::initrd, 20 * MiB, 20 * MiB, Basis::read, ""},
                  {NeedPart::makedumpfile, 8 * MiB, 8 * MiB, Basis::read, ""}};
    EXPECT_EQ(need.lower_bound(), 60 * MiB) << "the initrd is free again when makedumpfile runs";
    need.lines[1].at_least = 5 * MiB;
    EXPECT_EQ(need.lower_bound(), 48 * MiB);
}

TEST(Need, OfWhatWasNotReadNothingIsCertain) {
    const Machine machine = synthetic_machine();
    PlanRequest request = synthetic_request();
    const Need read = need_for(machine, request, 256 * MiB, margin);
    EXPECT_EQ(read.find(NeedPart::image)->basis, Basis::read);
    EXPECT_EQ(read.find(NeedPart::image)->at_least, machine.kernel_image->size());
    EXPECT_EQ(read.find(NeedPart::initrd)->at_least, 16 * MiB);

    request.image.reset();
    request.initrd_bytes.reset();
    const Need assumed = need_for(machine, request, 256 * MiB, margin);
    EXPECT_TRUE(assumed.rests_on_assumptions());
    for (const NeedPart part : {NeedPart::image, NeedPart::initrd, NeedPart::unpacked, NeedPart::modules}) {
        SCOPED_TRACE(name(part));
        ASSERT_TRUE(assumed.find(part));
        EXPECT_EQ(assumed.find(part)->basis, Basis::assumed);
        EXPECT_EQ(assumed.find(part)->at_least, 0u);
        EXPECT_GT(assumed.find(part)->bytes, 0u);
    }
    EXPECT_LT(assumed.lower_bound(), read.lower_bound());
}

TEST(Need, ACrashKernelOfAnotherReleaseMayBeSmallerThanTheRunningOne) {
    const Machine machine = synthetic_machine();
    PlanRequest request = synthetic_request();
    request.image->release = "6.12.117+deb13-amd64";
    EXPECT_EQ(need_for(machine, request, 256 * MiB, margin).find(NeedPart::image)->at_least, 0u);
}

// --- CPUs: by the command line that the crash kernel will have

struct CpuRow {
    const char* name;
    std::optional<std::string> given, by_service;
    std::optional<unsigned> machine;
    std::uint64_t at_least_kib, bytes_mib;  // of the line, which is not there where both are 0
    Basis basis;
};

TEST(Need, OfFurtherCpusGoesByTheCommandLine) {
    for (const CpuRow& row :
         {CpuRow{"one", "nr_cpus=1", {}, 64u, 0, 0, Basis::read},
          // 4 areas of 512 KiB in units of 2 MiB and one unit more, and 1 MiB for each of 3; of many a larger log
          // besides
          {"four", "nr_cpus=4", {}, 64u, 3 * 64, 2 + 3, Basis::read},
          {"openSUSE's 32", {}, "nr_cpus=32", 64u, 31 * 64, 16 + 31 + 1, Basis::read},
          {"what was given comes first", "nr_cpus=1", "nr_cpus=32", 64u, 0, 0, Basis::read},
          {"no more than the machine has", "nr_cpus=32", {}, 4u, 3 * 64, 2 + 3, Basis::read},
          {"all of the machine's", "reset_devices", {}, 4u, 3 * 64, 2 + 3, Basis::read},
          {"maxcpus= limits what is started, not what is possible", "maxcpus=1", {}, 4u, 3 * 64, 2, Basis::read},
          {"disable_cpu_apicid= limits nothing", "disable_cpu_apicid=0", {}, 4u, 3 * 64, 2 + 3, Basis::read},
          {"nothing tells", "reset_devices", {}, {}, 0, 512 + 1023 + 42, Basis::assumed}}) {
        SCOPED_TRACE(row.name);
        Machine machine = synthetic_machine();
        machine.possible_cpus = row.machine;
        PlanRequest request = synthetic_request();
        request.command_line = row.given;
        request.service_command_line = row.by_service;
        const Need need = need_for(machine, request, 256 * MiB, margin);
        const NeedLine* line = need.find(NeedPart::cpus);
        ASSERT_EQ(line != nullptr, row.bytes_mib != 0);
        if (!line) continue;
        EXPECT_EQ(line->at_least / 1024, row.at_least_kib);
        EXPECT_EQ(line->bytes / MiB, row.bytes_mib) << line->from;
        EXPECT_EQ(line->basis, row.basis);
    }
}

// --- the initrd that was looked into

InitrdContents contents_of(std::uint64_t file_bytes) {
    InitrdContents contents;
    contents.file_bytes = file_bytes;
    contents.inodes = 1024;
    contents.formats = {"zstd"};
    return contents;
}

TEST(Need, OfAnInitrdThatWasLookedIntoIsItsFilesInPages) {
    PlanRequest request = synthetic_request();
    request.initrd_contents = contents_of(40 * MiB);
    const Need need = need_for(synthetic_machine(), request, 256 * MiB, margin);
    const NeedLine& unpacked = *need.find(NeedPart::unpacked);
    EXPECT_EQ(unpacked.basis, Basis::read);
    EXPECT_EQ(unpacked.at_least, 40 * MiB + 1024 * 768);
    EXPECT_EQ(unpacked.bytes, 40 * MiB + 40 * MiB / 256 + 2 * MiB);
    EXPECT_NE(unpacked.from.find("zstd"), std::string::npos);
    EXPECT_EQ(need.lower_bound(), synthetic_machine().kernel_image->size() + need.find(NeedPart::early)->at_least +
                                      unpacked.at_least + 16 * MiB);
}

TEST(Need, OfAnInitrdThatCannotBeUnpackedIsAssumedAndSaysWhy) {
    PlanRequest request = synthetic_request();
    request.initrd_contents_problem = Error{Errc::input, "initrd.img", 0, "xz: the data is damaged, or cut off"};
    const Need need = need_for(synthetic_machine(), request, 256 * MiB, margin);
    EXPECT_EQ(need.find(NeedPart::unpacked)->basis, Basis::assumed);
    EXPECT_EQ(need.find(NeedPart::unpacked)->bytes, 64 * MiB);
    EXPECT_NE(need.find(NeedPart::unpacked)->from.find("damaged"), std::string::npos);
}

TEST(Need, OfAPackedRootHasItsPageCacheAndTheModulesOfTheRunningKernel) {
    PlanRequest request = synthetic_request();
    request.initrd_contents = contents_of(20 * MiB);
    request.initrd_contents->packed_root_bytes = 18 * MiB;
    EXPECT_EQ(need_for(synthetic_machine(), request, 256 * MiB, margin).find(NeedPart::modules)->basis, Basis::assumed);
    request.initrd_contents->loaded_module_bytes = 7 * MiB;
    const Need need = need_for(synthetic_machine(), request, 256 * MiB, margin);
    EXPECT_EQ(need.find(NeedPart::page_cache)->bytes, 18 * MiB);
    EXPECT_EQ(need.find(NeedPart::page_cache)->basis, Basis::assumed);
    EXPECT_EQ(need.find(NeedPart::modules)->bytes, 7 * MiB);
    EXPECT_EQ(need.find(NeedPart::modules)->basis, Basis::read);
}

TEST(Need, OfModulesIsWhatIsLoadedHereAndNoMoreThanTheirFiles) {
    PlanRequest request = synthetic_request();
    request.initrd_contents = contents_of(20 * MiB);
    request.initrd_contents->modules = {{"nvme", MiB, false}, {"xfs", 2 * MiB, true}};
    const auto modules = [&] {
        return *need_for(synthetic_machine(), request, 256 * MiB, margin).find(NeedPart::modules);
    };
    EXPECT_EQ(modules().bytes, 9 * MiB);
    EXPECT_EQ(modules().basis, Basis::assumed) << "one is compressed";
    request.initrd_contents->loaded_module_bytes = 3 * MiB;
    EXPECT_EQ(modules().bytes, 3 * MiB);
    EXPECT_EQ(modules().basis, Basis::read);
    request.initrd_contents->loaded_module_bytes = 30 * MiB;
    EXPECT_EQ(modules().bytes, 9 * MiB);
}

TEST(Need, OfATmpfsRootIsTwiceWhatIsUnpacked) {
    PlanRequest request = synthetic_request();
    request.initrd_contents = contents_of(40 * MiB);
    struct Row {
        const char* line;
        bool limited;
    };
    for (const Row& row : {Row{"root=/dev/vda1 nr_cpus=1", false},
                           {"nr_cpus=1", true},
                           {"root= nr_cpus=1", true},
                           {"root=/dev/vda1 nr_cpus=1 rootfstype=tmpfs", true},
                           {"nr_cpus=1 rootfstype=ramfs", false}}) {
        SCOPED_TRACE(row.line);
        request.command_line = row.line;
        const Need need = need_for(synthetic_machine(), request, 256 * MiB, margin);
        const NeedLine* limit = need.find(NeedPart::root_limit);
        ASSERT_EQ(limit != nullptr, row.limited);
        if (limit) {
            EXPECT_EQ(limit->bytes, need.find(NeedPart::unpacked)->bytes);
        }
    }
    request.command_line = "nr_cpus=1";
    request.initrd_contents.reset();
    EXPECT_FALSE(need_for(synthetic_machine(), request, 256 * MiB, margin).find(NeedPart::root_limit))
        << "what is unpacked is assumed";
}

// --- makedumpfile

TEST(Need, OfMakedumpfileIsItsBitmapsBuffersAndThreads) {
    struct Row {
        const char* name;
        std::uint64_t gib;
        std::optional<CollectorOptions> options;
        const char* line;
        std::uint64_t kib;  // of bitmaps and threads
    };
    for (const Row& row : {Row{"a file of two bits a page", 8, CollectorOptions{}, "nr_cpus=1", 512},
                           {"up to 4 MiB", 64, CollectorOptions{}, "nr_cpus=1", 4096},
                           {"then two buffers of that size", 1024, CollectorOptions{}, "nr_cpus=1", 8192},
                           {"a buffer of this size", 1024, CollectorOptions{0, false, 1 * MiB}, "nr_cpus=1", 2048},
                           {"threads", 8, CollectorOptions{4, false, 0}, "nr_cpus=1", 512 + 4 * 1024},
                           {"a thread a CPU", 8, CollectorOptions{32, true, 0}, "nr_cpus=2", 512 + 2 * 1024},
                           {"nothing tells", 8, {}, "nr_cpus=1", 512}}) {
        SCOPED_TRACE(row.name);
        Machine machine = synthetic_machine();
        machine.ram = RangeSet({*AddressRange::from_size(MiB, row.gib * base::GiB - MiB)});
        PlanRequest request = synthetic_request();
        request.command_line = row.line;
        request.collector_options = row.options;
        const Need need = need_for(machine, request, 256 * MiB, margin);
        const NeedLine& line = *need.find(NeedPart::makedumpfile);
        EXPECT_EQ((line.bytes - 2 * MiB - row.gib * 8 * 64) / 1024, row.kib) << line.from;
        EXPECT_EQ(line.basis, row.options ? Basis::read : Basis::assumed);
    }
}

}  // namespace
}  // namespace handoff
