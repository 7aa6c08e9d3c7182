// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/decide/recommend.hpp"
#include "lib/decide/fallback.hpp"
#include "lib/sources/devices.hpp"
#include "lib/sources/gather.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "lib/sources/host.hpp"
#include "tests/synthetic_machine.hpp"
#include "tests/temp_tree.hpp"

namespace handoff {
namespace {

using base::GiB;
using base::MiB;

AddressRange range(Address start, Address end) { return *AddressRange::from_bounds(start, end); }

std::string read_words(const char* line, std::uint64_t ram = 8 * GiB) {
    const auto r = reservation_of(*CommandLine::parse(line), ram);
    if (!r) return "error: " + r.error().message();
    return *r ? (*r)->text() : "none";
}

TEST(CrashkernelWords, AreReadAsTheKernelReadsThem) {
    EXPECT_EQ(read_words("quiet"), "none");
    EXPECT_EQ(read_words("crashkernel=256M"), "crashkernel=256M");
    EXPECT_EQ(read_words("crashkernel=128M crashkernel=256M"), "crashkernel=256M") << "the last one counts";
    EXPECT_EQ(read_words("crashkernel=256M@64M"), "crashkernel=256M@0x4000000");
    EXPECT_EQ(read_words("crashkernel=512M,high"), "crashkernel=512M,high");
    EXPECT_EQ(read_words("crashkernel=512M,high crashkernel=0,low"), "crashkernel=512M,high crashkernel=0,low");
    EXPECT_EQ(read_words("crashkernel=512M,high crashkernel=128M"), "crashkernel=128M")
        << "a plain one comes before ,high";
    EXPECT_EQ(read_words("crashkernel=256M crashkernel=1G,cma"), "crashkernel=256M");
    EXPECT_EQ(read_words("crashkernel=1G-4G:192M,4G-64G:256M,64G-:512M"), "crashkernel=256M");
    EXPECT_EQ(read_words("crashkernel=1G-4G:192M,4G-64G:256M,64G-:512M", 2 * GiB), "crashkernel=192M");
    EXPECT_EQ(read_words("crashkernel=2G-:256M@16M", GiB), "none");
    EXPECT_TRUE(read_words("crashkernel=lots").starts_with("error: expected SIZE"));
    EXPECT_TRUE(read_words("crashkernel=256M,low,high").starts_with("error: "));
}

// --- where the next boot puts things

struct Geometry {
    const char* name;
    std::vector<AddressRange> ram;
    std::optional<AddressRange> initrd;
    std::uint64_t pool;  ///< bytes
    const char* words;
    std::vector<AddressRange> crash_kernel;  ///< empty: no place
    AddressRange lands;
};

const std::vector<Geometry> geometries = {
    {"the reservation at the top, the pool below",
     {range(MiB, 2 * GiB)},
     {},
     64 * MiB,
     "crashkernel=256M",
     {range(0x70000000, 0x80000000)},
     range(0x6c000000, 0x70000000)},
    {"aligned down to 16 MiB; what is left above is too small for the pool",
     {range(MiB, 0x7ffdc000)},
     {},
     64 * MiB,
     "crashkernel=256M",
     {range(0x6f000000, 0x7f000000)},
     range(0x6b000000, 0x6f000000)},
    {"and large enough for a small one",
     {range(MiB, 0x7ffdc000)},
     {},
     8 * MiB,
     "crashkernel=256M",
     {range(0x6f000000, 0x7f000000)},
     range(0x7f7dc000, 0x7ffdc000)},
    {"UEFI: the reservation needs a large block, the pool goes into a fragment above it",
     {range(MiB, 0x60000000), range(0x70000000, 0x78001000)},
     {},
     64 * MiB,
     "crashkernel=256M",
     {range(0x50000000, 0x60000000)},
     range(0x74001000, 0x78001000)},
    {"the initrd keeps its place",
     {range(MiB, 2 * GiB)},
     range(0x7e000000, 2 * GiB),
     64 * MiB,
     "crashkernel=256M",
     {range(0x6e000000, 0x7e000000)},
     range(0x6a000000, 0x6e000000)},
    {"above 4 GiB with nothing below",
     {range(MiB, 2 * GiB), range(4 * GiB, 8 * GiB)},
     {},
     64 * MiB,
     "crashkernel=256M,high crashkernel=0,low",
     {range(8 * GiB - 256 * MiB, 8 * GiB)},
     range(0x7c000000, 0x80000000)},
    {"above 4 GiB with the default below, which the pool lies under",
     {range(MiB, 2 * GiB), range(4 * GiB, 8 * GiB)},
     {},
     64 * MiB,
     "crashkernel=256M,high",
     {range(0x70000000, 0x80000000), range(8 * GiB - 256 * MiB, 8 * GiB)},
     range(0x6c000000, 0x70000000)},
    {"the default is the pool and 8 MiB where that is more",
     {range(MiB, 2 * GiB), range(4 * GiB, 8 * GiB)},
     {},
     512 * MiB,
     "crashkernel=256M,high",
     {range(0x5f000000, 0x5f000000 + 520 * MiB), range(8 * GiB - 256 * MiB, 8 * GiB)},
     range(0x3f000000, 0x5f000000)},
    {"no memory above 4 GiB", {range(MiB, 2 * GiB)}, {}, 64 * MiB, "crashkernel=256M,high", {}, {}},
    {"at an offset",
     {range(MiB, 2 * GiB)},
     {},
     64 * MiB,
     "crashkernel=256M@256M",
     {range(0x10000000, 0x20000000)},
     range(0x7c000000, 0x80000000)},
    {"no room for the pool", {range(MiB, 192 * MiB)}, {}, 64 * MiB, "crashkernel=128M@48M", {}, {}},
};

// Linux commit 9ca5c8e632ce ("x86/kdump: Have crashkernel=X reserve under 4G by default") (in v5.2).
TEST(NextBoot, BeforeLinux52APlainReservationLiesBelow896MiB) {
    Machine machine = synthetic_machine();
    const Reservation plain{256 * MiB, false, std::nullopt, std::nullopt},
        large{1 * GiB, false, std::nullopt, std::nullopt};
    machine.release = "5.2.0";
    ASSERT_TRUE(next_boot(machine, plain) && next_boot(machine, large));
    EXPECT_GT(next_boot(machine, plain)->crash_kernel.front().end(), 896 * MiB);
    machine.release = "5.1.21";
    ASSERT_TRUE(next_boot(machine, plain));
    EXPECT_LE(next_boot(machine, plain)->crash_kernel.front().end(), 896 * MiB);
    EXPECT_FALSE(next_boot(machine, large)) << "there is no room for it";
}

TEST(NextBoot, PlacesTheReservationAndThenThePool) {
    for (const Geometry& g : geometries) {
        SCOPED_TRACE(g.name);
        Machine machine;
        machine.ram = RangeSet(g.ram);
        machine.initrd = g.initrd;
        machine.pool = {handoff::PoolSighting{range(MiB, MiB + g.pool), PoolSource::log, {}}};
        const auto words = reservation_of(*CommandLine::parse(g.words), 8 * GiB);
        ASSERT_TRUE(words && *words);
        const auto next = next_boot(machine, **words);
        ASSERT_EQ(next.has_value(), !g.crash_kernel.empty());
        if (!next) continue;
        EXPECT_EQ(next->crash_kernel, g.crash_kernel);
        EXPECT_EQ(base::to_string(next->pool.front().range), base::to_string(g.lands));
    }
}

// A kernel up to 6.19 on EFI: the EFI stub passes on the ROMs of PCI devices, which the kernel reserves first.
TEST(NextBoot, TheReservationLiesBelowSetupData) {
    Machine machine;
    machine.ram = RangeSet({range(MiB, 0x80000000)});
    machine.pool = {handoff::PoolSighting{range(MiB, 65 * MiB), PoolSource::log, {}}};
    const Reservation words{256 * MiB, false, std::nullopt, std::nullopt};
    EXPECT_EQ(next_boot(machine, words)->crash_kernel.front(), range(0x70000000, 0x80000000));

    const std::vector<AddressRange> pieces = {range(MiB, 0x7d5ce018), range(0x7d5ce018, 0x7d5f8858),
                                              range(0x7d5f8858, 0x80000000)};
    Machine by_log = machine;
    e820::Table map;
    for (const AddressRange& piece : pieces)
        map.add(piece, &piece == &pieces[1] ? e820::Type::reserved_kern : e820::Type::ram);
    by_log.other_maps = {{map, {"dmesg", 1}}};
    Machine by_iomem = machine;
    for (const AddressRange& piece : pieces) by_iomem.iomem.push_back({piece, 0, "System RAM", 1});
    for (const Machine& shown : {by_log, by_iomem}) {
        ASSERT_TRUE(next_boot(shown, words));
        EXPECT_EQ(next_boot(shown, words)->crash_kernel.front(), range(0x6d000000, 0x7d000000));
    }
}

TEST(Reproduce, SaysWhetherTheModelExplainsThisBoot) {
    Machine machine = synthetic_machine();
    EXPECT_TRUE(reproduce(machine).layout) << reproduce(machine).text;
    EXPECT_EQ(reproduce(machine).shift, 0U);

    machine.crash_kernel.back() = range(machine.crash_kernel.back().start(), 8 * GiB - 256 * MiB);
    EXPECT_TRUE(reproduce(machine).layout) << "made smaller since";

    machine.pool.front().range = range(0x6b800000, 0x6f800000);  // 8 MiB of early allocations above it
    EXPECT_EQ(reproduce(machine).shift, 8 * MiB);

    machine.pool.front().range = range(0x20000000, 0x24000000);
    machine.ram.subtract(range(0x24000000, 0x25000000));
    EXPECT_FALSE(reproduce(machine).layout);
    EXPECT_NE(reproduce(machine).text.find("The pool is at [0x20000000-0x24000000)"), std::string::npos)
        << reproduce(machine).text;

    machine.command_line = "quiet";
    EXPECT_FALSE(reproduce(machine).layout);
}

TEST(Reproduce, SaysWhatNoSourceShowsOfTheMachine) {
    struct Kind {
        const char* name;
        void (*make)(Machine&);
        const char* says;
    };
    for (const Kind& kind :
         {Kind{"EFI", [](Machine& m) { m.efi = true; }, "The boot services of EFI hold memory at that time"},
          Kind{"a log alone", [](Machine& m) { m.kernel_image.reset(); }, "where the kernel itself lies"},
          Kind{"a log that begins late", [](Machine& m) { m.release.clear(); }, "before Linux 5.2"}}) {
        SCOPED_TRACE(kind.name);
        Machine machine = synthetic_machine();
        machine.ram.subtract(range(0x7f000000, 0x7f001000));
        ASSERT_FALSE(reproduce(machine).layout);
        EXPECT_EQ(reproduce(machine).text.find(kind.says), std::string::npos) << reproduce(machine).text;
        kind.make(machine);
        EXPECT_NE(reproduce(machine).text.find(kind.says), std::string::npos) << reproduce(machine).text;
    }
}

TEST(Reproduce, HasNoPoolToPlaceWhereASourceShowsOneWithoutAByte) {
    Machine machine = synthetic_machine();
    machine.pool.front().range = range(0x6c000000, 0x6c000000);
    EXPECT_TRUE(reproduce(machine).layout) << reproduce(machine).text;
    EXPECT_EQ(reproduce(machine).shift, 0U);
}

// --- what to boot with

DmaDevice device(const char* driver, std::uint32_t pci_class, unsigned coherent) {
    return {"0000:00:01.0", driver, pci_class, 64, coherent};
}

TEST(Recommend, IsProvenByAPlanAndNoLessThanNeeded) {
    const Machine machine = synthetic_machine();
    const PlanRequest request = synthetic_request();
    for (const std::uint64_t margin : {0 * MiB, 64 * MiB, 200 * MiB}) {
        SCOPED_TRACE(margin / MiB);
        const Recommendation r = recommend(machine, request, margin);
        ASSERT_TRUE(r.chosen);
        EXPECT_GE(r.chosen->reservation.size, r.need.recommended());
        const auto next = next_boot(machine, r.chosen->reservation, r.reproduced.shift);
        ASSERT_TRUE(next);
        EXPECT_EQ(decide(*next, request).verdict, r.verdict);
        EXPECT_EQ(r.given_back(), 768 * static_cast<std::int64_t>(MiB) - static_cast<std::int64_t>(r.chosen->bytes));
    }
    EXPECT_LT(recommend(machine, request, 0).chosen->bytes, recommend(machine, request, 200 * MiB).chosen->bytes);
}

TEST(Recommend, IsMoreThanWhatACrashKernelRanOutOf) {
    Machine machine = synthetic_machine();
    const PlanRequest request = synthetic_request();
    const Recommendation before = recommend(machine, request);
    ASSERT_TRUE(before.chosen);
    CrashLog log;
    log.total_bytes = before.chosen->bytes + 100 * MiB;
    log.pool = *AddressRange::from_size(GiB, 64 * MiB);
    log.shortages = {{CrashLog::Kind::out_of_memory, "Out of memory: Killed process 1 (x)", 1, 1}};
    machine.last_crash = log;
    const Recommendation after = recommend(machine, request);
    ASSERT_TRUE(after.chosen);
    EXPECT_GT(after.chosen->bytes, before.chosen->bytes + 36 * MiB);
    EXPECT_EQ(after.last_crash, log);
    machine.last_crash->dump_saved = true;
    EXPECT_EQ(recommend(machine, request).chosen->bytes, before.chosen->bytes);
}

TEST(Recommend, TellsWhatTheHandoffGivesFromRightSizing) {
    const Machine machine = synthetic_machine();
    PlanRequest request = synthetic_request();
    const Recommendation r = recommend(machine, request);
    ASSERT_TRUE(r.chosen);
    ASSERT_EQ(r.verdict, Verdict::not_needed);
    EXPECT_EQ(r.by_handoff(), 0) << "nothing is handed over then";
    EXPECT_EQ(r.by_right_sizing(), r.given_back());

    *request.command_line += " swiotlb=force";
    const Recommendation forced = recommend(machine, request);
    ASSERT_TRUE(forced.chosen);
    ASSERT_EQ(forced.verdict, Verdict::ready);
    EXPECT_EQ(forced.by_handoff(), static_cast<std::int64_t>(forced.without_handoff - forced.chosen->bytes));
    EXPECT_EQ(forced.by_handoff() + forced.by_right_sizing(), forced.given_back());
    EXPECT_GE(forced.without_handoff, forced.need.recommended() + 64 * MiB) << "the whole pool of its own";
    EXPECT_GT(forced.by_handoff(), 0);
}

TEST(Recommend, ALowPartFollowsFromTheDevices) {
    struct Row {
        const char* name;
        std::optional<std::vector<DmaDevice>> devices;
        std::uint64_t mib;
        std::size_t because;
    };
    for (const Row& row :
         {Row{"nobody knows", {}, 32, 0}, Row{"none", std::vector<DmaDevice>(), 0, 0},
          Row{"all of them address everything",
              {{device("nvme", 0x010802, 64), device("xhci_hcd", 0x0c0330, 64)}},
              0,
              0},
          Row{"an old controller", {{device("ata_piix", 0x010180, 32), device("nvme", 0x010802, 64)}}, 32, 1},
          Row{"bridges and the like use no DMA",
              {{device("pcieport", 0x060400, 32), device("i801_smbus", 0x0c0500, 32),
                device("skx_uncore", 0x088000, 32)}},
              0,
              0},
          Row{"40 bits are above 4 GiB", {{device("tg3", 0x020000, 40)}}, 0, 0}}) {
        SCOPED_TRACE(row.name);
        Machine machine = synthetic_machine();
        machine.devices = row.devices;
        const LowPart part = low_part(machine, 64 * MiB);
        EXPECT_EQ(part.bytes / MiB, row.mib);
        EXPECT_EQ(part.because.size(), row.because);
        EXPECT_EQ(part.known, row.devices.has_value());
        const Recommendation r = recommend(machine, synthetic_request());
        ASSERT_TRUE(r.candidates.back().reservation.high);
        EXPECT_EQ(r.low.bytes, std::max(part.bytes, sufficient_pool + 8 * MiB)) << "for a load without the handoff";
        EXPECT_EQ(r.candidates.back().reservation.low, r.low.bytes);
    }
}

TEST(Recommend, IsLargeEnoughForALoadWithoutTheHandoff) {
    Machine machine = synthetic_machine();
    PlanRequest request = synthetic_request();
    const auto without = [&](const Reservation& reservation) {
        Machine next = next_boot(machine, reservation).value();
        return fallback_for(next, request, Need::default_margin).value();
    };
    for (const char* words : {"", " swiotlb=force", " swiotlb=65536"}) {
        SCOPED_TRACE(words);
        request = synthetic_request();
        *request.command_line += words;
        const Recommendation r = recommend(machine, request);
        for (const Candidate& c : r.candidates) {
            if (c.verdict != Verdict::ready) continue;
            ASSERT_TRUE(c.fallback);
            EXPECT_TRUE(c.fallback->sure) << c.reservation.text() << ": " << to_text(*c.fallback);
            EXPECT_NE(c.fallback->fits, Fit::no) << to_text(*c.fallback);
            EXPECT_EQ(without(c.reservation).sure, true);
        }
    }
}

TEST(Recommend, IsTheAdviceOfThePlan) {
    Machine machine = synthetic_machine();
    machine.crash_kernel = {range(0x50000000, 0x60000000)};  // below the pool
    PlanRequest request = synthetic_request();
    request.command_line = *request.command_line + " swiotlb=force";
    const Recommendation r = recommend(machine, request);
    ASSERT_TRUE(r.chosen);
    const Plan refused = plan(machine, request);
    ASSERT_EQ(refused.verdict, Verdict::refused);
    bool said = false;
    for (const Reason& reason : refused.reasons)
        said = said || reason.advice.find("Boot with " + r.chosen->reservation.text() + ".") == 0;
    EXPECT_TRUE(said);
}

TEST(Recommend, SaysOfWhichLayoutItIsProven) {
    Machine machine = synthetic_machine();
    EXPECT_TRUE(recommend(machine, synthetic_request()).reproduced.layout);
    machine.ram.subtract(range(0x7f000000, 0x7f001000));  // this boot's reservation cannot have been placed so
    const Recommendation r = recommend(machine, synthetic_request());
    EXPECT_FALSE(r.reproduced.layout);
    EXPECT_NE(r.reproduced.text.find("but the model puts it"), std::string::npos) << r.reproduced.text;
    for (const Candidate& c : r.candidates) EXPECT_FALSE(c.place_certain) << c.reservation.text();
}

TEST(Recommend, IsCertainOfThePlaceWhereTheModelExplainsThisBoot) {
    for (const Candidate& c : recommend(synthetic_machine(), synthetic_request()).candidates)
        EXPECT_TRUE(c.place_certain) << c.reservation.text();
}

TEST(NextBoot, OfALayoutThatIsNotUnderstoodThePoolMayLieAboveTheLowPartOrApartFromIt) {
    const Machine machine = synthetic_machine();
    const Reservation words{256 * MiB, true, 40 * MiB, std::nullopt};
    const AddressRange low = next_boot(machine, words)->crash_kernel.front();
    bool below = false, above = false, apart = false;
    for (const Machine& next : next_boots(machine, words, {false, 0, "differs"})) {
        const AddressRange part = next.crash_kernel.front(), pool = next.pool.front().range;
        EXPECT_TRUE(machine.ram.contains(part) && machine.ram.contains(pool));
        EXPECT_FALSE(part.overlaps(pool));
        EXPECT_EQ(part.size(), low.size());
        EXPECT_EQ(pool.size(), 64 * MiB);
        below = below || pool.end() == part.start();
        above = above || pool.start() == part.end();
        apart = apart || pool.end() < part.start();
    }
    EXPECT_TRUE(below && above && apart);
    EXPECT_EQ(next_boots(machine, words, {true, 0, {}}).size(), 1U);
}

TEST(Recommend, OfALayoutThatIsNotUnderstoodProvesEveryPlaceOfThePool) {
    Machine machine = synthetic_machine();
    machine.ram.subtract(range(0x7f000000, 0x7f001000));
    machine.ram.subtract(range(0x20000000, 0x20001000));
    PlanRequest request = synthetic_request();
    request.command_line = *request.command_line + " swiotlb=force";
    const Recommendation r = recommend(machine, request);
    ASSERT_FALSE(r.reproduced.layout);
    EXPECT_EQ(r.candidates.front().verdict, Verdict::refused) << "a low reservation that needs a pool";
    EXPECT_NE(r.candidates.front().why.find("cannot predict the next boot"), std::string::npos)
        << r.candidates.front().why;
    ASSERT_TRUE(r.chosen);
    EXPECT_TRUE(r.chosen->reservation.high) << r.chosen->reservation.text();
    EXPECT_NE(r.chosen->why.find("each of the 4 places"), std::string::npos) << r.chosen->why;
}

TEST(Recommend, WithoutAReservationYetTheLayoutIsThePool) {
    Machine machine = synthetic_machine();
    machine.command_line = "quiet";
    machine.crash_kernel.clear();
    machine.pool.front().range = range(0x7c000000, 0x80000000);
    EXPECT_TRUE(reproduce(machine).layout) << reproduce(machine).text;
    machine.command_line = "quiet crashkernel=256M";
    EXPECT_FALSE(reproduce(machine).layout) << "asked for, and not there";
}

TEST(Recommend, HasNothingForAMachineThatIsRefusedWhateverItsLayout) {
    Machine machine = synthetic_machine();
    machine.encryption = Encryption::sev_snp;
    const Recommendation r = recommend(machine, synthetic_request());
    EXPECT_EQ(r.verdict, Verdict::refused);
    EXPECT_FALSE(r.chosen);
    ASSERT_FALSE(r.reasons.empty());
}

// --- the devices, read and captured

TEST(Devices, AreReadFromSysfs) {
    const TempTree tree;
    const auto add = [&](const char* name, const char* uevent, const char* coherent) {
        const std::string directory = std::string("sys/bus/pci/devices/") + name + "/";
        tree.write(directory + "uevent", uevent);
        tree.write(directory + "dma_mask_bits", "64\n");
        tree.write(directory + "consistent_dma_mask_bits", coherent);
    };
    add("0000:00:02.0", "PCI_CLASS=30000\nPCI_ID=1234:1111\n", "32\n");  // no driver
    add("0000:00:1f.2", "DRIVER=ata_piix\nPCI_CLASS=10180\nPCI_ID=8086:7010\nPCI_SLOT_NAME=0000:00:1f.2\n", "32\n");
    const auto machine = gather(Host(tree.path()));
    ASSERT_TRUE(machine && machine->devices);
    EXPECT_EQ(*machine->devices, (std::vector<DmaDevice>{{"0000:00:1f.2", "ata_piix", 0x010180, 64, 32}}));
    EXPECT_EQ(reduced_uevent("DRIVER=ata_piix\nPCI_CLASS=10180\nPCI_ID=8086:7010\n"),
              "DRIVER=ata_piix\nPCI_CLASS=10180\n");

    add("0000:00:03.0", "DRIVER=nvme\nPCI_CLASS=10802\n", "many\n");
    const auto broken = gather(Host(tree.path()));
    ASSERT_TRUE(broken);
    EXPECT_FALSE(broken->devices) << "one that cannot be read might be the one that matters";
    EXPECT_FALSE(broken->unread.empty());
}

TEST(LoanOutlook, SaysHowFarTheReservationCouldShrinkButNotBelowNothing) {
    const auto smallest = [](std::uint64_t needed) {
        return loan_outlook(idle_machine(), lending_request(), needed).smallest;
    };
    // 64 MiB less 4 for the memory map of the sections that only the pool is in, in whole steps.
    const std::uint64_t gain = 60 * MiB;
    EXPECT_LE(smallest(256 * MiB), 256 * MiB - gain + 16 * MiB);
    EXPECT_GE(smallest(256 * MiB), 256 * MiB - gain);
    EXPECT_EQ(smallest(32 * MiB), 0u);
}

// --- a size that counts on a loan

PlanRequest loan_not_asked_for() {
    PlanRequest request = lending_request();
    request.lend = false;
    return request;
}

TEST(Recommend, IsNoLessForALoanThatNobodyCountsOn) {
    const Recommendation lent = recommend(idle_machine(), lending_request());
    const Recommendation plain = recommend(idle_machine(), loan_not_asked_for());
    ASSERT_TRUE(lent.chosen && plain.chosen && lent.loan);
    EXPECT_TRUE(lent.loan->possible) << lent.loan->why;
    EXPECT_EQ(lent.chosen->reservation, plain.chosen->reservation);
    EXPECT_GE(lent.chosen->reservation.size, lent.need.recommended());
    EXPECT_TRUE(lent.chosen->fallback->sure) << "a load without the loan has enough";
    EXPECT_EQ(lent.on_loan(), 0u);
}

TEST(Recommend, IsLessByTheLoanForWhoCountsOnIt) {
    const Machine machine = idle_machine();
    const Recommendation plain = recommend(machine, loan_not_asked_for());
    const Recommendation r = recommend_on_loan(machine, loan_not_asked_for());
    ASSERT_TRUE(r.chosen && plain.chosen) << (r.loan ? r.loan->why : "");
    EXPECT_TRUE(r.counts_on_loan && r.loan->possible);
    EXPECT_LT(r.chosen->bytes, plain.chosen->bytes);
    EXPECT_GE(r.chosen->reservation.size + loan_gain(machine), r.need.recommended());
    EXPECT_EQ(r.on_loan(), r.need.recommended() - r.chosen->reservation.size);
    EXPECT_FALSE(r.chosen->fallback->sure) << "a load without the loan has too little";
    EXPECT_FALSE(r.chosen->reservation.high) << "there the crash kernel makes a pool";
    EXPECT_EQ(r.loan->smallest, r.chosen->bytes);

    // The next boot lends its pool, if that is as unused as this one's.
    Machine next = next_boot(machine, r.chosen->reservation, r.reproduced.shift).value();
    next.pool_traces->pool = next.pool.front().range;
    const Plan lent = decide(next, lending_request());
    EXPECT_EQ(lent.verdict, Verdict::ready) << headline(lent);
    EXPECT_TRUE(lent.loan);
}

TEST(Recommend, CountsOnNoLoanThatIsNotReadyNow) {
    Machine bounced = idle_machine();
    bounced.pool_traces->moved_areas = 1;
    const Recommendation used = recommend_on_loan(bounced, loan_not_asked_for());
    EXPECT_EQ(used.verdict, Verdict::refused);
    EXPECT_FALSE(used.chosen);
    ASSERT_TRUE(used.loan);
    EXPECT_NE(used.loan->why.find("lend-idle"), std::string::npos) << used.loan->why;

    PlanRequest forced = loan_not_asked_for();
    *forced.command_line += " swiotlb=force";
    const Recommendation makes_pool = recommend_on_loan(idle_machine(), forced);
    EXPECT_FALSE(makes_pool.chosen);
    EXPECT_NE(makes_pool.loan->why.find("makes a pool"), std::string::npos) << makes_pool.loan->why;
}

TEST(LoanGain, IsThePoolWithoutItsStructPages) {
    Machine machine = idle_machine();
    const auto gain = [&](std::uint64_t bytes) {
        machine.pool.front().range = *AddressRange::from_size(GiB, bytes);
        return loan_gain(machine);
    };
    EXPECT_EQ(gain(64 * MiB), 60 * MiB);
    EXPECT_EQ(gain(GiB), GiB - 20 * MiB) << "nine sections of 128 MiB, where it begins in the middle of one";
    EXPECT_EQ(gain(2 * MiB), 0u);
    machine.pool.clear();
    EXPECT_EQ(loan_gain(machine), 0u);
}

TEST(Advice, WhereNoReservationIsProvenIsAboutAnOffsetThatIsThere) {
    Machine machine = synthetic_machine();
    machine.crash_kernel = {*AddressRange::from_bounds(0x50000000, 0x60000000)};
    machine.xen = true;  // whatever is reserved
    PlanRequest request = synthetic_request();
    *request.command_line += " swiotlb=force";
    const auto advice = [&](const char* words) {
        machine.command_line = words;
        for (const Reason& r : plan(machine, request).reasons)
            if (r.is("pool-below-crashkernel")) return r.advice;
        return std::string("nothing refuses");
    };
    EXPECT_TRUE(advice("crashkernel=256M@0x50000000").starts_with("Leave out the @OFFSET"));
    EXPECT_TRUE(advice("crashkernel=256M").starts_with("No reservation"));
}

}  // namespace
}  // namespace handoff
