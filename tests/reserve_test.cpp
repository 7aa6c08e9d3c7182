// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/load/reserve.hpp"

#include <string>

#include <gtest/gtest.h>

#include "lib/service/boot_config.hpp"

namespace handoff {
namespace {

using base::MiB;

// --- what is set

Recommendation recommended() {
    Recommendation r;
    r.verdict = Verdict::ready;
    r.chosen.emplace();
    r.chosen->verdict = Verdict::ready;
    r.chosen->reservation.size = 144 * MiB;
    r.chosen->fallback.emplace();
    r.chosen->fallback->sure = true;
    r.need.lines = {{NeedPart::image, 40 * MiB, 40 * MiB, Basis::read, {}},
                    {NeedPart::initrd, 10 * MiB, 10 * MiB, Basis::read, {}},
                    {NeedPart::margin, 64 * MiB, 0, Basis::assumed, {}}};
    return r;
}

std::string refused(void (*change)(Recommendation&)) {
    Recommendation r = recommended();
    change(r);
    const ReservePlan plan = plan_reserve(r);
    EXPECT_EQ(plan.possible(), !plan.words.empty());
    return plan.problem;
}

TEST(Reserve, SetsWhatIsRecommended) {
    EXPECT_EQ(plan_reserve(recommended()).words, "crashkernel=144M");
    EXPECT_EQ(refused([](Recommendation& r) { r.verdict = r.chosen->verdict = Verdict::not_needed; }), "")
        << "a crash kernel without a pool has its size, too";
}

TEST(Reserve, RefusesWhatIsNotReady) {
    EXPECT_NE(refused([](Recommendation& r) { r.verdict = Verdict::refused; }), "");
    EXPECT_NE(refused([](Recommendation& r) { r.chosen.reset(); }), "");
    const auto assumes = [](Recommendation& r) { r.assumptions.emplace_back().rule = "pool-found"; };
    EXPECT_NE(refused(assumes).find("pool-found"), std::string::npos);
}

TEST(Reserve, RefusesASizeThatRestsOnAFileThatNobodyRead) {
    EXPECT_NE(refused([](Recommendation& r) { r.need.lines[0].basis = Basis::assumed; }).find("image"),
              std::string::npos);
    EXPECT_NE(refused([](Recommendation& r) { r.need.lines[1].basis = Basis::assumed; }).find("initrd"),
              std::string::npos);
}

TEST(Reserve, RefusesWhatLeavesALoadWithoutTheHandoffNoPoolThatIsEnough) {
    EXPECT_NE(refused([](Recommendation& r) { r.chosen->fallback->sure = false; }).find("without the handoff"),
              std::string::npos);
    EXPECT_NE(refused([](Recommendation& r) { r.chosen->fallback.reset(); }).find("without the handoff"),
              std::string::npos);
}

TEST(Reserve, MayLeaveTooLittleWithoutALoanThatIsCountedOn) {
    Recommendation r = recommended();
    r.verdict = r.chosen->verdict = Verdict::not_needed;
    r.counts_on_loan = true;
    r.loan.emplace().possible = true;
    r.chosen->fallback->sure = false;
    LoadSettings settings;
    settings.lend = true;
    EXPECT_EQ(plan_reserve(r, settings).words, "crashkernel=144M");
    EXPECT_NE(plan_reserve(r).problem.find("SWIOTLB_HANDOFF_LEND=yes"), std::string::npos) << "no load would lend it";
    r.need.lines[0].basis = Basis::assumed;
    EXPECT_NE(plan_reserve(r, settings).problem.find("image"), std::string::npos);
    r.loan->possible = false;
    r.loan->why = "refused (requires lend-idle): 3 slabs of the pool are in use now.";
    r.chosen.reset();
    EXPECT_NE(plan_reserve(r, settings).problem.find("lend-idle"), std::string::npos);
}

TEST(Reserve, AsksForTheCrashKernelsOwnWordsFirst) {
    EXPECT_NE(refused([](Recommendation& r) { r.chosen->append = "numa=off"; }).find("numa=off"), std::string::npos);
}

// --- what the boot loader's configuration then says

constexpr std::string_view menu = R"(
menuentry 'Debian' {
	linux	/boot/vmlinuz-6.1 root=UUID=x ro  crashkernel=144M,high crashkernel=32M,low quiet
	initrd	/boot/initrd.img-6.1
}
menuentry 'Debian, recovery mode' {
	linux	/boot/vmlinuz-6.1 root=UUID=x ro single
}
menuentry 'mine' {
    linuxefi /vmlinuz crashkernel=256M
}
menuentry 'words of init' {
	linux /vmlinuz -- crashkernel=256M
}
)";

TEST(BootEntries, AreCountedByTheWordsThatTheKernelReads) {
    const BootEntries entries = boot_entries(menu, "crashkernel=144M,high crashkernel=32M,low");
    EXPECT_EQ(entries.as_asked, 1u);
    EXPECT_EQ(entries.otherwise, 1u);
    EXPECT_EQ(entries.without, 2u);
    EXPECT_EQ(boot_entries(menu, "crashkernel=256M").as_asked, 1u);
    EXPECT_EQ(boot_entries(menu, "crashkernel=32M,low crashkernel=144M,high").as_asked, 0u);
}

TEST(BootEntries, AreToldInSentences) {
    EXPECT_EQ(to_text(BootEntries{4, 0, 0}), "4 entries have these words.");
    EXPECT_EQ(to_text(BootEntries{1, 0, 1}),
              "1 entry has these words. 1 entry has no crashkernel= and stays as it is, as GRUB's recovery mode does.");
    EXPECT_EQ(
        to_text(BootEntries{2, 1, 2}),
        "2 entries have these words. 2 entries have no crashkernel= and stay as they are, as GRUB's recovery mode "
        "does. 1 entry has another crashkernel=, which this file does not change.");
}

TEST(GrubFile, IsKnownAgainByItsFirstLine) {
    EXPECT_TRUE(is_our_grub_file(grub_file_with("crashkernel=144M")));
    EXPECT_FALSE(is_our_grub_file("GRUB_CMDLINE_LINUX=x\n"));
    EXPECT_FALSE(is_our_grub_file(""));
}

// --- what is left for the next boot

TEST(ReservationAsked, IsReadAsItWasWritten) {
    const ReservationAsked asked{"crashkernel=144M", "4b2c", "2026-11-24T23:05:00Z", "0.1.0"};
    const auto read = parse_reservation_asked(text_of(asked));
    ASSERT_TRUE(read);
    EXPECT_EQ(*read, asked);
    for (const char* wrong : {"", "[]", "{}", R"({"words": 1, "boot_id": "", "time": "", "tool": ""})"})
        EXPECT_FALSE(parse_reservation_asked(wrong)) << wrong;
}

ReservationFacts next_boot_facts() {
    ReservationFacts facts;
    facts.asked = ReservationAsked{"crashkernel=144M", "first", "", ""};
    facts.boot_id = "second";
    facts.words = "crashkernel=144M";
    facts.asked_bytes = facts.bytes = 144 * MiB;
    return facts;
}

struct Boot {
    const char* what;
    void (*change)(ReservationFacts&);
    Reserved reserved;
};

TEST(Reserved, IsWhatWasAskedForOrSaysWhatIsNot) {
    const Boot boots[] = {
        {"as asked", [](ReservationFacts&) {}, Reserved::as_asked},
        {"the same boot still", [](ReservationFacts& f) { f.boot_id = "first"; }, Reserved::pending},
        {"other words", [](ReservationFacts& f) { f.words = "crashkernel=256M"; }, Reserved::otherwise},
        {"no words", [](ReservationFacts& f) { f.words = "", f.asked_bytes = f.bytes = 0; }, Reserved::otherwise},
        {"nothing reserved", [](ReservationFacts& f) { f.bytes = 0; }, Reserved::failed},
        {"nothing reserved, and nobody asked by reserve", [](ReservationFacts& f) { f.bytes = 0, f.asked.reset(); },
         Reserved::failed},
        {"shrunk", [](ReservationFacts& f) { f.bytes = 100 * MiB; }, Reserved::smaller},
        {"nothing known of this boot", [](ReservationFacts& f) { f.bytes.reset(), f.words.reset(); },
         Reserved::unknown},
        {"nothing asked, nothing reserved",
         [](ReservationFacts& f) {
             f = {};
             f.words = "";
             f.asked_bytes = f.bytes = 0;
         },
         Reserved::nothing_asked},
        {"a range that gives nothing here",
         [](ReservationFacts& f) {
             f = {};
             f.words = "crashkernel=64G-:512M";
             f.asked_bytes = f.bytes = 0;
         },
         Reserved::nothing_asked},
    };
    for (const Boot& boot : boots) {
        ReservationFacts facts = next_boot_facts();
        boot.change(facts);
        const ReservationState state = judge_reserved(facts);
        EXPECT_EQ(state.reserved, boot.reserved) << boot.what << ": " << name(state.reserved);
        EXPECT_EQ(state.why.empty(), state.reserved == Reserved::nothing_asked) << boot.what;
    }
}

TEST(Reserved, QuotesTheKernelWhereItFailed) {
    ReservationFacts facts = next_boot_facts();
    facts.bytes = 0;
    facts.failures = {{"crashkernel reservation failed - No suitable area found.", {}}};
    EXPECT_NE(judge_reserved(facts).why.find("No suitable area found"), std::string::npos);
}

}  // namespace
}  // namespace handoff
