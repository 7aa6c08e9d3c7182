// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/load/shrink.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/synthetic_machine.hpp"

namespace handoff {
namespace {

using base::GiB;
using base::MiB;
using Outcome = ShrinkResult::Outcome;

Machine with_reservations(std::vector<AddressRange> crash_kernel, std::uint64_t crash_size) {
    Machine machine = synthetic_machine();
    machine.crash_kernel = std::move(crash_kernel);
    machine.crash_size = crash_size;
    return machine;
}

const AddressRange low = *AddressRange::from_size(0x70000000, 40 * MiB);
const AddressRange high = *AddressRange::from_size(7 * GiB, 512 * MiB);

TEST(ShrinkPlan, GivesBackTheEndOfTheHigherReservation) {
    const ShrinkPlan s = plan_shrink(with_reservations({low, high}, 512 * MiB), synthetic_request());
    ASSERT_TRUE(s.possible()) << s.problem;
    EXPECT_EQ(s.to.start(), high.start());
    EXPECT_LT(s.to.size(), high.size());
    EXPECT_GE(s.to.size(), s.need.recommended());
    EXPECT_EQ(s.given_back(), high.size() - s.to.size());
    EXPECT_EQ(s.write, s.to.size());
    EXPECT_EQ(s.plan.verdict, Verdict::ready);
}

struct Written {
    const char* name;
    std::vector<AddressRange> crash_kernel;
    std::uint64_t crash_size;
    std::uint64_t besides;  ///< of what is written, more than the new size
    bool possible;
};

TEST(ShrinkPlan, WritesWhatThisKernelCounts) {
    const AddressRange all_low = *AddressRange::from_size(0x70000000, 256 * MiB);
    for (const Written& row : {Written{"one reservation", {all_low}, 256 * MiB, 0, true},
                               {"two, the kernel counts the higher one", {low, high}, 512 * MiB, 0, true},
                               {"two, the kernel counts both", {low, high}, 552 * MiB, 40 * MiB, true},
                               {"the file and /proc/iomem differ", {high}, 500 * MiB, 0, false},
                               {"nothing is reserved", {}, 0, 0, false}}) {
        SCOPED_TRACE(row.name);
        PlanRequest request = synthetic_request();
        request.initrd_bytes = 4 * MiB;
        *request.command_line += " swiotlb=force";
        const ShrinkPlan s = plan_shrink(with_reservations(row.crash_kernel, row.crash_size), request);
        EXPECT_EQ(s.possible(), row.possible) << s.problem;
        if (s.possible()) {
            EXPECT_EQ(s.write, s.to.size() + row.besides);
        }
    }
}

TEST(ShrinkPlan, RefusesWhatIsNotProvenOrTooSmall) {
    const Machine machine = with_reservations({low, high}, 512 * MiB);
    EXPECT_NE(
        plan_shrink(machine, synthetic_request(), 64 * MiB).problem.find("less than the crash kernel should have"),
        std::string::npos);
    EXPECT_NE(plan_shrink(machine, synthetic_request(), 512 * MiB)
                  .problem.find("is not smaller than the current reservation"),
              std::string::npos);
    Machine guest = machine;
    guest.encryption = Encryption::sev_snp;
    EXPECT_NE(plan_shrink(guest, synthetic_request()).problem.find("encryption-none"), std::string::npos);
    Machine without = machine;
    without.pool.clear();
    EXPECT_FALSE(plan_shrink(without, synthetic_request()).possible());
    Machine limited = with_reservations({low, high}, 512 * MiB);
    limited.loads_left = 4;
    EXPECT_NE(plan_shrink(limited, synthetic_request()).problem.find("kexec_load_limit_panic"), std::string::npos);
    limited.loads_left = 5;
    EXPECT_TRUE(plan_shrink(limited, synthetic_request()).possible());
}

TEST(ShrinkPlan, LeavesEnoughForALoadWithoutTheHandoff) {
    Machine machine = with_reservations({*AddressRange::from_size(0x70000000, 32 * MiB), high}, 512 * MiB);
    const ShrinkPlan little = plan_shrink(machine, synthetic_request());
    EXPECT_FALSE(little.possible()) << "a pool of 32 MiB and other buffers do not fit into 32 MiB";
    EXPECT_NE(little.problem.find("a reservation of 544 MiB may have no room for it there"), std::string::npos)
        << little.problem;
    machine.crash_kernel.front() = low;
    const ShrinkPlan enough = plan_shrink(machine, synthetic_request());
    ASSERT_TRUE(enough.possible()) << enough.problem;
    EXPECT_TRUE(enough.plan.fallback->sure);
}

TEST(ShrinkPlan, SaysWhereThereIsNothingToHandOver) {
    const AddressRange below = *AddressRange::from_size(0x70000000, 256 * MiB);
    const ShrinkPlan s = plan_shrink(with_reservations({below}, below.size()), synthetic_request());
    EXPECT_FALSE(s.possible());
    EXPECT_TRUE(
        s.problem.starts_with("There is nothing to hand over, and only a reservation for a handoff is made "
                              "smaller here. The crash kernel makes no pool: "))
        << s.problem;
    EXPECT_TRUE(s.problem.ends_with("whether a smaller crashkernel= is enough from the next boot on.")) << s.problem;
}

// --- the effects: a kernel that has a crash kernel loaded, and in which any step may fail

class FakeKernel : public ShrinkEffects {
public:
    bool is_loaded = true;
    std::uint64_t size = 512 * MiB;
    HandoffState loaded_as{Handoff::in_use, "It is.", Unknown::none};
    bool reload_hands_over = true;
    bool reload_records = true;  ///< false: the record is of the load before, as if the loader had died
    /// "unload" → the calls of it that fail, from 1 on; 0: all of them.
    std::map<std::string, std::vector<int>> failures;

    Result<bool> loaded() override {
        if (fails("loaded")) return Error{Errc::io, "kexec_crash_loaded", 0, "broken"};
        return is_loaded;
    }
    HandoffState state() override { return loaded_as; }
    Failure unload() override {
        if (fails("unload")) return failure("unload");
        is_loaded = false;
        loaded_as.handoff = Handoff::not_in_use;
        return {};
    }
    Failure resize(std::uint64_t bytes) override {
        if (fails("resize")) return failure("resize");
        if (is_loaded)
            return Error{Errc::io, "kexec_crash_size", 0, "No such file or directory"};  // as the kernel says
        size = bytes;
        return {};
    }
    Failure reload() override {
        if (fails("reload")) return failure("reload");
        is_loaded = true;
        loaded_as.handoff = !reload_records     ? Handoff::unknown
                            : reload_hands_over ? Handoff::in_use
                                                : Handoff::not_in_use;
        return {};
    }

private:
    static Failure failure(const char* what) { return Error{Errc::io, what, 0, "injected"}; }
    bool fails(const std::string& step) {
        const int call = ++calls_[step];
        const auto at = failures.find(step);
        if (at == failures.end()) return false;
        return std::any_of(at->second.begin(), at->second.end(), [&](int n) { return n == 0 || n == call; });
    }
    std::map<std::string, int> calls_;
};

ShrinkPlan to_256() {
    ShrinkPlan s;
    s.from = high;
    s.to = *AddressRange::from_size(high.start(), 256 * MiB);
    s.write = 256 * MiB;
    return s;
}

struct Fault {
    const char* name;
    std::map<std::string, std::vector<int>> failures;
    Outcome outcome;
    bool loaded;
    std::uint64_t mib;
};

TEST(Shrink, LeavesACrashKernelLoadedWhateverFails) {
    for (const Fault& row :
         {Fault{"nothing", {}, Outcome::done, true, 256},
          {"the state cannot be read", {{"loaded", {1}}}, Outcome::unchanged, true, 512},
          {"unloading", {{"unload", {0}}}, Outcome::unchanged, true, 512},
          {"the kernel does not shrink", {{"resize", {0}}}, Outcome::restored, true, 512},
          {"the kernel does not shrink, the first load fails",
           {{"resize", {0}}, {"reload", {1}}},
           Outcome::restored,
           true,
           512},
          {"the first load after it", {{"reload", {1}}}, Outcome::done, true, 256},
          {"every load", {{"reload", {0}}}, Outcome::not_loaded, false, 256},
          {"shrinking and every load", {{"resize", {0}}, {"reload", {0}}}, Outcome::not_loaded, false, 512}}) {
        SCOPED_TRACE(row.name);
        FakeKernel kernel;
        kernel.failures = row.failures;
        const ShrinkResult result = shrink(kernel, to_256());
        EXPECT_STREQ(name(result.outcome), name(row.outcome)) << result.text;
        EXPECT_EQ(kernel.is_loaded, row.loaded);
        EXPECT_EQ(kernel.size / MiB, row.mib);
        EXPECT_EQ(result.text.empty(), row.outcome == Outcome::done);
    }
}

TEST(Shrink, UnloadsThenWritesThenLoads) {
    FakeKernel kernel;
    EXPECT_EQ(shrink(kernel, to_256()).steps,
              (std::vector<std::string>{"unload", "write 268435456 to /sys/kernel/kexec_crash_size", "load"}));
}

TEST(Shrink, DoesNotBeginWithoutAHandoffThatIsLoaded) {
    FakeKernel empty;
    empty.is_loaded = false;
    FakeKernel plain, stale, unknown;
    plain.loaded_as = {
        Handoff::not_in_use, "The command line of the loaded crash kernel has no word of a handoff.", {}};
    stale.loaded_as = {Handoff::stale, "It has another pool.", {}};
    unknown.loaded_as = {Handoff::unknown, "What is loaded cannot be read: locked.", Unknown::unread};
    FakeKernel fine;
    ShrinkPlan refused = to_256();
    refused.problem = "with 256 MiB: pool-exact";
    for (FakeKernel* kernel : {&empty, &plain, &stale, &unknown}) {
        const ShrinkResult result = shrink(*kernel, to_256());
        EXPECT_EQ(result.outcome, Outcome::unchanged);
        if (kernel != &empty) {
            EXPECT_TRUE(result.text.starts_with(kernel->loaded_as.why)) << result.text;
        }
        EXPECT_TRUE(result.steps.empty());
        EXPECT_EQ(kernel->size, 512 * MiB);
    }
    EXPECT_EQ(shrink(fine, refused).outcome, Outcome::unchanged);
    EXPECT_EQ(fine.size, 512 * MiB);
}

TEST(Shrink, SaysWhenTheSmallerReservationWasLoadedWithoutTheHandoff) {
    FakeKernel kernel;
    kernel.reload_hands_over = false;
    const ShrinkResult result = shrink(kernel, to_256());
    EXPECT_EQ(result.outcome, Outcome::without_handoff);
    EXPECT_TRUE(kernel.is_loaded);
    EXPECT_EQ(std::count(result.steps.begin(), result.steps.end(), "load"), 2);
}

TEST(Shrink, DoesNotTakeALoadOfWhichNothingIsKnownForOneWithTheHandoff) {
    FakeKernel kernel;
    kernel.reload_records = false;
    const ShrinkResult result = shrink(kernel, to_256());
    EXPECT_EQ(result.outcome, Outcome::without_handoff);
    EXPECT_EQ(std::count(result.steps.begin(), result.steps.end(), "load"), 2);
}

}  // namespace
}  // namespace handoff
