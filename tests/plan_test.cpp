// SPDX-License-Identifier: GPL-2.0-or-later
//
// What plan() and review() make of a machine and a request. Which rule refuses what is in rules_test.cpp; where the
// pool lands is in placement_test.cpp, what the loaders do in loader_test.cpp, and which evidence a loan needs in
// lend_test.cpp.
#include "swiotlb-handoff/plan.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "lib/decide/assumed.hpp"
#include "lib/kernel/command_line.hpp"
#include "lib/kernel/early_take.hpp"
#include "tests/reasons.hpp"
#include "tests/synthetic_machine.hpp"

namespace handoff {
namespace {

using base::GiB;
using base::KiB;
using base::MiB;
using base::page_size;
using e820::Type;

AddressRange range(Address start, Address end) { return *AddressRange::from_bounds(start, end); }

/// A machine and what is asked of it, each of which a test changes in one point.
class Plans : public testing::Test {
protected:
    Plan decided() const { return decide(machine, request); }
    std::string& line() { return *request.command_line; }
    /// The crash kernel makes no pool by itself.
    void reserve_low_only() { machine.crash_kernel = {range(0x70000000, 0x80000000)}; }
    /// No fences are needed.
    void reserve_high_only() { machine = synthetic_machine_without_low_part(); }

    Machine machine = synthetic_machine();
    PlanRequest request = synthetic_request();
};

/// The first reason of a rule; one without a text where there is none.
Reason reason_of(const Plan& plan, std::string_view rule) {
    const auto it =
        std::find_if(plan.reasons.begin(), plan.reasons.end(), [&](const Reason& r) { return id_of(r) == rule; });
    return it == plan.reasons.end() ? Reason{} : *it;
}

bool starts_with(const std::string& text, std::string_view with) { return text.compare(0, with.size(), with) == 0; }
bool contains(const std::string& text, std::string_view part) { return text.find(part) != text.npos; }

// --- the verdict, and what comes with it

using PlanVerdict = Plans;

TEST_F(PlanVerdict, ReadyComesWithWordsAndThePlaceWhereThePoolWillBe) {
    const Plan ready = decided();
    EXPECT_EQ(ready.verdict, Verdict::ready);
    EXPECT_EQ(ready.append,
              "swiotlb=32768 "
              "memmap=64M@0x6c000000,4K%0x70000000-1+2,4K%0x74000000-1+2,4K%0x78000000-1+2,4K%0x7c000000-1+2 "
              "nokaslr swiotlb_handoff=0x6c000000-0x70000000");
    EXPECT_EQ(ready.base, *request.command_line);
    EXPECT_EQ(ready.pool, synthetic_pool);
    EXPECT_EQ(ready.expected, synthetic_pool);
    EXPECT_FALSE(ready.loan);
    EXPECT_FALSE(ready.counterexample);
    EXPECT_GT(ready.early_bytes, 0u);
    EXPECT_TRUE(has(ready.reasons, "pool-exact", Severity::info)) << text_of(ready.reasons);
}

TEST_F(PlanVerdict, RefusedComesWithoutWords) {
    machine.xen = true;
    const Plan refused = decided();
    EXPECT_EQ(refused.verdict, Verdict::refused);
    EXPECT_EQ(refused.append, "");
    EXPECT_FALSE(refused.expected);
    EXPECT_EQ(refused.pool, synthetic_pool) << "what was seen is said all the same";
}

TEST_F(PlanVerdict, RefusedForItsLayoutComesWithACounterexample) {
    machine.crash_kernel = {range(0x50000000, 0x60000000)};
    line() += " swiotlb=force";
    const Plan refused = decided();
    ASSERT_TRUE(refused.counterexample);
    EXPECT_EQ(refused.counterexample->kind, Counterexample::Kind::eaten);
}

TEST_F(PlanVerdict, NotNeededComesWithoutWordsAndWithoutRefusals) {
    reserve_low_only();
    machine.slabs = 7;  // whatever else is wrong
    const Plan not_needed = decided();
    EXPECT_EQ(not_needed.verdict, Verdict::not_needed);
    EXPECT_EQ(not_needed.append, "");
    EXPECT_FALSE(not_needed.expected);
    EXPECT_EQ(refusals(not_needed.reasons), std::set<std::string>{});
}

TEST_F(PlanVerdict, AWarningDoesNotRefuse) {
    machine.slabs_used = 7;
    EXPECT_EQ(decided().verdict, Verdict::ready);
}

TEST_F(PlanVerdict, SourcesThatCouldNotBeUsedAreNamedWhateverItIs) {
    machine.unread = {Error{Errc::io, "proc/kcore", 0, "cannot be read"}};
    EXPECT_TRUE(has(decided().reasons, "source-unread", Severity::info));
    machine.crash_kernel.clear();
    EXPECT_TRUE(has(decided().reasons, "source-unread", Severity::info)) << "refused";
    reserve_low_only();
    EXPECT_TRUE(has(decided().reasons, "source-unread", Severity::info)) << "not needed";
}

TEST_F(PlanVerdict, TheHeadlineHasItAndTheRuleThatDecided) {
    EXPECT_TRUE(starts_with(headline(decided()), "ready")) << headline(decided());
    machine.xen = true;
    EXPECT_TRUE(starts_with(headline(decided()), "refused")) << headline(decided());
    EXPECT_TRUE(contains(headline(decided()), "xen-none")) << headline(decided());
    reserve_low_only();
    EXPECT_TRUE(starts_with(headline(decided()), "refused (requires xen-none)")) << headline(decided());
    machine.xen = false;
    EXPECT_TRUE(starts_with(headline(decided()), "not-needed")) << headline(decided());
}

// --- is anything reserved, and if not, why?

class PlanReservation : public Plans {
protected:
    void SetUp() override { machine.crash_kernel.clear(); }
    Reason refusal() const { return reason_of(decided(), "crashkernel-reserved"); }
    void kernel_said(const char* line) { machine.reservation_failures = {{line, {"dmesg", 5}}}; }
};

TEST_F(PlanReservation, WhatTheKernelSaidIsQuoted) {
    machine.command_line = "ro crashkernel=512M";
    kernel_said("crashkernel reservation failed - No suitable area found.");
    EXPECT_EQ(refusal().text,
              "crashkernel=512M is on the command line, but the kernel reserved nothing: 'crashkernel reservation "
              "failed - No suitable area found.'");
    EXPECT_EQ(refusal().evidence, "dmesg:5");
    machine.command_line.clear();
    EXPECT_TRUE(starts_with(refusal().text, "The kernel reserved nothing: 'crashkernel")) << refusal().text;
}

TEST_F(PlanReservation, TheAdviceIsForThisKernelAndThisWord) {
    constexpr const char* no_area = "crashkernel reservation failed - No suitable area found.";
    const struct {
        const char* release;
        const char* words;
        const char* said;
        const char* advice;
    } cases[] = {
        {"4.15.0", "crashkernel=512M", no_area, "crashkernel=SIZE,high"},
        {"5.1.21", "crashkernel=512M", no_area, "below 896 MiB"},
        {"5.2.0", "crashkernel=512M", no_area, "smaller size"},
        {"4.15.0", "crashkernel=512M,high", no_area, "Boot with a smaller size"},
        {"6.12.1", "crashkernel=512M", "cannot allocate crashkernel (size:0x20000000)", "smaller size"},
        {"6.12.1", "crashkernel=512M@16M", "crashkernel reservation failed - memory is in use.", "Leave out @OFFSET"},
        {"4.15.0", "crashkernel=auto", "crashkernel=auto resulted in zero bytes of reserved memory.",
         "Boot with a size"},
        {"6.12.1", "crashkernel=auto", "crashkernel: memory value expected", "Red Hat"},
        {"6.12.1", "crashkernel=16G-64G:192M,64G-:512M", "crashkernel size resulted in zero bytes",
         "None of the ranges"},
        {"6.12.1", "crashkernel=512M,high", "cannot allocate crashkernel low memory (size:0x10800000).", "SIZE,low"},
        {"5.10.0", "crashkernel=512M,high", "Cannot reserve 256MB crashkernel low memory, please try smaller size.",
         "SIZE,low"},
        {"6.12.1", "crashkernel=lots", "crashkernel: memory value expected", "did not understand"},
        {"6.12.1", "crashkernel=1T", "crashkernel: invalid size", "smaller than the machine's memory"},
    };
    for (const auto& c : cases) {
        machine.release = c.release;
        machine.command_line = c.words;
        kernel_said(c.said);
        EXPECT_TRUE(contains(refusal().advice, c.advice)) << c.words << ": " << refusal().advice;
    }
}

TEST_F(PlanReservation, WhatGivesNothingHereIsToldWithoutTheLog) {
    machine.iomem = {IomemEntry{range(0x1000, 0x80000000), 0, "System RAM", 1},
                     IomemEntry{range(0, 0x1000), 0, "Reserved", 2}};
    machine.command_line = "ro crashkernel=16G-64G:192M,64G-:512M";
    EXPECT_EQ(refusal().text,
              "crashkernel=16G-64G:192M,64G-:512M is on the command line, but the kernel reserved nothing.");
    EXPECT_TRUE(contains(refusal().advice, "None of the ranges")) << refusal().advice;
    machine.command_line = "ro crashkernel=256M@16M";
    EXPECT_TRUE(contains(refusal().advice, "Leave out @OFFSET")) << refusal().advice;
    machine.command_line = "ro crashkernel=256M";
    EXPECT_TRUE(contains(refusal().advice, "boot log")) << refusal().advice;
    machine.command_line = "ro";
    EXPECT_EQ(refusal().text, "No memory is reserved for a crash kernel.");
    EXPECT_EQ(refusal().advice, "Boot with crashkernel=.");
}

TEST_F(PlanReservation, IsNotKnownWhereTheLogBeginsLate) {
    machine.iomem.clear();
    machine.log_complete = false;
    for (const char* line : {"", "ro crashkernel=256M"}) {
        machine.command_line = line;
        EXPECT_TRUE(contains(refusal().text, "not known")) << line << ": " << refusal().text;
        EXPECT_FALSE(contains(refusal().advice, "boot with")) << refusal().advice;
    }
    machine.command_line = "ro";
    EXPECT_FALSE(contains(refusal().text, "not known")) << "nobody asked for it";
    machine.command_line = "ro crashkernel=256M";
    machine.log_complete = true;
    EXPECT_FALSE(contains(refusal().text, "not known")) << refusal().text;
    machine.log_complete = false;
    machine.crash_size = 0;
    EXPECT_FALSE(contains(refusal().text, "not known")) << refusal().text;
}

TEST_F(PlanReservation, OfACrashKernelsOwnLogItSaysWhoseItIs) {
    machine.command_line = "ro reset_devices elfcorehdr=900536K";
    EXPECT_TRUE(contains(refusal().text, "the boot of a crash kernel")) << refusal().text;
}

TEST_F(PlanReservation, UnderXenPvIsXens) {
    machine.xen = true;
    EXPECT_EQ(refusals(decided().reasons), std::set<std::string>{"xen-none"});
    machine.crash_kernel = synthetic_machine().crash_kernel;
    line() += " -- single";
    EXPECT_TRUE(contains(headline(decided()), "xen-none")) << "it is said before all else: " << headline(decided());
}

// --- would the crash kernel make a pool?

using PoolNeed = Plans;

TEST_F(PoolNeed, FollowsFromMemoryAbove4GiB) {
    machine.ram.add(range(2 * GiB, 4 * GiB));
    machine.crash_kernel.back() = range(4 * GiB - 512 * MiB, 4 * GiB);
    EXPECT_EQ(decided().verdict, Verdict::not_needed);
    machine.crash_kernel.back() = range(4 * GiB - 512 * MiB, 4 * GiB + 2 * MiB);
    EXPECT_NE(decided().verdict, Verdict::not_needed);
}

TEST_F(PoolNeed, FollowsFromSwiotlbForceWhichIsKept) {
    reserve_low_only();
    line() += " swiotlb=force";
    EXPECT_TRUE(starts_with(decided().append, "swiotlb=32768,force ")) << headline(decided());
}

TEST_F(PoolNeed, FollowsFromTheRunningKernelsSwiotlbForce) {
    reserve_low_only();
    machine.command_line += " swiotlb=force";
    EXPECT_TRUE(starts_with(decided().append, "swiotlb=32768,force ")) << headline(decided());
    line() += " swiotlb=32768";
    EXPECT_EQ(decided().verdict, Verdict::not_needed) << "the crash kernel's own swiotlb= has the last word";
}

TEST_F(PoolNeed, IsNotThereWithSwiotlbNoforce) {
    line() += " swiotlb=noforce";
    machine.encryption = Encryption::sev;
    EXPECT_EQ(decided().verdict, Verdict::not_needed);
    line() += " swiotlb=force";
    EXPECT_EQ(decided().verdict, Verdict::not_needed);
}

TEST_F(PoolNeed, IsNotInheritedFromAKernelThatHasNoforce) {
    reserve_low_only();
    machine.command_line += " swiotlb=force swiotlb=noforce";
    EXPECT_EQ(decided().verdict, Verdict::not_needed);
}

TEST_F(PoolNeed, FollowsFromMemoryEncryption) {
    reserve_low_only();
    for (const Encryption kind :
         {Encryption::sme, Encryption::sev, Encryption::sev_es, Encryption::sev_snp, Encryption::tdx}) {
        machine.encryption = kind;
        EXPECT_EQ(decided().verdict, Verdict::refused) << name(kind) << ": a pool is needed, and other rules speak";
    }
    machine.encryption = Encryption::unknown;
    EXPECT_EQ(decided().verdict, Verdict::not_needed);
}

TEST_F(PoolNeed, FollowsFromIommuWords) {
    machine.command_line += " iommu=off";
    line() += " iommu=off";
    EXPECT_EQ(decided().verdict, Verdict::not_needed);
    reserve_low_only();
    machine.command_line = "iommu=soft";
    line() = "iommu=soft reset_devices nr_cpus=1";
    EXPECT_EQ(decided().verdict, Verdict::ready) << headline(decided());
}

TEST_F(PoolNeed, IsIdleWhereOnlySratNamesMemoryAbove4GiB) {
    reserve_low_only();
    machine.srat_memory_end = 8 * GiB;
    const Plan idle = decided();
    EXPECT_EQ(idle.verdict, Verdict::not_needed);
    EXPECT_TRUE(has(idle.reasons, "pool-needed", Severity::warning)) << text_of(idle.reasons);
    EXPECT_TRUE(contains(reason_of(idle, "pool-needed").advice, "numa=off")) << text_of(idle.reasons);
}

TEST_F(PoolNeed, DoesNotFollowFromAnSratThatTheCrashKernelDoesNotRead) {
    reserve_low_only();
    machine.srat_memory_end = 8 * GiB;
    for (const char* word : {"numa=off", "acpi=off"}) {
        line() = std::string("reset_devices nr_cpus=1 ") + word;
        EXPECT_FALSE(has(decided().reasons, "pool-needed", Severity::warning)) << word;
        EXPECT_EQ(decided().verdict, Verdict::not_needed) << word;
    }
}

// --- the command line that it is planned for

using BaseLine = Plans;

TEST_F(BaseLine, IsTheOneThatWasGivenAndNothingIsAddedToItBesideTheHandoff) {
    reserve_high_only();
    line() = "root=/dev/vda1 nr_cpus=1 quiet";
    EXPECT_EQ(decided().base, "root=/dev/vda1 nr_cpus=1 quiet");
    EXPECT_EQ(decided().append, synthetic_words);
}

TEST_F(BaseLine, IsElseTheRunningKernelsAsKdumpDerivesIt) {
    request.command_line.reset();
    machine.command_line =
        "BOOT_IMAGE=/vmlinuz root=/dev/vda1 crashkernel=768M initrd=/i hugepages=8 hugepagesz=1G quiet";
    EXPECT_EQ(decided().base, "root=/dev/vda1 quiet");
    EXPECT_TRUE(has(decided().reasons, "command-line-known", Severity::info));
}

TEST_F(BaseLine, ThatIsAssumedGetsTheWordsOfKdumpWhichAreAppendedFirst) {
    reserve_high_only();
    request.command_line.reset();
    EXPECT_EQ(decided().append, std::string("reset_devices nr_cpus=1 ") + synthetic_words);
    machine.command_line += " reset_devices";
    EXPECT_EQ(decided().append, std::string("nr_cpus=1 ") + synthetic_words);
    machine.command_line += " nr_cpus=2";
    EXPECT_EQ(decided().append, synthetic_words);
}

TEST_F(BaseLine, ThatIsAssumedGetsTheWordsOfKdumpWithALoanToo) {
    machine = idle_machine();
    request = lending_request();
    request.command_line.reset();
    EXPECT_EQ(decided().append, std::string("reset_devices nr_cpus=1 ") + synthetic_loan_words);
}

TEST_F(BaseLine, AnEmptyOneThatWasGivenIsNotAssumed) {
    line().clear();
    EXPECT_EQ(decided().base, "");
    EXPECT_FALSE(has(decided().reasons, "command-line-known", Severity::info));
}

TEST_F(BaseLine, EachWordThatTakesMemoryEarlyIsRefused) {
    reserve_high_only();
    for (const char* word : {"crashkernel=64M", "cma=64M", "hugetlb_cma=64M", "memtest", "memtest=4", "movable_node",
                             "kernelcore=64M", "movablecore=64M", "reserve_mem=4M:4K:x", "efi_fake_mem=4M@0:1",
                             "add_efi_memmap", "hugepagesz=1G hugepages=1", "numa=fake=2"}) {
        line() = std::string("reset_devices nr_cpus=1 ") + word;
        EXPECT_EQ(refusals(decided().reasons), std::set<std::string>{"command-line-early"}) << word;
    }
    line() = "reset_devices nr_cpus=1 cma=0 hugetlb_cma=0 hugepagesz=2M numa=off";
    EXPECT_EQ(decided().verdict, Verdict::ready) << headline(decided());
}

TEST_F(BaseLine, WordsBehindTwoDashesAreNotTheKernels) {
    line() += " -- crashkernel=64M memtest";
    EXPECT_EQ(refusals(decided().reasons), std::set<std::string>{"command-line-init"});
}

TEST_F(BaseLine, EveryWordThatIsWrongIsReported) {
    line() = "nr_cpus=1 crashkernel=64M iommu=force swiotlb=any swiotlb_handoff=0x6c000000-0x70000000 -- x";
    EXPECT_EQ(refusals(decided().reasons), (std::set<std::string>{"command-line-init", "command-line-agrees",
                                                                  "command-line-early", "command-line-iommu"}));
    EXPECT_TRUE(has(decided().reasons, "reset-devices", Severity::warning));
}

TEST_F(BaseLine, AnIommuWordThatCountsIsRefusedWhereTheRunningKernelsWordsAreNotKnown) {
    machine.command_line.clear();
    line() += " iommu=pt";  // counts for nothing on 6.1
    EXPECT_EQ(decided().verdict, Verdict::ready) << headline(decided());
    line() += " iommu=force";
    EXPECT_EQ(refusals(decided().reasons), std::set<std::string>{"command-line-iommu"});
}

TEST_F(BaseLine, AnIommuWordOfTheRunningKernelIsNoMatterWhereTheCrashKernelDoesNotGoByIt) {
    machine.command_line += " intel_iommu=on";
    line() += " intel_iommu=off";
    EXPECT_EQ(decided().verdict, Verdict::ready) << headline(decided());
}

TEST_F(BaseLine, AWordThatNobodyKnowsIsNoWordOfAKernelThatWasLookedAtAndRefusedOnAnother) {
    line() += " some_new_word=1 rd.lvm.lv=vg/root";
    EXPECT_EQ(decided().verdict, Verdict::ready) << headline(decided());
    request.image->release = "5.14.0-427.el9.x86_64";
    EXPECT_EQ(refusals(decided().reasons), std::set<std::string>{"command-line-covered"});
    request.accept = {"command-line-covered"};
    EXPECT_EQ(decided().verdict, Verdict::ready) << headline(decided());
}

// --- the words of each method

using Words = Plans;

TEST_F(Words, OfMethodRamAddTheRegionAndNothingElseWhereThatIsEnough) {
    reserve_high_only();
    request.method = Method::ram;
    EXPECT_EQ(decided().append, synthetic_words);
    EXPECT_TRUE(decided().fences.empty());
}

TEST_F(Words, OfMethodAddrNameTheAddressAndNeedNoFences) {
    request.method = Method::addr;
    request.image->swiotlb_addr = true;
    EXPECT_EQ(decided().append,
              "swiotlb=32768,addr=0x6c000000 memmap=64M@0x6c000000 swiotlb_handoff=0x6c000000-0x70000000");
}

TEST_F(Words, OfMethodE820LeaveTheRegionToTheTableAndKeepKaslrOff) {
    reserve_high_only();
    request.method = Method::e820;
    request.loader = Loader::kexec_load;
    EXPECT_EQ(decided().append, "swiotlb=32768 nokaslr swiotlb_handoff=0x6c000000-0x70000000");
}

TEST_F(Words, AreOfMethodAddrWhereTheImageAnnouncesIt) {
    request.method = Method::automatic;
    EXPECT_EQ(decided().method, Method::ram);
    request.image->swiotlb_addr = true;
    EXPECT_EQ(decided().method, Method::addr);
    request.image.reset();
    EXPECT_EQ(decided().method, Method::ram) << "an image that nobody named announces nothing";
}

TEST_F(Words, HaveAsManySlabsAsThePool) {
    reserve_high_only();
    machine.pool.front().range = range(0x6e000000, 0x70000000);
    EXPECT_EQ(decided().append, "swiotlb=16384 memmap=32M@0x6e000000 swiotlb_handoff=0x6e000000-0x70000000");
}

TEST_F(Words, DoNotRepeatNokaslr) {
    line() += " nokaslr";
    EXPECT_EQ(decided().verdict, Verdict::ready);
    EXPECT_FALSE(contains(decided().append, "nokaslr")) << decided().append;
}

TEST_F(Words, SwitchNumaOffUnlessThereIsOneNodeOrTheLineDoesSo) {
    reserve_high_only();
    const std::string with = "swiotlb=32768 memmap=64M@0x6c000000 numa=off swiotlb_handoff=0x6c000000-0x70000000";
    machine.memory_nodes = 2;
    EXPECT_EQ(decided().append, with);
    machine.memory_nodes.reset();
    EXPECT_EQ(decided().append, with) << "how many nodes there are is not known";
    line() += " numa=off";
    EXPECT_EQ(decided().append, synthetic_words);
}

// --- fences, and the map

using Fencing = Plans;

TEST_F(Fencing, IsReservedInTheMapThatTheWordsMake) {
    const Plan fenced = decided();
    ASSERT_EQ(fenced.fences.size(), 4u);
    for (const AddressRange& fence : fenced.fences) {
        EXPECT_EQ(fence.size(), page_size);
        EXPECT_TRUE(fenced.after.of(Type::reserved).contains(fence)) << to_string(fence);
        EXPECT_FALSE(fenced.after.of(Type::ram).overlaps(fence)) << to_string(fence);
        EXPECT_TRUE(fenced.loads.front().map.of(Type::ram).contains(fence)) << "it was RAM: " << to_string(fence);
    }
}

TEST_F(Fencing, LeavesNoFreeBlockAboveThePoolThatHoldsIt) {
    const Plan fenced = decided();
    const RangeSet ram = fenced.after.of(Type::ram);
    for (const AddressRange& block : ram.ranges()) {
        const bool between = block.start() >= synthetic_pool.end() && block.start() < 4 * GiB;
        EXPECT_TRUE(!between || block.size() < synthetic_pool.size()) << to_string(block);
    }
}

TEST_F(Fencing, KeepsOutOfEverySegmentButTheKernels) {
    reserve_low_only();
    line() += " swiotlb=force";
    const Plan fenced = decided();
    ASSERT_FALSE(fenced.fences.empty());
    for (const Load& load : fenced.loads)
        for (const Segment& segment : load.segments)
            for (const AddressRange& fence : fenced.fences)
                EXPECT_TRUE(segment.name == "kernel" || !segment.range.overlaps(fence)) << segment.name;
}

TEST_F(Fencing, CountsOnTheInitrdBeingInTheWay) {
    reserve_low_only();
    line() += " swiotlb=force";
    request.initrd_bytes = 0;
    const std::size_t without = decided().fences.size();
    request.initrd_bytes = 64 * MiB;
    EXPECT_LT(decided().fences.size(), without);
}

TEST_F(Fencing, IsNotDoneWhereNothingFreeIsAboveThePool) {
    machine.crash_kernel.front() = range(0x60000000, 0x6c000000);
    EXPECT_EQ(decided().verdict, Verdict::ready);
    EXPECT_TRUE(decided().fences.empty());
}

using CrashMap = Plans;

TEST_F(CrashMap, HasThePoolAsRamOnlyWithTheWords) {
    const Plan ready = decided();
    EXPECT_FALSE(ready.loads.front().map.of(Type::ram).overlaps(synthetic_pool));
    EXPECT_TRUE(ready.after.of(Type::ram).contains(synthetic_pool));
}

TEST_F(CrashMap, IsWhatTheWordsMakeOfTheFirstLoad) {
    const Plan ready = decided();
    const auto whole = CommandLine::parse(ready.base + " " + ready.append);
    EXPECT_EQ(ready.after, *apply_memory_words(ready.loads.front().map, *whole));
}

TEST_F(CrashMap, HasThePoolWithoutAMemmapWordForMethodE820) {
    request.method = Method::e820;
    request.loader = Loader::kexec_load;
    const Plan ready = decided();
    EXPECT_EQ(ready.verdict, Verdict::ready) << headline(ready);
    EXPECT_TRUE(ready.after.of(Type::ram).contains(synthetic_pool));
}

// --- who loads what

using Loads = Plans;

std::vector<Loader> loaders_of(const Plan& plan) {
    std::vector<Loader> loaders;
    for (const Load& load : plan.loads)
        if (loaders.empty() || loaders.back() != load.loader) loaders.push_back(load.loader);
    return loaders;
}

TEST_F(Loads, AreOfBothSystemCallsWhereNobodySaysWhich) {
    EXPECT_EQ(loaders_of(decided()), (std::vector{Loader::kexec_load, Loader::kexec_file_load}));
    EXPECT_EQ(decided().loader, Loader::automatic);
}

TEST_F(Loads, AreOfTheSystemCallThatWasNamed) {
    for (const Loader loader : {Loader::kexec_load, Loader::kexec_file_load}) {
        request.loader = loader;
        EXPECT_EQ(loaders_of(decided()), std::vector{loader});
        EXPECT_EQ(decided().loader, loader);
    }
}

TEST_F(Loads, OfMethodE820AreByKexecLoadOnly) {
    request.method = Method::e820;
    EXPECT_EQ(loaders_of(decided()), std::vector{Loader::kexec_load});
}

TEST_F(Loads, ThatPutKernelAndInitrdIntoTheSamePlacesAreOne) {
    const Plan ready = decided();
    for (auto a = ready.loads.begin(); a != ready.loads.end(); ++a)
        for (auto b = a + 1; b != ready.loads.end(); ++b)
            EXPECT_FALSE(a->loader == b->loader && a->find("kernel")->range == b->find("kernel")->range &&
                         a->find("initrd")->range == b->find("initrd")->range);
}

TEST_F(Loads, AreSeveralWhereAFewPagesMoreMoveTheKernel) {
    request.loader = Loader::kexec_load;
    const Plan roomy = decided();
    ASSERT_EQ(roomy.loads.size(), 1u);
    const AddressRange kernel = roomy.loads.front().find("kernel")->range;
    const Address next = roomy.loads.front().find("boot_params")->range.start();
    request.image->init_size += next - kernel.end() - 4 * KiB;  // and a page to spare
    const Plan tight = decided();
    ASSERT_EQ(tight.loads.size(), 2u);
    EXPECT_EQ(tight.loads.front().find("kernel")->range.start(), kernel.start()) << "the likely one is the first";
    EXPECT_EQ(tight.loads.back().find("kernel")->range.start(), kernel.start() - 2 * MiB);
}

TEST_F(Loads, WithoutAnInitrdHaveNone) {
    request.initrd_bytes = 0;
    const Plan ready = decided();
    EXPECT_EQ(ready.verdict, Verdict::ready) << headline(ready);
    for (const Load& load : ready.loads) EXPECT_FALSE(load.find("initrd"));
}

TEST_F(Loads, HaveSetupDataFromKexecToolsThatPassARandomSeed) {
    request.loader = Loader::kexec_load;
    const auto setup_data = [&](const char* version) {
        machine.kexec_tools = version;
        const Plan ready = decided();
        EXPECT_FALSE(has(ready.reasons, "loader-setup-data", Severity::warning)) << version;
        return ready.loads.front().find("setup_data") != nullptr;
    };
    EXPECT_FALSE(setup_data("2.0.20"));
    EXPECT_FALSE(setup_data("2.0.24"));
    EXPECT_TRUE(setup_data("2.0.25"));
    EXPECT_TRUE(setup_data("2.0.25.git"));
    EXPECT_TRUE(setup_data("2.0.100"));
    EXPECT_TRUE(setup_data("2.1.0"));
    machine.efi_runtime_map = true;
    EXPECT_TRUE(setup_data("2.0.20")) << "EFI's";
    EXPECT_EQ(decided().loads.front().find("setup_data")->range.size(), 3 * page_size);
}

TEST_F(Loads, AreProvenWithAndWithoutSetupDataWhereThatIsNotKnown) {
    request.loader = Loader::kexec_load;
    machine.live = true;
    machine.kexec_tools.reset();
    const Plan ready = decided();
    EXPECT_EQ(ready.verdict, Verdict::ready) << headline(ready);
    EXPECT_TRUE(has(ready.reasons, "loader-setup-data", Severity::info)) << text_of(ready.reasons);
    request.loader = Loader::kexec_file_load;
    EXPECT_FALSE(has(decided().reasons, "loader-setup-data", Severity::info)) << "it is not kexec-tools that lays out";
}

TEST_F(Loads, OfACapturedMachineAreTakenToBeByANewKexecTools) {
    request.loader = Loader::kexec_load;
    machine.kexec_tools.reset();
    const auto assumes = [](const Plan& plan) {
        return std::any_of(plan.assumptions.begin(), plan.assumptions.end(),
                           [](const Assumption& a) { return a.rule == "loader-setup-data"; });
    };
    EXPECT_TRUE(assumes(decided()));
    EXPECT_TRUE(decided().loads.front().find("setup_data"));
    request.loader = Loader::kexec_file_load;
    EXPECT_FALSE(assumes(decided()));
}

TEST_F(Loads, ByTheKernelItselfNeedNoRandomSeed) {
    machine.random_ready = false;
    request.loader = Loader::kexec_file_load;
    EXPECT_FALSE(has(decided().reasons, "loader-setup-data", Severity::warning));
}

TEST_F(Loads, HaveRoomForTheCommandLine) {
    request.loader = Loader::kexec_load;
    const auto bytes = [&] { return decided().loads.front().find("boot_params")->range.size(); };
    const std::uint64_t with_short_line = bytes();
    line() += " " + std::string(4096, 'x');
    EXPECT_EQ(bytes(), with_short_line + page_size);
}

TEST_F(Loads, MayBeByKexecLoadUnderLockdownOnlyIfNobodyAsksForIt) {
    machine.lockdown = true;
    EXPECT_EQ(decided().verdict, Verdict::ready) << "kexec -a tries the other call";
    request.loader = Loader::kexec_load;
    EXPECT_EQ(refusals(decided().reasons), std::set<std::string>{"loader-permitted"});
}

TEST_F(Loads, ThatDoNotFitNameTheRule) {
    request.initrd_bytes = 1 * GiB;
    EXPECT_EQ(refusals(decided().reasons), std::set<std::string>{"load-fits"});
    request.initrd_bytes = ~std::uint64_t{0};
    EXPECT_EQ(refusals(decided().reasons), std::set<std::string>{"load-fits"});
}

// --- the image, as far as it is known

using AssumedImage = Plans;

TEST_F(AssumedImage, IsAQuarterLargerThanTheRunningOneAndAtLeast64MiB) {
    request.image.reset();
    machine.kernel_image = range(16 * MiB, 64 * MiB);
    EXPECT_EQ(assumed_image(machine, request).init_size, 64 * MiB);
    machine.kernel_image = range(16 * MiB, 96 * MiB);
    EXPECT_EQ(assumed_image(machine, request).init_size, 100 * MiB);
    machine.kernel_image.reset();
    EXPECT_EQ(assumed_image(machine, request).init_size, 64 * MiB);
    EXPECT_EQ(assumed_image(machine, request).release, machine.release);
}

TEST_F(AssumedImage, IsNotAssumedWhereItIsNamed) {
    request.image->init_size = 32 * MiB;
    EXPECT_EQ(assumed_image(machine, request).init_size, 32 * MiB);
    EXPECT_EQ(assumed_initrd_bytes(request), 16 * MiB);
}

TEST_F(AssumedImage, ComesWithAnInitrdOf24MiB) {
    request.initrd_bytes.reset();
    EXPECT_EQ(assumed_initrd_bytes(request), 24 * MiB);
    for (const Load& load : decided().loads) EXPECT_EQ(load.find("initrd")->range.size(), 24 * MiB);
}

TEST_F(AssumedImage, OfTheRunningMachineIsNoProof) {
    request.image.reset();
    EXPECT_EQ(decided().verdict, Verdict::ready);
    ASSERT_EQ(decided().assumptions.size(), 1u);
    EXPECT_TRUE(decided().assumptions.front().is("image-known"));
    machine.live = true;
    EXPECT_EQ(refusals(decided().reasons), std::set<std::string>{"image-known"});
}

TEST_F(AssumedImage, DecidesByItsReleaseWhetherThePoolIsRoundedUp) {
    reserve_high_only();
    request.accept = {"release-tested"};
    machine.pool.front().range = range(0x6e800000, 0x70000000);  // 24 MiB, of which no part would be enough
    const auto refused = [&](const char* of_image, const char* of_machine) {
        request.image->release = of_image;
        machine.release = of_machine;
        return decided().verdict == Verdict::refused;
    };
    EXPECT_TRUE(refused("6.0.0", "5.10.0"));
    EXPECT_FALSE(refused("5.10.0-32-amd64", "6.1.0"));
    EXPECT_TRUE(refused("10.0.0", "5.10.0"));
    EXPECT_FALSE(refused("", "5.10.0")) << "the running kernel's counts where the image does not say";
    EXPECT_TRUE(refused("", "6.1.0"));
    EXPECT_TRUE(refused("", "")) << "one that is not known may round up";
    EXPECT_TRUE(refused("next", "5.10.0"));
}

// --- what a capture lacks

using Assumed = Plans;

TEST_F(Assumed, IsSaidByTheVerdict) {
    EXPECT_EQ(verdict_text(Verdict::ready, decided().assumptions), "ready") << "nothing is missing";
    request.initrd_bytes.reset();
    request.config.reset();
    const Plan plan = decided();
    ASSERT_EQ(plan.verdict, Verdict::ready) << headline(plan);
    EXPECT_EQ(verdict_text(plan.verdict, plan.assumptions),
              "ready if the crash kernel's configuration takes no more memory early than Debian's; "
              "the crash kernel's initrd has up to 24 MiB");
    EXPECT_EQ(headline(plan).find(verdict_text(plan.verdict, plan.assumptions) + ": Proven: "), 0u);
    EXPECT_EQ(plan.assumptions.front().where, "boot/config-6.1.0-50-amd64");
    EXPECT_EQ(verdict_text(Verdict::refused, plan.assumptions), "refused");
    EXPECT_EQ(verdict_text(Verdict::not_needed, plan.assumptions), "not-needed");
}

TEST_F(Assumed, IsARefusalOnTheRunningMachine) {
    machine.release.clear();
    machine.encryption = Encryption::unknown;
    request.image->release.clear();
    request.initrd_bytes.reset();
    request.config.reset();
    line() += " some_new_word";
    const Plan captured = decided();
    std::set<std::string> rules;
    for (const Assumption& assumption : captured.assumptions) rules.insert(assumption.rule);
    EXPECT_EQ(captured.verdict, Verdict::ready) << headline(captured);
    EXPECT_EQ(rules, (std::set<std::string>{"release-tested", "config-known", "encryption-known", "image-known",
                                            "command-line-covered"}));
    machine.live = true;
    EXPECT_EQ(refusals(decided().reasons), rules);
    EXPECT_EQ(decided().assumptions, std::vector<Assumption>{});
}

TEST_F(Assumed, MayBeEvidenceForALoan) {
    machine = idle_machine();
    request = lending_request();
    machine.hiwater_tracked.reset();
    machine.pool_traces.reset();
    const Plan plan = decided();
    EXPECT_EQ(verdict_text(plan.verdict, plan.assumptions),
              "ready if the pool's own memory shows that it was never used");
    EXPECT_EQ(plan.assumptions.front().where, "proc/kcore");
}

TEST_F(Assumed, IsNothingWhereTheRiskIsTaken) {
    request.config.reset();
    request.accept = {"config-known"};
    EXPECT_EQ(decided().assumptions, std::vector<Assumption>{});
    EXPECT_TRUE(has(decided().reasons, "config-known", Severity::warning));
}

TEST_F(Assumed, IsNotTheConfigurationOfAnotherKernel) {
    machine.config.emplace();
    request.config.reset();
    EXPECT_EQ(decided().assumptions, std::vector<Assumption>{});
    machine.release = "6.1.0-49-amd64";
    ASSERT_EQ(decided().assumptions.size(), 1u);
    EXPECT_TRUE(decided().assumptions.front().is("config-known"));
}

// --- what the crash kernel takes early

using EarlyMemory = Plans;

TEST_F(EarlyMemory, GrowsWithTheCpusThatTheCrashKernelPreparesFor) {
    const auto bytes = [&](const char* words, unsigned possible) {
        line() = std::string("reset_devices ") + words;
        machine.possible_cpus = possible;
        return decided().early_bytes;
    };
    const std::uint64_t of_sixteen = bytes("nr_cpus=16", 2);
    EXPECT_GT(of_sixteen, bytes("nr_cpus=1", 2));
    EXPECT_EQ(bytes("possible_cpus=16", 2), of_sixteen);
    EXPECT_EQ(bytes("", 16), of_sixteen) << "the machine's, where the command line does not say";
    EXPECT_EQ(bytes("nr_cpus=0", 16), of_sixteen);
}

TEST_F(EarlyMemory, GrowsWithTheConfiguration) {
    const std::uint64_t of_debian = decided().early_bytes;
    request.config->kfence_objects = 1023;
    EXPECT_EQ(decided().early_bytes, of_debian + early_take(*request.config, 1, 0).bytes);
    request.config->kfence_objects = 65535;
    EXPECT_EQ(refusals(decided().reasons), std::set<std::string>{"pool-exact"}) << "more than the reservation has";
    request.config = KernelConfig{};
    line() = "reset_devices nr_cpus=64";
    const std::uint64_t of_cpus = decided().early_bytes;
    request.config->log_cpu_max_buf_shift = 15;
    EXPECT_GT(decided().early_bytes, of_cpus);
}

TEST_F(EarlyMemory, IsThatOfManyCpusWhereTheirNumberIsNotKnown) {
    line() = "reset_devices";
    machine.possible_cpus.reset();
    EXPECT_TRUE(has(decided().reasons, "pool-slabs", Severity::refusal)) << text_of(decided().reasons);
}

TEST_F(EarlyMemory, OfManyCpusIsNoReasonToRoundUpAPoolWithAddr) {
    reserve_high_only();
    machine.pool.front().range = range(0x6ff00000, 0x70000000);  // 1 MiB, four segments
    line() = "reset_devices nr_cpus=8";
    EXPECT_EQ(refusals(decided().reasons), std::set<std::string>{"pool-slabs"});
    request.image->swiotlb_addr = true;
    EXPECT_EQ(decided().verdict, Verdict::ready) << headline(decided());
}

TEST_F(EarlyMemory, GrowsWithLogBufLenAndMayNotFit) {
    reserve_high_only();
    const std::uint64_t without = decided().early_bytes;
    line() += " log_buf_len=16M";
    // The log, and for each 32 bytes of it a descriptor and the record's infos.
    EXPECT_EQ(decided().early_bytes, without + 16 * MiB + 16 * MiB / 32 * (24 + 112));
    EXPECT_EQ(decided().verdict, Verdict::ready);
    line() += " log_buf_len=1G";
    EXPECT_EQ(refusals(decided().reasons), std::set<std::string>{"pool-exact"});
    line() += " log_buf_len=99999999999999999999";
    EXPECT_EQ(refusals(decided().reasons), std::set<std::string>{"pool-exact"})
        << "a number that wraps can be anything";
}

TEST_F(EarlyMemory, OfSeveralLogBufLenTheLargestCountsRoundedUpToAPowerOfTwo) {
    reserve_high_only();
    line() += " log_buf_len=16M";
    const std::uint64_t once = decided().early_bytes;
    line() += " log_buf_len=9M log_buf_len=1K";
    EXPECT_EQ(decided().early_bytes, once);
}

TEST_F(EarlyMemory, OfAcpiTablesFromTheInitrdMustLieBelow4GiB) {
    reserve_high_only();  // nothing of the crash kernel is between the pool and 4 GiB
    request.initrd_acpi_bytes = 4096;
    EXPECT_EQ(refusals(decided().reasons), std::set<std::string>{"pool-exact"});
    EXPECT_EQ(decided().counterexample->kind, Counterexample::Kind::eaten_low);
    // A low part above the pool holds them.
    machine.crash_kernel.insert(machine.crash_kernel.begin(), range(0x78000000, 0x7a000000));
    EXPECT_EQ(decided().verdict, Verdict::ready) << headline(decided());
    request.initrd_acpi_bytes = 31 * MiB;
    EXPECT_EQ(refusals(decided().reasons), std::set<std::string>{"pool-exact"});
}

// --- risks that the user takes by name

using Accepted = Plans;

TEST_F(Accepted, ARefusalBecomesAWarning) {
    machine.encryption = Encryption::sev;
    EXPECT_EQ(refusals(decided().reasons), std::set<std::string>{"encryption-unproven"});
    request.accept = {"encryption-unproven"};
    const Plan accepted = decided();
    EXPECT_EQ(accepted.verdict, Verdict::ready) << headline(accepted);
    EXPECT_TRUE(has(accepted.reasons, "encryption-unproven", Severity::warning));
    EXPECT_NE(accepted.append, "");
}

TEST_F(Accepted, OneRiskIsNotAnother) {
    machine.encryption = Encryption::sev;
    request.accept = {"encryption-known", "pool-understood", "no-such-rule"};
    EXPECT_EQ(refusals(decided().reasons), std::set<std::string>{"encryption-unproven"});
}

TEST_F(Accepted, ARuleThatAllowsNoRiskRefusesAllTheSame) {
    machine.xen = true;
    for (const RuleInfo& rule : rules()) request.accept.emplace_back(rule.id);
    EXPECT_EQ(refusals(decided().reasons), std::set<std::string>{"xen-none"});
}

TEST_F(Accepted, OnlyWhatNobodyHasShownMayBe) {
    std::vector<std::string_view> acceptable;
    for (const RuleInfo& rule : rules())
        if (rule.acceptable) acceptable.push_back(rule.id);
    EXPECT_EQ(acceptable, (std::vector<std::string_view>{"pool-understood", "encryption-unshared",
                                                         "encryption-unproven", "encryption-known", "release-tested",
                                                         "config-known", "config-words", "command-line-covered"}));
}

TEST_F(Accepted, APoolThatIsNotUnderstoodIsWhereTheLogSays) {
    machine.pool = {{synthetic_pool, PoolSource::log, {"dmesg", 7}}};
    machine.pool_not_understood = Error{Errc::input, "sys/kernel/btf/vmlinux", 0, "expected nslabs"};
    EXPECT_EQ(decided().verdict, Verdict::refused);
    request.accept = {"pool-understood"};
    EXPECT_EQ(decided().verdict, Verdict::ready) << headline(decided());
    EXPECT_EQ(decided().pool, synthetic_pool);
}

// --- whose word on the pool counts

using PoolSources = Plans;

TEST_F(PoolSources, TheFirstIsNamedAsTheEvidence) {
    machine.pool = {{synthetic_pool, PoolSource::iomem, {"proc/iomem", 12}},
                    {synthetic_pool, PoolSource::memory, {"proc/kcore", 0}},
                    {synthetic_pool, PoolSource::log, {"dmesg", 7}}};
    request.pool = synthetic_pool;
    EXPECT_EQ(decided().verdict, Verdict::ready) << headline(decided());
    EXPECT_EQ(reason_of(decided(), "pool-found").evidence, "proc/iomem:12");
    machine.pool.erase(machine.pool.begin());
    EXPECT_EQ(reason_of(decided(), "pool-found").evidence, "proc/kcore");
    machine.pool.erase(machine.pool.begin());
    EXPECT_EQ(reason_of(decided(), "pool-found").evidence, "dmesg:7");
    machine.pool.clear();
    EXPECT_EQ(reason_of(decided(), "pool-found").evidence, "--pool");
}

TEST_F(PoolSources, NoneIsBelievedAgainstAnother) {
    machine.pool.push_back({range(0x68000000, 0x6c000000), PoolSource::log, {"dmesg", 7}});
    EXPECT_EQ(refusals(decided().reasons), std::set<std::string>{"pool-agrees"});
    EXPECT_FALSE(decided().pool);
}

TEST_F(PoolSources, TheKernelsVariablesSayThatThereIsNoneWhateverOthersSay) {
    machine.pool = {{synthetic_pool, PoolSource::log, {"dmesg", 7}}};
    machine.no_pool_in_memory = true;
    request.pool = synthetic_pool;
    EXPECT_EQ(refusals(decided().reasons), std::set<std::string>{"pool-found"});
}

TEST_F(PoolSources, ALogThatSaysItWasGivenBackCountsWhereNobodySeesOne) {
    machine.pool_torn_down = true;
    EXPECT_EQ(decided().verdict, Verdict::ready) << "kernel memory shows one";
    machine.pool.clear();
    request.pool = synthetic_pool;
    EXPECT_EQ(refusals(decided().reasons), std::set<std::string>{"pool-found"});
}

TEST_F(PoolSources, TheNameThatAPatchedKernelGivesThePoolIsNoStranger) {
    machine.pool = {{synthetic_pool, PoolSource::iomem, {"proc/iomem", 3}}};
    machine.iomem = {{range(MiB, 2 * GiB), 0, "System RAM", 2}, {synthetic_pool, 1, "Software IO TLB", 3}};
    EXPECT_EQ(decided().verdict, Verdict::ready) << headline(decided());
    machine.iomem.push_back({synthetic_pool, 1, "Software IO TLB", 4});
    EXPECT_EQ(refusals(decided().reasons), std::set<std::string>{"pool-disjoint"});
}

TEST_F(PoolSources, OneThatStartsOrEndsInsideAPageIsMisread) {
    for (const AddressRange& pool : {range(0x6c000800, 0x70000000), range(0x6c000000, 0x6ffff800)}) {
        machine.pool.front().range = pool;
        EXPECT_TRUE(has(decided().reasons, "pool-aligned", Severity::refusal)) << to_string(pool);
    }
}

// --- everything that is wrong, at once

using EveryReason = Plans;

TEST_F(EveryReason, AboutThePoolIsReported) {
    machine.slabs = 1;
    machine.ram.subtract(range(0x6c000000, 0x6c001000));
    machine.kernel_image = synthetic_pool;
    EXPECT_EQ(refusals(decided().reasons), (std::set<std::string>{"pool-slabs", "pool-in-ram", "pool-disjoint"}));
}

TEST_F(EveryReason, AboutProtectionCommandLineAndLoaderIsReported) {
    machine.xen = true;
    machine.encryption = Encryption::tdx;
    machine.lockdown = true;
    machine.live = true;
    request.loader = Loader::kexec_load;
    request.initrd_bytes.reset();
    line() += " memtest";
    EXPECT_EQ(refusals(decided().reasons), (std::set<std::string>{"encryption-none", "xen-none", "loader-permitted",
                                                                  "command-line-early", "image-known"}));
}

// The user meets all of them at once, not one by one.
TEST_F(EveryReason, AboutThePoolAndAboutAllElseIsReportedTogether) {
    machine.slabs = 32640;
    machine.lockdown = true;
    machine.xen = true;
    request.loader = Loader::kexec_load;
    line() += " crashkernel=64M iommu=force -- single";
    const auto reasons = decided().reasons;
    for (const char* rule : {"pool-slabs", "xen-none", "loader-permitted", "command-line-init", "command-line-early",
                             "command-line-iommu"})
        EXPECT_TRUE(has(reasons, rule, Severity::refusal)) << rule << "\n" << text_of(reasons);
}

TEST_F(EveryReason, AboutAPoolToLendAndAboutAllElseIsReportedTogether) {
    machine = idle_machine();
    request = lending_request();
    machine.slabs = 32640;
    machine.slabs_hiwater = 1;
    machine.lockdown = true;
    line() += " -- single";
    const auto reasons = decided().reasons;
    for (const char* rule : {"pool-slabs", "lend-idle", "loader-permitted", "command-line-init"})
        EXPECT_TRUE(has(reasons, rule, Severity::refusal)) << rule << "\n" << text_of(reasons);
}

// --- advice

using PlanAdvice = Plans;

TEST_F(PlanAdvice, OfALayoutThatIsRefusedIsAReservationToBootWith) {
    machine.crash_kernel = {range(0x50000000, 0x60000000)};
    line() += " swiotlb=force";
    EXPECT_TRUE(contains(reason_of(plan(machine, request), "pool-below-crashkernel").advice, "crashkernel="));
    EXPECT_FALSE(contains(reason_of(decide(machine, request), "pool-below-crashkernel").advice, "crashkernel="));
}

TEST_F(PlanAdvice, OfALoadThatDoesNotFitIsALargerReservation) {
    machine.crash_kernel = {range(8 * GiB - 64 * MiB, 8 * GiB)};
    machine.command_line = "root=/dev/vda1 crashkernel=64M,high crashkernel=0,low";
    EXPECT_TRUE(contains(reason_of(plan(machine, request), "load-fits").advice, "crashkernel="));
}

TEST_F(PlanAdvice, IsNotSoughtWhereTheLayoutIsNotToBlame) {
    machine.xen = true;
    EXPECT_FALSE(contains(reason_of(plan(machine, request), "xen-none").advice, "crashkernel="));
}

TEST_F(PlanAdvice, ChangesNothingElseInThePlan) {
    machine.crash_kernel = {range(0x50000000, 0x60000000)};
    line() += " swiotlb=force";
    Plan with = plan(machine, request), without = decide(machine, request);
    for (Plan* p : {&with, &without})
        for (Reason& r : p->reasons) r.advice.clear();
    EXPECT_EQ(with.reasons, without.reasons);
    EXPECT_EQ(with.verdict, without.verdict);
}

// --- the loan

using Loan = Plans;

TEST_F(Loan, IsForAKernelThatMakesNoPool) {
    machine = idle_machine();
    request = lending_request();
    EXPECT_TRUE(decided().loan);
    EXPECT_EQ(decided().append, synthetic_loan_words);
    machine.crash_kernel = synthetic_machine().crash_kernel;
    EXPECT_FALSE(decided().loan) << "one above 4 GiB makes a pool, and gets this one as its pool";
    EXPECT_TRUE(contains(decided().append, marker_key)) << headline(decided());
}

TEST_F(Loan, OfAPoolThatTheCrashKernelIsToldNotToMakeIsALoanToo) {
    machine = idle_machine();
    machine.crash_kernel = synthetic_machine().crash_kernel;
    request = lending_request();
    line() += " swiotlb=noforce";
    EXPECT_TRUE(decided().loan) << headline(decided());
}

TEST_F(Loan, ThatIsRefusedIsNeitherLoanNorHandoff) {
    machine = idle_machine();
    machine.slabs_hiwater = 1;
    request = lending_request();
    const Plan refused = decided();
    EXPECT_EQ(refused.verdict, Verdict::refused);
    EXPECT_FALSE(refused.loan);
    EXPECT_EQ(refused.append, "");
}

TEST_F(Loan, TakesMethodRamWhateverWasAskedFor) {
    machine = idle_machine();
    request = lending_request();
    request.image->swiotlb_addr = true;
    EXPECT_EQ(decided().method, Method::ram);
    EXPECT_EQ(decided().append, synthetic_loan_words);
}

TEST_F(Loan, NeedsTheWholePoolToBeFree) {
    machine = idle_machine();
    request = lending_request();
    machine.pool.front().range = range(0x6c000000, 0x70001000);
    EXPECT_EQ(decided().verdict, Verdict::refused);
}

TEST_F(Loan, NeedsNoFencesAndNoPlaceBelowTheReservation) {
    machine = idle_machine();
    machine.crash_kernel = {range(0x50000000, 0x60000000)};
    request = lending_request();
    EXPECT_TRUE(decided().loan) << headline(decided());
    EXPECT_TRUE(decided().fences.empty());
}

// --- pools of single devices

class DevicePools : public Plans {
protected:
    DevicePools() {
        request.image->swiotlb_addr = request.image->swiotlb_dev = true;
        machine.device_pools = {{"00:04.0", range(0x40000000, 0x41000000), {"proc/iomem", 9}},
                                {"00:1c.0/00.0", range(0x50000000, 0x51000000), {"proc/iomem", 10}}};
    }
    /// The handoff is as if there were no such pools, and the warning says why.
    void expect_left_out(std::string_view why) {
        const Plan plan = decided();
        EXPECT_EQ(plan.verdict, Verdict::ready) << headline(plan);
        EXPECT_FALSE(contains(plan.append, device)) << plan.append;
        EXPECT_FALSE(plan.after.of(Type::ram).overlaps(range(0x40000000, 0x60000000)));
        EXPECT_TRUE(has(plan.reasons, "device-pools", Severity::warning)) << text_of(plan.reasons);
        EXPECT_TRUE(contains(reason_of(plan, "device-pools").text, why)) << text_of(plan.reasons);
        Machine without = machine;
        without.device_pools.clear();
        EXPECT_EQ(plan.append, decide(without, request).append);
    }
    static constexpr std::string_view device = "swiotlb_dev";
    const std::string first = "swiotlb_dev=8192,addr=0x40000000,00:04.0",
                      second = "swiotlb_dev=8192,addr=0x50000000,00:1c.0/00.0";
};

TEST_F(DevicePools, AreHandedOverByTheirOwnWordsBehindAllOthers) {
    const Plan plan = decided();
    EXPECT_EQ(plan.verdict, Verdict::ready) << headline(plan);
    EXPECT_EQ(plan.append,
              "swiotlb=32768,addr=0x6c000000 memmap=64M@0x6c000000,16M@0x40000000,16M@0x50000000 "
              "swiotlb_handoff=0x6c000000-0x70000000 " +
                  first + " " + second);
    for (const DevicePool& pool : machine.device_pools) EXPECT_TRUE(plan.after.of(Type::ram).contains(pool.range));
    EXPECT_TRUE(has(plan.reasons, "device-pools", Severity::info));
    EXPECT_FALSE(has(plan.reasons, "device-pools", Severity::warning));
}

TEST_F(DevicePools, AreInTheOrderOfTheRunningKernelsLine) {
    machine.command_line += " " + second + " " + first;
    EXPECT_TRUE(decided().append.ends_with(" " + second + " " + first)) << decided().append;
}

TEST_F(DevicePools, KeepTheWordsThatCameWithTheRunningKernelsLine) {
    line() += " " + second;
    Plan plan = decided();
    EXPECT_TRUE(plan.append.ends_with("-0x70000000 " + first)) << plan.append;
    EXPECT_TRUE(contains(plan.append, ",16M@0x50000000"));
    line() += " " + first;
    plan = decided();
    EXPECT_TRUE(plan.append.ends_with("-0x70000000")) << plan.append;
    EXPECT_TRUE(contains(plan.append, ",16M@0x40000000,16M@0x50000000"));
    EXPECT_TRUE(has(plan.reasons, "device-pools", Severity::info));
}

TEST_F(DevicePools, AreNotAskedForByAWordThatAShellWouldTakeApart) {
    machine.device_pools.back().devices = "00:1c.0;pci:1b36:0010";
    expect_left_out("a shell may read the ';' in swiotlb_dev=8192,addr=0x50000000,00:1c.0;pci:1b36:0010");
    line() += " swiotlb_dev=8192,addr=0x50000000,00:1c.0;pci:1b36:0010";
    const Plan plan = decided();
    EXPECT_TRUE(plan.append.ends_with("-0x70000000 " + first)) << plan.append;
    EXPECT_TRUE(contains(plan.append, ",16M@0x40000000,16M@0x50000000"));
}

TEST_F(DevicePools, AreLargeEnoughForADump) {
    machine.device_pools.back().range = range(0x50000000, 0x50800000);
    EXPECT_TRUE(contains(decided().append, "swiotlb_dev=4096"));
    machine.device_pools.back().range = range(0x50000000, 0x50400000);
    expect_left_out("the pool of 00:1c.0/00.0 has less than 8 MiB");
}

TEST_F(DevicePools, ReviewedAreReady) {
    line() += " " + decided().append;
    const Plan reviewed = review(machine, request, synthetic_pool);
    EXPECT_EQ(reviewed.verdict, Verdict::ready) << text_of(reviewed.reasons);
    EXPECT_TRUE(has(reviewed.reasons, "device-pools", Severity::info));
    EXPECT_FALSE(has(reviewed.reasons, "device-pools", Severity::warning));
}

TEST_F(DevicePools, LeaveTheSayToACallersWord) {
    line() += " swiotlb_dev=512,addr=0x7ff00000,00:04.0";
    expect_left_out("has a word of its own, swiotlb_dev=512,addr=0x7ff00000,00:04.0");
    line() += " " + first;
    const Plan plan = decided();
    EXPECT_FALSE(contains(plan.append, device)) << plan.append;
    EXPECT_FALSE(contains(plan.append, "16M@0x4")) << plan.append;
}

TEST_F(DevicePools, OfACallerMustNotTakeThePool) {
    const auto plan_with = [this](const std::string& address) {
        request = synthetic_request();
        request.image->swiotlb_addr = request.image->swiotlb_dev = true;
        line() += " swiotlb_dev=512,addr=" + address + ",00:04.0";
        return decided();
    };
    EXPECT_EQ(plan_with("0x6bf00000").expected, synthetic_pool);
    EXPECT_EQ(plan_with("0x70000000").expected, synthetic_pool);
    EXPECT_EQ(plan_with("0x6c000000").verdict, Verdict::refused);
    EXPECT_EQ(plan_with("0x6ff00000").expected, range(0x6c000000, 0x6e000000)) << "a part that it does not take";
    request.image->swiotlb_dev = false;
    EXPECT_EQ(decided().expected, synthetic_pool) << "a kernel that does not know the word";
}

TEST_F(DevicePools, NeedAnImageThatAnnouncesThemAndMethodAddr) {
    request.method = Method::ram;
    expect_left_out("method ram cannot");
    request.method = Method::automatic;
    request.image->swiotlb_dev = false;
    expect_left_out("not handed over, because the crash kernel's image does not announce that it knows swiotlb_dev=");
    request.image.reset();
    machine.live = false;
    EXPECT_TRUE(contains(reason_of(decided(), "device-pools").text, "it is not known which image is loaded"));
}

TEST_F(DevicePools, MustBeRamThatNothingElseHas) {
    const std::vector<AddressRange> bad = {range(0x7ff80000, 0x80080000),   // not all of it is RAM
                                           range(0x6ff80000, 0x70080000),   // in the reservation, and in the pool
                                           range(20 * MiB, 21 * MiB),       // in the kernel's image
                                           range(4 * GiB, 4 * GiB + MiB)};  // above 4 GiB
    for (const AddressRange& r : bad) {
        SCOPED_TRACE(base::to_string(r));
        machine.device_pools.back().range = r;
        expect_left_out(r.start() < 4 * GiB ? "the sources do not show the pool of 00:1c.0/00.0 as RAM"
                                            : "no word can ask for");
    }
    machine.device_pools.back() = {"00:05.0", range(0x40800000, 0x41800000), {}};
    expect_left_out("would be refused with them: requires device-pools: The words hand over the pool of 00:04.0");
}

TEST_F(DevicePools, AreNamedAsAWordCanNameThem) {
    for (const char* devices : {"00:04.0 init=/bin/sh", "00:04.0\"", "a$(b)"}) {
        machine.device_pools.back().devices = devices;
        expect_left_out("no word can ask for the pool of");
    }
}

TEST_F(DevicePools, DoNotCostThePoolWhereTheLineIsFull) {
    std::uint64_t added = 0;
    for (const Load& load : decided().loads) added = std::max(added, load.added_words);
    request.image->cmdline_size = line().size() + 1 + decided().append.size() + added;
    EXPECT_TRUE(contains(decided().append, device));
    --request.image->cmdline_size;
    expect_left_out("would be refused with them: requires command-line-fits");
}

TEST_F(DevicePools, DoNotCostThePoolWhereTheyCostTooMuchMemory) {
    line() += " swiotlb=8192";
    machine.device_pools.pop_back();
    machine.device_pools.front().range = range(0x10000000, 0x50000000);
    expect_left_out("would be refused with them: requires memory-kept");
}

TEST_F(DevicePools, CountAsMemoryThatTheCrashKernelNeedsMore) {
    const auto needed = [this] { return plan(machine, request).reservation.recommended; };
    machine.device_pools.front().range = range(0x10000000, 0x30000000);
    const std::uint64_t with = needed();
    machine.device_pools.clear();
    EXPECT_GT(with, needed() + 512 * MiB / 4096 * 64);
}

TEST_F(DevicePools, StayWhereThePoolOfAllOthersIsNotHandedOver) {
    line() += " swiotlb=noforce";
    EXPECT_EQ(decided().verdict, Verdict::not_needed);
    EXPECT_TRUE(contains(reason_of(decided(), "device-pools").text, "because the pool of all other devices is not"));
    request = synthetic_request();
    machine.xen = true;
    EXPECT_EQ(refusals(decided().reasons), std::set<std::string>{"xen-none"});
    EXPECT_TRUE(has(decided().reasons, "device-pools", Severity::warning));
}

TEST_F(DevicePools, AreNotSpokenOfWhereThereAreNone) {
    machine.device_pools.clear();
    EXPECT_EQ(reason_of(decided(), "device-pools").text, "");
}

// --- words that are there already

using Review = Plans;

TEST_F(Review, OfThePlansOwnWordsIsReadyForEveryMethodAndLoader) {
    struct Row {
        Method method;
        Loader loader;
        bool announced;
    };
    for (const Row& row :
         {Row{Method::ram, Loader::automatic, false}, Row{Method::ram, Loader::kexec_load, false},
          Row{Method::ram, Loader::kexec_file_load, false}, Row{Method::addr, Loader::automatic, true},
          Row{Method::e820, Loader::kexec_load, false}, Row{Method::automatic, Loader::automatic, true}}) {
        SCOPED_TRACE(std::string(name(row.method)) + " " + name(row.loader));
        machine.memory_nodes = 2;
        request = synthetic_request();
        request.method = row.method;
        request.loader = row.loader;
        request.image->swiotlb_addr = row.announced;
        const Plan planned = decided();
        ASSERT_EQ(planned.verdict, Verdict::ready) << headline(planned);
        line() = planned.base + " " + planned.append;
        const Plan reviewed = review(machine, request, synthetic_pool);
        EXPECT_EQ(reviewed.verdict, Verdict::ready) << text_of(reviewed.reasons);
        EXPECT_EQ(reviewed.expected, synthetic_pool);
        EXPECT_EQ(reviewed.method, planned.method);
    }
}

TEST_F(Review, OfALoansOwnWordsIsReady) {
    machine = idle_machine();
    request = lending_request();
    line() += std::string(" ") + synthetic_loan_words;
    const Plan reviewed = review(machine, request, synthetic_pool);
    EXPECT_EQ(reviewed.verdict, Verdict::ready) << text_of(reviewed.reasons);
    EXPECT_TRUE(reviewed.loan);
}

TEST_F(Review, AddsNothing) {
    line() += " swiotlb=32768 memmap=64M@0x6c000000 swiotlb_handoff=0x6c000000-0x70000000";
    const Plan reviewed = review(machine, request, synthetic_pool);
    EXPECT_EQ(refusals(reviewed.reasons), std::set<std::string>{"pool-exact"}) << "the fences are missing";
    EXPECT_EQ(reviewed.append, "");
    EXPECT_TRUE(reviewed.fences.empty());
    ASSERT_TRUE(reviewed.counterexample);
}

TEST_F(Review, FindsEachWordOfThePlanToBeNeeded) {
    const Plan planned = decided();
    for (const char* part :
         {",4K%0x70000000-1+2", ",4K%0x74000000-1+2", ",4K%0x78000000-1+2", ",4K%0x7c000000-1+2", "64M@0x6c000000,"}) {
        std::string words = planned.append;
        const auto at = words.find(part);
        ASSERT_NE(at, words.npos) << part;
        line() = planned.base + " " + words.erase(at, std::string_view(part).size());
        EXPECT_EQ(review(machine, request, synthetic_pool).verdict, Verdict::refused) << "without " << part;
    }
}

TEST_F(Review, OfAddrTakesItsMethodFromTheWords) {
    reserve_high_only();
    request.image->swiotlb_addr = true;
    line() += std::string(" ") + synthetic_words;
    EXPECT_EQ(review(machine, request, synthetic_pool).method, Method::ram) << "there is no addr= among them";
    line() += " swiotlb=32768,addr=0x6c000000";
    EXPECT_EQ(review(machine, request, synthetic_pool).method, Method::addr);
}

TEST_F(Review, JudgesTheMachineAsWell) {
    reserve_high_only();
    line() += std::string(" ") + synthetic_words;
    machine.xen = true;
    EXPECT_EQ(refusals(review(machine, request, synthetic_pool).reasons), std::set<std::string>{"xen-none"});
}

// What holds after a proof holds whoever wrote the words: the image takes the line, and the handoff is worth it.

TEST_F(Review, RefusesALineOfAByteMoreThanTheImageTakes) {
    reserve_high_only();
    line() += std::string(" ") + synthetic_words;
    std::uint64_t added = 0;
    for (const Load& load : review(machine, request, synthetic_pool).loads) added = std::max(added, load.added_words);
    request.image->cmdline_size = line().size() + added;
    EXPECT_EQ(refusals(review(machine, request, synthetic_pool).reasons), std::set<std::string>{});
    request.image->cmdline_size -= 1;
    EXPECT_EQ(refusals(review(machine, request, synthetic_pool).reasons), std::set<std::string>{"command-line-fits"});
}

TEST_F(Review, RefusesAPoolThatTheTableHasAndTheWordsAddAgain) {
    reserve_high_only();
    request.method = Method::e820;
    request.loader = Loader::kexec_load;
    line() += std::string(" nokaslr ") + synthetic_words;
    EXPECT_EQ(refusals(review(machine, request, synthetic_pool).reasons), std::set<std::string>{"map-once"});
}

TEST_F(Review, RefusesAHandoffThatCostsMoreThanItGives) {
    machine.crash_kernel.front() = range(0x70000000, 0x70200000);
    line() += " nokaslr swiotlb=32768 memmap=64M@0x6c000000,4K%0x70000000-1+2 swiotlb_handoff=0x6c000000-0x70000000";
    EXPECT_EQ(refusals(review(machine, request, synthetic_pool).reasons), std::set<std::string>{"memory-kept"});
}

// --- names

TEST(PlanNames, ComeBack) {
    for (const Method method : {Method::automatic, Method::ram, Method::addr, Method::e820})
        EXPECT_EQ(method_from(name(method)), method);
    EXPECT_EQ(method_from("fence"), std::nullopt);
    for (const Collector collector : {Collector::maps, Collector::reads})
        EXPECT_EQ(collector_from(name(collector)), collector);
    EXPECT_EQ(collector_from("unknown"), std::nullopt) << "nobody can ask for that";
}

}  // namespace
}  // namespace handoff
