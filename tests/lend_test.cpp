// SPDX-License-Identifier: GPL-2.0-or-later
// Lending the pool: what counts as evidence that no DMA is in flight into it, and what the dump needs.
#include "lib/load/lend.hpp"
#include "lib/decide/evidence.hpp"
#include "lib/sources/gather.hpp"

#include <algorithm>
#include <functional>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "lib/decide/verify.hpp"
#include "lib/load/shrink.hpp"
#include "lib/sources/host.hpp"
#include "reasons.hpp"
#include "swiotlb-handoff/check.hpp"
#include "synthetic_machine.hpp"
#include "temp_tree.hpp"

namespace handoff {
namespace {

using base::GiB;
using base::MiB;

AddressRange range(Address start, Address end) { return *AddressRange::from_bounds(start, end); }

/// The rules that refuse.
std::set<std::string> refusals(const Plan& plan) { return refusals(plan.reasons); }

TEST(Lend, AnIdlePoolBecomesOrdinaryRam) {
    const Plan lent = plan(idle_machine(), lending_request());
    EXPECT_EQ(lent.verdict, Verdict::ready) << headline(lent);
    EXPECT_TRUE(lent.loan);
    EXPECT_EQ(lent.append, "memmap=64M@0x6c000000 swiotlb_lent=0x6c000000-0x70000000");
    EXPECT_TRUE(lent.after.of(e820::Type::ram).contains(range(0x6c000000, 0x70000000)));
    EXPECT_FALSE(lent.loads.front().map.of(e820::Type::ram).overlaps(range(0x6c000000, 0x70000000)))
        << "KASLR looks at this map: the kernel cannot land there";
    EXPECT_FALSE(lent.expected) << "there is no pool to land";
    EXPECT_EQ(headline(lent),
              "ready: The crash kernel has 62 MiB more memory, because the pool is lent to it as ordinary RAM");
}

/// The refusal of a rule; one without a text where there is none.
Reason refusal_of(const Plan& plan, const char* rule) {
    for (const Reason& r : plan.reasons)
        if (r.rule == rule && r.severity == Severity::refusal) return r;
    return {};
}

TEST(Lend, OnlyTheMaskOfStreamingDmaCountsSinceNothingElseBounces) {
    Machine machine = idle_machine();
    machine.devices->push_back({"0000:02:00.0", "megaraid_sas", 0x010400, 64, 32});
    EXPECT_TRUE(plan(machine, lending_request()).loan);
    machine.devices->back().streaming_bits = 32;
    EXPECT_NE(refusal_of(plan(machine, lending_request()), "lend-devices").text.find("addresses 32 bits"),
              std::string::npos);
}

TEST(Lend, ADeviceThatIsPassedThroughNeverBouncesWhateverItsMask) {
    Machine machine = idle_machine();
    machine.devices->push_back({"0000:02:00.1", "vfio-pci", 0x020000, 32, 32});
    EXPECT_TRUE(plan(machine, lending_request()).loan);
}

TEST(Lend, AClassWithoutDmaCountsOnlyWhereBusMasteringIsOff) {
    Machine machine = idle_machine();
    machine.devices->push_back({"0000:02:00.0", "qdma-pf", 0x058000, 32, 32, true});
    EXPECT_EQ(refusal_of(plan(machine, lending_request()), "lend-devices").text,
              "0000:02:00.0 (qdma-pf) addresses 32 bits, but memory needs 33. So it may bounce at any time.");
    machine.devices->back().masters_bus = false;
    EXPECT_TRUE(plan(machine, lending_request()).loan);
    machine.devices->back() = {"0000:00:00.0", "ie31200_edac", 0x060000, 32, 32, true};
    EXPECT_TRUE(plan(machine, lending_request()).loan) << "in a host bridge the bit is wired to 1";
    machine.devices->back() = {"0000:00:1f.3", "i801_smbus", 0x0c0500, 32, 32, true};
    EXPECT_TRUE(plan(machine, lending_request()).loan) << "UEFI sets it in everything";
}

TEST(Lend, FirmwareInterfacesOnThePlatformBusDoNoDma) {
    Machine machine = idle_machine();
    // Those of a Debian guest in QEMU with all its modules, and what Linux 7.2 has beside them.
    for (const char* driver : {"fw_cfg", "acpi-button", "acpi-battery", "acpi-ec", "acpi-fan", "acpi-thermal", "ac"})
        machine.platform_devices->push_back({"device", driver});
    EXPECT_TRUE(plan(machine, lending_request()).loan);
    machine.platform_devices->push_back({"PNP0700:00", "floppy"});
    EXPECT_FALSE(plan(machine, lending_request()).loan);
}

TEST(Lend, MemoryIsAlsoWhatIsNoRamYet) {
    for (const char* name : {"System RAM (kmem)", "System RAM (virtio_mem)", "Persistent Memory",
                             "Persistent Memory (legacy)", "Soft Reserved", "CXL Window 0"}) {
        SCOPED_TRACE(name);
        Machine machine = idle_machine();
        machine.devices->push_back({"0000:02:00.0", "x", 0x020000, 37, 37});
        machine.iomem = {{range(4 * GiB, 128 * GiB), 0, name, 9}};
        EXPECT_TRUE(plan(machine, lending_request()).loan);
        machine.iomem = {{range(4 * GiB, 128 * GiB + 1), 0, name, 9}};
        EXPECT_EQ(refusals(plan(machine, lending_request())), std::set<std::string>{"lend-devices"});
    }
    Machine machine = idle_machine();
    machine.devices->push_back({"0000:02:00.0", "x", 0x020000, 37, 37});
    machine.map.add(range(128 * GiB, 256 * GiB), e820::Type::pmem);
    EXPECT_EQ(refusals(plan(machine, lending_request())), std::set<std::string>{"lend-devices"});
}

// --- the pool's own memory

TEST(Lend, ABlankPoolStandsInForTheKernelsCount) {
    for (const auto tracked : {std::optional<bool>(false), std::optional<bool>()}) {
        Machine machine = idle_machine();
        machine.slabs_hiwater.reset();
        machine.slabs_used.reset();
        machine.hiwater_tracked = tracked;
        const Plan lent = plan(machine, lending_request());
        EXPECT_TRUE(lent.loan) << headline(lent);
        EXPECT_TRUE(lent.assumptions.empty());
    }
}

TEST(Lend, TheKernelsCountDoesNotStandInForABlankPool) {
    Machine machine = idle_machine();
    machine.pool_traces.reset();
    machine.live = true;
    EXPECT_EQ(refusals(plan(machine, lending_request())), std::set<std::string>{"lend-idle"});
    machine.live = false;
    const Plan lent = plan(machine, lending_request());
    EXPECT_TRUE(lent.loan) << "a capture may be older than the question";
    ASSERT_EQ(lent.assumptions.size(), 1u);
    EXPECT_EQ(lent.assumptions.front().text, "the pool's own memory shows that it was never used");
    machine.slabs_hiwater.reset();
    EXPECT_EQ(refusals(plan(machine, lending_request())), std::set<std::string>{"lend-idle"})
        << "nothing is left to rest on";
}

TEST(Lend, WhatCouldNotBeSeenOfThePoolIsSaid) {
    Machine machine = idle_machine();
    machine.pool_traces.reset();
    machine.pool_traces_problem = Error{Errc::input, "proc/kpageflags", 0, "the pool's page at 0x6c000000 is offline"};
    EXPECT_EQ(
        refusal_of(plan(machine, lending_request()), "lend-idle").text,
        "It is not known whether the pool was ever used: /proc/kpageflags: the pool's page at 0x6c000000 is offline.");
}

// --- IOMMUs

TEST(Lend, BothKernelsAreToldTheSameOfAnIommuThatIsInUse) {
    Machine machine = idle_machine();
    machine.iommu_groups = 12;
    EXPECT_TRUE(plan(machine, lending_request()).loan) << headline(plan(machine, lending_request()));
    machine.command_line += " intel_iommu=on iommu=pt";
    PlanRequest request = lending_request();
    const std::string plain = *request.command_line;
    const auto loan_with = [&](const char* words) {
        request.command_line = plain + words;
        const Plan decided = plan(machine, request);
        if (!decided.loan) {
            EXPECT_TRUE(refusals(decided).contains("lend-iommu")) << headline(decided);
        }
        return decided.loan;
    };
    EXPECT_TRUE(loan_with(" intel_iommu=on iommu=pt"));
    EXPECT_FALSE(loan_with("")) << "the crash kernel may then switch it off";
    EXPECT_FALSE(loan_with(" intel_iommu=on iommu=off"));
    EXPECT_FALSE(loan_with(" intel_iommu=off iommu=pt"));
    machine.iommu_groups = 0;
    EXPECT_TRUE(loan_with("")) << "there is none";
}

TEST(Lend, AnotherKernelMayNotTakeOverTheTablesOfAnIommu) {
    Machine machine = idle_machine();
    PlanRequest request = lending_request();
    request.image->release = "6.12.110+deb13-amd64";
    EXPECT_TRUE(plan(machine, request).loan);
    machine.iommu_groups = 1;
    EXPECT_EQ(refusals(plan(machine, request)), std::set<std::string>{"lend-iommu"});
}

TEST(Lend, HowToSaveTheDumpDependsOnTheLoader) {
    PlanRequest request = lending_request();
    request.leaves_pool_out = false;
    EXPECT_TRUE(refusal_of(plan(idle_machine(), request), "lend-dump").advice.starts_with("Load with"));
    request.loader = Loader::kexec_file_load;
    EXPECT_TRUE(refusal_of(plan(idle_machine(), request), "lend-dump").advice.starts_with("Save the dump"));
}

TEST(Lend, IsNeverDoneUnlessAskedFor) {
    PlanRequest silent = lending_request();
    silent.lend = false;
    const Plan plain = plan(idle_machine(), silent);
    EXPECT_EQ(plain.verdict, Verdict::not_needed);
    EXPECT_EQ(plain.append, "");
}

TEST(Lend, APoolAboveTheReservationIsAsGood) {
    Machine machine = idle_machine();
    machine.crash_kernel = {range(0x50000000, 0x60000000)};
    EXPECT_TRUE(plan(machine, lending_request()).loan);
}

TEST(Lend, AKernelThatBouncesGetsTheHandoffInstead) {
    Machine machine = idle_machine();
    PlanRequest forced = lending_request();
    forced.command_line = *forced.command_line + " swiotlb=force";
    const Plan handed_over = plan(machine, forced);
    EXPECT_EQ(handed_over.verdict, Verdict::ready) << headline(handed_over);
    EXPECT_FALSE(handed_over.loan);
    EXPECT_NE(handed_over.append.find("swiotlb_handoff="), std::string::npos);
}

TEST(Lend, IsRefusedByEachPieceOfEvidenceThatIsMissingOrSaysNo) {
    struct Row {
        const char* what;
        const char* rule;
        std::function<void(Machine&)> change;
    };
    const Row rows[] = {
        {"a slab was in use once", "lend-idle", [](Machine& m) { m.slabs_hiwater = 1; }},
        {"the count was set back, and slabs are in use", "lend-idle", [](Machine& m) { m.slabs_used = 3; }},
        {"a search index has moved", "lend-idle", [](Machine& m) { m.pool_traces->moved_areas = 1; }},
        {"slabs are in use by the areas' own count", "lend-idle", [](Machine& m) { m.pool_traces->slabs_used = 1; }},
        {"a byte of the pool is not 0", "lend-idle",
         [](Machine& m) { m.pool_traces->first_written = synthetic_pool.end() - 1; }},
        {"the pool was not read to its end", "lend-idle", [](Machine& m) { --m.pool_traces->blank_bytes; }},
        {"another pool was read", "lend-idle", [](Machine& m) { m.pool_traces->pool = range(0x68000000, 0x6c000000); }},
        {"the pool could not be read", "lend-idle",
         [](Machine& m) {
             m.pool_traces.reset();
             m.pool_traces_problem = Error{Errc::not_permitted, "proc/kcore", 0, "Operation not permitted"};
         }},
        {"SEV", "lend-no-bounce",
         [](Machine& m) {
             m.encryption = Encryption::sev;
             m.crash_kernel = {range(0x70000000, 0x80000000)};
         }},
        {"nobody says whether memory is encrypted", "lend-no-bounce",
         [](Machine& m) { m.encryption = Encryption::unknown; }},
        {"Xen", "lend-no-bounce", [](Machine& m) { m.xen = true; }},
        {"the running kernel's command line is not known", "lend-no-bounce",
         [](Machine& m) { m.command_line.clear(); }},
        {"the running kernel's command line is not known to its end", "lend-no-bounce",
         [](Machine& m) { m.command_line_cut = true; }},
        {"streaming DMA of 32 bits", "lend-devices",
         [](Machine& m) {
             m.devices->push_back({"0000:03:00.0", "e1000", 0x020000, 32, 64});
         }},
        {"nobody knows where a device without a driver writes to", "lend-devices",
         [](Machine& m) { m.ownerless_masters->push_back("0000:04:00.0"); }},
        {"a bridge of VIA", "lend-devices", [](Machine& m) { m.narrow_bridges->push_back("0000:00:01.0"); }},
        {"the configuration space of a device of the running machine cannot be read", "lend-devices",
         [](Machine& m) {
             m.live = true;
             m.ownerless_masters.reset();
         }},
        {"the firmware has a device write to the pool", "lend-iommu",
         [](Machine& m) { m.firmware_dma = {range(0x6fffffff, 0x70001000)}; }},
        {"nobody says what is reserved for the firmware", "lend-iommu",
         [](Machine& m) {
             m.live = true;
             m.iommu_groups.reset();
         }},
        {"a kernel that does not show which devices are external, with an IOMMU", "lend-trusted",
         [](Machine& m) {
             m.release = "5.10.0-32-amd64";
             m.iommu_groups = 1;
         }},
        {"one bit too few", "lend-devices",
         [](Machine& m) {
             m.devices->push_back({"0000:03:00.0", "isci", 0x010700, 32, 32});
         }},
        {"memory may be plugged in beyond a mask", "lend-devices",
         [](Machine& m) {
             m.devices->push_back({"0000:03:00.0", "x", 0x020000, 33, 33});
             m.srat_memory_end = 16 * GiB;
         }},
        {"the PCI devices are not known", "lend-devices", [](Machine& m) { m.devices.reset(); }},
        {"the platform devices are not known", "lend-devices", [](Machine& m) { m.platform_devices.reset(); }},
        {"a platform device that may do DMA", "lend-devices",
         [](Machine& m) {
             m.platform_devices->push_back({"80860F14:00", "sdhci-acpi"});
         }},
        {"a device in an external port", "lend-trusted",
         [](Machine& m) { m.external_devices->push_back("0000:3c:00.0"); }},
        {"nobody says which devices are external", "lend-trusted", [](Machine& m) { m.external_devices.reset(); }},
        {"sources disagree on the pool", "pool-agrees",
         [](Machine& m) {
             m.pool.push_back({range(0x6b000000, 0x6f000000), PoolSource::log, {"dmesg", 7}});
         }},
        {"the pool was given back", "pool-found",
         [](Machine& m) {
             m.pool.clear();
             m.no_pool_in_memory = true;
         }},
    };
    for (const Row& row : rows) {
        SCOPED_TRACE(row.what);
        Machine machine = idle_machine();
        row.change(machine);
        const Plan refused = plan(machine, lending_request());
        const bool bounces =
            machine.encryption == Encryption::sev;  // then a pool is needed, and the handoff has its own rules
        EXPECT_EQ(refused.verdict, Verdict::refused) << headline(refused);
        EXPECT_EQ(refused.append, "");
        EXPECT_FALSE(refused.loan);
        const auto by = refusals(refused);
        if (!bounces) {
            EXPECT_NE(std::find(by.begin(), by.end(), row.rule), by.end()) << headline(refused);
        }
    }
}

TEST(Lend, NoRiskOfItCanBeTaken) {
    for (const RuleInfo& rule : rules()) EXPECT_FALSE(rule.id.starts_with("lend-") && rule.acceptable) << rule.id;
}

TEST(Lend, TheMaskMustReachTheHighestByteOfMemory) {
    EXPECT_EQ(bits_for(0), 0u);
    EXPECT_EQ(bits_for(4 * GiB), 32u);
    EXPECT_EQ(bits_for(4 * GiB + 1), 33u);
    EXPECT_EQ(bits_for(8 * GiB), 33u);
    Machine machine = idle_machine();  // 8 GiB
    machine.devices->push_back({"0000:03:00.0", "x", 0x020000, 33, 33});
    EXPECT_TRUE(plan(machine, lending_request()).loan);
}

TEST(Lend, NumaIsSwitchedOffWhereItWouldMakeThePoolAfterAll) {
    Machine machine = idle_machine();
    machine.srat_memory_end = 8 * GiB;
    PlanRequest wanted = lending_request();
    const Plan lent = plan(machine, wanted);
    EXPECT_EQ(lent.append, "memmap=64M@0x6c000000 numa=off swiotlb_lent=0x6c000000-0x70000000") << headline(lent);
}

TEST(Lend, APoolThatCostsMoreThanItGivesStaysWhereItIs) {
    Machine machine = idle_machine();
    machine.crash_kernel = {range(0x70000000, 0x78000000)};
    machine.pool = {
        {range(0x67f00000, 0x68100000), PoolSource::memory, {"proc/kcore", 0}}};  // 2 MiB, in two sections of 128 MiB
    machine.pool_traces = PoolTraces{machine.pool.front().range, 1, 0, 0, 2 * MiB, std::nullopt};
    EXPECT_EQ(refusals(plan(machine, lending_request())), std::set<std::string>{"lend-gain"});
}

// --- the dump

TEST(Lend, TheDumpDoesWithoutItsPagesOrIsMapped) {
    struct Row {
        Loader loader;
        Collector collector;
        bool leaves_out;
        bool lent;
    };
    constexpr Row rows[] = {
        {Loader::kexec_load, Collector::unknown, true, true},
        {Loader::kexec_load, Collector::reads, true, true},
        {Loader::kexec_load, Collector::unknown, false, false},
        {Loader::kexec_load, Collector::maps, false, true},
        {Loader::kexec_file_load, Collector::unknown, true, false},
        {Loader::kexec_file_load, Collector::reads, true, false},
        {Loader::kexec_file_load, Collector::maps, true, true},
        {Loader::automatic, Collector::unknown, true, false},
        {Loader::automatic, Collector::maps, true, true},
    };
    for (const Row& row : rows) {
        SCOPED_TRACE(fmt::format("{} {} {}", name(row.loader), name(row.collector), row.leaves_out));
        PlanRequest wanted = lending_request();
        wanted.loader = row.loader;
        wanted.collector = row.collector;
        wanted.leaves_pool_out = row.leaves_out;
        const Plan decided = plan(idle_machine(), wanted);
        EXPECT_EQ(decided.loan, row.lent) << headline(decided);
        EXPECT_EQ(refusals(decided), row.lent ? std::set<std::string>{} : std::set<std::string>{"lend-dump"});
    }
}

constexpr std::string_view iomem =
    "00001000-0009efff : System RAM\n"
    "00100000-7fffffff : System RAM\n"
    "  01000000-01ffffff : Kernel code\n"
    "  70000000-7fffffff : Crash kernel\n"
    "100000000-1ffffffff : System RAM\n";

TEST(IomemWithout, CutsThePoolOutOfItsSystemRamLine) {
    const auto text = iomem_without(iomem, range(0x6c000000, 0x70000000));
    ASSERT_TRUE(text) << text.error().message();
    EXPECT_EQ(*text,
              "00001000-0009efff : System RAM\n"
              "00100000-6bffffff : System RAM\n"
              "70000000-7fffffff : System RAM\n"
              "  01000000-01ffffff : Kernel code\n"
              "  70000000-7fffffff : Crash kernel\n"
              "100000000-1ffffffff : System RAM\n");
}

TEST(IomemWithout, LeavesNoEmptyLineAtTheEdges) {
    const auto text = iomem_without("00100000-001fffff : System RAM\n", range(0x100000, 0x180000));
    ASSERT_TRUE(text);
    EXPECT_EQ(*text, "00180000-001fffff : System RAM\n");
}

TEST(IomemWithout, RefusesAPoolThatIsNotInOneLine) {
    for (const AddressRange& pool :
         {range(0x80000000, 0x84000000), range(0x7ff00000, 0x80100000), range(0x90000, 0x110000)})
        EXPECT_FALSE(iomem_without(iomem, pool)) << base::to_string(pool);
}

TEST(Lend, ThePoolIsLookedForInTheHeadersThatWereLoaded) {
    const AddressRange pool = range(0x6c000000, 0x70000000);
    EXPECT_EQ(pool_in_headers({{range(0x100000, 0x6c000000), range(0x80000000, 0x90000000)}, 2}, pool), std::nullopt);
    EXPECT_TRUE(pool_in_headers({{range(0x100000, 0x6c001000)}, 2}, pool));
    EXPECT_TRUE(pool_in_headers({{}, 2}, pool)) << "no headers at all: something else is there";
    EXPECT_TRUE(pool_in_headers({{range(0x100000, 0x6c000000)}, 0}, pool));
}

// --- afterwards

TEST(Lend, CheckFindsALoanAndWhatContradictsIt) {
    const std::string words = "nr_cpus=1 reset_devices memmap=64M@0x6c000000 swiotlb_lent=0x6c000000-0x70000000";
    const Machine machine = idle_machine();
    CheckInput input;
    input.command_line = words;
    input.machine = &machine;
    input.request = lending_request();
    input.request.command_line.reset();
    const CheckResult sound = check(input);
    EXPECT_TRUE(sound.sound() && sound.proven && sound.loan)
        << (sound.reasons.empty() ? "" : sound.reasons.front().text);
    for (const char* wrong :
         {"nr_cpus=1 swiotlb=force memmap=64M@0x6c000000 swiotlb_lent=0x6c000000-0x70000000",
          "nr_cpus=1 memmap=32M@0x6c000000 swiotlb_lent=0x6c000000-0x70000000",
          "nr_cpus=1 memmap=64M@0x6c000000 swiotlb_lent=0x6c000000-0x70000000 swiotlb_handoff=0x6c000000-0x70000000"}) {
        input.command_line = wrong;
        EXPECT_FALSE(check(input).sound()) << wrong;
    }
}

TEST(Lend, InTheCrashKernelVerifyLooksForRamAndNoPool) {
    Machine machine = idle_machine();
    machine.command_line = "nr_cpus=1 memmap=64M@0x6c000000 swiotlb_lent=0x6c000000-0x70000000";
    machine.ram = RangeSet({range(0x6c000000, 0x80000000)});
    machine.pool.clear();
    EXPECT_EQ(verify(machine)->landing, Landing::lent);
    Machine with_pool = machine;
    with_pool.pool = {handoff::PoolSighting{range(0x78000000, 0x7c000000), PoolSource::memory, {}}};
    EXPECT_EQ(verify(with_pool)->landing, Landing::not_lent);
    machine.ram = RangeSet({range(0x70000000, 0x80000000)});
    EXPECT_EQ(verify(machine)->landing, Landing::not_lent);
}

// The loan may end at any time, and the next load is then one without it, into what is left.
TEST(Lend, AReservationThatShrinksIsNoSmallerForTheLoan) {
    Machine machine = idle_machine();
    for (AddressRange& reserved : machine.crash_kernel) reserved = range(0x70000000, 0x90000000);
    machine.crash_size = 512 * MiB;
    const ShrinkPlan shrunk = plan_shrink(machine, lending_request());
    ASSERT_TRUE(shrunk.possible()) << shrunk.problem;
    EXPECT_TRUE(shrunk.plan.loan);
    PlanRequest without = lending_request();
    without.lend = false;
    EXPECT_GE(shrunk.to.size(), need_for(machine, without, shrunk.to.size(), Need::default_margin).recommended());
    EXPECT_EQ(shrunk.on_loan, 0u);
}

TEST(Lend, AReservationShrinksByTheLoanForWhoCountsOnIt) {
    Machine machine = idle_machine();
    for (AddressRange& reserved : machine.crash_kernel) reserved = range(0x70000000, 0x90000000);
    machine.crash_size = 512 * MiB;
    const ShrinkPlan plain = plan_shrink(machine, lending_request());
    const ShrinkPlan counted = plan_shrink(machine, lending_request(), std::nullopt, Need::default_margin, true);
    ASSERT_TRUE(plain.possible() && counted.possible()) << counted.problem;
    EXPECT_TRUE(counted.plan.loan);
    EXPECT_LT(counted.to.size(), plain.to.size());
    EXPECT_GE(counted.to.size() + loan_gain(machine), counted.need.recommended());
    EXPECT_EQ(counted.on_loan, counted.need.recommended() - counted.to.size());

    const ShrinkPlan too_far =
        plan_shrink(machine, lending_request(), counted.to.size() - 8 * MiB, Need::default_margin, true);
    EXPECT_NE(too_far.problem.find("less than the crash kernel should have"), std::string::npos) << too_far.problem;
    machine.pool_traces->slabs_used = 1;
    const ShrinkPlan used = plan_shrink(machine, lending_request(), std::nullopt, Need::default_margin, true);
    EXPECT_NE(used.problem.find("lend-idle"), std::string::npos) << used.problem;
}

TEST(Lend, TheEvidenceIsReadAndCaptured) {
    TempTree tree;
    tree.write("proc/iomem", "00100000-7fffffff : System RAM\n");
    tree.write("sys/bus/pci/devices/0000:00:1f.2/uevent", "DRIVER=ahci\nPCI_CLASS=10601\nPCI_ID=8086:2922\n");
    tree.write("sys/bus/pci/devices/0000:00:1f.2/dma_mask_bits", "64\n");
    tree.write("sys/bus/pci/devices/0000:00:1f.2/consistent_dma_mask_bits", "64\n");
    tree.write("sys/bus/pci/devices/0000:3c:00.0/uevent", "PCI_CLASS=10802\n");
    tree.write("sys/bus/pci/devices/0000:3c:00.0/removable", "removable\n");
    tree.write("sys/bus/pci/devices/0000:3d:00.0/uevent", "PCI_CLASS=10802\n");
    tree.write("sys/bus/pci/devices/0000:3d:00.0/removable", "fixed\n");
    tree.write("sys/bus/platform/devices/serial8250/uevent", "DRIVER=serial8250\nMODALIAS=platform:serial8250\n");
    tree.write("sys/bus/platform/devices/pcspkr/uevent", "MODALIAS=platform:pcspkr\n");
    const auto machine = gather(Host(tree.path()));
    ASSERT_TRUE(machine);
    EXPECT_EQ(machine->external_devices, std::vector<std::string>{"0000:3c:00.0"});
    EXPECT_EQ(machine->platform_devices, (std::vector<PlatformDevice>{{"serial8250", "serial8250"}}));
}

}  // namespace
}  // namespace handoff
