// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/load/in_use.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace handoff {
namespace {

const AddressRange pool = *AddressRange::from_bounds(0x75000000, 0x79000000);
const AddressRange kernel = *AddressRange::from_bounds(0x7be00000, 0x7fe00000);
const AddressRange headers = *AddressRange::from_bounds(0x70000000, 0x70001000);
const std::string words = "swiotlb=32768 memmap=64M@0x75000000 swiotlb_handoff=0x75000000-0x79000000";

HandoffEvidence loaded_with_the_handoff() {
    HandoffEvidence e;
    e.loaded = true;
    e.kernel = LoadedKernel{{headers, kernel}, "nr_cpus=1 " + words + " elfcorehdr=1835008K"};
    Record record;
    record.outcome = Record::Outcome::handoff;
    record.append = words;
    record.command_line = "nr_cpus=1 " + words;
    record.marker = record.pool = pool;
    record.segments = {{"kernel", kernel}, {"elfcorehdr", headers}};
    record.segments_reported = true;
    e.record = record;
    e.pool = pool;
    return e;
}

TEST(InUse, TheRungIsThatOfWhatLiesInMemory) {
    const auto rung_of = [](void (*change)(HandoffEvidence&)) {
        HandoffEvidence e = loaded_with_the_handoff();
        change(e);
        return judge_handoff(e).rung;
    };
    EXPECT_EQ(rung_of([](HandoffEvidence&) {}), Rung::handoff);
    const auto small = [](HandoffEvidence& e) {
        e.record->outcome = Rung::own_pool;
        e.record->append = "swiotlb=8192";
        e.record->command_line = "nr_cpus=1 swiotlb=8192";
        e.kernel->command_line = "nr_cpus=1 swiotlb=8192 elfcorehdr=1835008K";
    };
    EXPECT_EQ(rung_of(small), Rung::own_pool);
    EXPECT_EQ(rung_of([](HandoffEvidence& e) { e.kernel->command_line = "nr_cpus=1 elfcorehdr=1835008K"; }),
              Rung::plain);
    EXPECT_EQ(rung_of([](HandoffEvidence& e) {
                  e.record->outcome = Rung::own_pool;
                  e.record->append = "swiotlb=8192";
                  e.record->command_line = "nr_cpus=1 swiotlb=8192";
                  e.kernel->command_line = "nr_cpus=1 swiotlb=81920";
              }),
              Rung::plain)
        << "the record is of another load";
    EXPECT_EQ(rung_of([](HandoffEvidence& e) { e.loaded = false; }), std::nullopt);
    EXPECT_EQ(rung_of([](HandoffEvidence& e) { e.kernel.reset(); }), std::nullopt);
}

TEST(InUse, TheSizeCountsOnALoanOnlyWhileWhatIsLoadedHasIt) {
    HandoffEvidence e = loaded_with_the_handoff();
    EXPECT_NE(objection_to_counting_on_loan(e).find("takes the pool over as its own"), std::string::npos);
    e.record->append = "memmap=64M@0x75000000 swiotlb_lent=0x75000000-0x79000000";
    e.kernel->command_line = e.record->command_line = e.record->append;
    e.record->loan = true;
    EXPECT_EQ(objection_to_counting_on_loan(e), "");
    e.kernel->command_line = "nr_cpus=1";
    EXPECT_NE(objection_to_counting_on_loan(e).find("no word of a handoff"), std::string::npos)
        << objection_to_counting_on_loan(e);
}

struct Case {
    const char* what;
    void (*change)(HandoffEvidence&);
    Handoff handoff;
    Unknown unknown;
    const char* why;  ///< a part of it
};

TEST(InUse, IsWhatLiesInMemoryAndThatTheRecordAgrees) {
    const Case cases[] = {
        {"as recorded, by kexec_load", [](HandoffEvidence&) {}, Handoff::in_use, Unknown::none,
         "was given the pool [0x75000000-0x79000000)"},
        {"as recorded, by kexec_file_load",
         [](HandoffEvidence& e) { e.kernel->command_line = "elfcorehdr=0x70000000 nr_cpus=1 " + words; },
         Handoff::in_use, Unknown::none, ""},
        {"lent, as recorded",
         [](HandoffEvidence& e) {
             e.record->append = "memmap=64M@0x75000000 swiotlb_lent=0x75000000-0x79000000";
             e.kernel->command_line = e.record->command_line = e.record->append;
             e.record->loan = true;
         },
         Handoff::in_use, Unknown::none, ""},
        {"one word more than was proven",
         [](HandoffEvidence& e) { e.kernel->command_line = "nr_cpus=1 cma=64M " + words + " elfcorehdr=1835008K"; },
         Handoff::unknown, Unknown::other_load, "the record has other words"},
        {"nothing is loaded",
         [](HandoffEvidence& e) {
             e.loaded = false;
             e.kernel.reset();
         },
         Handoff::not_in_use, Unknown::none, "No crash kernel is loaded."},
        {"a plain load, whatever the record says",
         [](HandoffEvidence& e) { e.kernel->command_line = "nr_cpus=1 elfcorehdr=1835008K"; }, Handoff::not_in_use,
         Unknown::none, "no word of a handoff"},
        {"words for init alone", [](HandoffEvidence& e) { e.kernel->command_line = "nr_cpus=1 -- " + words; },
         Handoff::not_in_use, Unknown::none, ""},
        {"memory that cannot be read, whatever the record says",
         [](HandoffEvidence& e) {
             e.kernel.reset();
             e.kernel_problem = "/proc/kcore: Operation not permitted";
         },
         Handoff::unknown, Unknown::unread, "cannot be read: /proc/kcore: Operation not permitted."},
        {"nothing is known at all", [](HandoffEvidence& e) { e = {}; }, Handoff::unknown, Unknown::unread, ""},
        {"two markers", [](HandoffEvidence& e) { e.kernel->command_line += " swiotlb_handoff=0x71000000-0x75000000"; },
         Handoff::unknown, Unknown::unread, "cannot be read"},
        {"handed over and lent",
         [](HandoffEvidence& e) { e.kernel->command_line += " swiotlb_lent=0x75000000-0x79000000"; }, Handoff::unknown,
         Unknown::unread, "cannot be read"},
        {"another pool than the kernel has now",
         [](HandoffEvidence& e) { e.pool = *AddressRange::from_bounds(0x71000000, 0x75000000); }, Handoff::stale,
         Unknown::none, "pool of the running kernel is [0x71000000-0x75000000)"},
        {"the kernel's pool is not known", [](HandoffEvidence& e) { e.pool.reset(); }, Handoff::unknown,
         Unknown::no_pool, "pool of the running kernel is not known"},
        {"the words, by hand", [](HandoffEvidence& e) { e.record.reset(); }, Handoff::unknown, Unknown::no_record,
         "no record"},
        {"a record that cannot be read",
         [](HandoffEvidence& e) {
             e.record.reset();
             e.record_problem = "record.json: odd";
         },
         Handoff::unknown, Unknown::no_record, "record.json: odd"},
        {"an old load stays, since the last one failed",
         [](HandoffEvidence& e) {
             e.record->outcome = Record::Outcome::plain;
             e.record->why = "kexec failed";
         },
         Handoff::unknown, Unknown::other_load, "kexec failed"},
        {"other words", [](HandoffEvidence& e) { e.record->command_line += " numa=off"; }, Handoff::unknown,
         Unknown::other_load, "other words"},
        {"the words as a part of others", [](HandoffEvidence& e) { e.record->command_line.pop_back(); },
         Handoff::unknown, Unknown::other_load, "other words"},
        {"a record without words", [](HandoffEvidence& e) { e.record->append.clear(); }, Handoff::unknown,
         Unknown::other_load, "other words"},
        {"a record of another marker", [](HandoffEvidence& e) { e.record->marker.reset(); }, Handoff::unknown,
         Unknown::other_load, "another word swiotlb_handoff="},
        {"a record of a loan", [](HandoffEvidence& e) { e.record->loan = true; }, Handoff::unknown, Unknown::other_load,
         "another word swiotlb_handoff="},
        {"a segment more",
         [](HandoffEvidence& e) {
             e.record->segments.push_back({"initrd", pool});
         },
         Handoff::unknown, Unknown::other_load, "other segments"},
        {"a segment less", [](HandoffEvidence& e) { e.record->segments.pop_back(); }, Handoff::unknown,
         Unknown::other_load, "other segments"},
        {"planned segments: what a plan has only about is no difference",
         [](HandoffEvidence& e) {
             e.record->segments_reported = false;
             e.record->segments.push_back({"purgatory", pool});
         },
         Handoff::in_use, Unknown::none, ""},
        {"planned segments: the kernel elsewhere",
         [](HandoffEvidence& e) {
             e.record->segments_reported = false;
             e.kernel->segments = {headers};
         },
         Handoff::unknown, Unknown::other_load, "other segments"},
    };
    for (const Case& c : cases) {
        HandoffEvidence evidence = loaded_with_the_handoff();
        c.change(evidence);
        const HandoffState state = judge_handoff(evidence);
        EXPECT_STREQ(name(state.handoff), name(c.handoff)) << c.what << ": " << state.why;
        EXPECT_STREQ(name(state.unknown), name(c.unknown)) << c.what;
        EXPECT_NE(state.why.find(c.why), std::string::npos) << c.what << ": " << state.why;
        EXPECT_EQ(state.why.back(), '.') << state.why;
    }
}

}  // namespace
}  // namespace handoff
