// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/decide/verify.hpp"
#include "lib/load/in_use.hpp"
#include "lib/load/record.hpp"
#include "lib/machine/watched_memory.hpp"
#include "lib/service/service.hpp"
#include "lib/sources/file_sum.hpp"
#include "swiotlb-handoff/plan.hpp"

// A crash on purpose, and what came of it: swiotlb-handoff-test(7). Decided here, of values; tool/test.cpp acts.
namespace handoff {

class Host;

/// What a test is a test of. nullopt and "": it is not known.
struct Tested {
    std::string release;                     ///< of the kernel that crashes
    std::optional<FileSum> kernel, initrd;   ///< of the crash kernel that is loaded, or would be
    std::optional<std::string> crashkernel;  ///< the words of this boot
    std::optional<std::uint64_t> reserved;   ///< bytes
    std::optional<Rung> rung;                ///< of what is loaded
    bool lent = false;                       ///< it has the pool as ordinary RAM
    friend bool operator==(const Tested&, const Tested&) = default;
};
/// What would be tested now. `crashkernel` and `reserved` are of the machine.
Tested tested_now(const Host&, const HandoffState&, const std::optional<Record>&,
                  std::optional<std::string> crashkernel, std::optional<std::uint64_t> reserved);
/// What has changed, as far as both are known: "the kernel image", "the initrd", … Where there is any the test is
/// stale: it says nothing of what is loaded now.
std::vector<std::string> changed_since(const Tested& then, const Tested& now);

/// A dump, and what lies beside it.
struct DumpSeen {
    std::string directory;           ///< its name in the target's: "202611272305"
    std::string file;                ///< "dump.202611272305"; "" where there is none that is whole
    std::uint64_t bytes = 0;         ///< of that
    std::uint64_t modified = 0;      ///< seconds since 1970
    std::optional<bool> canary;      ///< the log beside it has canary_of(); nullopt: there is no log
    std::optional<Landing> landing;  ///< where its kernel's pool was, by what `verify` said; nullopt: nothing was said
    std::optional<WatchedMemory> memory;  ///< what was seen of the crash kernel's memory
    friend bool operator==(const DumpSeen&, const DumpSeen&) = default;
};

enum class TestOutcome {
    dump_written,    ///< there is a dump of this crash
    pool_elsewhere,  ///< the same, and the pool was not where the handoff promised it
    no_dump,         ///< the machine has booted since, and there is none
    not_crashed,     ///< this is still the boot in which the test was begun
    unknown,         ///< this machine cannot look where the dump went
};
/// "dump-written", "pool-elsewhere", "no-dump", "not-crashed", "unknown".
const char* name(TestOutcome);

struct TestResult {
    TestOutcome outcome = TestOutcome::unknown;
    std::string why;               ///< a sentence or two
    std::optional<DumpSeen> dump;  ///< of this crash
    /// Whether it may be kept: it is not the result of this boot alone, nor one that a later look may better.
    [[nodiscard]] bool lasts() const;
    friend bool operator==(const TestResult&, const TestResult&) = default;
};

/// A test, and what came of it: a document of JSON in the state directory, which outlives the crash.
struct CrashTest {
    std::string time;     ///< UTC: "2026-11-24T23:05:00Z"
    std::string boot_id;  ///< of the boot that was crashed; "" where unknown
    std::string tool;     ///< version of swiotlb-handoff
    Tested tested;
    Handoff handoff = Handoff::unknown;  ///< of what is loaded
    std::optional<Verdict> verdict;      ///< of the plan; nullopt: there was none
    std::optional<AddressRange> pool;    ///< of the kernel that crashes
    std::optional<Record> record;        ///< of the load, where that is what is loaded
    DumpTarget target;
    std::vector<std::string> dumps;    ///< what was in the target's directory
    std::optional<TestResult> result;  ///< once it lasts
    friend bool operator==(const CrashTest&, const CrashTest&) = default;
};
inline constexpr std::string_view crash_test_file = "test.json";  ///< in the state directory

std::string text_of(const CrashTest&);
/// Input error: it is no such document; the first member that is wrong.
Result<CrashTest> parse_crash_test(std::string_view text);

/// The line that a test writes into the kernel's log before the crash, and that the log beside its dump then has.
std::string canary_of(const CrashTest&);

/// What is known before a test.
struct TestFacts {
    bool crash_kernel = false;       ///< this is one
    std::optional<bool> loaded;      ///< a crash kernel is
    HandoffState state;              ///< of what is loaded
    bool ours = false;               ///< the handoff is enabled, or the last load had it
    std::optional<Verdict> verdict;  ///< of the plan for what kdump would load now
    std::optional<Fallback> fallback;
    ReservationFit reservation;  ///< of the same plan
    bool can_trigger = false;    ///< there is /proc/sysrq-trigger
    DumpTarget target;
    bool target_there = false;                ///< its directory is
    std::optional<std::uint64_t> free_bytes;  ///< of its file system
    std::optional<std::uint64_t> ram_bytes;   ///< of the machine
    std::optional<unsigned> sessions;         ///< of users who are logged in
    std::string boot_id;                      ///< of this boot; "" where unknown
    std::optional<CrashTest> before;          ///< the last test
};

/// What a test would do.
struct TestPlan {
    std::string problem;                ///< why it is not done: a sentence or two; "" where it can be
    std::vector<std::string> will;      ///< what happens, a sentence each
    std::vector<std::string> warnings;  ///< what speaks against it, a sentence or two each
    [[nodiscard]] bool possible() const { return problem.empty(); }
};
/// A problem: no crash kernel is loaded; it is not known what is, or its dump would probably be lost; the kernel cannot
/// be told to crash; the dump has no room; a test was begun in this boot.
TestPlan plan_test(const TestFacts&);
/// No dump was seen to be smaller than this: bytes.
inline constexpr std::uint64_t smallest_dump = 16 * base::MiB;

/// The dumps that were not there before the test, the last 64 by name; nullopt where the directory is not known or
/// cannot be read. Of the running machine, those of root.
std::optional<std::vector<DumpSeen>> look_for_dumps(const Host&, const CrashTest&);

/// What came of a test. A result that is kept stands.
TestResult judge_test(const CrashTest&, const std::string& boot_id, bool crash_kernel,
                      const std::optional<std::vector<DumpSeen>>& dumps);

/// Of a file in a dump's directory: a dump, and whole.
bool is_dump(std::string_view name);
/// What `verify` said of the pool, in its report or in a crash kernel's log; nullopt where it said nothing.
std::optional<Landing> landing_in(std::string_view text);

/// A test, and how it stands now.
struct TestView {
    CrashTest test;
    TestResult result;
    std::vector<std::string> changed;  ///< changed_since()
    [[nodiscard]] bool stale() const { return !changed.empty(); }
};
/// "dump-written 2026-11-24T23:05:00Z. The dump is ... . The test is stale: ...": sentences.
std::string text_of(const TestView&);

/// The effects of a test, each of which may fail.
class TestEffects {
public:
    using Failure = std::optional<Error>;
    virtual ~TestEffects() = default;
    virtual Failure keep(const CrashTest&) = 0;      ///< written, and on the disk
    virtual Failure log(std::string_view line) = 0;  ///< into the kernel's log
    virtual void sync() = 0;                         ///< all file systems
    virtual Failure crash() = 0;                     ///< of the running machine does not come back, or says why
    virtual void restore() = 0;                      ///< what was kept before
};
/// Keeps the test, writes the canary, syncs, crashes. An error: what failed; then the earlier test is kept again.
/// Nothing but how sure the result is depends on the canary.
std::optional<Error> run_test(TestEffects&, const CrashTest&);

}  // namespace handoff
