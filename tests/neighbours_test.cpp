// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/neighbours.hpp"
#include "lib/decide/neighbours.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "lib/kernel/command_line.hpp"
#include "tests/synthetic_machine.hpp"

namespace handoff {
namespace {

using base::GiB;
using base::MiB;

AddressRange range(Address start, Address end) { return *AddressRange::from_bounds(start, end); }

TEST(CmaRanges, AreInclusiveHexadecimalLines) {
    EXPECT_EQ(*parse_cma_ranges("140000000-147ffffff\n180000000-183ffffff\n"),
              (std::vector{range(0x140000000, 0x148000000), range(0x180000000, 0x184000000)}));
    EXPECT_TRUE(parse_cma_ranges("")->empty());
    EXPECT_EQ(parse_cma_ranges("0-fff\n1000\n").error().message(),
              "line 2: expected START-END in hexadecimal, found '1000'");
    EXPECT_FALSE(parse_cma_ranges("2000-1000\n"));
}

TEST(KhoScratch, PairsAddressesWithSizes) {
    EXPECT_EQ(*parse_kho_scratch("0x30000000\n0x140000000\n", "0x4000000\n0x8000000\n"),
              (std::vector{range(0x30000000, 0x34000000), range(0x140000000, 0x148000000)}));
    EXPECT_TRUE(parse_kho_scratch("", "")->empty());
    EXPECT_FALSE(parse_kho_scratch("0x30000000\n", ""));
    EXPECT_FALSE(parse_kho_scratch("x\n", "0x1000\n"));
}

/// "cma-apart refusal, hotplug-sound info"
std::string judged(const Machine& machine, const char* crash_line, bool file_load) {
    std::string text;
    const auto line = CommandLine::parse(crash_line);
    Findings found;
    judge_neighbours(machine, *line, machine.release, file_load, machine.pool.front().range,
                     {range(0x74000000, 0x74001000)}, found);
    for (const Reason& r : found.reasons()) text += (text.empty() ? "" : ", ") + r.rule + " " + name(r.severity);
    return text;
}

struct Case {
    const char* name;
    void (*change)(Machine&);
    const char* crash_line;
    const char* by_kexec_load;
    const char* by_file_load;
};

// The pool is 0x6c000000-0x70000000, a fence at 0x74000000.
const std::vector<Case> cases = {
    {"none", [](Machine&) {}, "", "", ""},
    {"CMA of which only the size is known", [](Machine& m) { m.neighbours.cma_bytes = 64 * MiB; }, "", "cma-apart info",
     "cma-apart refusal"},
    {"CMA somewhere else", [](Machine& m) { m.neighbours.cma = {range(5 * GiB, 6 * GiB)}; }, "", "cma-apart info",
     "cma-apart refusal"},
    {"CMA, none of it", [](Machine& m) { m.neighbours.cma.emplace(); }, "", "", ""},
    {"CMA over the pool", [](Machine& m) { m.neighbours.cma = {range(0x6f000000, 0x71000000)}; }, "",
     "cma-apart refusal", "cma-apart refusal"},
    {"CMA over a fence", [](Machine& m) { m.neighbours.cma = {range(0x73000000, 0x75000000)}; }, "",
     "cma-apart refusal", "cma-apart refusal"},
    {"KHO", [](Machine& m) { m.neighbours.kho_scratch = {range(5 * GiB, 6 * GiB)}; }, "kho=off", "kho-apart info",
     "kho-apart refusal"},
    {"KHO by default, and so in the crash kernel",
     [](Machine& m) { m.neighbours.kho_scratch = {range(5 * GiB, 6 * GiB)}; }, "", "kho-apart info, kho-apart refusal",
     "kho-apart refusal, kho-apart refusal"},
    {"KHO over the pool", [](Machine& m) { m.neighbours.kho_scratch = {range(0x60000000, 0x6c001000)}; }, "kho=0",
     "kho-apart refusal", "kho-apart refusal"},
    {"KHO, and debugfs cannot be read", [](Machine& m) { m.command_line += " kho=on"; }, "kho=off", "kho-apart info",
     "kho-apart refusal"},
    {"KHO of a kernel that passes nothing of it on to a crash kernel",
     [](Machine& m) {
         m.neighbours.kho_scratch = {range(5 * GiB, 6 * GiB)};
         m.release = "7.2.13+deb14-amd64";
     },
     "kho=off", "kho-apart info", "kho-apart info"},
    {"KHO by default, and the crash kernel is one that still makes scratch areas",
     [](Machine& m) {
         m.neighbours.kho_scratch = {range(5 * GiB, 6 * GiB)};
         m.release = "7.2.13+deb14-amd64";
     },
     "", "kho-apart info, kho-apart refusal", "kho-apart info, kho-apart refusal"},
    {"KHO by default, and the crash kernel is one that makes none",
     [](Machine& m) {
         m.neighbours.kho_scratch = {range(5 * GiB, 6 * GiB)};
         m.release = "7.3.4+deb13-amd64";
     },
     "kho=on", "kho-apart info", "kho-apart info"},
    {"KHO over the pool, whatever the crash kernel gets of it",
     [](Machine& m) {
         m.neighbours.kho_scratch = {range(0x60000000, 0x6c001000)};
         m.release = "7.3.4+deb13-amd64";
     },
     "", "kho-apart refusal", "kho-apart refusal"},
    {"a command line whose end is not known", [](Machine& m) { m.command_line_cut = true; }, "", "", ""},
    {"the same, on the running machine",
     [](Machine& m) {
         m.live = true;
         m.command_line_cut = true;
     },
     "", "", "cma-apart refusal"},
    {"no command line, on the running machine",
     [](Machine& m) {
         m.live = true;
         m.command_line.clear();
     },
     "", "", "cma-apart refusal"},
    {"no command line, and sysfs shows that there is no CMA",
     [](Machine& m) {
         m.command_line.clear();
         m.neighbours.cma.emplace();
     },
     "", "", ""},
    {"KHO off", [](Machine& m) { m.command_line += " kho=off"; }, "kho=off", "", ""},
    {"KHO in the crash kernel alone", [](Machine&) {}, "kho=1", "kho-apart refusal", "kho-apart refusal"},
    {"reserve_mem", [](Machine& m) { m.command_line += " reserve_mem=12M:4096:trace"; }, "", "reserve-mem-apart info",
     "reserve-mem-apart info"},
    {"hotplug, which the kernel follows", [](Machine& m) { m.neighbours.memory_crash_hotplug = true; }, "",
     "hotplug-sound info", "hotplug-sound info"},
    {"hotplug, which it does not",
     [](Machine& m) { m.neighbours.memory_crash_hotplug = m.neighbours.cpu_crash_hotplug = false; }, "", "", ""},
};

TEST(Neighbours, AreRefusedWhereTheyTakeOrGiveMemory) {
    for (const Case& c : cases) {
        SCOPED_TRACE(c.name);
        Machine machine = synthetic_machine();
        c.change(machine);
        EXPECT_EQ(judged(machine, c.crash_line, false), c.by_kexec_load);
        EXPECT_EQ(judged(machine, c.crash_line, true), c.by_file_load);
    }
}

TEST(Neighbours, AreAmongThePlansReasons) {
    Machine machine = synthetic_machine();
    PlanRequest request = synthetic_request();
    EXPECT_EQ(plan(machine, request).verdict, Verdict::ready);
    machine.neighbours.cma_bytes = 64 * MiB;
    const Plan refused = plan(machine, request);
    EXPECT_EQ(refused.verdict, Verdict::refused);
    EXPECT_TRUE(refused.append.empty());
    request.loader = Loader::kexec_load;
    EXPECT_EQ(plan(machine, request).verdict, Verdict::ready);
}

}  // namespace
}  // namespace handoff
