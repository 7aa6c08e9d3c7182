// SPDX-License-Identifier: GPL-2.0-or-later
// What a proof takes for the crash kernel's memory: from a load that was predicted to what is free for certain.
#include "lib/decide/proof.hpp"

#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

#include "lib/decide/parts.hpp"
#include "tests/synthetic_machine.hpp"

namespace handoff {
namespace {

using base::MiB;
using base::page_size;

class ProofMemory : public testing::Test {
protected:
    ProofMemory() { request.loader = Loader::kexec_load; }

    /// The memory of the first load with the words that add the pool.
    CrashMemory memory() {
        Findings found;
        const Question question = ask(machine, request, found);
        Cargo cargo = judge_cargo(question, found);
        auto scenarios = predict_loads(question, cargo, Method::ram, found);
        load = scenarios.front().load;
        const Proposal proposal{question, Method::ram,      {synthetic_pool, 32768, {}}, synthetic_pool, false,
                                false,    std::move(cargo), std::move(scenarios)};
        const auto line = CommandLine::parse(question.base.with(synthetic_words));
        return *memory_of(proposal, proposal.scenarios.front(), *line);
    }
    AddressRange segment(std::string_view name) const { return load.find(name)->range; }

    Machine machine = synthetic_machine_without_low_part();
    PlanRequest request = synthetic_request();
    Load load;
};

bool has(const std::vector<AddressRange>& ranges, const AddressRange& range) {
    return std::find(ranges.begin(), ranges.end(), range) != ranges.end();
}

TEST_F(ProofMemory, HasThePoolThatTheWordsAdd) { EXPECT_TRUE(memory().ram.contains(synthetic_pool)); }

TEST_F(ProofMemory, OnlyInitrdAndSetupDataAreReservedForCertain) {
    const CrashMemory m = memory();
    EXPECT_EQ(m.reserved.size(), 2u);
    EXPECT_TRUE(has(m.reserved, segment("initrd")));
    EXPECT_TRUE(has(m.reserved, *AddressRange::from_size(segment("setup_data").start(), page_size)));
    machine.kexec_tools = "2.0.20";  // passes no seed
    EXPECT_EQ(memory().reserved, std::vector{segment("initrd")});
}

TEST_F(ProofMemory, EverythingElseThatIsLoadedButTheKernelIsPerhapsReserved) {
    const CrashMemory m = memory();
    for (const Segment& s : load.segments) EXPECT_EQ(has(m.maybe_reserved, s.range), s.name != "kernel") << s.name;
}

TEST_F(ProofMemory, TheKernelsOwnLoaderMayKeepRoomForTheHeadersOfMemoryThatIsPluggedIn) {
    // CONFIG_CRASH_HOTPLUG: 16384 headers of 56 bytes, whatever the machine has now.
    request.loader = Loader::kexec_file_load;
    const CrashMemory m = memory();
    EXPECT_LT(segment("elfcorehdr").size(), 64 * base::KiB);
    const AddressRange headers = *AddressRange::from_size(segment("elfcorehdr").start(), 64 + 16384 * 56);
    EXPECT_TRUE(RangeSet(m.maybe_reserved).contains(headers));
    // kexec-tools keeps none.
    request.loader = Loader::kexec_load;
    const AddressRange others = *AddressRange::from_size((memory(), segment("elfcorehdr").start()), 64 + 16384 * 56);
    EXPECT_FALSE(RangeSet(memory().maybe_reserved).contains(others));
}

TEST_F(ProofMemory, TheImageReservesWhatTheSameKernelReservesNow) {
    EXPECT_EQ(memory().image_at_least, machine.kernel_image->size());
    EXPECT_EQ(memory().image_at_most, 64 * MiB);
    request.image->release = "6.1.0-other";
    EXPECT_EQ(memory().image_at_least, 0u) << "another kernel may be smaller";
    request.image->release = machine.release;
    machine.kernel_image.reset();
    EXPECT_EQ(memory().image_at_least, 0u);
}

TEST_F(ProofMemory, TheImageMayOccupyTheLargestOfWhatIsKnownOfIt) {
    request.image->uncompressed_bytes = 70 * MiB - 1;
    EXPECT_EQ(memory().image_at_most, 70 * MiB);
    machine.kernel_image = *AddressRange::from_size(16 * MiB, 81 * MiB);
    EXPECT_EQ(memory().image_at_most, 82 * MiB);
}

TEST_F(ProofMemory, TheKernelIsAlignedAsTheImageAsksFor) {
    for (const std::uint64_t alignment : {2 * MiB, 16 * MiB, 64 * MiB}) {
        request.image->kernel_alignment = alignment;
        for (const Address image : memory().images) EXPECT_EQ(image % alignment, 0u);
    }
}

TEST(WithoutHandoff, OnlyTheWordsOfTheHandoffAreGone) {
    const auto rest = [](const std::string& words) {
        return without_handoff(*CommandLine::parse("quiet memmap=4K$0x1000 " + words + " nr_cpus=1"), synthetic_pool)
            .text();
    };
    EXPECT_EQ(rest(synthetic_words), "quiet memmap=4K$0x1000 nr_cpus=1");
    EXPECT_EQ(rest(synthetic_loan_words), "quiet memmap=4K$0x1000 nr_cpus=1");
    EXPECT_EQ(rest("swiotlb=32768,force"), "quiet memmap=4K$0x1000 nr_cpus=1");
}

}  // namespace
}  // namespace handoff
