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
              "ready: lend-gain: the crash kernel has 62 MiB more: the pool is lent to it as ordinary RAM");
}

/// The refusal of a rule; one without a text where there is none.
Reason refusal_of(const Plan& plan, const char* rule) {
    for (const Reason& r : plan.reasons)
        if (r.rule == rule && r.severity == Severity::refusal) return r;
    return {};
}

TEST(Lend, OfADevicesTwoMasksTheSmallerOneIsNamed) {
    for (const auto& [streaming, coherent] : {std::pair{64u, 32u}, std::pair{32u, 64u}}) {
        Machine machine = idle_machine();
        machine.devices->push_back({"0000:02:00.0", "e1000", 0x020000, streaming, coherent});
        const Plan refused = plan(machine, lending_request());
        EXPECT_NE(refusal_of(refused, "lend-devices").text.find("addresses 32 bits"), std::string::npos)
            << refusal_of(refused, "lend-devices").text;
    }
}

TEST(Lend, HowToSaveTheDumpDependsOnTheLoader) {
    PlanRequest request = lending_request();
    request.leaves_pool_out = false;
    EXPECT_TRUE(refusal_of(plan(idle_machine(), request), "lend-dump").advice.starts_with("load through"));
    request.loader = Loader::kexec_file_load;
    EXPECT_TRUE(refusal_of(plan(idle_machine(), request), "lend-dump").advice.starts_with("save the dump"));
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
        {"the kernel keeps no count (before 6.4)", "lend-idle", [](Machine& m) { m.slabs_hiwater.reset(); }},
        {"the kernel counts only when asked (7.3)", "lend-idle", [](Machine& m) { m.hiwater_tracked = false; }},
        {"nobody says whether the running kernel counts", "lend-idle",
         [](Machine& m) {
             m.hiwater_tracked.reset();
             m.live = true;
         }},
        {"the count was set back, and slabs are in use", "lend-idle", [](Machine& m) { m.slabs_used = 3; }},
        {"nobody says what is in use", "lend-idle", [](Machine& m) { m.slabs_used.reset(); }},
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
        {"coherent DMA of 32 bits", "lend-devices",
         [](Machine& m) {
             m.devices->push_back({"0000:03:00.0", "ata_piix", 0x010180, 64, 32});
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
    with_pool.pool = {{range(0x78000000, 0x7c000000), PoolSource::memory, {}}};
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
