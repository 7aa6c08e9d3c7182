// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/report/picture.hpp"

#include <algorithm>

#include <gtest/gtest.h>

#include "tests/synthetic_machine.hpp"

namespace handoff {
namespace {

using base::GiB;
using base::MiB;

AddressRange range(Address start, Address end) { return AddressRange::from_bounds(start, end).value(); }

std::vector<AddressRange> of(const std::vector<Stretch>& side, MemoryUse use) {
    std::vector<AddressRange> found;
    for (const Stretch& s : side)
        if (s.use == use) found.push_back(s.range);
    return found;
}

Plan ready_plan() {
    Plan plan;
    plan.verdict = Verdict::ready;
    plan.pool = plan.expected = range(0x6c000000, 0x70000000);
    Load load;
    load.segments = {{"kernel", range(0x7c000000, 0x80000000)},
                     {"initrd", range(0x7b000000, 0x7c000000)},
                     {"elfcorehdr", range(0x70000000, 0x70001000)}};
    load.map.add(range(0x70000000, 0x80000000), e820::Type::ram);
    plan.loads = {load};
    plan.after = load.map;
    plan.after.add(*plan.pool, e820::Type::ram);
    plan.fences = {range(0x74000000, 0x74001000)};
    return plan;
}

TEST(Picture, ShowsTheRarestThingThatAnAddressIs) {
    const Picture picture = picture_of(synthetic_machine(), ready_plan());
    EXPECT_EQ(of(picture.before, MemoryUse::pool), (std::vector{range(0x6c000000, 0x70000000)}));
    EXPECT_EQ(of(picture.before, MemoryUse::crash_kernel),
              (std::vector{range(0x70000000, 0x80000000), range(7 * GiB + 512 * MiB, 8 * GiB)}));
    EXPECT_EQ(of(picture.before, MemoryUse::kernel), (std::vector{range(16 * MiB, 64 * MiB)}));
    EXPECT_EQ(of(picture.after, MemoryUse::kernel), (std::vector{range(0x7c000000, 0x80000000)}));
    EXPECT_EQ(of(picture.after, MemoryUse::fence), (std::vector{range(0x74000000, 0x74001000)}));
    EXPECT_EQ(of(picture.after, MemoryUse::segment), (std::vector{range(0x70000000, 0x70001000)}));
    for (const auto* side : {&picture.before, &picture.after})
        EXPECT_TRUE(std::is_sorted(side->begin(), side->end(), [](const Stretch& a, const Stretch& b) {
            return a.range.end() <= b.range.start() && a.range < b.range;
        }));
}

TEST(Picture, LooksFromNearAtWhatTheHandoffIsAbout) {
    const Picture picture = picture_of(synthetic_machine(), ready_plan());
    ASSERT_EQ(picture.windows.size(), 3U);
    EXPECT_EQ(picture.windows[0], range(0, 4 * GiB));
    EXPECT_TRUE(picture.windows[1].contains(range(0x6c000000, 0x80000000)));
    EXPECT_LT(picture.windows[1].size(), 512 * MiB);
    EXPECT_TRUE(picture.windows[2].contains(range(7 * GiB + 512 * MiB, 8 * GiB)));
}

TEST(Picture, APoolThatWouldLandElsewhereIsThere) {
    Plan plan = ready_plan();
    plan.verdict = Verdict::refused;
    plan.expected.reset();
    plan.counterexample =
        Counterexample{Counterexample::Kind::other_block, {}, range(0x70001000, 0x7b000000), Address{0x77000000}};
    const Picture picture = picture_of(synthetic_machine(), plan);
    EXPECT_EQ(of(picture.after, MemoryUse::misplaced), (std::vector{range(0x77000000, 0x7b000000)}));
    EXPECT_TRUE(of(picture.after, MemoryUse::pool).empty());
}

TEST(Picture, WithoutALoadThereIsNoCrashKernelInIt) {
    Plan plan;
    plan.verdict = Verdict::not_needed;
    const Picture picture = picture_of(synthetic_machine(), plan);
    EXPECT_TRUE(picture.after.empty());
    EXPECT_EQ(render_text(picture, 64, false).find("  crash "), std::string::npos);
    EXPECT_EQ(render_svg(picture).find(">crash kernel</text>"), std::string::npos);
}

double height_of(const std::string& svg) { return std::stod(svg.substr(svg.find("height=\"") + 8)); }

TEST(PictureSvg, LeavesNoGapWhereThereIsNoCrashKernel) {
    Picture picture = picture_of(synthetic_machine(), ready_plan());
    const double with = height_of(render_svg(picture));
    picture.after.clear();
    EXPECT_LE(height_of(render_svg(picture)), with - 32 * static_cast<double>(picture.windows.size()));
}

TEST(Picture, SaysWhichMachineItIsAndWhatTheHandoffComesTo) {
    Plan plan = ready_plan();
    plan.reasons = {{"memory-kept", Severity::info, "The crash kernel has 62 MiB more", "", ""}};
    EXPECT_EQ(picture_of(synthetic_machine(), plan).title,
              (std::vector<std::string>{
                  "Linux 6.1.0-50-amd64, 6.0 GiB of RAM, of which 768 MiB are reserved for the crash kernel",
                  "Verdict: ready", "Saving: The crash kernel has 62 MiB more"}));
    plan.assumptions = {{"image-known", "the kernel is small", "", ""}};
    EXPECT_EQ(picture_of(synthetic_machine(), plan).title.at(1),
              "Verdict: ready if 1 assumption is true; 'plan' names them");
    plan.verdict = Verdict::refused;
    plan.reasons = {{"pool-found", Severity::refusal, "no pool was found", "", ""}};
    EXPECT_EQ(picture_of(synthetic_machine(), plan).title.size(), 2U);
    EXPECT_EQ(picture_of(synthetic_machine(), plan).title.at(1),
              "Verdict: refused (requires pool-found): no pool was found");
}

TEST(PictureText, AFencePageIsSeenHoweverSmall) {
    const std::string text = render_text(picture_of(synthetic_machine(), ready_plan()), 64, false);
    EXPECT_TRUE(
        text.starts_with("below 4 GiB, each character 64 MiB\n"
                         "  running  K--------------------------P====\n"
                         "  crash                               Ps|IK\n"
                         "           |0              |1 GiB          |2 GiB          |3 GiB\n"))
        << text;
    EXPECT_NE(text.find("\n  | fence          0x000074000000-0x000074001000      4 KiB\n"), std::string::npos) << text;
    for (const char letter : {'K', 'I', 'P', '|', 's'})
        EXPECT_NE(text.find(std::string("\n  ") + letter + " "), std::string::npos) << letter;
}

TEST(PictureText, FitsTheTerminal) {
    Plan plan = ready_plan();
    plan.verdict = Verdict::refused;
    plan.expected.reset();
    plan.counterexample =
        Counterexample{Counterexample::Kind::other_block, {}, range(0x70001000, 0x7b000000), Address{0x77000000}};
    Machine machine = synthetic_machine();
    machine.crash_kernel.push_back(range(0x800000000000, 0x800040000000));  // the widest address
    const Picture picture = picture_of(machine, plan);
    for (const unsigned width : {60U, 80U, 120U}) {
        const std::string text = render_text(picture, width - 11, false);
        for (std::size_t at = 0; at < text.size(); at = text.find('\n', at) + 1)
            EXPECT_LE(text.find('\n', at) - at, width) << text.substr(at, text.find('\n', at) - at);
        for (const char* meaning : {". reserved", "- RAM", "= crashkernel", "K kernel", "X misplaced pool"})
            EXPECT_NE(text.find(meaning), std::string::npos) << meaning;
    }
}

TEST(PictureText, HasRoundAddressesBelowTheBars) {
    const std::string text = render_text(picture_of(synthetic_machine(), ready_plan()), 64, false);
    EXPECT_NE(text.find("|0x70000000"), std::string::npos) << text;
    EXPECT_NE(text.find("|0x1e0000000"), std::string::npos) << text;
}

TEST(PictureText, ColoursAreAddedAndTakenBack) {
    const Picture picture = picture_of(synthetic_machine(), ready_plan());
    const std::string plain = render_text(picture, 64, false);
    EXPECT_EQ(plain.find('\x1b'), std::string::npos);
    const std::string coloured = render_text(picture, 64, true);
    const auto last = coloured.rfind('\x1b');
    ASSERT_NE(last, std::string::npos);
    EXPECT_EQ(coloured.substr(last, 4), "\x1b[0m");
}

TEST(PictureSvg, IsOneElementThatNeedsNothingElse) {
    const std::string svg = render_svg(picture_of(synthetic_machine(), ready_plan()));
    EXPECT_TRUE(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\""));
    EXPECT_TRUE(svg.ends_with("</svg>\n"));
    EXPECT_EQ(svg.find("href"), std::string::npos);
    EXPECT_NE(svg.find("prefers-color-scheme: dark"), std::string::npos);
    EXPECT_NE(svg.find("pool 64 MiB"), std::string::npos);
    EXPECT_NE(svg.find(">0x70000000</text>"), std::string::npos);
}

TEST(PictureSvg, TextOfTheMachineIsNoMarkup) {
    Machine machine = synthetic_machine();
    machine.release = "6.1<script>&";
    const std::string svg = render_svg(picture_of(machine, ready_plan()));
    EXPECT_NE(svg.find("6.1&lt;script>&amp;"), std::string::npos);
}

}  // namespace
}  // namespace handoff
