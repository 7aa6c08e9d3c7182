// SPDX-License-Identifier: GPL-2.0-or-later
//
// What check() says of a handoff that somebody else made, and verify() in the crash kernel. Which rule refuses what is
// in rules_test.cpp, and what review() says of a machine in plan_test.cpp.
#include "swiotlb-handoff/check.hpp"
#include "lib/decide/next_kernel.hpp"
#include "lib/decide/verify.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/reasons.hpp"
#include "tests/synthetic_machine.hpp"

namespace handoff {
namespace {

using base::GiB;
using base::MiB;
using e820::Type;

AddressRange range(Address start, Address end) { return *AddressRange::from_bounds(start, end); }

CheckInput words(const std::string& line) {
    CheckInput input;
    input.command_line = line;
    return input;
}

std::size_t count(const std::vector<Reason>& reasons, std::string_view rule, Severity severity) {
    return static_cast<std::size_t>(std::count_if(
        reasons.begin(), reasons.end(), [&](const Reason& r) { return id_of(r) == rule && r.severity == severity; }));
}

// --- which region is meant

TEST(CheckedRegion, IsWhatTheMarkerSays) {
    EXPECT_EQ(check(words(synthetic_words)).pool, synthetic_pool);
    EXPECT_FALSE(check(words(synthetic_words)).loan);
}

TEST(CheckedRegion, IsWithoutAMarkerRamOfThePoolsSize) {
    const CheckResult result = check(words("swiotlb=32768 memmap=640K@0,64M@0x6c000000,4K$0x70000000"));
    EXPECT_EQ(result.pool, synthetic_pool);
    EXPECT_TRUE(result.sound()) << text_of(result.reasons);
}

TEST(CheckedRegion, IsNotReservedMemoryOfThePoolsSize) {
    EXPECT_FALSE(check(words("swiotlb=32768 memmap=64M$0x6c000000")).pool);
}

TEST(CheckedRegion, IsNotGuessedWithoutANumberOfSlabs) { EXPECT_FALSE(check(words("memmap=64M@0x6c000000")).pool); }

TEST(CheckedRegion, IsLentWhereTheOtherMarkerSaysSo) {
    const CheckResult result = check(words(synthetic_loan_words));
    EXPECT_EQ(result.pool, synthetic_pool);
    EXPECT_TRUE(result.loan);
    EXPECT_TRUE(result.sound()) << text_of(result.reasons);
}

TEST(CheckedRegion, IsMissingOnALineWithoutAHandoff) {
    const CheckResult result = check(words("root=/dev/vda1 nr_cpus=1"));
    EXPECT_FALSE(result.pool);
    EXPECT_EQ(refusals(result.reasons), std::set<std::string>{"handoff-present"});
}

TEST(CheckedRegion, IsNotLookedForBehindTwoDashes) {
    EXPECT_FALSE(check(words(std::string("quiet -- ") + synthetic_words)).pool);
}

// --- the words alone

TEST(CheckedWords, AreNeitherComparedNorProvenWithoutAMachine) {
    const CheckResult result = check(words(synthetic_words));
    EXPECT_TRUE(result.sound()) << text_of(result.reasons);
    EXPECT_FALSE(result.compared);
    EXPECT_FALSE(result.proven);
    EXPECT_TRUE(has(result.reasons, "handoff-present", Severity::info));
}

TEST(CheckedWords, MayHaveFencesNokaslrForceAndAddr) {
    for (const char* line :
         {"swiotlb=32768 memmap=64M@0x6c000000,4K%0x70000000-1+2 nokaslr swiotlb_handoff=0x6c000000-0x70000000",
          "swiotlb=32768,force memmap=64M@0x6c000000 swiotlb_handoff=0x6c000000-0x70000000",
          "swiotlb=32768,addr=0x6c000000 memmap=64M@0x6c000000 swiotlb_handoff=0x6c000000-0x70000000",
          "swiotlb=32767 memmap=64M@0x6c000000 swiotlb_handoff=0x6c000000-0x70000000"})
        EXPECT_TRUE(check(words(line)).sound()) << line << "\n" << text_of(check(words(line)).reasons);
}

// What plan() refuses on every machine is refused without one.
TEST(CheckedWords, AreJudgedByTheKernelsWords) {
    const auto beside = [](const std::string& word) {
        return refusals(check(words(word + " reset_devices nr_cpus=1 " + synthetic_words)).reasons);
    };
    const std::set<std::string> early{"command-line-early"};
    EXPECT_EQ(beside("numa_cma=0:64M"), early);
    EXPECT_EQ(beside("hugepagesz=1G hugepages=2 hugepagesz=2M"), early);
    EXPECT_EQ(beside("swiotlb=any"), std::set<std::string>{"command-line-agrees"});
    EXPECT_EQ(beside("quiet log_buf_len=4M"), std::set<std::string>{});
}

TEST(CheckedWords, BehindTwoDashesGoToInit) {
    const CheckResult result = check(words(std::string(synthetic_words) + " -- memmap=4K$0x1000000"));
    EXPECT_EQ(refusals(result.reasons), std::set<std::string>{"command-line-init"});
}

TEST(CheckedWords, MayNotAddTheRegionInPieces) {
    const CheckResult result =
        check(words("swiotlb=32768 memmap=32M@0x6c000000,32M@0x6e000000 swiotlb_handoff=0x6c000000-0x70000000"));
    EXPECT_TRUE(has(result.reasons, "command-line-agrees", Severity::refusal)) << text_of(result.reasons);
}

TEST(CheckedWords, AreAllLookedAt) {
    const CheckResult result =
        check(words("swiotlb=16384,noforce,addr=0x1000 memmap=exactmap swiotlb_handoff=0x6c000000-0x70000000"));
    EXPECT_EQ(refusals(result.reasons), (std::set<std::string>{"pool-slabs", "command-line-agrees", "map-once"}));
    EXPECT_EQ(count(result.reasons, "command-line-agrees", Severity::refusal), 3u) << text_of(result.reasons);
}

TEST(CheckedWords, OfALoanMayTellTheCrashKernelToMakeNoPool) {
    EXPECT_TRUE(check(words(std::string(synthetic_loan_words) + " swiotlb=noforce swiotlb=force")).sound());
}

TEST(CheckedWords, ThatCannotBeReadEndTheCheck) {
    CheckInput input = words(std::string(synthetic_words) + " memmap=x");
    const Machine machine = synthetic_machine();
    input.machine = &machine;
    EXPECT_EQ(check(input).reasons.size(), 1u) << text_of(check(input).reasons);
}

// --- the table in boot_params

class CheckedMap : public testing::Test {
protected:
    CheckedMap() { input.map.emplace().add(range(MiB, 512 * MiB), Type::ram); }
    CheckInput input = words(synthetic_words);
};

TEST_F(CheckedMap, HasTheRegionByTheWords) { EXPECT_TRUE(check(input).sound()) << text_of(check(input).reasons); }

TEST_F(CheckedMap, HasTheRegionItselfWhereKaslrIsOff) {
    input.command_line = "swiotlb=32768 nokaslr swiotlb_handoff=0x6c000000-0x70000000";
    EXPECT_EQ(refusals(check(input).reasons), std::set<std::string>{"map-once"}) << "nowhere yet";
    input.map->add(synthetic_pool, Type::ram);
    EXPECT_TRUE(check(input).sound()) << text_of(check(input).reasons);
}

TEST_F(CheckedMap, MayNotCallTheRegionReserved) {
    input.map->add(range(0x6d000000, 0x6d001000), Type::reserved);
    EXPECT_EQ(refusals(check(input).reasons), std::set<std::string>{"map-once"});
}

// --- the ELF headers

class CheckedHeaders : public testing::Test {
protected:
    CheckInput input = words(synthetic_words);
    CheckResult with(std::vector<AddressRange> loads, std::size_t notes = 2) {
        input.core = ElfCore{std::move(loads), notes};
        return check(input);
    }
};

TEST_F(CheckedHeaders, MayLeaveThePoolOut) {
    const CheckResult result = with({range(MiB, 0x6c000000), range(0x70000000, 0x80000000)});
    EXPECT_TRUE(result.sound()) << text_of(result.reasons);
    EXPECT_EQ(count(result.reasons, "elfcorehdr-agrees", Severity::info), 0u);
}

TEST_F(CheckedHeaders, ThatHaveThePoolAsAWholeAreSaid) {
    const CheckResult result = with({range(MiB, 0x70000000)});
    EXPECT_TRUE(result.sound()) << text_of(result.reasons);
    EXPECT_EQ(count(result.reasons, "elfcorehdr-agrees", Severity::info), 1u);
}

TEST_F(CheckedHeaders, ThatNameARangeTwiceAreSaidOnce) {
    const CheckResult result = with({range(MiB, 0x70000000), range(16 * MiB, 64 * MiB), range(MiB, 0x70000000)});
    EXPECT_EQ(count(result.reasons, "elfcorehdr-agrees", Severity::info), 1u) << text_of(result.reasons);
}

TEST_F(CheckedHeaders, MayNotHaveAPartOfThePool) {
    const CheckResult result = with({range(MiB, 0x6e000000), range(0x6e000000, 0x80000000)}, 0);
    EXPECT_EQ(count(result.reasons, "elfcorehdr-agrees", Severity::refusal), 3u) << "each part, and no notes\n"
                                                                                 << text_of(result.reasons);
}

TEST_F(CheckedHeaders, OfALoanMayHaveThePoolWhereTheDumpIsMapped) {
    input.command_line = synthetic_loan_words;
    const CheckResult result = with({range(MiB, 0x70000000)});
    EXPECT_TRUE(result.sound()) << text_of(result.reasons);
    EXPECT_EQ(count(result.reasons, "elfcorehdr-agrees", Severity::info), 1u);
}

// --- the machine that it is for

class CheckedPlacement : public testing::Test {
protected:
    CheckedPlacement() {
        input.command_line = "root=/dev/vda1 reset_devices nr_cpus=1 " + std::string(synthetic_words);
        input.request = synthetic_request();
        input.request.command_line = "what is asked for is the line under check";
        input.machine = &machine;
    }
    Machine machine = synthetic_machine_without_low_part();
    CheckInput input;
};

TEST_F(CheckedPlacement, IsProvenWhereItHolds) {
    const CheckResult result = check(input);
    EXPECT_TRUE(result.sound()) << text_of(result.reasons);
    EXPECT_TRUE(result.compared);
    EXPECT_TRUE(result.proven);
    EXPECT_TRUE(has(result.reasons, "pool-exact", Severity::info)) << text_of(result.reasons);
}

TEST_F(CheckedPlacement, IsRefusedWhereThePoolWouldLandElsewhere) {
    machine.crash_kernel = synthetic_machine().crash_kernel;
    const CheckResult result = check(input);
    EXPECT_EQ(refusals(result.reasons), std::set<std::string>{"pool-exact"});
    EXPECT_FALSE(result.proven);
}

TEST_F(CheckedPlacement, IsRefusedWhereTheMachinesPoolIsAnother) {
    machine.pool.front().range = range(0x68000000, 0x6c000000);
    const CheckResult result = check(input);
    EXPECT_EQ(refusals(result.reasons), std::set<std::string>{"pool-agrees"});
    EXPECT_FALSE(result.proven);
}

// The region would be ordinary memory, and old DMA would write to it.
TEST_F(CheckedPlacement, IsRefusedForACrashKernelThatMakesNoPool) {
    machine.crash_kernel = {range(0x70000000, 0x80000000)};
    EXPECT_EQ(refusals(check(input).reasons), std::set<std::string>{"command-line-agrees"});
    EXPECT_FALSE(check(input).proven);
    machine.pool.front().range = range(0x68000000, 0x6c000000);
    EXPECT_EQ(refusals(check(input).reasons), (std::set<std::string>{"command-line-agrees", "pool-agrees"}));
}

TEST_F(CheckedPlacement, IsRefusedWhereAnIommuWordSwitchesThePoolOff) {
    const std::string line(input.command_line);
    for (const char* words : {"iommu=off", "iommu=off iommu=nomerge", "iommu=nomerge,off iommu=pt", "\"iommu=off\""}) {
        const std::string with = std::string(words) + " " + line;
        input.command_line = with;
        EXPECT_TRUE(refusals(check(input).reasons).contains("command-line-agrees")) << words;
    }
}

TEST_F(CheckedPlacement, OfALoanNeedsNumaOffWhereMemoryAbove4GIsNamed) {
    machine = idle_machine();
    machine.srat_memory_end = 8 * GiB;
    input.request = lending_request();
    const std::string line = "root=/dev/vda1 reset_devices nr_cpus=1 " + std::string(synthetic_loan_words);
    input.command_line = line;
    EXPECT_EQ(refusals(check(input).reasons), std::set<std::string>{"numa-single"});
    input.command_line = line + " numa=off";
    EXPECT_TRUE(check(input).proven) << text_of(check(input).reasons);
}

TEST_F(CheckedPlacement, OfALoanRestsOnItsEvidence) {
    machine = idle_machine();
    input.request = lending_request();
    input.request.lend = false;  // the words say that it is one
    input.command_line = "root=/dev/vda1 reset_devices nr_cpus=1 " + std::string(synthetic_loan_words);
    EXPECT_TRUE(check(input).proven) << text_of(check(input).reasons);
    machine.slabs_hiwater = 1;
    EXPECT_EQ(refusals(check(input).reasons), std::set<std::string>{"lend-idle"});
    EXPECT_FALSE(check(input).proven);
}

// A line that the kernel cuts off is no handoff, whoever wrote it.
TEST_F(CheckedPlacement, IsRefusedForALineThatIsLongerThanTheImageTakes) {
    input.command_line += " " + std::string(2200, 'x');
    const CheckResult result = check(input);
    EXPECT_EQ(refusals(result.reasons), std::set<std::string>{"command-line-fits"}) << text_of(result.reasons);
    EXPECT_FALSE(result.proven);
}

TEST_F(CheckedPlacement, IsRefusedForAPoolThatTheTableHasAndTheWordsAddAgain) {
    input.request.method = Method::e820;
    input.request.loader = Loader::kexec_load;
    input.command_line += " nokaslr";
    const CheckResult result = check(input);
    EXPECT_EQ(refusals(result.reasons), std::set<std::string>{"map-once"}) << text_of(result.reasons);
    EXPECT_FALSE(result.proven);
}

// --- in the crash kernel, which was booted with the line

class CheckedOwnLine : public CheckedPlacement {
protected:
    CheckedOwnLine() {
        input.booted = true;
        machine.crash_kernel.clear();
    }
};

TEST_F(CheckedOwnLine, IsComparedWithItsOwnPool) {
    EXPECT_TRUE(check(input).sound()) << text_of(check(input).reasons);
    EXPECT_TRUE(check(input).compared);
    machine.pool.front().range = range(0x68000000, 0x6c000000);
    EXPECT_EQ(refusals(check(input).reasons), std::set<std::string>{"pool-agrees"});
}

TEST_F(CheckedOwnLine, IsComparedWithNothingWhereNoPoolIsSeen) {
    machine.pool.clear();
    EXPECT_TRUE(check(input).sound()) << text_of(check(input).reasons);
    EXPECT_FALSE(check(input).compared);
}

TEST_F(CheckedOwnLine, OfALoanHasNoPoolOfItsOwn) {
    input.command_line = synthetic_loan_words;
    EXPECT_EQ(refusals(check(input).reasons), std::set<std::string>{"pool-agrees"});
    machine.pool.clear();
    EXPECT_TRUE(check(input).sound()) << text_of(check(input).reasons);
}

class Verified : public testing::Test {
protected:
    Verified() {
        machine.command_line = synthetic_words;
        machine.pool = {{synthetic_pool, PoolSource::memory, {"proc/kcore", 0}}};
    }
    Landing landing() const { return verify(machine)->landing; }
    Machine machine;
};

TEST_F(Verified, IsExactWhereThePoolIsTheOneThatWasPromised) {
    EXPECT_EQ(landing(), Landing::exact);
    EXPECT_EQ(verify(machine)->promised, synthetic_pool);
    EXPECT_EQ(verify(machine)->found->range, synthetic_pool);
}

TEST_F(Verified, IsElsewhereWhereItIsAPageOff) {
    machine.pool.front().range = range(0x6c001000, 0x70001000);
    EXPECT_EQ(landing(), Landing::elsewhere);
    machine.pool.front().range = range(0x6c000000, 0x6e000000);
    EXPECT_EQ(landing(), Landing::elsewhere) << "of another size";
}

TEST_F(Verified, BelievesTheMostTrustedSource) {
    machine.pool.push_back({range(0x68000000, 0x6c000000), PoolSource::log, {"dmesg", 7}});
    EXPECT_EQ(landing(), Landing::exact);
}

TEST_F(Verified, FindsNoPoolWhereNobodySeesOne) {
    machine.pool.clear();
    EXPECT_EQ(landing(), Landing::no_pool);
}

TEST_F(Verified, FindsNoHandoffWithoutAMarker) {
    machine.command_line = "swiotlb=32768 memmap=64M@0x6c000000";
    EXPECT_EQ(landing(), Landing::no_handoff);
}

TEST_F(Verified, GoesByAddrInAKernelThatAnOrdinaryKexecStarted) {
    const auto next_landing = [this] { return verify(machine, asked_by_addr(machine))->landing; };
    machine.command_line = "swiotlb=32768,force,addr=0x6c000000";
    EXPECT_EQ(next_landing(), Landing::exact);
    machine.command_line = "swiotlb=32768,force,addr=0x6c001000";
    EXPECT_EQ(next_landing(), Landing::elsewhere);
    machine.command_line = "swiotlb=16384,addr=0x6c000000";
    EXPECT_EQ(next_landing(), Landing::elsewhere) << "of another size";
    for (const char* line : {"swiotlb=force,addr=0x6c000000", "swiotlb=32768,addr=0x6c000000 swiotlb=32768"}) {
        machine.command_line = line;
        EXPECT_EQ(next_landing(), Landing::no_handoff) << line;
    }
    machine.command_line = std::string(synthetic_words) + " swiotlb=32768,addr=0x10000000";
    EXPECT_EQ(next_landing(), Landing::exact) << "a marker says more";
}

constexpr const char* device_words =
    "swiotlb=32768,addr=0x6c000000 memmap=64M@0x6c000000,1M@0x40000000,16M@0x50000000 swiotlb_handoff=0x6c000000-"
    "0x70000000 swiotlb_dev=512,addr=0x40000000,00:04.0 swiotlb_dev=8192,addr=0x50000000,00:1c.0;pci:1b36:0010";
const DevicePool one_device{"00:04.0", range(0x40000000, 0x40100000), {}};
const DevicePool many_devices{"00:1c.0;pci:1b36:0010", range(0x50000000, 0x51000000), {}};

TEST_F(Verified, ComparesEachPoolOfSingleDevices) {
    machine.command_line = device_words;
    machine.device_pools = {one_device, many_devices};
    const auto landings = [this] {
        std::vector<Landing> found;
        const auto verification = verify(machine);
        for (const DeviceLanding& d : verification->devices) found.push_back(d.landing);
        return found;
    };
    EXPECT_EQ(landings(), (std::vector{Landing::exact, Landing::exact}));
    EXPECT_EQ(promises_of(*verify(machine)), Promises::kept);

    machine.device_pools.back().range = range(0x60000000, 0x61000000);
    EXPECT_EQ(landings(), (std::vector{Landing::exact, Landing::elsewhere}));
    EXPECT_EQ(verify(machine)->devices.back().found->range, range(0x60000000, 0x61000000));
    EXPECT_EQ(promises_of(*verify(machine)), Promises::broken) << "although the pool itself is there";

    machine.device_pools = {{"00:05.0", one_device.range, {}}, many_devices};
    EXPECT_EQ(landings(), (std::vector{Landing::no_pool, Landing::exact})) << "another device's";
    EXPECT_EQ(promises_of(*verify(machine)), Promises::broken);

    machine.device_pools.clear();
    EXPECT_EQ(landings(), (std::vector{Landing::no_pool, Landing::no_pool}));
    machine.device_pools = {{"00:04.0", range(0x60000000, 0x60100000), {}}, one_device, many_devices};
    EXPECT_EQ(landings(), (std::vector{Landing::exact, Landing::exact})) << "two pools of the same name";
}

TEST_F(Verified, IsPromisedNoDevicePoolByAWordThatCameWithTheRunningKernelsLine) {
    machine.command_line = std::string(synthetic_words) + " swiotlb_dev=512,addr=0x40000000,00:04.0";
    EXPECT_TRUE(verify(machine)->devices.empty()) << "its memory is not added";
    EXPECT_EQ(promises_of(*verify(machine)), Promises::kept);
    machine.command_line = "swiotlb_dev=512,addr=0x40000000,00:04.0";
    EXPECT_EQ(promises_of(*verify(machine)), Promises::none);
    machine.command_line += " memmap=1M@0x40000000";
    EXPECT_EQ(promises_of(*verify(machine)), Promises::broken);
    machine.device_pools = {one_device};
    EXPECT_EQ(promises_of(*verify(machine)), Promises::kept);
}

TEST_F(Verified, CannotReadAMarkerThatIsMalformed) {
    for (const char* line : {"swiotlb_handoff=here", "swiotlb_lent=0x2000-0x1000", "quote=\""}) {
        machine.command_line = line;
        EXPECT_FALSE(verify(machine)) << line;
    }
}

}  // namespace
}  // namespace handoff
