// SPDX-License-Identifier: GPL-2.0-or-later
//
// A part of the pool is handed over: how large it is, where it lies, and that everything that speaks of it says the
// same. What refuses is in rules_test.cpp; adversary_test.cpp attacks such machines.
#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "lib/decide/fallback.hpp"
#include "lib/decide/pool_size.hpp"
#include "lib/decide/verify.hpp"
#include "lib/load/in_use.hpp"
#include "lib/report/picture.hpp"
#include "lib/report/status.hpp"
#include "swiotlb-handoff/check.hpp"
#include "swiotlb-handoff/plan.hpp"
#include "tests/reasons.hpp"
#include "tests/synthetic_machine.hpp"

namespace handoff {
namespace {

using base::GiB;
using base::KiB;
using base::MiB;
using e820::Type;

AddressRange range(Address start, Address end) { return *AddressRange::from_bounds(start, end); }

std::string text_of(const Plan& plan, std::string_view rule) {
    for (const Reason& reason : plan.reasons)
        if (id_of(reason) == rule) return reason.text;
    return {};
}

/// The pool ends at 0x70000000. The crash kernel has 512 MiB above 4 GiB, and below only what it gets of the pool.
class Parts : public testing::Test {
protected:
    Plan decided() const { return decide(machine, request); }
    void release(const char* name) { machine.release = request.image->release = name; }
    void pool_of(std::uint64_t bytes) { machine.pool.front().range = range(0x70000000 - bytes, 0x70000000); }

    Machine machine = synthetic_machine_without_low_part();
    PlanRequest request = synthetic_request();
};

constexpr const char *linux_5_10 = "5.10.0-32-amd64", *linux_6_1 = "6.1.0-50-amd64",
                     *linux_6_12 = "6.12.117+deb13-amd64", *linux_7_2 = "7.2.13+deb14-amd64",
                     *linux_7_3 = "7.3.4+deb13-amd64";

// --- how much of the pool

struct Shape {
    const char* what;
    const char* release;
    std::uint64_t pool;  ///< bytes
    const char* caller;  ///< words on the crash kernel's command line
    std::uint64_t part;  ///< bytes; 0: refused
    const char* words;   ///< that are appended, up to the marker
};

const Shape shapes[] = {
    {"a power of two is handed over whole", linux_6_1, 64 * MiB, "", 64 * MiB, "swiotlb=32768 memmap=64M@0x6c000000"},
    {"5.10 makes a pool of any number of slabs", linux_5_10, 96 * MiB, "", 96 * MiB,
     "swiotlb=49152 memmap=96M@0x6a000000"},
    {"6.1 rounds up", linux_6_1, 96 * MiB, "", 64 * MiB, "swiotlb=32768 memmap=64M@0x6a000000"},
    {"6.12 rounds up", linux_6_12, 96 * MiB, "", 64 * MiB, "swiotlb=32768 memmap=64M@0x6a000000"},
    {"7.2 rounds up", linux_7_2, 96 * MiB, "", 64 * MiB, "swiotlb=32768 memmap=64M@0x6a000000"},
    {"7.3 rounds up", linux_7_3, 96 * MiB, "", 64 * MiB, "swiotlb=32768 memmap=64M@0x6a000000"},
    {"one segment too many", linux_6_1, 64 * MiB + 256 * KiB, "", 64 * MiB, "swiotlb=32768 memmap=64M@0x6bfc0000"},
    {"one segment too few", linux_6_1, 64 * MiB - 256 * KiB, "", 32 * MiB, "swiotlb=16384 memmap=32M@0x6c040000"},
    {"the smallest pool of which a part is enough", linux_6_1, 32 * MiB + 256 * KiB, "", 32 * MiB,
     "swiotlb=16384 memmap=32M@0x6dfc0000"},
    {"a part of 16 MiB was not always enough", linux_6_1, 32 * MiB - 256 * KiB, "", 0, ""},
    {"the caller asks for less", linux_6_1, 64 * MiB, "swiotlb=16384", 32 * MiB, "swiotlb=16384 memmap=32M@0x6c000000"},
    {"the caller asks for less than was seen to be enough", linux_6_1, 64 * MiB, "swiotlb=4096", 8 * MiB,
     "swiotlb=4096 memmap=8M@0x6c000000"},
    {"the caller's number is what the kernel makes of it", linux_6_1, 128 * MiB, "swiotlb=20000", 64 * MiB,
     "swiotlb=32768 memmap=64M@0x68000000"},
    {"5.10 rounds the caller's number up to whole segments only", linux_5_10, 64 * MiB, "swiotlb=20000",
     20096 * 2 * KiB, "swiotlb=20096 memmap=40192K@0x6c000000"},
    {"the caller asks for as much as there is", linux_6_1, 64 * MiB, "swiotlb=32768", 64 * MiB,
     "swiotlb=32768 memmap=64M@0x6c000000"},
    {"the caller asks for more", linux_6_1, 64 * MiB, "swiotlb=65536", 64 * MiB, "swiotlb=32768 memmap=64M@0x6c000000"},
    {"the last of the caller's numbers counts", linux_6_1, 64 * MiB, "swiotlb=4096 swiotlb=16384", 32 * MiB,
     "swiotlb=16384 memmap=32M@0x6c000000"},
    {"the caller's force stays", linux_6_1, 64 * MiB, "swiotlb=16384,force", 32 * MiB,
     "swiotlb=16384,force memmap=32M@0x6c000000"},
    {"a pool of 1 GiB fits", linux_6_1, GiB, "", GiB, "swiotlb=524288 memmap=1024M@0x30000000"},
};

TEST_F(Parts, AreAsLargeAsCanBeProven) {
    for (const Shape& shape : shapes) {
        release(shape.release);
        pool_of(shape.pool);
        request.command_line = *synthetic_request().command_line + " " + shape.caller;
        const Plan plan = decided();
        EXPECT_EQ(plan.pool, machine.pool.front().range) << shape.what;
        if (shape.part == 0) {
            EXPECT_EQ(refusals(plan.reasons), std::set<std::string>{"pool-power-of-two"}) << shape.what;
            continue;
        }
        ASSERT_EQ(plan.verdict, Verdict::ready) << shape.what << ": " << headline(plan);
        const AddressRange part = *AddressRange::from_size(plan.pool->start(), shape.part);
        EXPECT_EQ(plan.expected, part) << shape.what << ": " << to_string(*plan.expected);
        EXPECT_EQ(plan.part, part == plan.pool ? std::nullopt : std::optional(part)) << shape.what;
        EXPECT_EQ(plan.append,
                  std::string(shape.words) + fmt::format(" swiotlb_handoff={:#x}-{:#x}", part.start(), part.end()))
            << shape.what;
    }
}

TEST_F(Parts, OfALargePoolAreTheLargestForWhichThereIsRoom) {
    pool_of(GiB);
    std::uint64_t last = 0;
    std::set<std::uint64_t> sizes;
    for (std::uint64_t reserved = 96 * MiB; reserved <= 512 * MiB; reserved += 4 * MiB) {
        machine.crash_kernel = {range(8 * GiB - reserved, 8 * GiB)};
        const Plan plan = decided();
        if (plan.verdict != Verdict::ready) continue;
        EXPECT_GE(plan.expected->size(), last) << "a larger reservation has room for no less";
        last = plan.expected->size();
        sizes.insert(last / MiB);
    }
    EXPECT_EQ(last, GiB);
    EXPECT_GE(sizes.size(), 3u);
    EXPECT_GE(*sizes.begin(), sufficient_pool / MiB);
}

TEST_F(Parts, OfAnEncryptedGuestAreNotOfTheSizeThatCountsAsNotGiven) {
    machine.encryption = Encryption::sev;
    request.accept = {"encryption-unproven"};
    machine.crash_kernel = {range(7 * GiB, 8 * GiB)};
    EXPECT_EQ(decided().expected, range(0x6c000000, 0x6e000000)) << headline(decided());
    pool_of(96 * MiB);
    EXPECT_EQ(decided().expected, range(0x6a000000, 0x6c000000)) << "not 64 MiB";
    pool_of(256 * MiB);
    EXPECT_EQ(decided().expected, range(0x60000000, 0x70000000));
}

TEST_F(Parts, AreOfThePoolThatTheKernelMadeAtBootWhateverItHasGrownBy) {
    machine.slabs = 32768 + 8192;
    EXPECT_EQ(decided().expected, synthetic_pool);
    pool_of(96 * MiB);
    machine.slabs = 49152 + 8192;
    EXPECT_EQ(decided().expected, range(0x6a000000, 0x6e000000));
}

// A part at the start of the pool has the rest of the pool above it, so that no free memory touches its end.
TEST_F(Parts, NeedNoBarrierBelowTheReservation) {
    machine.crash_kernel.insert(machine.crash_kernel.begin(), range(0x70000000, 0x73000000));
    EXPECT_EQ(decided().fences, std::vector{range(0x70000000, 0x70001000)}) << "all of a pool of 64 MiB";
    pool_of(96 * MiB);
    EXPECT_EQ(decided().part, range(0x6a000000, 0x6e000000)) << headline(decided());
    EXPECT_TRUE(decided().fences.empty()) << "64 of 96 MiB";
}

TEST_F(Parts, HelpWhereNothingSurelyKeepsFreeMemoryFromTheEndOfTheWholePool) {
    machine.crash_kernel = {range(0x70000000, 0x80000000)};
    machine.random_ready =
        false;  // kexec-tools may put nothing at the start of the reservation, and no fence may lie there
    request.loader = Loader::kexec_load;
    *request.command_line += " swiotlb=force";
    EXPECT_EQ(decided().expected, range(0x6c000000, 0x6e000000)) << headline(decided());
    EXPECT_NE(text_of(decided(), "pool-part").find("because the whole pool cannot be: requires pool-exact: "),
              std::string::npos);
    machine.random_ready = true;
    EXPECT_EQ(decided().expected, synthetic_pool);
}

TEST_F(Parts, AreNeverSmallerThanAnyKernelsPool) {
    for (const bool addr : {false, true}) {
        request.image->swiotlb_addr = addr;
        request.command_line = *synthetic_request().command_line + " swiotlb=384";
        EXPECT_EQ(decided().expected, range(0x6c000000, 0x6c100000)) << "512 slabs";
        request.command_line = *synthetic_request().command_line + " swiotlb=256";
        EXPECT_EQ(decided().expected, synthetic_pool) << "512 KiB";
    }
}

TEST_F(Parts, AreNotTakenWhereTheWholePoolCanBe) {
    machine = synthetic_machine();
    EXPECT_EQ(decided().expected, synthetic_pool);
    EXPECT_FALSE(decided().part);
    EXPECT_EQ(text_of(decided(), "pool-part"), "");
}

TEST_F(Parts, DoNotHelpAPoolAboveTheReservation) {
    machine.crash_kernel = {range(0x50000000, 0x60000000)};
    *request.command_line += " swiotlb=force";
    EXPECT_EQ(refusals(decided().reasons), std::set<std::string>{"pool-below-crashkernel"});
    EXPECT_FALSE(decided().part) << "what is said is said of the whole pool";
}

// --- what is left of the pool

TEST_F(Parts, LeaveTheRestNoMemoryOfTheCrashKernel) {
    pool_of(96 * MiB);
    for (const Method method : {Method::ram, Method::e820, Method::addr}) {
        request.method = method;
        request.loader = Loader::kexec_load;
        request.image->swiotlb_addr = method == Method::addr;
        const Plan plan = decided();
        ASSERT_EQ(plan.verdict, Verdict::ready) << name(method) << ": " << headline(plan);
        EXPECT_EQ(plan.part, range(0x6a000000, 0x6e000000)) << name(method);
        EXPECT_TRUE(plan.after.of(Type::ram).contains(*plan.part)) << name(method);
        for (const e820::Entry& entry : plan.after.entries)
            EXPECT_FALSE(entry.range.overlaps(range(0x6e000000, 0x70000000))) << name(method) << to_string(entry.range);
    }
}

// --- everybody says the same

TEST_F(Parts, AreToldInThePlan) {
    pool_of(96 * MiB);
    EXPECT_EQ(text_of(decided(), "pool-part"),
              "64 MiB of the pool's 96 MiB are handed over, because the whole pool cannot be: requires "
              "pool-power-of-two: 49152 slabs are not a power of two, and 6.1.0-50-amd64 rounds the number up.");
    *request.command_line += " swiotlb=16384";
    EXPECT_EQ(text_of(decided(), "pool-part"),
              "32 MiB of the pool's 96 MiB are handed over, as swiotlb= on the crash kernel's command line asks for.");
    EXPECT_NE(headline(decided()).find("[0x6a000000-0x6c000000)"), std::string::npos) << headline(decided());
}

TEST_F(Parts, ThatAreNotProvenAreToldWithWhatSpeaksAgainstThem) {
    pool_of(96 * MiB);
    machine.crash_kernel = {range(0x50000000, 0x60000000)};
    *request.command_line += " swiotlb=force";
    const Plan plan = decided();
    EXPECT_EQ(refusals(plan.reasons), std::set<std::string>{"pool-below-crashkernel"});
    EXPECT_EQ(plan.part, range(0x6a000000, 0x6e000000));
    EXPECT_NE(text_of(plan, "pool-part").find("64 MiB of the pool's 96 MiB would have to be handed over"),
              std::string::npos)
        << text_of(plan, "pool-part");
}

TEST_F(Parts, AreProvenByReviewAndCheck) {
    for (const std::uint64_t pool : {96 * MiB, 48 * MiB, GiB - 256 * KiB}) {
        pool_of(pool);
        const Plan plan = decided();
        ASSERT_EQ(plan.verdict, Verdict::ready) << headline(plan);
        CheckInput input;
        input.command_line = plan.base + " " + plan.append;
        input.request = request;
        input.machine = &machine;
        const CheckResult result = check(input);
        EXPECT_TRUE(result.proven) << handoff::text_of(result.reasons);
        EXPECT_EQ(result.pool, plan.part);
        input.command_line += " memmap=4K@0x6fff0000";
        EXPECT_EQ(refusals(check(input).reasons), std::set<std::string>{"pool-part"});
    }
}

TEST_F(Parts, OfSomebodyElsesWordsMayLieAnywhereInThePool) {
    request.command_line =
        *request.command_line + " swiotlb=16384 memmap=32M@0x6d000000 swiotlb_handoff=0x6d000000-0x6f000000";
    EXPECT_EQ(review(machine, request, range(0x6d000000, 0x6f000000)).verdict, Verdict::ready);
    EXPECT_EQ(refusals(review(machine, request, range(0x6f000000, 0x71000000)).reasons),
              std::set<std::string>{"pool-agrees"})
        << "it ends behind the pool";
}

TEST_F(Parts, AreVerifiedInTheCrashKernel) {
    Machine crash;
    crash.command_line = "swiotlb=32768 memmap=64M@0x6a000000 swiotlb_handoff=0x6a000000-0x6e000000 elfcorehdr=0x1000";
    crash.pool = {{range(0x6a000000, 0x6e000000), PoolSource::memory, {"proc/kcore", 0}}};
    EXPECT_EQ(verify(crash)->landing, Landing::exact);
    crash.pool.front().range = range(0x6a000000, 0x70000000);
    EXPECT_EQ(verify(crash)->landing, Landing::elsewhere) << "all of the old pool was not promised";
    crash.pool.front().range = range(0x6c000000, 0x70000000);
    EXPECT_EQ(verify(crash)->landing, Landing::elsewhere) << "another part was not promised";
}

/// A load of a part, and what is found of it later.
struct LoadedPart {
    Plan plan;
    Record record;
    HandoffEvidence evidence;
};

LoadedPart load_part(const Machine& machine, const PlanRequest& request) {
    LoadedPart loaded{decide(machine, request), {}, {}};
    std::vector<AddressRange> segments;
    for (const Segment& s : loaded.plan.loads.front().segments) segments.push_back(s.range);
    loaded.record = record_of(loaded.plan, segments, {loaded.plan.loads.front().find("elfcorehdr")->range.start(), {}});
    loaded.record.outcome = Record::Outcome::handoff;
    loaded.evidence.loaded = true;
    loaded.evidence.kernel = LoadedKernel{segments, loaded.record.command_line};
    loaded.evidence.record = loaded.record;
    loaded.evidence.pool = loaded.plan.pool;
    return loaded;
}

TEST_F(Parts, AreInTheRecordBesideThePool) {
    pool_of(96 * MiB);
    Record record = load_part(machine, request).record;
    EXPECT_EQ(record.pool, range(0x6a000000, 0x70000000));
    EXPECT_EQ(record.marker, range(0x6a000000, 0x6e000000));
    EXPECT_EQ(refusals(judge_record(record)), std::set<std::string>{}) << handoff::text_of(judge_record(record));
    const auto again = parse_record(e820::to_text(record_document(record)));
    ASSERT_TRUE(again) << again.error().message();
    EXPECT_EQ(*again, record);
    record.after.add(range(0x6e000000, 0x6e001000), Type::ram);
    EXPECT_EQ(refusals(judge_record(record)), std::set<std::string>{"record-agrees"}) << "a page of the rest is RAM";
}

TEST_F(Parts, AreInUseWhereTheyWereLoaded) {
    pool_of(96 * MiB);
    LoadedPart loaded = load_part(machine, request);
    const HandoffState state = judge_handoff(loaded.evidence);
    EXPECT_EQ(state.handoff, Handoff::in_use) << state.why;
    EXPECT_NE(state.why.find("64 MiB of the pool's 96 MiB, [0x6a000000-0x6e000000)"), std::string::npos) << state.why;
    loaded.evidence.pool = range(0x6b000000, 0x71000000);
    EXPECT_EQ(judge_handoff(loaded.evidence).handoff, Handoff::stale) << "it reaches out of the pool that there is now";
    loaded.evidence.pool = range(0x6a000000, 0x70000000);
    loaded.evidence.record->marker = range(0x6a000000, 0x6c000000);
    EXPECT_EQ(judge_handoff(loaded.evidence).handoff, Handoff::unknown) << "the record is of another part";
}

TEST_F(Parts, CountInTheMetricsWithTheirOwnSize) {
    pool_of(96 * MiB);
    const LoadedPart loaded = load_part(machine, request);
    StatusFacts facts;
    static_cast<HandoffEvidence&>(facts) = loaded.evidence;
    facts.crashkernel_bytes = 512 * MiB;
    const std::string text = to_prometheus(judge_status(facts), "1");
    EXPECT_NE(text.find("\nswiotlb_handoff_pool_bytes 100663296\n"), std::string::npos) << text;
    EXPECT_NE(text.find("\nswiotlb_handoff_handed_over_bytes 67108864\n"), std::string::npos) << text;
    facts.kernel->command_line = "nr_cpus=1";
    EXPECT_NE(to_prometheus(judge_status(facts), "1").find("\nswiotlb_handoff_handed_over_bytes 0\n"),
              std::string::npos);
}

TEST_F(Parts, AreOnTheMapAndTheRestIsNoMemoryOfTheCrashKernel) {
    pool_of(96 * MiB);
    const Picture picture = picture_of(machine, decided());
    const auto pools = [](const std::vector<Stretch>& side) {
        std::vector<AddressRange> found;
        for (const Stretch& s : side)
            if (s.use == MemoryUse::pool) found.push_back(s.range);
        return found;
    };
    EXPECT_EQ(pools(picture.before), std::vector{range(0x6a000000, 0x70000000)});
    EXPECT_EQ(pools(picture.after), std::vector{range(0x6a000000, 0x6e000000)});
    EXPECT_TRUE(std::none_of(picture.after.begin(), picture.after.end(),
                             [](const Stretch& s) { return s.range.overlaps(range(0x6e000000, 0x70000000)); }));
}

}  // namespace
}  // namespace handoff
