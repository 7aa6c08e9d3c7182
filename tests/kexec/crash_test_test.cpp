// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/load/crash_test.hpp"

#include <gtest/gtest.h>

#include "lib/sources/crash_trigger.hpp"
#include "lib/sources/host.hpp"
#include "tests/changed_text.hpp"
#include "tests/temp_tree.hpp"

namespace handoff {
namespace {

using base::GiB;
using base::MiB;
using Kind = DumpTarget::Kind;
using Dumps = std::vector<DumpSeen>;

TestFacts loaded() {
    TestFacts facts;
    facts.loaded = true;
    facts.state = {Handoff::in_use, "It has it.", Unknown::none, Rung::handoff};
    facts.ours = true;
    facts.verdict = Verdict::ready;
    facts.fallback.emplace();
    facts.fallback->reserved = 96 * MiB;
    facts.can_trigger = true;
    facts.target = {Kind::directory, "var/crash", "/var/crash"};
    facts.target_there = true;
    facts.free_bytes = 8 * GiB;
    facts.ram_bytes = 4 * GiB;
    facts.boot_id = "this";
    return facts;
}

CrashTest begun() {
    CrashTest test;
    test.time = "2026-11-27T20:00:00Z";
    test.boot_id = "before";
    test.tool = "0.1.0";
    test.tested.release = "6.1.0";
    test.tested.kernel = FileSum{1000, 0x1234};
    test.tested.initrd = FileSum{2000, 0x5678};
    test.tested.crashkernel = "crashkernel=96M";
    test.tested.reserved = 96 * MiB;
    test.tested.rung = Rung::handoff;
    test.handoff = Handoff::in_use;
    test.verdict = Verdict::ready;
    test.pool = AddressRange::from_bounds(0x6c000000, 0x70000000);
    test.target = {Kind::directory, "var/crash", "/var/crash"};
    test.dumps = {"202611010000"};
    return test;
}

WatchedMemory seen() {
    WatchedMemory memory;
    memory.time = "2026-11-27T20:01:00Z";
    memory.total_bytes = 150 * MiB;
    memory.first_free_bytes = memory.first_available_bytes = 130 * MiB;
    memory.lowest_available_bytes = 71 * MiB;
    return memory;
}

DumpSeen dump(const char* directory = "202611272001") {
    DumpSeen dump;
    dump.directory = directory;
    dump.file = std::string("dump.") + directory;
    dump.bytes = 40 * MiB;
    dump.modified = 1795809660;
    dump.canary = true;
    dump.landing = Landing::exact;
    dump.memory = seen();
    return dump;
}

TestResult judged(const CrashTest& test, std::optional<std::vector<DumpSeen>> dumps) {
    return judge_test(test, "after", false, dumps);
}

// --- what is refused

TEST(BeforeACrashTest, ItSaysWhatWillHappen) {
    const TestPlan plan = plan_test(loaded());
    ASSERT_TRUE(plan.possible()) << plan.problem;
    ASSERT_EQ(plan.will.size(), 5u);
    EXPECT_EQ(plan.will[1], "The crash kernel is loaded with the handoff.");
    EXPECT_EQ(plan.will[2], "It writes a dump to /var/crash, and the machine boots again.");
    EXPECT_TRUE(plan.warnings.empty()) << plan.warnings.front();
}

struct Refused {
    const char* what;
    void (*change)(TestFacts&);
    const char* why;
};

class ACrashTest : public testing::TestWithParam<Refused> {};

TEST_P(ACrashTest, IsRefused) {
    TestFacts facts = loaded();
    GetParam().change(facts);
    const TestPlan plan = plan_test(facts);
    EXPECT_FALSE(plan.possible());
    EXPECT_NE(plan.problem.find(GetParam().why), std::string::npos) << plan.problem;
    EXPECT_TRUE(plan.will.empty());
}

INSTANTIATE_TEST_SUITE_P(
    Where, ACrashTest,
    testing::Values(
        Refused{"NothingIsLoaded", [](TestFacts& f) { f.loaded = false; }, "No crash kernel is loaded"},
        Refused{"NobodyKnowsWhetherAnythingIs", [](TestFacts& f) { f.loaded.reset(); }, "cannot be read whether"},
        Refused{"ItIsTheCrashKernel", [](TestFacts& f) { f.crash_kernel = true; }, "This is a crash kernel"},
        Refused{"TheHandoffIsOfAnotherPool",
                [](TestFacts& f) {
                    f.state = {Handoff::stale, "Another pool.", Unknown::none};
                },
                "Another pool."},
        Refused{"NoRecordSaysThatItWasProven",
                [](TestFacts& f) {
                    f.state = {Handoff::unknown, "No record.", Unknown::no_record};
                },
                "No record."},
        Refused{"WhatIsLoadedCannotBeReadAndMayHaveTheHandoff",
                [](TestFacts& f) {
                    f.state = {Handoff::unknown, "No kcore.", Unknown::unread};
                },
                "No kcore."},
        Refused{"ThereIsNoRoomForAnOwnPool",
                [](TestFacts& f) {
                    f.state = {Handoff::not_in_use, "No word.", Unknown::none, Rung::plain};
                },
                "96 MiB is too small"},
        Refused{"TheKernelCannotBeTold", [](TestFacts& f) { f.can_trigger = false; }, "/proc/sysrq-trigger"},
        Refused{"TheDumpHasNoRoom", [](TestFacts& f) { f.free_bytes = 5 * MiB; }, "/var/crash has only 5 MiB free"},
        Refused{"ATestWasBegunInThisBoot",
                [](TestFacts& f) {
                    f.before = begun();
                    f.before->boot_id = "this";
                },
                "begun in this boot"}),
    [](const auto& one) { return std::string(one.param.what); });

TEST(BeforeACrashTest, KdumpWithoutTheHandoffCanBeTestedWhereItHasRoom) {
    TestFacts facts = loaded();
    facts.state = {Handoff::not_in_use, "No word.", Unknown::none, Rung::plain};
    facts.fallback->plain_fits = Fit::surely;
    const TestPlan plan = plan_test(facts);
    ASSERT_TRUE(plan.possible()) << plan.problem;
    ASSERT_EQ(plan.warnings.size(), 1u);
    EXPECT_NE(plan.warnings[0].find("does not have it"), std::string::npos);
    facts.state = {Handoff::unknown, "No kcore.", Unknown::unread};
    facts.ours = false;
    EXPECT_TRUE(plan_test(facts).possible()) << "the machine never had a handoff";
}

TEST(BeforeACrashTest, ItWarnsWhereTheDumpCannotBeLookedFor) {
    for (const auto& [target, why] : std::initializer_list<std::pair<DumpTarget, const char*>>{
             {{Kind::elsewhere, "", "by ssh"}, "by ssh"},
             {{Kind::device, "crash", "/crash on a disk"}, "/crash on a disk"},
             {{}, "cannot be read from kdump's configuration"}}) {
        TestFacts facts = loaded();
        facts.target = target;
        const TestPlan plan = plan_test(facts);
        ASSERT_TRUE(plan.possible()) << plan.problem;
        ASSERT_EQ(plan.warnings.size(), 1u);
        EXPECT_NE(plan.warnings[0].find(why), std::string::npos) << plan.warnings[0];
    }
}

TEST(BeforeACrashTest, ItWarnsOfOthersWhoAreLoggedInAndOfLittleRoom) {
    TestFacts facts = loaded();
    facts.sessions = 1;
    EXPECT_TRUE(plan_test(facts).warnings.empty()) << "who runs the test is one";
    facts.reservation.fits = Fit::no;
    EXPECT_EQ(plan_test(facts).warnings.size(), 1u);
    facts.reservation.fits = Fit::surely;
    facts.sessions = 3;
    facts.free_bytes = 1 * GiB;
    EXPECT_EQ(plan_test(facts).warnings.size(), 2u);
}

// --- what happens

class Fake : public TestEffects {
public:
    std::string did, fails;
    Failure keep(const CrashTest&) override { return note("keep"); }
    Failure log(std::string_view line) override { return note("log " + std::string(line.substr(0, 15))); }
    void sync() override { (void)note("sync"); }
    Failure crash() override { return note("crash"); }
    void restore() override { (void)note("restore"); }

private:
    Failure note(const std::string& what) {
        did += what + "; ";
        if (!fails.empty() && what.starts_with(fails)) return Error{Errc::io, "", 0, "it fails"};
        return std::nullopt;
    }
};

TEST(RunCrashTest, IsKeptAndSyncedBeforeTheCrash) {
    Fake effects;
    EXPECT_EQ(run_test(effects, begun()), std::nullopt);
    EXPECT_EQ(effects.did, "keep; log swiotlb-handoff; sync; crash; ");
}

TEST(RunCrashTest, CrashesNothingWhereItCannotBeKept) {
    Fake effects;
    effects.fails = "keep";
    EXPECT_TRUE(run_test(effects, begun()));
    EXPECT_EQ(effects.did, "keep; restore; ");
}

TEST(RunCrashTest, LeavesNoMarkOfACrashThatDidNotCome) {
    Fake effects;
    effects.fails = "crash";
    EXPECT_TRUE(run_test(effects, begun()));
    EXPECT_EQ(effects.did, "keep; log swiotlb-handoff; sync; crash; restore; ");
    effects = Fake();
    effects.fails = "log";
    EXPECT_EQ(run_test(effects, begun()), std::nullopt) << "the line in the log is of use, and not needed";
}

TEST(CrashTrigger, OfADirectoryWritesThatDirectorysFile) {
    const TempTree tree;
    const Host host(tree.path().string());
    EXPECT_EQ(trigger_crash(host)->code, Errc::not_found);
    tree.write("proc/sysrq-trigger", "");
    tree.write("dmesg", "one\n");
    EXPECT_EQ(add_to_kernel_log(host, "two"), std::nullopt);
    EXPECT_EQ(read_file(tree / "dmesg"), "one\ntwo\n");
    EXPECT_EQ(trigger_crash(host), std::nullopt);
    EXPECT_EQ(read_file(tree / "proc/sysrq-trigger"), "c");
}

TEST(CrashTrigger, OfADirectoryNeverLeavesIt) {
    const TempTree tree, outside;
    outside.write("file", "as it was");
    tree.write("proc/x", "");
    // A link to a file outside stands for the running kernel's, which no test touches.
    std::filesystem::create_symlink(outside / "file", tree / "proc/sysrq-trigger");
    EXPECT_TRUE(trigger_crash(Host(tree.path().string())));
    std::filesystem::remove_all(tree / "proc");
    outside.write("sysrq-trigger", "as it was");
    std::filesystem::create_symlink(outside.path(), tree / "proc");
    EXPECT_TRUE(trigger_crash(Host(tree.path().string())));
    EXPECT_EQ(read_file(outside / "file"), "as it was");
    EXPECT_EQ(read_file(outside / "sysrq-trigger"), "as it was");
}

// --- what came of it

TEST(AfterACrashTest, ADumpWithThePoolInItsPlaceIsASuccess) {
    const TestResult result = judged(begun(), Dumps{dump()});
    EXPECT_EQ(result.outcome, TestOutcome::dump_written);
    EXPECT_EQ(result.why,
              "The dump is in /var/crash/202611272001. The pool was where the handoff promised it. At its lowest, 71 "
              "MiB of 150 MiB were available to the crash kernel.");
    EXPECT_TRUE(result.lasts());
}

TEST(AfterACrashTest, ADumpWithThePoolElsewhereIsNone) {
    for (const Landing landing : {Landing::elsewhere, Landing::no_pool, Landing::not_lent, Landing::no_handoff}) {
        DumpSeen there = dump();
        there.landing = landing;
        EXPECT_EQ(judged(begun(), Dumps{there}).outcome, TestOutcome::pool_elsewhere) << name(landing);
        CrashTest plain = begun();
        plain.handoff = Handoff::not_in_use;
        EXPECT_EQ(judged(plain, Dumps{there}).outcome, TestOutcome::dump_written) << "nothing was promised";
    }
    DumpSeen silent = dump();
    silent.landing.reset();
    const TestResult result = judged(begun(), Dumps{silent});
    EXPECT_EQ(result.outcome, TestOutcome::dump_written);
    EXPECT_NE(result.why.find("not known where the pool"), std::string::npos) << result.why;
}

TEST(AfterACrashTest, NoDumpIsAFailureOnlyWhereItHadToBeHere) {
    DumpSeen incomplete = dump();
    incomplete.file.clear();
    DumpSeen of_another_crash = dump();
    of_another_crash.canary = false;
    for (const auto& dumps : {Dumps{}, Dumps{incomplete}, Dumps{of_another_crash}}) {
        EXPECT_EQ(judged(begun(), dumps).outcome, TestOutcome::no_dump);
        for (const DumpTarget& target :
             {DumpTarget{Kind::elsewhere, "", "by ssh"}, DumpTarget{Kind::device, "crash", "/crash"}, DumpTarget{}}) {
            CrashTest test = begun();
            test.target = target;
            const TestResult result = judged(test, dumps);
            EXPECT_EQ(result.outcome, TestOutcome::unknown);
            EXPECT_FALSE(result.lasts());
        }
    }
    EXPECT_EQ(judged(begun(), std::nullopt).outcome, TestOutcome::unknown) << "the directory cannot be read";
}

TEST(AfterACrashTest, ADumpThatIsFoundOnADeviceCounts) {
    CrashTest test = begun();
    test.target.kind = Kind::device;
    EXPECT_EQ(judged(test, Dumps{dump()}).outcome, TestOutcome::dump_written);
}

TEST(AfterACrashTest, TheDumpIsTheOneOfThatCrash) {
    DumpSeen later = dump("202612010000"), without_log = dump("202611272000");
    later.modified += 1000;
    without_log.canary.reset();
    without_log.modified -= 1000;
    EXPECT_EQ(judged(begun(), Dumps{later, without_log, dump()}).dump, dump()) << "its log says so";
    const TestResult result = judged(begun(), Dumps{without_log});
    EXPECT_EQ(result.dump, without_log);
    EXPECT_NE(result.why.find("No log"), std::string::npos) << result.why;
}

TEST(AfterACrashTest, NothingIsSaidInTheSameBootNorInTheCrashKernel) {
    EXPECT_EQ(judge_test(begun(), "before", false, Dumps{}).outcome, TestOutcome::not_crashed);
    EXPECT_EQ(judge_test(begun(), "", false, Dumps{}).outcome, TestOutcome::unknown);
    EXPECT_EQ(judge_test(begun(), "crash", true, Dumps{}).outcome, TestOutcome::unknown);
    for (const TestResult& result :
         {judge_test(begun(), "before", false, Dumps{}), judge_test(begun(), "crash", true, Dumps{})})
        EXPECT_FALSE(result.lasts());
}

TEST(AfterACrashTest, AResultThatIsKeptStands) {
    CrashTest test = begun();
    test.result = judged(test, Dumps{dump()});
    EXPECT_EQ(judged(test, Dumps{}), *test.result) << "the dump was deleted";
    EXPECT_EQ(judge_test(test, "before", false, Dumps{}), *test.result);
}

TEST(AfterACrashTest, ItIsStaleOnceSomethingElseIsLoaded) {
    const Tested then = begun().tested;
    EXPECT_TRUE(changed_since(then, then).empty());
    const std::pair<void (*)(Tested&), const char*> changes[] = {
        {[](Tested& t) { t.release = "6.1.1"; }, "the running kernel"},
        {[](Tested& t) { t.kernel->crc32 = 1; }, "the crash kernel's image"},
        {[](Tested& t) { t.initrd->bytes = 1; }, "the crash kernel's initrd"},
        {[](Tested& t) { t.crashkernel = "crashkernel=96M,high"; }, "the reservation"},
        {[](Tested& t) { t.reserved = 95 * MiB; }, "the reservation"},
        {[](Tested& t) { t.rung = Rung::plain; }, "the way in which the crash kernel is loaded"},
        {[](Tested& t) { t.lent = true; }, "the way in which the crash kernel is loaded"},
    };
    for (const auto& [change, what] : changes) {
        Tested now = then;
        change(now);
        EXPECT_EQ(changed_since(then, now), std::vector<std::string>{what});
    }
    EXPECT_TRUE(changed_since(then, Tested()).empty()) << "what is not known has not changed";
    const TestView view{begun(), judged(begun(), Dumps{dump()}), {"the crash kernel's initrd"}};
    EXPECT_NE(text_of(view).find("The test is stale: the crash kernel's initrd has changed since."), std::string::npos)
        << text_of(view);
}

// --- what is kept

TEST(CrashTestDocument, IsReadBackAsItWasWritten) {
    CrashTest test = begun();
    EXPECT_EQ(parse_crash_test(text_of(test)).value_or({}), test);
    test.record.emplace();
    test.record->release = "6.1.0";
    test.result = judged(test, Dumps{dump()});
    const auto read = parse_crash_test(text_of(test));
    ASSERT_TRUE(read) << read.error().message();
    EXPECT_EQ(*read, test);
    test = CrashTest();
    test.result.emplace();
    EXPECT_EQ(parse_crash_test(text_of(test)).value_or(begun()), test);
}

TEST(CrashTestDocument, OfAnybodyIsRefusedWhereItIsNotOne) {
    const std::string text = text_of(begun());
    const auto with = [&](std::string_view part, std::string_view other) { return changed_text(text, part, other); };
    for (const auto& [document, why] : std::initializer_list<std::pair<std::string, const char*>>{
             {"", "JSON"},
             {"[]", "an object"},
             {with("\"schema\": 2", "\"schema\": 3"), "schema"},
             {with("\"command\": \"test\"", "\"command\": \"kexec\""), "command"},
             {with("\"handoff\": \"in-use\"", "\"handoff\": \"maybe\""), "handoff"},
             {with("\"rung\": \"handoff\"", "\"rung\": 1"), "tested.rung"},
             {with("\"202611010000\"", "1"), "dumps"},
             {with("\"kind\": \"directory\"", "\"kind\": \"cloud\""), "target.kind"},
             {with("\"record\": null", "\"record\": {}"), "record"},
             {with("\"result\": null", "\"result\": {\"outcome\": \"fine\"}"), "result.outcome"}}) {
        const auto read = parse_crash_test(document);
        ASSERT_FALSE(read) << document;
        EXPECT_EQ(read.error().code, Errc::input);
        EXPECT_NE(read.error().what.find(why), std::string::npos) << read.error().what;
    }
}

// --- what a machine shows

TEST(DumpsOfATest, AreThoseThatWereNotThereBefore) {
    const TempTree tree;
    const Host host(tree.path().string());
    EXPECT_EQ(look_for_dumps(host, begun()), std::nullopt);
    tree.write("var/crash/202611010000/dump.202611010000", "old");
    EXPECT_EQ(look_for_dumps(host, begun()), std::vector<DumpSeen>{});
    const std::string log = "<2>" + canary_of(begun()) + "\n";
    tree.write("var/crash/202611272001/dump.202611272001", "dump");
    tree.write("var/crash/202611272001/dmesg.202611272001", log);
    tree.write("var/crash/202611272001/swiotlb-handoff.txt", "swiotlb-handoff: it is\nlanding     exact\n");
    tree.write("var/crash/202611272001/swiotlb-handoff-memory.json", to_text(seen()));
    tree.write("var/crash/127.0.0.1-2026-11-27/vmcore", "dump");
    tree.write("var/crash/127.0.0.1-2026-11-27/vmcore-dmesg.txt", "of another crash");
    tree.write("var/crash/127.0.0.1-2026-11-27/kexec-dmesg.log", "[ 1.0] swiotlb-handoff:   landing     no-pool\n");
    tree.write("var/crash/2026-11-27-20:01/dump-incomplete", "du");
    tree.write("var/crash/2026-11-27-20:02/vmcore", "");
    tree.write("var/crash/file", "");
    const auto dumps = look_for_dumps(host, begun());
    ASSERT_TRUE(dumps);
    ASSERT_EQ(dumps->size(), 5u);
    EXPECT_EQ((*dumps)[0].landing, Landing::no_pool);
    EXPECT_EQ((*dumps)[0].canary, false);
    EXPECT_EQ((*dumps)[0].file, "vmcore");
    EXPECT_EQ((*dumps)[1].file, "") << "incomplete";
    EXPECT_EQ((*dumps)[2].file, "") << "empty";
    const DumpSeen& ours = (*dumps)[3];
    EXPECT_EQ(ours.directory, "202611272001");
    EXPECT_EQ(ours.file, "dump.202611272001");
    EXPECT_EQ(ours.bytes, 4u);
    EXPECT_EQ(ours.canary, true);
    EXPECT_EQ(ours.landing, Landing::exact);
    EXPECT_EQ(ours.memory, seen());
    EXPECT_EQ((*dumps)[4].file, "") << "no directory";
}

TEST(DumpsOfATest, HaveTheNamesThatKdumpGivesThem) {
    for (const char* name : {"vmcore", "vmcore.flat", "vmcore0", "dump.202611272001"})
        EXPECT_TRUE(is_dump(name)) << name;
    for (const char* name : {"vmcore-incomplete", "vmcore-dmesg.txt", "dump-incomplete", "dmesg.202611272001",
                             "README.txt", "swiotlb-handoff.txt", "vmcore.log"})
        EXPECT_FALSE(is_dump(name)) << name;
}

TEST(DumpsOfATest, HaveTheVerdictOfVerify) {
    EXPECT_EQ(landing_in("swiotlb-handoff: x\nlanding     lent\n"), Landing::lent);
    EXPECT_EQ(landing_in("[    9.1] swiotlb-handoff:   landing     not-lent\r\n"), Landing::not_lent);
    EXPECT_EQ(landing_in("[    9.1] moon: landing     exact\n"), std::nullopt) << "somebody else's";
    EXPECT_EQ(landing_in("landing     soft\n"), std::nullopt);
    EXPECT_EQ(landing_in(""), std::nullopt);
}

}  // namespace
}  // namespace handoff
