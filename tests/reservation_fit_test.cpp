// SPDX-License-Identifier: GPL-2.0-or-later
// Is the reservation large enough? What plan and recommend answer, and that they answer the same.
#include "lib/decide/reservation_fit.hpp"

#include <filesystem>
#include <functional>
#include <string>

#include <gtest/gtest.h>

#include "lib/decide/advice.hpp"
#include "lib/decide/recommend.hpp"
#include "lib/sources/gather.hpp"
#include "lib/sources/host.hpp"
#include "tests/synthetic_machine.hpp"

namespace handoff {
namespace {

using base::GiB;
using base::MiB;

/// A machine with a reservation of this size, all below 4 GiB, whose crash kernel makes no pool.
Machine with_low(std::uint64_t mib) {
    Machine machine = synthetic_machine();
    machine.command_line = "root=/dev/vda1 crashkernel=" + std::to_string(mib) + "M";
    machine.crash_kernel = {*AddressRange::from_size(0x70000000, mib * MiB)};
    return machine;
}

CrashLog out_of_memory_with(std::uint64_t bytes) {
    CrashLog log;
    log.total_bytes = bytes;
    log.shortages = {{CrashLog::Kind::out_of_memory, "Out of memory: Killed process 1 (x)", 1, 1}};
    return log;
}

struct Case {
    Machine machine;
    PlanRequest request = synthetic_request();
    [[nodiscard]] Plan planned() const { return plan(machine, request); }
    [[nodiscard]] std::string text() const { return to_text(planned().reservation); }
};

bool has(const std::string& text, const char* words) { return text.find(words) != text.npos; }

TEST(ReservationFit, IsOneLineWithItsAssumptions) {
    Case c{with_low(512)};
    EXPECT_EQ(c.text(),
              "512 MiB is enough: in a reservation of this size the crash kernel should have 233 MiB (the size of the "
              "unpacked initrd and the "
              "options of makedumpfile are assumed).");
    c.request.initrd_bytes.reset();
    EXPECT_TRUE(has(c.text(), "(the size of the initrd and the options of makedumpfile are assumed)")) << c.text();
    c.request.image.reset();
    EXPECT_TRUE(has(c.text(), "the size of the kernel")) << c.text();
    c.request = synthetic_request();
    c.request.initrd_bytes = 0;
    c.request.collector_options.emplace();
    EXPECT_TRUE(has(c.text(), "the crash kernel should have ")) << c.text();
}

TEST(ReservationFit, SaysWhatIsTooSmallAndWhatToBootWith) {
    const std::string perhaps = Case{with_low(192)}.text(), no = Case{with_low(64)}.text();
    EXPECT_TRUE(perhaps.starts_with(
        "192 MiB may be too small: in a reservation of this size the crash kernel needs 68 to 228 MiB "))
        << perhaps;
    EXPECT_TRUE(perhaps.ends_with(" Boot with crashkernel=240M.")) << perhaps;
    EXPECT_EQ(no, "64 MiB is too small: the crash kernel needs at least 66 MiB. Boot with crashkernel=240M.")
        << "nothing that is assumed makes it so";
}

TEST(ReservationFit, OfAHandoffIsOfALoadWithIt) {
    const Case c{synthetic_machine()};
    const ReservationFit fit = c.planned().reservation;
    EXPECT_EQ(fit.rung, Rung::handoff);
    EXPECT_EQ(fit.pool, 0u);
    EXPECT_TRUE(to_text(fit).starts_with(
        "768 MiB is enough with the handoff: in a reservation of this size the crash kernel should have "))
        << to_text(fit);
    EXPECT_TRUE(has(to_text(fit), " in addition to the pool that it takes over")) << to_text(fit);
}

TEST(ReservationFit, WithoutTheHandoffThePoolCounts) {
    Case c{with_low(256)};
    *c.request.command_line += " swiotlb=force";
    c.machine.encryption = Encryption::sev_snp;  // refused
    EXPECT_TRUE(has(c.text(),
                    "may be too small: in a reservation of this size the crash kernel needs 68 to 228 MiB and a pool "
                    "of 64 MiB below 4 GiB"))
        << c.text();
    c.machine.crash_kernel = {*AddressRange::from_size(0x70000000, 100 * MiB)};
    EXPECT_TRUE(c.text().starts_with("100 MiB is too small: ")) << "of the load that was asked for: " << c.text();
    EXPECT_TRUE(has(c.text(), " With swiotlb=4096,force on its command line it may be enough.")) << c.text();
}

TEST(ReservationFit, OfNothingSaysWhatToReserve) {
    Case c{with_low(256)};
    c.machine.crash_kernel.clear();
    c.machine.command_line = "root=/dev/vda1";
    EXPECT_EQ(c.planned().reservation.fits, Fit::no);
    EXPECT_TRUE(c.text().starts_with("No memory is reserved: the crash kernel should have 223 MiB ")) << c.text();
    EXPECT_TRUE(has(c.text(), " Boot with crashkernel=")) << c.text();
}

TEST(ReservationFit, StaysNotKnownWhereNothingTells) {
    const std::pair<const char*, std::function<void(Machine&)>> rows[] = {
        {"under Xen PV", [](Machine& m) { m.xen = true; }},
        {"not an x86-64 machine", [](Machine& m) { m.other_architecture = true; }},
        {"the boot of a crash kernel",
         [](Machine& m) {
             m.crash_kernel.clear();
             m.command_line = "ro elfcorehdr=900536K";
         }},
        {"no source shows",
         [](Machine& m) {
             m.crash_kernel.clear();
             m.command_line.clear();
             m.log_complete = false;
         }},
    };
    for (const auto& [why, change] : rows) {
        Case c{with_low(256)};
        change(c.machine);
        const Plan planned = c.planned();
        EXPECT_FALSE(planned.reservation.fits) << why;
        EXPECT_TRUE(has(to_text(planned.reservation), why)) << to_text(planned.reservation);
        EXPECT_FALSE(planned.fallback) << why << ": nothing is promised of a load without the handoff";
        EXPECT_FALSE(has(next_without(planned), "large enough for that")) << next_without(planned);
        EXPECT_EQ(recommend(c.machine, c.request).present.reservation, planned.reservation) << why;
    }
}

TEST(ReservationFit, ACrashKernelThatRanOutOfMemoryIsEvidence) {
    Case c{with_low(512)};
    ASSERT_EQ(c.planned().reservation.fits, Fit::surely);
    c.machine.last_crash = out_of_memory_with(511 * MiB);  // what it printed of 512 MiB
    EXPECT_EQ(c.planned().reservation.fits, Fit::no);
    EXPECT_TRUE(has(c.text(), "512 MiB is too small: ")) << c.text();
    EXPECT_TRUE(has(c.text(), " A crash kernel ran out of memory with 513 MiB of it.")) << c.text();
    EXPECT_TRUE(has(c.text(), " Boot with crashkernel=528M.")) << c.text();
    c.machine.last_crash->total_bytes = 0;
    c.machine.last_crash->reserved_bytes = 512 * MiB;
    EXPECT_EQ(c.planned().reservation.fits, Fit::no) << "of a log without the size, by the boot before it";
    c.machine.last_crash->dump_saved = true;
    EXPECT_EQ(c.planned().reservation.fits, Fit::surely);
    c.machine.last_crash = out_of_memory_with(300 * MiB);
    EXPECT_EQ(c.planned().reservation.fits, Fit::surely) << "it is larger now";
}

// --- the tool's own advice

TEST(OwnAdvice, OfNumaOffIsTriedAndCounts) {
    Case c{with_low(240)};
    const Recommendation without = recommend(c.machine, c.request);
    c.machine.srat_memory_end = 8 * GiB;  // so the crash kernel makes a pool that it does not need
    const Plan planned = c.planned();
    EXPECT_EQ(planned.verdict, Verdict::not_needed);
    EXPECT_EQ(planned.reservation.pool, 64 * MiB);
    EXPECT_EQ(planned.reservation.append, "numa=off");
    EXPECT_EQ(planned.reservation.fits_with_append, Fit::surely);
    EXPECT_TRUE(has(to_text(planned.reservation), "240 MiB may be too small: ")) << to_text(planned.reservation);
    EXPECT_TRUE(has(to_text(planned.reservation), " With numa=off on its command line it is enough.")) << c.text();
    EXPECT_TRUE(has(next_where_not_needed(planned), "Add numa=off to the crash kernel's command line"))
        << next_where_not_needed(planned);

    const Recommendation with = recommend(c.machine, c.request);
    ASSERT_TRUE(without.chosen && with.chosen);
    EXPECT_EQ(with.chosen->reservation, without.chosen->reservation);
    EXPECT_EQ(with.chosen->append, "numa=off");
    EXPECT_EQ(with.chosen->fallback->plain_pool, 0u);
    *c.request.command_line += " numa=off";
    EXPECT_TRUE(recommend(c.machine, c.request).chosen->append.empty()) << "it is there already";
    EXPECT_TRUE(has(c.text(), "240 MiB is enough: ")) << c.text();
}

TEST(OwnAdvice, OfAWordAgainstAnEarlyAreaIsTriedAndCounts) {
    Case c{synthetic_machine()};
    *c.request.command_line += " swiotlb=force";
    c.request.config->kexec_handover = true;
    const Plan refused = c.planned();
    ASSERT_EQ(refused.verdict, Verdict::refused);
    std::string advice;
    for (const Reason& reason : refused.reasons)
        if (reason.is("config-early")) advice = reason.advice;
    EXPECT_EQ(advice, "Add kho=off to the crash kernel's command line. The handoff is then ready.");
    const Recommendation r = recommend(c.machine, c.request);
    EXPECT_EQ(r.verdict, Verdict::ready);
    EXPECT_EQ(r.chosen->append, "kho=off");
}

// --- no promise that recommend denies

/// What plan says of a machine, and what recommend does, may not contradict each other.
void expect_agreement(const Machine& machine, const PlanRequest& request) {
    const Plan planned = plan(machine, request);
    const Recommendation r = recommend(machine, request);
    const ReservationFit& fit = planned.reservation;
    EXPECT_EQ(r.present.verdict, planned.verdict);
    EXPECT_EQ(r.present.fallback, planned.fallback);
    EXPECT_EQ(r.present.reservation, fit) << to_text(fit) << "\n" << to_text(r.present.reservation);
    const std::string text = to_text(fit);
    EXPECT_EQ(text.find('\n'), text.npos);
    if (fit.fits && fit.fits != Fit::surely && r.chosen) {
        EXPECT_EQ(fit.crashkernel, r.chosen->reservation.text());
    }

    const bool nothing_to_do =
        planned.verdict == Verdict::not_needed && next_where_not_needed(planned).starts_with("Nothing");
    EXPECT_EQ(nothing_to_do, planned.verdict == Verdict::not_needed && fit.fits == Fit::surely &&
                                 planned.fallback->plain_fits == Fit::surely)
        << next_where_not_needed(planned);
    if (fit.fits == Fit::surely) {
        // By what the crash kernel needs in exactly this reservation, counted anew.
        const Need need = need_for(machine, request, fit.reserved, Need::default_margin);
        EXPECT_GE(fit.reserved, need.recommended() + fit.pool) << text;
        // Where nothing but the size counts, recommend asks for no more, in its own steps.
        const Candidate& low = r.candidates.front();
        const bool all_low = machine.crash_kernel.size() == 1 && machine.crash_kernel.front().end() <= 4 * GiB;
        if (planned.verdict == Verdict::not_needed && all_low && low.verdict == Verdict::not_needed) {
            EXPECT_LE(low.bytes, base::align_up(fit.reserved, reservation_step)) << text;
        }
    }
    // What makes this boot's plan ready is not denied to the next one for another reason than layout and size.
    if (planned.verdict != Verdict::ready || planned.loan) return;
    for (const Reason& reason : r.reasons) {
        const bool of_layout = reason.is("pool-exact") || reason.is("pool-below-crashkernel") ||
                               reason.is("load-fits") || reason.is("memory-kept");
        EXPECT_TRUE(reason.severity != Severity::refusal || of_layout) << reason.rule << ": " << reason.text;
    }
}

TEST(PlanAndRecommend, AgreeOnEveryGoldenMachine) {
    unsigned machines = 0;
    for (const auto& entry : std::filesystem::directory_iterator(std::string(FIXTURES_DIR) + "/machines")) {
        if (!entry.is_directory()) continue;
        SCOPED_TRACE(entry.path().filename().string());
        const auto machine = gather(Host(entry.path()));
        if (!machine) continue;
        ++machines;
        expect_agreement(*machine, {});
        Machine crashed = *machine;
        crashed.last_crash = out_of_memory_with(200 * MiB);
        expect_agreement(crashed, {});
    }
    EXPECT_GT(machines, 40u);
}

TEST(PlanAndRecommend, AgreeOnEverySizeOfAReservation) {
    for (std::uint64_t mib = 64; mib <= 512; mib += 40) {
        SCOPED_TRACE(mib);
        for (const char* words : {"", " swiotlb=force", " swiotlb=8192,force"}) {
            SCOPED_TRACE(words);
            Case c{with_low(mib)};
            *c.request.command_line += words;
            expect_agreement(c.machine, c.request);
            c.machine.srat_memory_end = 8 * GiB;
            expect_agreement(c.machine, c.request);
        }
    }
}

}  // namespace
}  // namespace handoff
