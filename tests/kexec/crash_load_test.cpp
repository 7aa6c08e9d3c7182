// SPDX-License-Identifier: GPL-2.0-or-later
// What is done about a crash kernel's load, decided without a machine: every step of it can go wrong.
#include "lib/load/crash_load.hpp"

#include <algorithm>
#include <functional>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "lib/load/load_report.hpp"
#include "lib/sources/gather.hpp"
#include "lib/sources/host.hpp"
#include "swiotlb-handoff/machine.hpp"

namespace handoff {
namespace {

Plan ready_plan(Loader loader) {
    const auto machine = gather(Host(FIXTURES_DIR "/machines/debian-6.1-kexec-load"));
    PlanRequest request;
    request.loader = loader;
    request.command_line = "console=ttyS0 reset_devices nr_cpus=1";
    request.initrd_bytes = 1595106;
    request.image = Image{66678784, 2 * base::MiB, 16 * base::MiB, 20480, 2047, 8098996, 65905060, "6.1.0-50-amd64"};
    Plan decided = plan(*machine, request);
    EXPECT_EQ(decided.verdict, Verdict::ready);
    return decided;
}

std::string tools_report(const Load& load, Address moved = 0) {
    std::string text = "Try gzip decompression.\n";
    for (std::size_t i = 0; i < load.segments.size(); ++i)
        text += fmt::format(
            "segment[{0}].buf   = 0x1\nsegment[{0}].bufsz = 0x1\nsegment[{0}].mem   = {1:#x}\nsegment[{0}].memsz = "
            "{2:#x}\n",
            i, load.segments[i].range.start() + moved, load.segments[i].range.size());
    return text;
}
std::string kernels_report(const Load& load) {
    std::string text;
    for (std::size_t i = 0; i < load.segments.size(); ++i)
        text += fmt::format("[   12.345678] kexec_file: Loading segment {}: buf=0x1 bufsz=0x1 mem={:#x} memsz={:#x}\n",
                            i, load.segments[i].range.start(), load.segments[i].range.size());
    return text;
}

PlannedLoad planned_load() {
    PlannedLoad load{ready_plan(Loader::kexec_load), {}, {}};
    load.machine.release = "6.1.0-50-amd64";
    load.machine.kexec_tools = "2.0.25";
    return load;
}

class Fake final : public LoadEffects {
public:
    Result<PlannedLoad> planned = planned_load();
    KexecRun finished{0, "exit status 0", "", ""};
    KexecRun finished_later{0, "exit status 0", "", ""};  ///< of each run but the first that a handoff is tried in
    std::string log;
    std::vector<std::string> did;
    std::vector<Record> records;
    std::vector<std::optional<AddressRange>> left_out;  ///< of each run
    bool can_hide = true;
    Result<ElfCore> headers = base::input_error(0, "not asked for");
    bool nobody_else = true;

    std::optional<Result<PlannedLoad>> planned_later;  ///< each time but the first

    Result<PlannedLoad> plan(const KexecArguments&) override {
        const bool again = std::count(did.begin(), did.end(), "plan") != 0;
        did.emplace_back("plan");
        if (again && planned_later) return *planned_later;
        return planned;
    }
    std::optional<FileSum> sum_of(const std::string& file) override {
        return file == "v" ? std::optional(FileSum{1000, 0x1234}) : std::nullopt;
    }
    std::optional<Fallback> fallback(const PlannedLoad& load) override { return load.plan.fallback; }
    KexecRun run(const std::vector<std::string>& arguments, const std::optional<AddressRange>& hidden) override {
        did.emplace_back("run");
        for (const std::string& a : arguments) did.back() += ' ' + a;
        left_out.push_back(hidden);
        if (hidden && !can_hide) return {-1, "a private /proc/iomem: Permission denied", "", "", true};
        const bool again = did.back().find(" swiotlb=4096,force") != std::string::npos;
        return again ? finished_later : finished;
    }
    Result<ElfCore> loaded_headers(const AddressRange& elfcorehdr) override {
        did.emplace_back("headers " + base::to_string(elfcorehdr));
        return headers;
    }
    std::string kernel_log() override { return log; }
    void record(const Record& record) override {
        did.emplace_back(std::string("record ") + name(record.outcome));
        records.push_back(record);
    }
    bool alone() override {
        did.emplace_back("alone?");
        return nobody_else;
    }
};

KexecArguments arguments(bool debug = false) {
    std::vector<std::string> words{"-p", "-c", "--append=console=ttyS0 reset_devices nr_cpus=1", "--initrd=i", "v"};
    if (debug) words.emplace_back("-d");
    return read_kexec_arguments(words).value();
}

const Load& load_of(const Fake& fake) { return fake.planned->plan.loads.front(); }

TEST(CrashLoad, AReportAsPlannedKeepsTheHandoff) {
    Fake fake;
    fake.finished.errors = "a warning\n" + tools_report(load_of(fake));
    const LoadResult result = load_with_handoff(fake, arguments());
    EXPECT_EQ(result.rung, Rung::handoff);
    EXPECT_EQ(result.errors, "a warning\n") << "what -d prints is not the caller's";
    EXPECT_EQ(fake.did,
              (std::vector<std::string>{"record plain", "plan",
                                        "run -p -d -c --initrd=i --append=console=ttyS0 reset_devices nr_cpus=1 " +
                                            fake.planned->plan.append + " v",
                                        "record handoff", "alone?"}));
    EXPECT_TRUE(fake.records.back().segments_reported);
    EXPECT_TRUE(judge_record(fake.records.back()).empty());
    EXPECT_EQ(fake.records.back().release, "6.1.0-50-amd64");
}

TEST(CrashLoad, TheRecordNamesTheFilesByTheirSums) {
    Fake fake;
    fake.finished.errors = tools_report(load_of(fake));
    load_with_handoff(fake, arguments());
    EXPECT_EQ(fake.records.front().kernel, "v");
    EXPECT_EQ(fake.records.front().kernel_sum, std::nullopt) << "nothing was read yet";
    EXPECT_EQ(fake.records.back().kernel_sum, (FileSum{1000, 0x1234}));
    EXPECT_EQ(fake.records.back().initrd, "i");
    EXPECT_EQ(fake.records.back().initrd_sum, std::nullopt) << "it cannot be read";

    const KexecArguments alone = read_kexec_arguments({"-p", "-c", "--append=nr_cpus=1", "v"}).value();
    load_with_handoff(fake, alone);
    EXPECT_EQ(fake.records.back().initrd_sum, FileSum{}) << "there is none";
}

TEST(CrashLoad, TheCallersOwnDIsPassedOn) {
    Fake fake;
    fake.finished.errors = tools_report(load_of(fake));
    EXPECT_EQ(load_with_handoff(fake, arguments(true)).errors, fake.finished.errors);
}

TEST(CrashLoad, TheKernelsReportCountsAsWell) {
    Fake fake;
    fake.planned->plan = ready_plan(Loader::kexec_file_load);
    fake.log = kernels_report(load_of(fake));
    EXPECT_EQ(load_with_handoff(fake, arguments()).rung, Rung::handoff);
    EXPECT_TRUE(fake.records.back().segments_reported);
}

// A plan whose pool is lent: nothing here looks at how that came about.
Fake lending(Loader loader) {
    Fake fake;
    fake.planned->plan = ready_plan(loader);
    Plan& plan = fake.planned->plan;
    plan.loan = true;
    plan.append = "memmap=64M@0x71000000 swiotlb_lent=0x71000000-0x75000000";
    for (const Segment& s : load_of(fake).segments)
        if (s.name == "elfcorehdr")
            fake.finished.output = fmt::format("Command line after adding elfcorehdr\nconsole=ttyS0 elfcorehdr={}K \n",
                                               s.range.start() / 1024);
    fake.finished.errors = tools_report(load_of(fake));
    return fake;
}

TEST(CrashLoad, KexecDoesNotSeeAPoolThatIsLentAndItsHeadersAreReadBack) {
    Fake fake = lending(Loader::kexec_load);
    fake.headers = ElfCore{{*AddressRange::from_bounds(0x100000, 0x71000000)}, 2};
    const LoadResult result = load_with_handoff(fake, arguments());
    EXPECT_EQ(result.rung, Rung::handoff) << result.why;
    EXPECT_EQ(fake.left_out, std::vector{fake.planned->plan.pool});
    EXPECT_TRUE(fake.did[3].starts_with("headers ")) << fake.did[3];
    EXPECT_TRUE(fake.records.back().loan);
    EXPECT_TRUE(judge_record(fake.records.back()).empty());
    EXPECT_EQ(fake.records.back().marker, fake.planned->plan.pool);
}

TEST(CrashLoad, APoolIsNotLeftLentIfSomethingSpeaksAgainstItAtTheEndOfTheLoad) {
    Fake fake = lending(Loader::kexec_load);
    fake.headers = ElfCore{{*AddressRange::from_bounds(0x100000, 0x71000000)}, 2};
    PlannedLoad refused = *fake.planned;
    refused.plan.verdict = Verdict::refused;
    refused.plan.reasons = {{"lend-devices", Severity::refusal, "0000:03:00.0 (e1000) addresses 32 bits", {}, {}}};
    fake.planned_later = Result<PlannedLoad>(refused);
    const LoadResult result = load_with_handoff(fake, arguments());
    EXPECT_EQ(result.rung, Rung::plain);
    EXPECT_EQ(result.why,
              "the pool may no longer be lent: requires lend-devices: 0000:03:00.0 (e1000) addresses 32 bits");
    EXPECT_EQ(std::vector<std::string>(fake.did.end() - 4, fake.did.end()),
              (std::vector<std::string>{"record handoff", "alone?", "plan", "record plain"}))
        << "what comes after the record, udev's rule sees";
    EXPECT_FALSE(fake.records.back().loan && fake.records.back().outcome == Record::Outcome::handoff);
}

TEST(CrashLoad, ALoanThatCouldOnlyNotBeLoadedOnceMoreStands) {
    Fake fake = lending(Loader::kexec_load);
    fake.headers = ElfCore{{*AddressRange::from_bounds(0x100000, 0x71000000)}, 2};
    PlannedLoad refused = *fake.planned;
    refused.plan.verdict = Verdict::refused;
    refused.plan.loan = false;
    refused.plan.reasons = {{"loader-permitted", Severity::refusal, "kernel.kexec_load_limit_panic is 0", {}, {}}};
    fake.planned_later = Result<PlannedLoad>(refused);
    EXPECT_EQ(load_with_handoff(fake, arguments()).rung, Rung::handoff);
}

TEST(CrashLoad, AHandoffIsNotPlannedTwice) {
    Fake fake;
    fake.finished.errors = tools_report(load_of(fake));
    EXPECT_EQ(load_with_handoff(fake, arguments()).rung, Rung::handoff);
    EXPECT_EQ(std::count(fake.did.begin(), fake.did.end(), "plan"), 1);
}

TEST(CrashLoad, HeadersThatHaveTheLentPoolOrCannotBeReadAreNotLeftLoaded) {
    const AddressRange pool = *ready_plan(Loader::kexec_load).pool;
    for (const Result<ElfCore>& headers :
         {Result<ElfCore>(ElfCore{{*AddressRange::from_bounds(0x100000, pool.end())}, 2}), Result<ElfCore>(ElfCore{}),
          Result<ElfCore>(base::input_error(0, "no kcore"))}) {
        Fake fake = lending(Loader::kexec_load);
        fake.headers = headers;
        EXPECT_EQ(load_with_handoff(fake, arguments()).rung, Rung::plain);
        EXPECT_EQ(fake.records.back().outcome, Record::Outcome::plain);
    }
    Fake silent = lending(Loader::kexec_load);
    silent.finished.output.clear();
    EXPECT_EQ(load_with_handoff(silent, arguments()).rung, Rung::plain) << "nobody said where the headers are";
}

TEST(CrashLoad, TheHeadersOfKexecFileLoadAreTheKernels) {
    Fake fake = lending(Loader::kexec_file_load);
    fake.finished.errors.clear();
    fake.log = kernels_report(load_of(fake));
    EXPECT_EQ(load_with_handoff(fake, arguments()).rung, Rung::handoff);
    EXPECT_EQ(fake.left_out, std::vector{std::optional<AddressRange>()});
}

TEST(CrashLoad, APoolThatIsHandedOverIsNotInTheDumpOfKexecLoad) {
    Fake fake;
    fake.finished.errors = tools_report(load_of(fake));
    EXPECT_EQ(load_with_handoff(fake, arguments()).rung, Rung::handoff);
    EXPECT_EQ(fake.left_out, std::vector{fake.planned->plan.pool});

    Fake kernels;
    kernels.planned->plan = ready_plan(Loader::kexec_file_load);
    kernels.log = kernels_report(load_of(kernels));
    EXPECT_EQ(load_with_handoff(kernels, arguments()).rung, Rung::handoff);
    EXPECT_EQ(kernels.left_out, std::vector{std::optional<AddressRange>()}) << "the kernel makes these headers";
}

TEST(CrashLoad, WhereThePoolCannotBeHiddenAHandoffIsLoadedAllTheSameAndALoanIsNot) {
    Fake fake;
    fake.finished.errors = tools_report(load_of(fake));
    fake.can_hide = false;
    EXPECT_EQ(load_with_handoff(fake, arguments()).rung, Rung::handoff);
    EXPECT_EQ(fake.left_out, (std::vector{fake.planned->plan.pool, std::optional<AddressRange>()}));
    EXPECT_NE(fake.records.back().why.find("the dump will have the pages of the pool, because the pool cannot be "
                                           "hidden from kexec (a private /proc/iomem: Permission denied)"),
              std::string::npos)
        << fake.records.back().why;

    Fake loan = lending(Loader::kexec_load);
    loan.can_hide = false;
    EXPECT_EQ(load_with_handoff(loan, arguments()).rung, Rung::plain);
    EXPECT_EQ(loan.left_out, std::vector{loan.planned->plan.pool});
}

TEST(CrashLoad, EitherSystemCallMayHaveBeenUsed) {
    Fake fake;
    fake.planned->plan = ready_plan(Loader::automatic);
    for (const Load& load : fake.planned->plan.loads) {
        fake.finished.errors = load.loader == Loader::kexec_load ? tools_report(load) : "";
        fake.log = load.loader == Loader::kexec_load ? "" : kernels_report(load);
        EXPECT_EQ(load_with_handoff(fake, arguments()).rung, Rung::handoff) << name(load.loader);
        EXPECT_EQ(fake.records.back().loader, load.loader);
    }
}

TEST(CrashLoad, WhateverIsWrongLeavesTheCallersCommandToRun) {
    struct Case {
        const char* name;
        std::function<void(Fake&)> spoil;
        bool runs;
        const char* why;
    };
    const std::vector<Case> cases = {
        {"no plan", [](Fake& f) { f.planned = base::input_error(3, "expected a range"); }, false, "expected a range"},
        {"refused", [](Fake& f) { f.planned->plan = Plan{}; }, false, "refused"},
        {"not needed",
         [](Fake& f) {
             f.planned->plan = Plan{};
             f.planned->plan.verdict = Verdict::not_needed;
         },
         false, "not-needed"},
        {"kexec fails",
         [](Fake& f) {
             f.finished.status = 255;
             f.finished.how = "exit status 255";
         },
         true, "exit status 255"},
        {"kexec is killed",
         [](Fake& f) {
             f.finished.status = -1;
             f.finished.how = "signal 9";
         },
         true, "signal 9"},
        {"no report", [](Fake& f) { f.finished.errors = "a warning\n"; }, true, "did not report"},
        {"segments elsewhere", [](Fake& f) { f.finished.errors = tools_report(load_of(f), 0x200000); }, true,
         "another place"},
        {"another load that did not wait", [](Fake& f) { f.nobody_else = false; }, true, "did not wait"},
        {"half a report", [](Fake& f) { f.finished.errors = "segment[0].buf   = 0x1\nsegment[0].mem   = 0x1000\n"; },
         true, "cannot be read"},
        {"a segment over a fence",
         [](Fake& f) {
             f.finished.errors = tools_report(load_of(f));
             for (const Segment& s : load_of(f).segments)
                 if (s.name != "kernel") f.planned->plan.fences.push_back(s.range);
         },
         true, "fence"},
    };
    for (const Case& c : cases) {
        Fake fake;
        fake.finished.errors = tools_report(load_of(fake));
        c.spoil(fake);
        const LoadResult result = load_with_handoff(fake, arguments());
        EXPECT_EQ(result.rung, Rung::plain) << c.name;
        EXPECT_NE(result.why.find(c.why), std::string::npos) << c.name << ": " << result.why;
        EXPECT_EQ(result.output + result.errors, "") << c.name << ": what a failed attempt printed is nobody's";
        EXPECT_EQ(
            std::any_of(fake.did.begin(), fake.did.end(), [](const std::string& d) { return d.starts_with("run"); }),
            c.runs)
            << c.name;
        EXPECT_EQ(fake.records.back().outcome, Record::Outcome::plain) << c.name;
        EXPECT_EQ(fake.records.back().why, result.why) << c.name;
    }
}

// The plan's fallback is a smaller pool of the crash kernel's own.
void make_small(Fake& fake) {
    if (!fake.planned) return;
    Fallback& fallback = fake.planned->plan.fallback.emplace();
    fallback.rung = Rung::own_pool;
    fallback.append = "swiotlb=4096,force";
}

std::vector<std::string> runs_of(const Fake& fake) {
    std::vector<std::string> runs;
    for (const std::string& d : fake.did)
        if (d.starts_with("run ")) runs.push_back(d);
    return runs;
}

constexpr const char* with_own_pool =
    "run -p -c --append=console=ttyS0 reset_devices nr_cpus=1 --initrd=i v --append=console=ttyS0 reset_devices "
    "nr_cpus=1 swiotlb=4096,force";

TEST(CrashLoad, WhateverIsWrongLoadsASmallerPoolWhereThePlainOneDoesNotFit) {
    const std::vector<std::pair<const char*, std::function<void(Fake&)>>> cases = {
        {"refused", [](Fake& f) { f.planned->plan = Plan{}; }},
        {"kexec rejects the words",
         [](Fake& f) {
             f.finished.status = 255;
             f.finished.how = "exit status 255";
         }},
        {"kexec is killed",
         [](Fake& f) {
             f.finished.status = -1;
             f.finished.how = "signal 9";
         }},
        {"no report", [](Fake& f) { f.finished.errors = "a warning\n"; }},
        {"segments elsewhere", [](Fake& f) { f.finished.errors = tools_report(load_of(f), 0x200000); }},
        {"another load that did not wait", [](Fake& f) { f.nobody_else = false; }}};
    for (const auto& [what, spoil] : cases) {
        SCOPED_TRACE(what);
        Fake fake;
        fake.finished.errors = tools_report(load_of(fake));
        fake.finished_later.errors = "a warning\n";
        spoil(fake);
        make_small(fake);
        const LoadResult result = load_with_handoff(fake, arguments());
        EXPECT_EQ(result.rung, Rung::own_pool) << result.why;
        EXPECT_EQ(result.errors, "a warning\n") << "of the load that counts";
        ASSERT_FALSE(runs_of(fake).empty());
        EXPECT_EQ(runs_of(fake).back(), with_own_pool);
        const Record& record = fake.records.back();
        EXPECT_EQ(record.outcome, Rung::own_pool);
        EXPECT_EQ(record.append, "swiotlb=4096,force");
        EXPECT_TRUE(record.command_line.ends_with(record.append)) << record.command_line;
        EXPECT_FALSE(record.marker);
        const auto read = parse_record(e820::to_text(record_document(record)));
        ASSERT_TRUE(read) << read.error().message();
        EXPECT_EQ(read->outcome, Rung::own_pool);
        ASSERT_GE(fake.records.size(), 2U);
        EXPECT_EQ(fake.records[fake.records.size() - 2].outcome, Rung::plain) << "no record says handoff meanwhile";
    }
}

TEST(CrashLoad, WhereTheSmallerPoolFailsTooTheCallersCommandIsLeft) {
    Fake fake;
    fake.planned->plan = Plan{};
    make_small(fake);
    fake.finished_later = {255, "exit status 255", "", "Invalid argument\n"};
    const LoadResult result = load_with_handoff(fake, arguments());
    EXPECT_EQ(result.rung, Rung::plain);
    EXPECT_NE(result.why.find("swiotlb=4096,force (exit status 255): Invalid argument"), std::string::npos)
        << result.why;
    EXPECT_EQ(fake.records.back().outcome, Rung::plain);
}

TEST(CrashLoad, WhatIsNotModelledIsLoadedAsGivenWithTheSmallerPool) {
    Fake fake;
    make_small(fake);
    const auto result = load_with_handoff(fake, read_kexec_arguments({"-p", "--hotplug", "v"}).value());
    EXPECT_EQ(result.rung, Rung::own_pool);
    EXPECT_EQ(runs_of(fake), std::vector<std::string>{"run -p --hotplug v --append=swiotlb=4096,force"});
}

TEST(CrashLoad, WithoutTheLockTheSmallerPoolIsLoadedAllTheSame) {
    for (const bool small : {true, false}) {
        Fake fake;
        if (small) make_small(fake);
        const LoadResult result = load_without_handoff(fake, arguments(), "another load was not finished after 10 s");
        EXPECT_EQ(result.rung, small ? Rung::own_pool : Rung::plain);
        EXPECT_TRUE(result.why.starts_with("another load was not finished after 10 s")) << result.why;
        EXPECT_EQ(runs_of(fake), small ? std::vector<std::string>{with_own_pool} : std::vector<std::string>{});
    }
}

TEST(CrashLoad, KexecsOwnWordsAreKeptWhereItFails) {
    const auto why = [](std::string output, std::string errors) {
        Fake fake;
        fake.finished = {255, "exit status 255", std::move(output), std::move(errors)};
        return load_with_handoff(fake, arguments()).why;
    };
    const std::string failed = "kexec failed with the handoff (exit status 255)";
    EXPECT_EQ(why("", ""), failed);
    EXPECT_EQ(why("", "MEMORY RANGES\n\nCannot open `/boot/v': No such file or directory\n"),
              failed + ": Cannot open `/boot/v': No such file or directory");
    EXPECT_EQ(why("to standard output\n", "  \n"), failed + ": to standard output");
    EXPECT_EQ(why("", "one\ntwo\nthree\nfour\n"), failed + ": two; three; four");
    EXPECT_EQ(why("", "\x1b[2Jl\xc3\xa4uft\tnicht"), failed + ": ?[2Jl??uft?nicht");
    EXPECT_LT(why("", std::string(100000, 'x')).size(), 400u);
}

TEST(CrashLoad, WhatIsNotModelledIsNotLoadedWithTheHandoff) {
    Fake fake;
    const auto result = load_with_handoff(fake, read_kexec_arguments({"-p", "--hotplug", "v"}).value());
    EXPECT_EQ(result.rung, Rung::plain);
    EXPECT_EQ(fake.did, (std::vector<std::string>{"record plain", "plan", "record plain"})) << "for the fallback alone";
}

TEST(WithoutDebug, KeepsWhatKexecSaysAnyway) {
    const std::string debug =
        "Try gzip decompression.\nkernel: 0x7f8af3c54010 kernel_size: 0x7d77c0\nMEMORY RANGES\n"
        "0000000000000400-000000000009fbff (0)\n0000000075000000-000000007effffff : Crash kernel\n"
        "get_backup_area: 0000000000001000-000000000009fbff : System RAM\nCRASH MEMORY RANGES\n"
        "kernel load physical addr start = 0x0000000017a00000\nCommand line after adding elfcorehdr\nUnknown words "
        "elfcorehdr=1K\n"
        "sym: sha256_starts info: 12 other: 00 shndx: 1 value: 1 size: 1\nR_X86_64_64\nnr_segments = 7\nsegment[0].buf "
        "  = 0x1\n"
        "/sys/firmware/edd does not exist.\n"
        "kexec_load: entry = 0x7efff730 flags = 0x3e0001\n";
    EXPECT_EQ(without_debug(debug), "");
    const std::string said =
        "Unknown type (Soft Reserved) while parsing /sys/firmware/memmap/7/type. Please report this as bug.\nno "
        "newline at the end";
    EXPECT_EQ(without_debug(debug + said), said);
    EXPECT_EQ(without_debug(said), said);
}

TEST(LoadAddresses, AreReadFromKexecAndFromTheKernel) {
    EXPECT_EQ(parse_addresses(
                  "Command line after adding elfcorehdr\na elfcorehdr=1998848K\nCommand line after adding elfcorehdr\n"
                  "a elfcorehdr=1998852K acpi_rsdp=0xf59d0\n"),
              (LoadAddresses{Address{1998852} << 10, Address{0xf59d0}}));
    EXPECT_EQ(parse_addresses("[    0.004] ACPI: RSDP 0x00000000000F59D0 000014 (v00 BOCHS )\n[ 9.1] kexec: Loaded ELF "
                              "headers at 0x75000000 bufsz=0x1000\n"),
              (LoadAddresses{Address{0x75000000}, Address{0xf59d0}}));
    EXPECT_EQ(parse_addresses("nothing elfcorehdr=1K"), LoadAddresses{});
}

}  // namespace
}  // namespace handoff
