// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/decide/need.hpp"

#include <gtest/gtest.h>

#include "tests/synthetic_machine.hpp"

namespace handoff {
namespace {

using base::MiB;

constexpr std::uint64_t margin = Need::default_margin;

TEST(Need, RecommendsTheSumOfItsLines) {
    Need need;
    need.lines = {{NeedPart::image, 50 * MiB, 40 * MiB, Basis::read, ""},
                  {NeedPart::initrd, 20 * MiB, 20 * MiB, Basis::read, ""},
                  {NeedPart::bitmaps, 8 * MiB, 2 * MiB, Basis::read, ""},
                  {NeedPart::margin, 64 * MiB, 0, Basis::assumed, ""}};
    EXPECT_EQ(need.recommended(), 142 * MiB);
    EXPECT_FALSE(need.rests_on_assumptions()) << "a margin always is one";
}

TEST(Need, IsBoundedFromBelowByWhatIsTakenAtOneMoment) {
    Need need;
    need.lines = {{NeedPart::image, 50 * MiB, 40 * MiB, Basis::read, ""},
                  {NeedPart::initrd, 20 * MiB, 20 * MiB, Basis::read, ""},
                  {NeedPart::bitmaps, 8 * MiB, 8 * MiB, Basis::read, ""}};
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
    for (const NeedPart part : {NeedPart::image, NeedPart::initrd, NeedPart::unpacked}) {
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

}  // namespace
}  // namespace handoff
