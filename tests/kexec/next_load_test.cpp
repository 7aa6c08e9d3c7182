// SPDX-License-Identifier: GPL-2.0-or-later
// What is done about a load of the kernel that a reboot by kexec starts, decided without a machine.
#include "lib/load/next_load.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/synthetic_machine.hpp"

namespace handoff {
namespace {

using base::GiB;
using base::MiB;

AddressRange range(Address start, std::uint64_t size) { return *AddressRange::from_size(start, size); }

PlannedNext planned(Loader loader) {
    PlanRequest request = synthetic_request();
    request.image->swiotlb_addr = true;
    request.loader = loader;
    request.command_line = "quiet";
    const Machine machine = synthetic_machine();
    return {decide_next(machine, request), request, machine.release};
}

const std::vector<AddressRange> apart = {range(0x1000, 0x5000), range(7 * GiB, 64 * MiB)};
const std::vector<AddressRange> in_pool = {range(0x1000, 0x5000), range(0x6ffff000, 0x2000)};

std::string tools_report(const std::vector<AddressRange>& segments) {
    std::string text;
    for (std::size_t i = 0; i < segments.size(); ++i)
        text += fmt::format("segment[{0}].mem   = {1:#x}\nsegment[{0}].memsz = {2:#x}\n", i, segments[i].start(),
                            segments[i].size());
    return text;
}

class Fake final : public NextEffects {
public:
    explicit Fake(Loader loader = Loader::kexec_load) : planned_(planned(loader)) {}
    Result<PlannedNext> planned_;
    KexecRun finished{0, "exit status 0", "", "a warning\n"};
    Result<std::vector<AddressRange>> segments = apart;
    std::string log;
    std::vector<std::string> did;

    Result<PlannedNext> plan(const KexecArguments&) override { return planned_; }
    KexecRun run(const std::vector<std::string>& arguments) override {
        std::string line;
        for (const std::string& a : arguments) line += (line.empty() ? "" : " ") + a;
        did.push_back(line);
        return finished;
    }
    Result<std::vector<AddressRange>> loaded_segments() override { return segments; }
    std::string kernel_log() override { return log; }
};

KexecArguments arguments(const std::string& loader = "-c") {
    return read_kexec_arguments({"-l", loader, "--append=quiet", "--initrd=i", "v"}).value();
}

const std::string kept_out = "--mem-min=0x70000000 -d -c -l --initrd=i --append=quiet swiotlb=32768,addr=0x6c000000 v";

TEST(NextLoad, HasTheWordsAndKeepsOutOfThePool) {
    Fake fake;
    const LoadResult result = load_next(fake, arguments());
    EXPECT_EQ(result.rung, Rung::handoff);
    EXPECT_EQ(result.why, "the next kernel is loaded, and gets the pool at [0x6c000000-0x70000000)");
    EXPECT_EQ(result.errors, "a warning\n");
    EXPECT_EQ(fake.did, std::vector{kept_out});
}

TEST(NextLoad, ByTheKernelGoesWhereTheKernelPutsIt) {
    Fake fake(Loader::kexec_file_load);
    EXPECT_EQ(load_next(fake, arguments("-s")).rung, Rung::handoff);
    EXPECT_EQ(fake.did, std::vector<std::string>{"-s -l --initrd=i --append=quiet swiotlb=32768,addr=0x6c000000 v"})
        << "6.1 refuses -d";
}

TEST(NextLoad, WithASegmentInThePoolIsUndone) {
    Fake fake(Loader::kexec_file_load);
    fake.segments = in_pool;
    const LoadResult result = load_next(fake, arguments("-s"));
    EXPECT_EQ(result.rung, Rung::plain);
    EXPECT_EQ(result.why,
              "requires next-segments: the segment [0x6ffff000-0x70001000) was put into the pool "
              "[0x6c000000-0x70000000)");
    ASSERT_EQ(fake.did.size(), 2u);
    EXPECT_EQ(fake.did[1], "-u -s") << "so that nothing of it is left, whatever the caller's own load comes to";
}

TEST(NextLoad, WhoseSegmentsNobodySeesIsUndone) {
    for (const Loader loader : {Loader::kexec_load, Loader::kexec_file_load}) {
        Fake fake(loader);
        fake.segments = Error{Errc::not_permitted, "proc/kcore", 0, "Operation not permitted"};
        const LoadResult result = load_next(fake, arguments(loader == Loader::kexec_load ? "-c" : "-s"));
        EXPECT_EQ(result.rung, Rung::plain);
        EXPECT_NE(result.why.find("requires next-segments: the loaded segments cannot be read"), std::string::npos)
            << result.why;
        EXPECT_EQ(fake.did.size(), 2u);

        fake.segments = std::vector<AddressRange>();
        EXPECT_EQ(load_next(fake, arguments()).why,
                  "requires next-segments: it cannot be seen where the segments were put");
    }
}

TEST(NextLoad, IsSeenInAReportWhereMemoryCannotBeRead) {
    for (const auto& [segments, rung] : {std::pair{apart, Rung::handoff}, {in_pool, Rung::plain}}) {
        Fake fake;
        fake.segments = Error{Errc::not_permitted, "proc/kcore", 0, "Operation not permitted"};
        fake.finished.errors = tools_report(segments);
        EXPECT_EQ(load_next(fake, arguments()).rung, rung) << "what kexec -d prints";
        fake.finished.errors.clear();
        fake.log = tools_report(segments);
        EXPECT_EQ(load_next(fake, arguments()).rung, rung) << "what the kernel logs";
    }
    Fake fake;
    fake.segments = in_pool;
    fake.finished.errors = tools_report(apart);
    EXPECT_EQ(load_next(fake, arguments()).rung, Rung::plain) << "memory counts more";
}

TEST(NextLoad, ThatFailsIsLeftToTheCaller) {
    Fake fake;
    fake.finished = {255, "exit status 255", "", "Could not find a free area\n"};
    const LoadResult result = load_next(fake, arguments());
    EXPECT_EQ(result.rung, Rung::plain);
    EXPECT_EQ(result.why,
              "kexec failed with the pool for the next kernel (exit status 255): Could not find a free area");
    EXPECT_EQ(fake.did.size(), 1u) << "nothing is loaded that would have to be undone";
}

TEST(NextLoad, ThatIsNotModelledIsLeftToTheCaller) {
    Fake fake;
    const auto altered = read_kexec_arguments({"-l", "--mem-max=0x1000000", "v"}).value();
    EXPECT_EQ(load_next(fake, altered).why, "--mem-max changes the load in a way that is not modelled");
    EXPECT_TRUE(fake.did.empty());
}

TEST(NextLoad, OfAnImageThatDoesNotKnowAddrIsLeftToTheCallerWithoutAWord) {
    Fake fake;
    PlanRequest request = synthetic_request();
    fake.planned_ = PlannedNext{decide_next(synthetic_machine(), request), request, {}};
    const LoadResult result = load_next(fake, arguments());
    EXPECT_EQ(result.rung, Rung::plain);
    EXPECT_EQ(result.why, "");
    EXPECT_TRUE(fake.did.empty());
}

TEST(NextLoad, ThatIsRefusedIsLeftToTheCallerWithTheReason) {
    Fake fake;
    PlanRequest request = fake.planned_->request;
    request.command_line = "memmap=4K$0x6c000000";
    fake.planned_ = PlannedNext{decide_next(synthetic_machine(), request), request, {}};
    EXPECT_NE(load_next(fake, arguments()).why.find("refused (requires next-map)"), std::string::npos);
    fake.planned_ = base::input_error(0, "a source is malformed");
    EXPECT_EQ(load_next(fake, arguments()).why, "a source is malformed");
    EXPECT_TRUE(fake.did.empty());
}

// --- the plan
// ---------------------------------------------------------------------------------------------------------

TEST(NextPlan, AddsNothingToALineThatHasTheWords) {
    PlanRequest request = planned(Loader::kexec_load).request;
    request.command_line = "quiet swiotlb=32768,force,addr=0x6c000000";
    const NextPlan next = decide_next(synthetic_machine(), request);
    EXPECT_EQ(next.plan.verdict, Verdict::ready);
    EXPECT_EQ(next.plan.append, "");
    EXPECT_EQ(next.keep_out, "--mem-min=0x70000000");
    request.command_line = "swiotlb=32768,addr=0x6c000000 swiotlb=force";
    EXPECT_EQ(decide_next(synthetic_machine(), request).plan.append, "swiotlb=32768,force,addr=0x6c000000")
        << "the last swiotlb= has the say about addr=";
}

TEST(NextPlan, ForcesWhereTheRunningKernelDoesAndTheCallerSaysNothing) {
    PlanRequest request = planned(Loader::kexec_load).request;
    Machine machine = synthetic_machine();
    machine.command_line += " swiotlb=force";
    EXPECT_EQ(decide_next(machine, request).plan.append, "swiotlb=32768,force,addr=0x6c000000");
    request.command_line = "swiotlb=32768";
    EXPECT_EQ(decide_next(machine, request).plan.append, "swiotlb=32768,addr=0x6c000000");
}

TEST(NextPlan, GoesBelowThePoolWhereThereIsNoRoomAbove) {
    PlanRequest request = planned(Loader::kexec_load).request;
    Machine machine = synthetic_machine();
    machine.map.entries.pop_back();
    machine.command_line += " swiotlb=force";
    EXPECT_EQ(decide_next(machine, request).keep_out, "--mem-min=0x70000000");
    request.initrd_bytes = 256 * MiB;
    EXPECT_EQ(decide_next(machine, request).keep_out, "--mem-max=0x6bffffff");
}

TEST(NextPlan, KnowsWhereAKernelUnpacksItself) {
    const PlannedNext next = planned(Loader::kexec_load);
    Plan plan = next.next.plan;
    Image image = *next.request.image;
    const auto at = [&](Address start) { return objection_to_next(plan, image, {range(start, image.init_size)}); };
    EXPECT_EQ(at(0x68000000), "") << "ends where the pool begins";
    EXPECT_NE(at(0x68001000), "");
    EXPECT_EQ(at(0x70000000), "");
    plan.pool = range(0x4f00000, 64 * MiB);
    EXPECT_NE(at(0x100000), "") << "it runs from 16 MiB on";
    plan.pool = range(0x5000000, 64 * MiB);
    EXPECT_EQ(at(0x100000), "");
}

}  // namespace
}  // namespace handoff
