// SPDX-License-Identifier: GPL-2.0-or-later
//
// Every rule by itself. A row is a machine (or a command line, or a record) that is sound but for one point, and shows
// that exactly one rule sees it. Its neighbour is the same machine with that point set right, or moved by one unit, and
// shows that the rule leaves it alone.
#include "swiotlb-handoff/rules.hpp"

#include <algorithm>
#include <cctype>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "lib/decide/next_kernel.hpp"
#include "lib/load/record.hpp"
#include "swiotlb-handoff/check.hpp"
#include "tests/reasons.hpp"
#include "tests/synthetic_machine.hpp"

namespace handoff {
namespace {

using base::GiB;
using base::KiB;
using base::MiB;
using base::page_size;
using e820::Type;

AddressRange range(Address start, Address end) { return *AddressRange::from_bounds(start, end); }

/// Everything that a rule can look at.
struct Case {
    Machine machine = synthetic_machine();
    PlanRequest request = synthetic_request();
    AddressRange promised = synthetic_pool;  ///< what the words under review promise
    CheckInput input;                        ///< what check() gets, without its machine
    Record record;

    /// The crash kernel's command line, in the request.
    std::string& line() { return *request.command_line; }
    AddressRange& pool() { return machine.pool.front().range; }
};

/// A question about a case: which sound case it starts from, and who answers.
struct Question {
    const char* name;
    void (*start)(Case&);
    std::vector<Reason> (*answer)(const Case&);
};

const Question planned = {"plan", [](Case&) {}, [](const Case& c) { return decide(c.machine, c.request).reasons; }};

const Question lent = {"plan --lend",
                       [](Case& c) {
                           c.machine = idle_machine();
                           c.request = lending_request();
                       },
                       planned.answer};

const Question reviewed = {"review",
                           [](Case& c) {
                               c.machine = synthetic_machine_without_low_part();
                               c.line() += std::string(" ") + synthetic_words;
                           },
                           [](const Case& c) { return review(c.machine, c.request, c.promised).reasons; }};

const Question lent_reviewed = {"review of a loan",
                                [](Case& c) {
                                    c.machine = idle_machine();
                                    c.request = lending_request();
                                    c.line() += std::string(" ") + synthetic_loan_words;
                                },
                                reviewed.answer};

const Question next = {"kexec -l",
                       [](Case& c) {
                           c.request.image->swiotlb_addr = true;
                           c.request.loader = Loader::kexec_load;
                           c.line() = "root=/dev/vda1 crashkernel=256M";
                       },
                       [](const Case& c) { return decide_next(c.machine, c.request).plan.reasons; }};

const Question checked = {"check", [](Case& c) { c.input.command_line = c.line() + " " + synthetic_words; },
                          [](const Case& c) { return check(c.input).reasons; }};

const Question lent_checked = {
    "check of a loan", [](Case& c) { c.input.command_line = c.line() + " " + synthetic_loan_words; }, checked.answer};

const Question recorded = {
    "record",
    [](Case& c) {
        c.request.loader = Loader::kexec_load;
        const Plan decided = decide(c.machine, c.request);
        std::vector<AddressRange> segments;
        for (const Segment& s : decided.loads.front().segments) segments.push_back(s.range);
        c.record = record_of(decided, segments, {decided.loads.front().find("elfcorehdr")->range.start(), {}});
        c.record.outcome = Record::Outcome::handoff;
    },
    [](const Case& c) { return judge_record(c.record); }};

const Question recorded_part = {"record of a part",
                                [](Case& c) {
                                    c.machine = synthetic_machine_without_low_part();
                                    c.pool() = range(0x6a000000, 0x70000000);
                                    recorded.start(c);
                                },
                                recorded.answer};

/// A case that a rule objects to, and its neighbour.
struct Row {
    const char* rule;
    Severity severity;
    const char* what;
    const Question& question;
    void (*alter)(Case&);
    void (*alter_back)(Case&);  ///< after `alter`: to the neighbour
};

std::ostream& operator<<(std::ostream& out, const Row& row) {
    return out << name(row.severity) << ": " << row.rule << " (" << row.question.name << "): " << row.what;
}

void replace(std::string& text, const std::string& from, const std::string& to) {
    const auto at = text.find(from);
    ASSERT_NE(at, text.npos) << from << " in " << text;
    text.replace(at, from.size(), to);
}

/// The running kernel has a pool of a single device, and the image knows the word.
void have_device_pool(Case& c) {
    c.machine.device_pools = {{"00:04.0", range(0x40000000, 0x41000000), {"proc/iomem", 9}}};
    c.request.image->swiotlb_addr = c.request.image->swiotlb_dev = true;
}

/// The words under review hand it over, too.
void hand_over_device_pool(Case& c) {
    have_device_pool(c);
    replace(c.line(), "memmap=64M@0x6c000000", "memmap=64M@0x6c000000,16M@0x40000000");
    c.line() += " swiotlb=32768,addr=0x6c000000 swiotlb_dev=8192,addr=0x40000000,00:04.0";
}

/// Bytes of the command line that this case needs, with what the loader adds.
std::uint64_t bytes_of_line(const Case& c) {
    const Plan decided = decide(c.machine, c.request);
    std::uint64_t added = 0;
    for (const Load& load : decided.loads) added = std::max(added, load.added_words);
    return decided.base.size() + 1 + decided.append.size() + added;
}

Address segment_start(const Case& c, std::string_view name) {
    return decide(c.machine, c.request).loads.front().find(name)->range.start();
}

IomemEntry iomem_line(const AddressRange& r, const char* name) { return {r, 0, name, 1}; }

/// The pool of the case was read and is blank.
void blank_pool(Case& c) { c.machine.pool_traces = PoolTraces{c.pool(), 1, 0, 0, c.pool().size(), std::nullopt}; }

constexpr Severity info = Severity::info, warning = Severity::warning, refusal = Severity::refusal;

const Row rows[] = {
    // --- is there anything to hand over?
    {"machine-x86-64", refusal, "an arm64 machine", planned, [](Case& c) { c.machine.other_architecture = true; },
     [](Case& c) { c.machine.other_architecture = false; }},
    {"machine-x86-64", refusal, "proc/iomem has nothing but RAM, and there is no other map", planned,
     [](Case& c) {
         c.machine.map_from = {"proc/iomem", 0};
         c.machine.iomem = {iomem_line(range(0x80000000, 0x80001000), "reserved")};
     },
     [](Case& c) { c.machine.iomem = {iomem_line(range(0, 0x1000), "reserved")}; }},
    {"sources-agree", refusal, "the log is of another kernel", planned,
     [](Case& c) {
         c.machine.contradictions = {{"the log is of Linux 5.10.0", {"dmesg", 1}}};
     },
     [](Case& c) { c.machine.contradictions.clear(); }},
    {"crashkernel-reserved", refusal, "only a log shows it, which may have lost a second one", planned,
     [](Case& c) {
         c.machine.live = true;
         c.machine.crash_kernel_from = {"dmesg", 12};
         c.machine.log_complete = false;
     },
     [](Case& c) { c.machine.log_complete = true; }},
    {"crashkernel-reserved", refusal, "nothing is reserved", planned, [](Case& c) { c.machine.crash_kernel.clear(); },
     [](Case& c) { c.machine = synthetic_machine(); }},
    {"crashkernel-reserved", refusal, "a page more than 64 GiB is reserved", planned,
     [](Case& c) { c.machine.crash_kernel.back() = range(8 * GiB, 72 * GiB + page_size); },
     [](Case& c) { c.machine.crash_kernel.back() = range(8 * GiB, 72 * GiB); }},
    {"crashkernel-reserved", refusal, "the reservation ends beyond 52 bits", planned,
     [](Case& c) { c.machine.crash_kernel.back() = range((1ull << 52) - GiB, (1ull << 52) + page_size); },
     [](Case& c) { c.machine.crash_kernel.back() = range((1ull << 52) - GiB, 1ull << 52); }},
    {"pool-needed", warning, "SRAT names memory above 4 GiB, the crash kernel has none", planned,
     [](Case& c) {
         c.machine.crash_kernel.pop_back();
         c.machine.srat_memory_end = 4 * GiB + 1;
     },
     [](Case& c) { c.machine.srat_memory_end = 4 * GiB; }},
    {"pool-needed", warning, "SRAT names memory above 4 GiB, and NUMA is on", planned,
     [](Case& c) {
         c.machine.crash_kernel.pop_back();
         c.machine.srat_memory_end = 8 * GiB;
     },
     [](Case& c) { c.line() += " numa=off"; }},

    // --- the running kernel's pool
    {"pool-found", refusal, "no source shows one", planned, [](Case& c) { c.machine.pool.clear(); },
     [](Case& c) { c.request.pool = synthetic_pool; }},
    {"pool-found", refusal, "the kernel gave it back", planned,
     [](Case& c) {
         c.machine.pool.clear();
         c.machine.pool_torn_down = true;
         c.request.pool = synthetic_pool;
     },
     [](Case& c) { c.machine.pool_torn_down = false; }},
    {"pool-found", refusal, "the running machine's log does not show that it was kept", planned,
     [](Case& c) {
         c.machine.live = true;
         c.machine.pool.front().source = PoolSource::log;
     },
     [](Case& c) { c.machine.slabs = 32768; }},
    {"pool-found", refusal, "the same, up to the line that says what is used", planned,
     [](Case& c) {
         c.machine.live = true;
         c.machine.pool.front().source = PoolSource::log;
     },
     [](Case& c) { c.machine.pool_put_to_use = true; }},
    {"pool-found", refusal, "the kernel's own variables say that there is none", planned,
     [](Case& c) { c.machine.no_pool_in_memory = true; }, [](Case& c) { c.machine.no_pool_in_memory = false; }},
    {"pool-understood", refusal, "its structure is of no known kernel", planned,
     [](Case& c) {
         c.machine.pool_not_understood = Error{Errc::input, "sys/kernel/btf/vmlinux", 0, "expected nslabs"};
     },
     [](Case& c) { c.request.accept = {"pool-understood"}; }},
    {"pool-agrees", refusal, "the log shows another one", planned,
     [](Case& c) {
         c.machine.pool.push_back({range(0x6c000000, 0x70000800), PoolSource::log, {"dmesg", 7}});
     },
     [](Case& c) { c.machine.pool.back().range = synthetic_pool; }},
    {"pool-agrees", refusal, "the user names another one", planned,
     [](Case& c) { c.request.pool = range(0x6c000800, 0x70000000); }, [](Case& c) { c.request.pool = synthetic_pool; }},
    {"pool-agrees", refusal, "the words promise another one", reviewed,
     [](Case& c) { c.promised = range(0x6c000000, 0x70001000); }, [](Case& c) { c.promised = synthetic_pool; }},
    {"pool-aligned", refusal, "it starts and ends inside a page", planned,
     [](Case& c) { c.pool() = range(0x6bfff800, 0x6ffff800); },
     [](Case& c) { c.pool() = range(0x6bfff000, 0x6ffff000); }},
    {"pool-slabs", refusal, "it is a page larger than whole segments", planned,
     [](Case& c) {
         c.request.image->release = "5.10.0-32-amd64";
         c.pool() = range(0x6bfff000, 0x70000000);
     },
     [](Case& c) { c.pool() = range(0x6bfc0000, 0x70000000); }},
    {"pool-slabs", refusal, "it is smaller than 1 MiB", planned,
     [](Case& c) {
         c.machine = synthetic_machine_without_low_part();
         c.request.image->release = "5.10.0-32-amd64";
         c.pool() = range(0x6ff40000, 0x70000000);
     },
     [](Case& c) { c.pool() = range(0x6ff00000, 0x70000000); }},
    {"pool-slabs", refusal, "debugfs counts another number", planned, [](Case& c) { c.machine.slabs = 32767; },
     [](Case& c) { c.machine.slabs = 32768; }},
    {"pool-slabs", refusal, "debugfs counts more, and nothing else counts", planned,
     [](Case& c) {
         c.machine.pool.front().source = PoolSource::log;
         c.machine.slabs = 40960;
     },
     [](Case& c) { c.machine.pool.front().source = PoolSource::memory; }},
    {"pool-slabs", refusal, "an encrypted guest takes the default number for none", planned,
     [](Case& c) {
         c.machine.encryption = Encryption::sev;
         c.request.accept = {"encryption-unproven"};
         c.request.config->pool_bytes = 32 * MiB;
         c.pool() = range(0x6e000000, 0x70000000);
     },
     [](Case& c) { c.request.config->pool_bytes = 64 * MiB; }},
    {"pool-slabs", refusal, "the caller's swiotlb= asks for more areas than the pool has segments", planned,
     [](Case& c) { c.line() += " swiotlb=32768,257"; }, [](Case& c) { replace(c.line(), ",257", ",256"); }},
    {"pool-slabs", refusal, "the words promise a part that is no whole number of segments", reviewed,
     [](Case& c) {
         c.machine.release = c.request.image->release = "5.10.0-32-amd64";
         c.promised = range(0x6c000000, 0x6e001000);
         replace(c.line(), synthetic_words,
                 "swiotlb=16386 memmap=32772K@0x6c000000 swiotlb_handoff=0x6c000000-0x6e001000");
     },
     [](Case& c) {
         c.promised = range(0x6c000000, 0x6e040000);
         replace(c.line(), "swiotlb=16386 memmap=32772K@0x6c000000 swiotlb_handoff=0x6c000000-0x6e001000",
                 "swiotlb=16512 memmap=33024K@0x6c000000 swiotlb_handoff=0x6c000000-0x6e040000");
     }},
    {"pool-slabs", refusal, "the crash kernel has more CPUs than the pool has segments", planned,
     [](Case& c) {
         c.machine = synthetic_machine_without_low_part();
         c.pool() = range(0x6ff00000, 0x70000000);
         c.line() = "root=/dev/vda1 reset_devices nr_cpus=5";
     },
     [](Case& c) { c.line() = "root=/dev/vda1 reset_devices nr_cpus=4"; }},
    {"pool-slabs", refusal, "swiotlb= asks for another number", checked,
     [](Case& c) { replace(c.input.command_line, "swiotlb=32768", "swiotlb=32896"); },
     [](Case& c) { replace(c.input.command_line, "swiotlb=32896", "swiotlb=32768"); }},
    {"pool-slabs", refusal, "there is no swiotlb=", checked,
     [](Case& c) { replace(c.input.command_line, "swiotlb=32768", "quiet"); },
     [](Case& c) { replace(c.input.command_line, "quiet", "swiotlb=32768"); }},
    {"pool-power-of-two", refusal, "it has 24 MiB, and the crash kernel rounds up", planned,
     [](Case& c) { c.pool() = range(0x6e800000, 0x70000000); },
     [](Case& c) { c.request.image->release = "5.10.0-32-amd64"; }},
    {"pool-power-of-two", refusal, "it has 24 MiB, and addr= demands the number that it names", planned,
     [](Case& c) {
         c.request.image->release = "5.10.0-32-amd64";
         c.request.image->swiotlb_addr = true;
         c.pool() = range(0x6e800000, 0x70000000);
     },
     [](Case& c) { c.request.method = Method::ram; }},
    {"pool-power-of-two", refusal, "it has 24 MiB, and the running kernel's structure has areas", planned,
     [](Case& c) {
         c.pool() = range(0x6e800000, 0x70000000);
         c.machine.release = c.request.image->release = "5.14.0-427.el9.x86_64";
         c.machine.pool_areas = true;
     },
     [](Case& c) { c.machine.pool_areas = false; }},
    {"pool-part", refusal, "a memmap= makes RAM of a page of the rest", planned,
     [](Case& c) {
         c.pool() = range(0x6a000000, 0x70000000);
         c.line() += " memmap=4K@0x6f000000";
     },
     [](Case& c) { replace(c.line(), "memmap=4K@0x6f000000", "memmap=4K@0x69000000"); }},
    {"pool-part", refusal, "beside the words of a part a memmap= makes persistent memory of a page of the rest",
     reviewed,
     [](Case& c) {
         c.promised = range(0x6c000000, 0x6e000000);
         replace(c.line(), synthetic_words,
                 "swiotlb=16384 memmap=32M@0x6c000000,4K!0x6f000000 swiotlb_handoff=0x6c000000-0x6e000000");
     },
     [](Case& c) { replace(c.line(), "4K!0x6f000000", "4K$0x6f000000"); }},
    {"pool-part", info, "it has 96 MiB, and the crash kernel rounds up", planned,
     [](Case& c) { c.pool() = range(0x6a000000, 0x70000000); },
     [](Case& c) { c.request.image->release = "5.10.0-32-amd64"; }},
    {"pool-agrees", refusal, "the words lend a part of it", lent_reviewed,
     [](Case& c) {
         c.promised = range(0x6c000000, 0x6e000000);
         replace(c.line(), synthetic_loan_words, "memmap=32M@0x6c000000 swiotlb_lent=0x6c000000-0x6e000000");
     },
     [](Case& c) {
         c.promised = synthetic_pool;
         replace(c.line(), "memmap=32M@0x6c000000 swiotlb_lent=0x6c000000-0x6e000000", synthetic_loan_words);
     }},
    {"pool-below-4g", refusal, "it ends a page above 4 GiB", planned,
     [](Case& c) {
         c.machine.ram.add(range(2 * GiB, 4 * GiB));
         c.machine.map.add(range(2 * GiB, 4 * GiB), Type::ram);
         c.machine.map = e820::sanitised(c.machine.map);
         c.pool() = range(4 * GiB + page_size - 64 * MiB, 4 * GiB + page_size);
     },
     [](Case& c) { c.pool() = range(4 * GiB - 64 * MiB, 4 * GiB); }},
    {"pool-in-ram", refusal, "its last page is no RAM", planned,
     [](Case& c) { c.machine.ram.subtract(range(0x6ffff000, 0x70000000)); },
     [](Case& c) { c.machine.ram.add(range(0x6ffff000, 0x70000000)); }},
    {"pool-in-ram", refusal, "a page in its middle is no RAM", planned,
     [](Case& c) { c.machine.ram.subtract(range(0x6e000000, 0x6e001000)); },
     [](Case& c) { c.machine.ram.add(range(0x6e000000, 0x6e001000)); }},
    {"pool-in-ram", refusal, "the firmware's map ends inside the pool", planned,
     [](Case& c) {
         c.machine.map = {};
         c.machine.map.add(range(0, 0x6d000000), Type::ram);
     },
     [](Case& c) { c.machine.map.entries.front().range = range(0, 0x80000000); }},
    {"pool-in-ram", refusal, "the map that memmap= made has it as reserved", planned,
     [](Case& c) {
         MapSighting user{c.machine.map, {"dmesg", 20}};
         user.table.entries[2].range = range(MiB, 0x6f000000);
         c.machine.other_maps = {user};
     },
     [](Case& c) { c.machine.other_maps.front().table = c.machine.map; }},
    {"pool-in-ram", refusal, "a memmap= of the running kernel reserves a page of it", planned,
     [](Case& c) { c.machine.command_line += " memmap=4K$0x6ffff000"; },
     [](Case& c) { replace(c.machine.command_line, "0x6ffff000", "0x70000000"); }},
    {"pool-in-ram", refusal, "a mem= of the running kernel ends inside of it", planned,
     [](Case& c) { c.machine.command_line += " mem=1791M"; },
     [](Case& c) { replace(c.machine.command_line, "mem=1791M", "mem=1792M"); }},
    {"cma-apart", refusal, "crashkernel=,cma of an unknown size with kexec_file_load", planned,
     [](Case& c) {
         c.request.loader = Loader::kexec_file_load;
         c.machine.command_line += " crashkernel=512M,cma";
     },
     [](Case& c) { c.request.loader = Loader::kexec_load; }},
    {"pool-disjoint", refusal, "its last page is reserved for the crash kernel", planned,
     [](Case& c) { c.machine.crash_kernel.front() = range(0x6ffff000, 0x80000000); },
     [](Case& c) { c.machine.crash_kernel.front() = range(0x70000000, 0x80000000); }},
    {"pool-disjoint", refusal, "the running kernel's image reaches into it", planned,
     [](Case& c) { c.machine.kernel_image = range(0x6a000000, 0x6c000001); },
     [](Case& c) { c.machine.kernel_image = range(0x6a000000, 0x6c000000); }},
    {"pool-disjoint", refusal, "the firmware's map has a reserved page in it", planned,
     [](Case& c) {
         c.machine.map.entries.push_back({range(0x6c000000, 0x6c001000), Type::reserved});
     },
     [](Case& c) { c.machine.map.entries.back().range = range(0x6bfff000, 0x6c000000); }},
    {"pool-disjoint", refusal, "/proc/iomem has another name for a page of it", planned,
     [](Case& c) { c.machine.iomem.push_back(iomem_line(range(0x6ffff000, 0x70000000), "Persistent RAM")); },
     [](Case& c) { c.machine.iomem.back().name = "System RAM"; }},
    {"pool-in-use", warning, "one slab is in use", planned, [](Case& c) { c.machine.slabs_used = 1; },
     [](Case& c) { c.machine.slabs_used = 0; }},

    {"device-pools", warning, "the image does not announce the word", planned,
     [](Case& c) {
         have_device_pool(c);
         c.request.image->swiotlb_dev = false;
     },
     [](Case& c) { c.request.image->swiotlb_dev = true; }},
    {"device-pools", info, "they are handed over", planned, have_device_pool,
     [](Case& c) { c.machine.device_pools.clear(); }},
    {"device-pools", warning, "the words under review do not name them", reviewed, have_device_pool,
     [](Case& c) { c.machine.device_pools.clear(); }},
    {"device-pools", refusal, "the words name them, and the image does not announce that it knows them", reviewed,
     [](Case& c) {
         hand_over_device_pool(c);
         c.request.image->swiotlb_dev = false;
     },
     [](Case& c) { c.request.image->swiotlb_dev = true; }},
    {"device-pools", refusal, "the running kernel has its pool 16 MiB higher", reviewed,
     [](Case& c) {
         hand_over_device_pool(c);
         c.machine.device_pools.front().range = range(0x41000000, 0x42000000);
     },
     [](Case& c) { c.machine.device_pools.front().range = range(0x40000000, 0x41000000); }},
    {"device-pools", refusal, "the running kernel has a pool of another device there", reviewed,
     [](Case& c) {
         hand_over_device_pool(c);
         c.machine.device_pools.front().devices = "00:05.0";
     },
     [](Case& c) { c.machine.device_pools.front().devices = "00:04.0"; }},
    {"device-pools", refusal, "the running kernel's image ends in it", reviewed,
     [](Case& c) {
         hand_over_device_pool(c);
         c.machine.kernel_image = range(0x3d000000, 0x40001000);
     },
     [](Case& c) { c.machine.kernel_image = range(0x3d000000, 0x40000000); }},
    {"device-pools", refusal, "another word takes a page of its memory", reviewed,
     [](Case& c) {
         hand_over_device_pool(c);
         c.line() += " memmap=4K$0x40000000";
     },
     [](Case& c) { replace(c.line(), "4K$0x40000000", "4K$0x3ffff000"); }},
    {"device-pools", refusal, "another pool has a part of its memory", reviewed,
     [](Case& c) {
         hand_over_device_pool(c);
         c.line() += " swiotlb_dev=512,addr=0x40fff000,00:05.0";
     },
     [](Case& c) { replace(c.line(), "0x40fff000", "0x41000000"); }},
    {"device-pools", refusal, "the pool is not handed over by addr=", reviewed,
     [](Case& c) {
         hand_over_device_pool(c);
         replace(c.line(), " swiotlb=32768,addr=0x6c000000", "");
     },
     [](Case& c) { c.line() += " swiotlb=32768,addr=0x6c000000"; }},
    {"device-pools", refusal, "a word is not understood", planned,
     [](Case& c) {
         have_device_pool(c);
         c.line() += " swiotlb_dev=+512,addr=0x6c000000,00:05.0";
     },
     [](Case& c) { c.request.image->swiotlb_dev = false; }},
    {"device-pools", refusal, "a word takes memory that method ram does not count with", planned,
     [](Case& c) {
         have_device_pool(c);
         c.request.method = Method::ram;
         c.line() += " swiotlb_dev=512,addr=0x7ff00000,00:05.0";
     },
     [](Case& c) { replace(c.line(), "0x7ff00000", "0x6bf00000"); }},

    // --- what protects memory
    {"encryption-none", refusal, "an SEV-SNP guest", planned,
     [](Case& c) { c.machine.encryption = Encryption::sev_snp; },
     [](Case& c) { c.machine.encryption = Encryption::none; }},
    {"encryption-none", refusal, "a TDX guest, with every risk taken", planned,
     [](Case& c) {
         c.machine.encryption = Encryption::tdx;
         c.request.accept = {"encryption-none", "encryption-unproven", "encryption-known"};
     },
     [](Case& c) { c.machine.encryption = Encryption::sev; }},
    {"encryption-none", refusal, "a guest of Hyper-V's VBS, with every risk taken", planned,
     [](Case& c) {
         c.machine.encryption = Encryption::vbs;
         c.request.accept = {"encryption-none", "encryption-unproven", "encryption-known", "encryption-unshared"};
     },
     [](Case& c) { c.machine.encryption = Encryption::none; }},
    {"encryption-none", refusal, "encryption of an unknown kind, with every risk taken", planned,
     [](Case& c) {
         c.machine.encryption = Encryption::unknown_kind;
         c.request.accept = {"encryption-none", "encryption-unproven", "encryption-known", "encryption-unshared"};
     },
     [](Case& c) { c.machine.encryption = Encryption::none; }},
    {"encryption-unshared", refusal, "an SEV-SNP guest whose kernel makes the pool private again", planned,
     [](Case& c) {
         c.machine.encryption = Encryption::sev_snp;
         c.machine.makes_memory_private = true;
     },
     [](Case& c) { c.request.accept = {"encryption-unshared"}; }},
    {"encryption-unshared", refusal, "a TDX guest whose kernel does, with the risk of others taken", planned,
     [](Case& c) {
         c.machine.encryption = Encryption::tdx;
         c.machine.makes_memory_private = true;
         c.request.accept = {"encryption-none", "encryption-unproven", "encryption-known"};
     },
     [](Case& c) { c.request.accept = {"encryption-unshared"}; }},
    {"encryption-unproven", refusal, "SME", planned, [](Case& c) { c.machine.encryption = Encryption::sme; },
     [](Case& c) { c.machine.encryption = Encryption::none; }},
    {"encryption-unproven", refusal, "an SEV guest", planned, [](Case& c) { c.machine.encryption = Encryption::sev; },
     [](Case& c) { c.request.accept = {"encryption-unproven"}; }},
    {"encryption-unproven", refusal, "an SEV-ES guest", planned,
     [](Case& c) { c.machine.encryption = Encryption::sev_es; },
     [](Case& c) { c.request.accept = {"encryption-unproven"}; }},
    {"encryption-known", refusal, "nobody says, on the running machine", planned,
     [](Case& c) {
         c.machine.live = true;
         c.machine.encryption = Encryption::unknown;
     },
     [](Case& c) { c.request.accept = {"encryption-known"}; }},
    {"encryption-known", refusal, "nobody says, and the machine is not a captured one", planned,
     [](Case& c) {
         c.machine.live = true;
         c.machine.encryption = Encryption::unknown;
     },
     [](Case& c) { c.machine.live = false; }},

    // --- the crash kernel itself
    {"release-tested", refusal, "it is older than any that was looked at", planned,
     [](Case& c) { c.request.image->release = "5.9.16"; }, [](Case& c) { c.request.image->release = "5.10.0"; }},
    {"release-tested", refusal, "it is newer than any that was looked at", planned,
     [](Case& c) { c.request.image->release = "7.4.0"; }, [](Case& c) { c.request.image->release = "7.3.99"; }},
    {"release-tested", refusal, "it is outside, with the risk taken", planned,
     [](Case& c) { c.request.image->release = "4.18.0-553.el8"; },
     [](Case& c) { c.request.accept = {"release-tested"}; }},
    {"release-tested", refusal, "nobody says which release it is, on the running machine", planned,
     [](Case& c) {
         c.machine.live = true;
         c.machine.release.clear();
         c.request.image->release.clear();
     },
     [](Case& c) { c.machine.live = false; }},
    {"release-tested", refusal, "it is between, and its configuration is an accepted risk", planned,
     [](Case& c) {
         c.machine.live = true;
         c.request.image->release = "6.8.0-31-generic";
         c.request.config.reset();
         c.request.accept = {"config-known"};
     },
     [](Case& c) { c.request.config.emplace(); }},
    {"release-tested", warning, "it is between two series that were tested", planned,
     [](Case& c) { c.request.image->release = "6.8.0-31-generic"; },
     [](Case& c) { c.request.image->release = "6.12.117+deb13-amd64"; }},
    {"release-tested", warning, "it is another vendor's", planned,
     [](Case& c) { c.request.image->release = "6.12.0-55.el10.x86_64"; },
     [](Case& c) { c.request.image->release = "6.12.117+deb13-amd64"; }},
    {"config-known", refusal, "its configuration is not there, on the running machine", planned,
     [](Case& c) {
         c.machine.live = true;
         c.request.config.reset();
     },
     [](Case& c) { c.machine.config.emplace(); }},
    {"config-known", refusal, "only another kernel's configuration is there", planned,
     [](Case& c) {
         c.machine.live = true;
         c.machine.config.emplace();
         c.machine.release = "6.12.117+deb13-amd64";
         c.request.config.reset();
     },
     [](Case& c) { c.request.accept = {"config-known"}; }},
    {"config-known", refusal, "its configuration is damaged, also in a capture", planned,
     [](Case& c) {
         c.request.config.reset();
         c.request.config_problem = Error{Errc::input, "boot/config-6.1.0-50-amd64", 3, "damaged"};
     },
     [](Case& c) { c.request.config.emplace(); }},
    {"config-early", refusal, "an area for contiguous DMA by default", planned,
     [](Case& c) { c.request.config->cma_mbytes = 1; }, [](Case& c) { c.line() += " cma=0"; }},
    {"config-early", refusal, "KASAN", planned, [](Case& c) { c.request.config->kasan = true; },
     [](Case& c) { c.request.config->kasan = false; }},
    {"config-early", refusal, "KMSAN, of the running kernel's configuration", planned,
     [](Case& c) {
         c.request.config.reset();
         c.machine.config.emplace().kmsan = true;
     },
     [](Case& c) { c.machine.config->kmsan = false; }},
    {"config-early", refusal, "statistics of locks", planned, [](Case& c) { c.request.config->lock_stat = true; },
     [](Case& c) { c.request.config->lock_stat = false; }},
    {"config-early", refusal, "ACPI tables in the image", planned,
     [](Case& c) { c.request.config->builtin_tables = true; },
     [](Case& c) { c.request.config->builtin_tables = false; }},
    {"config-words", refusal, "a word that switches the pool off is built in", planned,
     [](Case& c) { c.request.config->command_line = "iommu=off"; },
     [](Case& c) { c.request.config->command_line = "quiet"; }},
    {"config-early", refusal, "Kexec HandOver by default", planned,
     [](Case& c) { c.request.config->kexec_handover = true; }, [](Case& c) { c.line() += " kho=off"; }},
    {"config-words", refusal, "the size of huge pages is built in, and their number on the line", planned,
     [](Case& c) {
         c.request.config->command_line = "hugepagesz=1G";
         c.line() += " hugepages=2";
     },
     [](Case& c) { c.request.config->command_line = "quiet"; }},
    {"config-words", refusal, "the number of huge pages is built in, and their size on the line", planned,
     [](Case& c) {
         c.request.config->command_line = "hugepages=2";
         c.line() += " hugepagesz=1G";
     },
     [](Case& c) { replace(c.line(), "=1G", "=2M"); }},
    {"config-words", refusal, "a word that takes memory is built in", planned,
     [](Case& c) { c.request.config->command_line = "quiet log_buf_len=16M"; },
     [](Case& c) { c.request.config->command_line = "quiet"; }},
    {"config-words", refusal, "a word that has a rule of its own is built in", planned,
     [](Case& c) { c.request.config->command_line = "memmap=64M@0x1000000"; },
     [](Case& c) { c.request.accept = {"config-words"}; }},
    {"config-words", refusal, "a word about the IOMMU that the running kernel does not have is built in", planned,
     [](Case& c) { c.request.config->command_line = "iommu=memaper=2"; },
     [](Case& c) { c.request.config->command_line = "quiet"; }},
    {"config-words", refusal, "a bootconfig is built in", planned,
     [](Case& c) { c.request.config->bootconfig_embedded = true; },
     [](Case& c) { c.request.config->bootconfig_embedded = false; }},
    {"config-words", refusal, "the initrd ends in a bootconfig that counts", planned,
     [](Case& c) { c.request.config->bootconfig_forced = c.request.initrd_bootconfig = true; },
     [](Case& c) { c.request.config->bootconfig_forced = false; }},
    {"config-words", refusal, "a word that takes memory is built in, with a loan", lent,
     [](Case& c) { c.request.config->command_line = "log_buf_len=16M"; },
     [](Case& c) { c.request.config->command_line.clear(); }},
    {"command-line-agrees", refusal, "the crash kernel reads only its own command line", planned,
     [](Case& c) {
         c.request.config->command_line = "quiet";
         c.request.config->command_line_alone = true;
     },
     [](Case& c) { c.request.config->command_line_alone = false; }},
    {"command-line-init", refusal, "a '--' is built in", planned,
     [](Case& c) { c.request.config->command_line = "quiet -- single"; },
     [](Case& c) { c.request.config->command_line = "quiet single"; }},
    {"command-line-sound", refusal, "a quote that is built in is not closed", planned,
     [](Case& c) { c.request.config->command_line = "dyndbg=\"file x"; },
     [](Case& c) { c.request.config->command_line += '"'; }},
    {"command-line-fits", refusal, "what is built in makes it a byte too long", planned,
     [](Case& c) {
         c.request.image->cmdline_size = bytes_of_line(c) + 5;
         c.request.config->command_line = "quiet";
     },
     [](Case& c) { c.request.image->cmdline_size += 1; }},
    {"xen-none", refusal, "Xen", planned, [](Case& c) { c.machine.xen = true; },
     [](Case& c) { c.machine.xen = false; }},

    // --- the crash kernel's command line
    {"command-line-known", info, "nobody gave it", planned, [](Case& c) { c.request.command_line.reset(); },
     [](Case& c) { c.request.command_line = "root=/dev/vda1 reset_devices nr_cpus=1"; }},
    {"command-line-sound", refusal, "a quote is not closed", planned, [](Case& c) { c.line() += " dyndbg=\"file x"; },
     [](Case& c) { c.line() += "\""; }},
    {"command-line-sound", refusal, "swiotlb= has more slabs than any machine", planned,
     [](Case& c) { c.line() += " swiotlb=1099511627777"; },
     [](Case& c) { replace(c.line(), "1099511627777", "1099511627776"); }},
    {"command-line-sound", refusal, "a memmap= cannot be read", planned,
     [](Case& c) { c.line() += " memmap=4K?0x1000"; }, [](Case& c) { replace(c.line(), "?", "$"); }},
    {"command-line-sound", refusal, "a memmap= beside the words cannot be read", reviewed,
     [](Case& c) { c.line() += " memmap=4K?0x1000"; }, [](Case& c) { replace(c.line(), "?", "$"); }},
    {"command-line-sound", refusal, "a memmap= cannot be read, with a loan", lent,
     [](Case& c) { c.line() += " memmap=4K?0x1000"; }, [](Case& c) { replace(c.line(), "?", "$"); }},
    {"command-line-sound", refusal, "a quote is not closed, in words that are there", checked,
     [](Case& c) { c.input.command_line += " dyndbg=\"file x"; }, [](Case& c) { c.input.command_line += "\""; }},
    {"command-line-sound", refusal, "addr= has no number, in words that are there", checked,
     [](Case& c) { replace(c.input.command_line, "swiotlb=32768", "swiotlb=32768,addr=here"); },
     [](Case& c) { replace(c.input.command_line, ",addr=here", ",addr=0x6c000000"); }},
    {"command-line-sound", refusal, "a memmap= cannot be read, in words that are there", checked,
     [](Case& c) { c.input.command_line += " memmap=4K?0x1000"; },
     [](Case& c) { replace(c.input.command_line, "?", "$"); }},
    {"command-line-sound", refusal, "the marker's bounds are reversed", checked,
     [](Case& c) { replace(c.input.command_line, "handoff=0x6c000000-0x70000000", "handoff=0x70000000-0x6c000000"); },
     [](Case& c) { replace(c.input.command_line, "handoff=0x70000000-0x6c000000", "handoff=0x6c000000-0x70000000"); }},
    {"command-line-sound", refusal, "the marker of a loan has one bound", lent_checked,
     [](Case& c) { replace(c.input.command_line, "swiotlb_lent=0x6c000000-0x70000000", "swiotlb_lent=0x6c000000"); },
     [](Case& c) { c.input.command_line += "-0x70000000"; }},
    {"command-line-sound", refusal, "a mem= cannot be read, and there is a map to apply it to", checked,
     [](Case& c) {
         c.input.map.emplace().add(range(MiB, 2 * MiB), Type::ram);
         c.input.command_line += " mem=lots";
     },
     [](Case& c) { replace(c.input.command_line, "mem=lots", "mem=4G"); }},
    {"command-line-agrees", refusal, "memmap=exactmap", planned,
     [](Case& c) {
         c.machine = synthetic_machine_without_low_part();
         c.line() += " memmap=exactmap,628K@4K,512M@0x1e0000000";
     },
     [](Case& c) { replace(c.line(), "exactmap,", ""); }},
    {"command-line-agrees", refusal, "there is a handoff already", planned,
     [](Case& c) { c.line() += " swiotlb_handoff=0x6c000000-0x70000000"; },
     [](Case& c) { replace(c.line(), "swiotlb_handoff", "handoff"); }},
    {"command-line-agrees", refusal, "there is a loan already", planned,
     [](Case& c) { c.line() += " swiotlb_lent=0x6c000000-0x70000000"; },
     [](Case& c) { replace(c.line(), "swiotlb_lent", "lent"); }},
    {"command-line-agrees", refusal, "swiotlb= has a word that is not understood", planned,
     [](Case& c) { c.line() += " swiotlb=32768,any"; }, [](Case& c) { replace(c.line(), ",any", ""); }},
    {"command-line-agrees", refusal, "memmap=exactmap, with a loan", lent,
     [](Case& c) { c.line() += " memmap=exactmap memmap=4G@0"; },
     [](Case& c) { replace(c.line(), " memmap=exactmap memmap=4G@0", ""); }},
    {"command-line-agrees", refusal, "the pool is handed over and lent at once", checked,
     [](Case& c) { c.input.command_line += " swiotlb_lent=0x6c000000-0x70000000"; },
     [](Case& c) { replace(c.input.command_line, "swiotlb_lent", "lent"); }},
    {"command-line-agrees", refusal, "swiotlb=noforce beside the words", checked,
     [](Case& c) { replace(c.input.command_line, "swiotlb=32768", "swiotlb=32768,noforce"); },
     [](Case& c) { replace(c.input.command_line, ",noforce", ",force"); }},
    {"command-line-agrees", refusal, "addr= is a page off", checked,
     [](Case& c) { replace(c.input.command_line, "swiotlb=32768", "swiotlb=32768,addr=0x6c001000"); },
     [](Case& c) { replace(c.input.command_line, "0x6c001000", "0x6c000000"); }},
    {"command-line-agrees", refusal, "memmap=exactmap beside the words", checked,
     [](Case& c) { c.input.command_line += " memmap=exactmap"; },
     [](Case& c) { replace(c.input.command_line, " memmap=exactmap", ""); }},
    {"command-line-agrees", refusal, "another memmap= reserves a page of the pool", checked,
     [](Case& c) { c.input.command_line += " memmap=4K$0x6ffff000"; },
     [](Case& c) { replace(c.input.command_line, "0x6ffff000", "0x70000000"); }},
    {"command-line-early", refusal, "an aperture for GART, which the running kernel has as well", planned,
     [](Case& c) {
         c.line() += " iommu=memaper=2";
         c.machine.command_line += " iommu=memaper=2";
     },
     [](Case& c) {
         replace(c.line(), "iommu=memaper=2", "iommu=off");
         c.machine.command_line += " iommu=off";
     }},
    {"command-line-early", refusal, "a size of CMA that only ends in zero", planned,
     [](Case& c) { c.line() += " cma=64M:0"; }, [](Case& c) { replace(c.line(), "cma=64M:0", "cma=0"); }},
    {"command-line-early", refusal, "crashkernel=", planned, [](Case& c) { c.line() += " crashkernel=64M"; },
     [](Case& c) { replace(c.line(), " crashkernel=64M", ""); }},
    {"command-line-early", refusal, "cma=, which is allowed only as 0", planned,
     [](Case& c) { c.line() += " cma=64M"; }, [](Case& c) { replace(c.line(), "cma=64M", "cma=0"); }},
    {"command-line-early", refusal, "huge pages of 1 GiB", planned,
     [](Case& c) { c.line() += " hugepagesz=1G hugepages=2"; },
     [](Case& c) { replace(c.line(), "hugepagesz=1G", "hugepagesz=2M"); }},
    {"command-line-early", refusal, "huge pages of 1 GiB before smaller ones", planned,
     [](Case& c) { c.line() += " hugepagesz=1G hugepages=16 hugepagesz=2M hugepages=2048"; },
     [](Case& c) { replace(c.line(), "hugepagesz=1G", "hugepagesz=4M"); }},
    {"command-line-early", refusal, "a CMA area for each node", planned, [](Case& c) { c.line() += " numa_cma=0:64M"; },
     [](Case& c) { replace(c.line(), "numa_cma=0:64M", "numa_cma=0:0"); }},
    {"command-line-covered", refusal, "a word of a kernel that nobody looked at", planned,
     [](Case& c) {
         c.request.image->release = "5.14.0-427.el9.x86_64";
         c.line() += " some_new_word=1";
     },
     [](Case& c) { replace(c.line(), " some_new_word=1", ""); }},
    {"command-line-early", refusal, "fake NUMA nodes", planned, [](Case& c) { c.line() += " numa=fake=2"; },
     [](Case& c) { replace(c.line(), "numa=fake=2", "numa=off"); }},
    {"command-line-iommu", refusal, "the running kernel's command line is not known to its end", planned,
     [](Case& c) {
         c.machine.live = true;
         c.request.loader = Loader::kexec_load;
         c.machine.command_line_cut = true;
     },
     [](Case& c) { c.machine.command_line_cut = false; }},
    {"command-line-iommu", refusal, "iommu=force for the crash kernel alone", planned,
     [](Case& c) { c.line() += " iommu=force"; }, [](Case& c) { c.machine.command_line += " iommu=force"; }},
    {"command-line-iommu", refusal, "iommu=pt on 5.10 for the crash kernel alone", planned,
     [](Case& c) {
         c.request.image->release = "5.10.0-28-amd64";
         c.line() += " iommu=pt";
     },
     [](Case& c) { c.request.image->release = "6.1.0-18-amd64"; }},
    {"command-line-iommu", refusal, "amd_iommu=off on 5.10 for the running kernel alone", planned,
     [](Case& c) {
         c.request.image->release = "5.10.0-28-amd64";
         c.machine.command_line += " amd_iommu=off";
     },
     [](Case& c) { c.line() += " amd_iommu=off"; }},
    {"command-line-fits", refusal, "it is a byte too long", planned,
     [](Case& c) { c.request.image->cmdline_size = bytes_of_line(c) - 1; },
     [](Case& c) { c.request.image->cmdline_size += 1; }},
    {"command-line-fits", refusal, "it is a byte too long, with a loan", lent,
     [](Case& c) { c.request.image->cmdline_size = bytes_of_line(c) - 1; },
     [](Case& c) { c.request.image->cmdline_size += 1; }},
    {"command-line-init", refusal, "there is a '--'", planned, [](Case& c) { c.line() += " -- single"; },
     [](Case& c) { replace(c.line(), "-- ", ""); }},
    {"command-line-init", refusal, "there is a '--', with a loan", lent, [](Case& c) { c.line() += " -- single"; },
     [](Case& c) { replace(c.line(), "-- ", ""); }},
    {"reset-devices", warning, "it is missing", planned, [](Case& c) { replace(c.line(), "reset_devices", "quiet"); },
     [](Case& c) { replace(c.line(), "quiet", "reset_devices"); }},

    // --- what is loaded, and by whom
    {"loader-known", info, "nobody says which system call loads", planned,
     [](Case& c) { c.request.loader = Loader::automatic; }, [](Case& c) { c.request.loader = Loader::kexec_load; }},
    {"loader-known", refusal, "method e820 with kexec_file_load", planned,
     [](Case& c) {
         c.request.method = Method::e820;
         c.request.loader = Loader::kexec_file_load;
     },
     [](Case& c) { c.request.loader = Loader::kexec_load; }},
    {"loader-permitted", refusal, "the kernel takes too few loads more", planned,
     [](Case& c) { c.machine.loads_left = 2; }, [](Case& c) { c.machine.loads_left = 3; }},
    {"loader-permitted", refusal, "the kernel takes too few loads more for a reboot", next,
     [](Case& c) { c.machine.next_loads_left = 5; }, [](Case& c) { c.machine.next_loads_left = 6; }},
    {"loader-permitted", refusal, "kexec_load under lockdown", planned,
     [](Case& c) {
         c.machine.lockdown = true;
         c.request.loader = Loader::kexec_load;
     },
     [](Case& c) { c.request.loader = Loader::kexec_file_load; }},
    {"loader-setup-data", info, "the version of kexec-tools is not known", planned,
     [](Case& c) {
         c.machine.live = true;
         c.request.loader = Loader::kexec_load;
         c.machine.kexec_tools.reset();
     },
     [](Case& c) { c.machine.kexec_tools = "2.0.32"; }},
    {"loader-setup-data", info, "an old kexec-tools, and nothing shows that the machine has no EFI", planned,
     [](Case& c) {
         c.request.loader = Loader::kexec_load;
         c.machine.kexec_tools = "2.0.24";
         c.machine.log_complete = false;
     },
     [](Case& c) { c.machine.log_complete = true; }},
    {"loader-setup-data", warning, "kexec-tools 2.0.25 may get no random seed yet", planned,
     [](Case& c) { c.machine.random_ready = false; }, [](Case& c) { c.machine.kexec_tools = "2.0.24"; }},
    {"image-known", refusal, "nobody names the image of the running machine", planned,
     [](Case& c) {
         c.machine.live = true;
         c.request.image.reset();
     },
     [](Case& c) { c.request.image = synthetic_request().image; }},
    {"image-known", refusal, "nobody names the initrd of the running machine", planned,
     [](Case& c) {
         c.machine.live = true;
         c.request.initrd_bytes.reset();
     },
     [](Case& c) { c.request.initrd_bytes = 0; }},
    {"image-addr", refusal, "method addr, and the image does not announce it", planned,
     [](Case& c) { c.request.method = Method::addr; }, [](Case& c) { c.request.image->swiotlb_addr = true; }},
    {"image-addr", refusal, "addr= is on the command line, and the image does not announce it", reviewed,
     [](Case& c) { replace(c.line(), "swiotlb=32768", "swiotlb=32768,addr=0x6c000000"); },
     [](Case& c) { c.request.image->swiotlb_addr = true; }},
    {"segments-in-ram", refusal, "somebody's memmap= takes a page of the initrd", planned,
     [](Case& c) { c.line() += fmt::format(" memmap=4K${:#x}", segment_start(c, "initrd") + 0x1000); },
     [](Case& c) { c.line() = c.line().substr(0, c.line().find(" memmap")); }},
    {"loader-segments", refusal, "the crash kernel gets a key of dm-crypt by kexec_file_load", planned,
     [](Case& c) { c.machine.neighbours.dm_crypt_keys = 1; }, [](Case& c) { c.machine.neighbours.dm_crypt_keys = 0; }},
    {"loader-segments", refusal, "the same, and kexec_load would do", planned,
     [](Case& c) {
         c.request.loader = Loader::kexec_file_load;
         c.machine.neighbours.dm_crypt_keys = 128;
     },
     [](Case& c) { c.request.loader = Loader::kexec_load; }},
    {"loader-segments", refusal, "IMA's list is larger than what is kept for it", planned,
     [](Case& c) { c.machine.neighbours.ima_list_bytes = 128 * KiB - 6 * KiB + 1; },
     [](Case& c) { c.machine.neighbours.ima_list_bytes = 128 * KiB - 6 * KiB; }},
    {"loader-segments", refusal, "a kernel that passes IMA's list on", planned,
     [](Case& c) { c.machine.neighbours.ima_list_bytes = MiB; },
     [](Case& c) { c.machine.release = c.request.image->release = "7.2.13+deb14-amd64"; }},
    {"load-fits", refusal, "the kernel is larger than the reservation", planned,
     [](Case& c) { c.request.image->init_size = 512 * MiB; }, [](Case& c) { c.request.image->init_size = 64 * MiB; }},
    {"load-fits", refusal, "the initrd finds no room beside the kernel, with a loan", lent,
     [](Case& c) { c.request.initrd_bytes = 200 * MiB; }, [](Case& c) { c.request.initrd_bytes = 100 * MiB; }},

    // --- where the pool lands
    {"numa-single", info, "a second node may come", planned, [](Case& c) { c.machine.possible_nodes = 2; },
     [](Case& c) { c.machine.possible_nodes = 1; }},
    {"numa-single", info, "the initrd brings an ACPI table", planned,
     [](Case& c) { c.request.initrd_acpi_bytes = 4096; }, [](Case& c) { c.request.initrd_acpi_bytes = 0; }},
    {"numa-single", info, "two nodes have memory", planned, [](Case& c) { c.machine.memory_nodes = 2; },
     [](Case& c) { c.machine.memory_nodes = 1; }},
    {"numa-single", refusal, "two nodes have memory, and the words do not have numa=off", reviewed,
     [](Case& c) { c.machine.memory_nodes = 2; }, [](Case& c) { c.line() += " numa=off"; }},
    {"map-once", refusal, "another memmap= reserves the pool's last page, with a loan", lent,
     [](Case& c) { c.line() += " memmap=4K$0x6ffff000"; },
     [](Case& c) { replace(c.line(), "0x6ffff000", "0x6bfff000"); }},
    {"map-once", refusal, "the words add the pool twice", checked,
     [](Case& c) { c.input.command_line += " memmap=64M@0x6c000000"; },
     [](Case& c) { replace(c.input.command_line, "memmap=64M@0x6c000000 ", ""); }},
    {"map-once", refusal, "the words do not add the pool, and there is no map", checked,
     [](Case& c) { replace(c.input.command_line, "memmap=64M@0x6c000000 ", ""); },
     [](Case& c) { c.input.command_line += " memmap=64M@0x6c000000"; }},
    {"map-once", refusal, "the table has the pool, and the words add it again", checked,
     [](Case& c) {
         c.input.map.emplace().add(synthetic_pool, Type::ram);
         c.input.command_line += " nokaslr";
     },
     [](Case& c) { replace(c.input.command_line, "memmap=64M@0x6c000000 ", ""); }},
    {"map-once", refusal, "the table has the pool but for its last page", checked,
     [](Case& c) {
         c.input.map.emplace().add(range(0x6c000000, 0x6ffff000), Type::ram);
         replace(c.input.command_line, "memmap=64M@0x6c000000", "nokaslr");
     },
     [](Case& c) { c.input.map->add(range(0x6ffff000, 0x70000000), Type::ram); }},
    {"kaslr-blind", refusal, "the table has the pool, and KASLR is on", checked,
     [](Case& c) {
         c.input.map.emplace().add(synthetic_pool, Type::ram);
         replace(c.input.command_line, "memmap=64M@0x6c000000", "quiet");
     },
     [](Case& c) { replace(c.input.command_line, "quiet", "nokaslr"); }},
    {"pool-exact", refusal, "the pool slides up where kexec-tools may have no random seed", planned,
     [](Case& c) {
         c.machine.crash_kernel = {range(0x70000000, 0x80000000)};
         c.machine.random_ready = false;
         c.request.loader = Loader::kexec_load;
         c.pool() = range(0x6e000000, 0x70000000);  // so small that no part of it would be enough
         c.line() += " swiotlb=force";
     },
     [](Case& c) { c.machine.random_ready = true; }},
    {"pool-exact", refusal, "there is free memory below 4 GiB that the words do not fence off", reviewed,
     [](Case& c) { c.machine.crash_kernel = synthetic_machine().crash_kernel; },
     [](Case& c) { c.machine = synthetic_machine_without_low_part(); }},
    {"pool-below-crashkernel", refusal, "the pool is above the reservation", planned,
     [](Case& c) {
         c.machine.crash_kernel = {range(0x50000000, 0x60000000)};
         c.line() += " swiotlb=force";
     },
     [](Case& c) { c.machine.crash_kernel = {range(0x70000000, 0x80000000)}; }},
    {"memory-kept", refusal, "the crash kernel's own pool would be smaller than what the handoff costs", planned,
     [](Case& c) { c.machine.crash_kernel.front() = range(0x70000000, 0x70200000); },
     [](Case& c) { c.machine.crash_kernel.front() = range(0x70000000, 0x70400000); }},

    // --- what else claims memory
    {"cma-apart", refusal, "crashkernel=,cma stands behind '--', where the kernel finds it as well", planned,
     [](Case& c) {
         c.request.loader = Loader::kexec_file_load;
         c.machine.command_line += " -- crashkernel=512M,cma";
     },
     [](Case& c) { replace(c.machine.command_line, "512M,cma", "512M"); }},
    {"cma-apart", refusal, "kexec_file_load adds crashkernel=,cma", planned,
     [](Case& c) { c.machine.neighbours.cma_bytes = 64 * MiB; },
     [](Case& c) { c.request.loader = Loader::kexec_load; }},
    {"cma-apart", refusal, "it has a page of the pool", planned,
     [](Case& c) {
         c.request.loader = Loader::kexec_load;
         c.machine.neighbours.cma = {range(0x60000000, 0x6c001000)};
     },
     [](Case& c) { c.machine.neighbours.cma = {range(0x60000000, 0x6c000000)}; }},
    {"cma-apart", refusal, "it has a fence", planned,
     [](Case& c) {
         c.request.loader = Loader::kexec_load;
         c.machine.neighbours.cma = {range(0x74000000, 0x78000000)};
     },
     [](Case& c) { c.machine.neighbours.cma = {range(0x74001000, 0x78000000)}; }},
    {"cma-apart", refusal, "it has a page of the pool, with a loan", lent,
     [](Case& c) { c.machine.neighbours.cma = {range(0x60000000, 0x6c001000)}; },
     [](Case& c) { c.machine.neighbours.cma = {range(0x60000000, 0x6c000000)}; }},
    {"kho-apart", refusal, "kexec_file_load may pass the scratch areas on", planned,
     [](Case& c) {
         c.machine.command_line += " kho=on";
         c.line() += " kho=off";
     },
     [](Case& c) { c.request.loader = Loader::kexec_load; }},
    {"kho-apart", refusal, "it is on by the running kernel's configuration", planned,
     [](Case& c) {
         c.machine.config.emplace().kexec_handover = true;
         c.request.config.emplace();
     },
     [](Case& c) { c.machine.command_line += " kho=off"; }},
    {"kho-apart", refusal, "a scratch area has a page of the pool", planned,
     [](Case& c) {
         c.request.loader = Loader::kexec_load;
         c.machine.neighbours.kho_scratch = {range(0x60000000, 0x6c001000)};
         c.line() += " kho=off";
     },
     [](Case& c) { c.machine.neighbours.kho_scratch = {range(0x60000000, 0x6c000000)}; }},
    {"kho-apart", refusal, "the crash kernel would make scratch areas by default", planned,
     [](Case& c) {
         c.request.loader = Loader::kexec_load;
         c.machine.neighbours.kho_scratch = {range(5 * GiB, 6 * GiB)};
     },
     [](Case& c) { c.line() += " kho=off"; }},
    {"kho-apart", refusal, "the crash kernel is told to make scratch areas", planned,
     [](Case& c) { c.line() += " kho=on"; }, [](Case& c) { replace(c.line(), "kho=on", "kho=off"); }},
    {"reserve-mem-apart", info, "the running kernel has reserve_mem=", planned,
     [](Case& c) { c.machine.command_line += " reserve_mem=12M:4096:trace"; },
     [](Case& c) { replace(c.machine.command_line, " reserve_mem=12M:4096:trace", ""); }},
    {"hotplug-sound", info, "the kernel follows memory that comes and goes", planned,
     [](Case& c) { c.machine.neighbours.memory_crash_hotplug = true; },
     [](Case& c) { c.machine.neighbours.memory_crash_hotplug = false; }},
    {"hotplug-sound", info, "the kernel follows CPUs that come and go", planned,
     [](Case& c) { c.machine.neighbours.cpu_crash_hotplug = true; },
     [](Case& c) { c.machine.neighbours.cpu_crash_hotplug = false; }},

    // --- the loan
    {"lend-no-bounce", refusal, "nobody says whether memory is encrypted", lent,
     [](Case& c) { c.machine.encryption = Encryption::unknown; },
     [](Case& c) { c.machine.encryption = Encryption::none; }},
    {"lend-no-bounce", refusal, "the running kernel's command line is not known", lent,
     [](Case& c) { c.machine.command_line.clear(); }, [](Case& c) { c.machine.command_line = "quiet"; }},
    {"lend-no-bounce", refusal, "the running kernel bounces all DMA", lent,
     [](Case& c) {
         c.machine.command_line += " swiotlb=force";
         c.line() += " swiotlb=noforce";
     },
     [](Case& c) { replace(c.machine.command_line, " swiotlb=force", ""); }},
    {"lend-no-bounce", refusal, "swiotlb=force beside the words", lent_checked,
     [](Case& c) { c.input.command_line += " swiotlb=force"; },
     [](Case& c) { replace(c.input.command_line, " swiotlb=force", " swiotlb=noforce"); }},
    {"lend-no-bounce", refusal, "iommu=soft beside the words", lent_checked,
     [](Case& c) { c.input.command_line += " iommu=soft"; },
     [](Case& c) { replace(c.input.command_line, "iommu=soft", "iommu=pt"); }},
    {"command-line-iommu", refusal, "a loan, and mem_encrypt=on for the crash kernel alone", lent,
     [](Case& c) { c.line() += " mem_encrypt=on"; }, [](Case& c) { replace(c.line(), " mem_encrypt=on", ""); }},
    {"lend-idle", refusal, "one slab was in use once", lent, [](Case& c) { c.machine.slabs_hiwater = 1; },
     [](Case& c) { c.machine.slabs_hiwater = 0; }},
    {"lend-idle", refusal, "the kernel keeps no count, and nobody has looked at the pool", lent,
     [](Case& c) {
         c.machine.slabs_hiwater.reset();
         c.machine.pool_traces.reset();
     },
     [](Case& c) { blank_pool(c); }},
    {"lend-idle", refusal, "the kernel counts only when asked, and was not; nor was the pool looked at", lent,
     [](Case& c) {
         c.machine.hiwater_tracked = false;
         c.machine.pool_traces.reset();
     },
     [](Case& c) { blank_pool(c); }},
    {"lend-idle", refusal, "the search for slabs begins behind the first in one area", lent,
     [](Case& c) { c.machine.pool_traces->moved_areas = 1; }, [](Case& c) { c.machine.pool_traces->moved_areas = 0; }},
    {"lend-idle", refusal, "the last byte of the pool is not 0", lent,
     [](Case& c) {
         --c.machine.pool_traces->blank_bytes;
         c.machine.pool_traces->first_written = c.pool().end() - 1;
     },
     [](Case& c) { blank_pool(c); }},
    {"lend-idle", refusal, "the pool was not read to its end", lent,
     [](Case& c) { --c.machine.pool_traces->blank_bytes; }, [](Case& c) { ++c.machine.pool_traces->blank_bytes; }},
    {"lend-idle", refusal, "a pool beside this one was read", lent,
     [](Case& c) { c.machine.pool_traces->pool = range(0x6c001000, 0x70001000); }, [](Case& c) { blank_pool(c); }},
    {"lend-idle", refusal, "the pool of the running machine was not read", lent,
     [](Case& c) {
         c.machine.live = true;
         c.machine.pool_traces.reset();
     },
     [](Case& c) { blank_pool(c); }},
    {"lend-idle", refusal, "one slab is in use", lent, [](Case& c) { c.machine.slabs_used = 1; },
     [](Case& c) { c.machine.slabs_used = 0; }},
    {"lend-devices", refusal, "a device addresses a bit too few", lent,
     [](Case& c) {
         c.machine.devices->push_back({"0000:03:00.0", "e1000", 0x020000, 32, 64});
     },
     [](Case& c) { c.machine.devices->back().streaming_bits = 33; }},
    {"lend-devices", refusal, "a device of the platform bus may do DMA", lent,
     [](Case& c) {
         c.machine.platform_devices->push_back({"80860F14:00", "sdhci-acpi"});
     },
     [](Case& c) { c.machine.platform_devices->pop_back(); }},
    {"lend-devices", refusal, "memory that is not RAM yet is beyond a mask", lent,
     [](Case& c) {
         c.machine.devices->push_back({"0000:03:00.0", "e1000", 0x020000, 33, 64});
         c.machine.iomem = {iomem_line(range(8 * GiB, 8 * GiB + 1), "Persistent Memory")};
     },
     [](Case& c) { c.machine.iomem.front().name = "PCI Bus 0000:00"; }},
    {"lend-devices", refusal, "a device that calls itself memory masters the bus", lent,
     [](Case& c) {
         c.machine.devices->push_back({"0000:03:00.0", "qdma-pf", 0x058000, 32, 32, true});
     },
     [](Case& c) { c.machine.devices->back().masters_bus = false; }},
    {"lend-devices", refusal, "a device without a driver masters the bus", lent,
     [](Case& c) { c.machine.ownerless_masters->push_back("0000:03:00.0"); },
     [](Case& c) { c.machine.ownerless_masters->clear(); }},
    {"lend-devices", refusal, "a bridge of VIA limits what is behind it", lent,
     [](Case& c) { c.machine.narrow_bridges->push_back("0000:00:01.0"); },
     [](Case& c) { c.machine.narrow_bridges->clear(); }},
    {"lend-devices", refusal, "the configuration space of the running machine's devices cannot be read", lent,
     [](Case& c) {
         c.machine.live = true;
         c.machine.ownerless_masters.reset();
     },
     [](Case& c) { c.machine.ownerless_masters.emplace(); }},
    {"lend-devices", refusal, "the PCI devices are not known", lent, [](Case& c) { c.machine.devices.reset(); },
     [](Case& c) { c.machine.devices.emplace(); }},
    {"lend-trusted", refusal, "a device is behind an external-facing port", lent,
     [](Case& c) { c.machine.external_devices->push_back("0000:3c:00.0"); },
     [](Case& c) { c.machine.external_devices->clear(); }},
    {"lend-trusted", refusal, "nobody says which devices are", lent,
     [](Case& c) { c.machine.external_devices.reset(); }, [](Case& c) { c.machine.external_devices.emplace(); }},
    {"lend-trusted", refusal, "the kernel does not show it, and an IOMMU is in use", lent,
     [](Case& c) {
         c.machine.release = c.request.image->release = "5.10.0-32-amd64";
         c.machine.iommu_groups = 1;
     },
     [](Case& c) { c.machine.iommu_groups = 0; }},
    {"lend-iommu", refusal, "an IOMMU translates, and only the running kernel is told to use it", lent,
     [](Case& c) {
         c.machine.iommu_groups = 1;
         c.machine.command_line += " intel_iommu=on";
     },
     [](Case& c) { c.line() += " intel_iommu=on"; }},
    {"lend-iommu", refusal, "an IOMMU translates, and the crash kernel is another kernel", lent,
     [](Case& c) {
         c.machine.iommu_groups = 1;
         c.request.image->release = "6.12.110+deb13-amd64";
     },
     [](Case& c) { c.machine.release = c.request.image->release; }},
    {"lend-iommu", refusal, "the firmware has a device write to the pool's last byte", lent,
     [](Case& c) { c.machine.firmware_dma = {range(0x6fffffff, 0x70001000)}; },
     [](Case& c) { c.machine.firmware_dma = {range(0x70000000, 0x70001000)}; }},
    {"lend-iommu", refusal, "the running machine does not say what is reserved for the firmware", lent,
     [](Case& c) {
         c.machine.live = true;
         c.machine.iommu_groups.reset();
     },
     [](Case& c) { c.machine.iommu_groups = 0; }},
    {"lend-dump", refusal, "the ELF headers have the pool, and nobody says how the dump is read", lent,
     [](Case& c) { c.request.leaves_pool_out = false; }, [](Case& c) { c.request.collector = Collector::maps; }},
    {"lend-gain", refusal, "the pool is smaller than its struct pages", lent,
     [](Case& c) {
         c.machine.crash_kernel = {range(0x70000000, 0x78000000)};
         c.pool() = range(0x67e00000, 0x68200000);
         blank_pool(c);
     },
     [](Case& c) {
         c.pool() = range(0x68000000, 0x68400000);
         blank_pool(c);
     }},

    // --- the kernel that an ordinary kexec starts
    {"next-pool", info, "the image does not know addr=", next, [](Case& c) { c.request.image->swiotlb_addr = false; },
     [](Case& c) { c.request.image->swiotlb_addr = true; }},
    {"next-pool", info, "all memory is below 4 GiB", next, [](Case& c) { c.machine.map.entries.pop_back(); },
     [](Case& c) { c.line() += " swiotlb=force"; }},
    {"next-pool", info, "the caller forbids a pool", next, [](Case& c) { c.line() += " swiotlb=noforce"; },
     [](Case& c) { replace(c.line(), "noforce", "force"); }},
    {"next-pool", info, "the caller names another address", next,
     [](Case& c) { c.line() += " swiotlb=32768,addr=0x6c001000"; },
     [](Case& c) { replace(c.line(), "0x6c001000", "0x6c000000"); }},
    {"next-pool", info, "the caller names another size", next, [](Case& c) { c.line() += " swiotlb=65536"; },
     [](Case& c) { replace(c.line(), "65536", "32768"); }},
    {"pool-found", refusal, "no source shows one, before a kexec", next, [](Case& c) { c.machine.pool.clear(); },
     [](Case& c) { c.request.pool = synthetic_pool; }},
    {"pool-power-of-two", refusal, "it has 24 MiB, before a kexec", next,
     [](Case& c) { c.pool() = range(0x6e800000, 0x70000000); },
     [](Case& c) { c.pool() = range(0x6e000000, 0x70000000); }},
    {"encryption-none", refusal, "a guest with TDX, before a kexec", next,
     [](Case& c) { c.machine.encryption = Encryption::tdx; }, [](Case& c) { c.machine.encryption = Encryption::none; }},
    {"next-map", refusal, "a memmap= takes the last page of the pool", next,
     [](Case& c) { c.line() += " memmap=4K$0x6ffff000"; },
     [](Case& c) { replace(c.line(), "0x6ffff000", "0x70000000"); }},
    {"next-map", refusal, "mem= ends inside of the pool", next, [](Case& c) { c.line() += " swiotlb=force mem=1788M"; },
     [](Case& c) { replace(c.line(), "1788M", "1792M"); }},
    {"next-map", refusal, "kexec_file_load passes 128 entries of the map", next,
     [](Case& c) {
         c.request.loader = Loader::kexec_file_load;
         c.line() += " swiotlb=force";
         std::vector<e820::Entry> small;
         for (Address page = 0; page < 126; ++page)
             small.push_back({range(0x1000 + page * 0x1000, 0x2000 + page * 0x1000), Type::reserved});
         c.machine.map.entries.erase(c.machine.map.entries.begin(), c.machine.map.entries.begin() + 2);
         c.machine.map.entries.insert(c.machine.map.entries.begin(), small.begin(), small.end());
         c.machine.map.entries.insert(c.machine.map.entries.begin() + 126, 2,
                                      {range(0xf0000, 0x100000), Type::reserved});
     },
     [](Case& c) { c.machine.map.entries.erase(c.machine.map.entries.begin()); }},
    {"next-words", refusal, "words after a -- go to init", next, [](Case& c) { c.line() += " -- single"; },
     [](Case& c) { replace(c.line(), "-- ", ""); }},
    {"next-words", refusal, "a word in swiotlb= that is not known", next,
     [](Case& c) { c.line() += " swiotlb=32768,any"; }, [](Case& c) { replace(c.line(), ",any", ""); }},
    {"next-words", refusal, "a quote that is never closed", next, [](Case& c) { c.line() += " a=\"b"; },
     [](Case& c) { c.line() += '"'; }},
    {"next-words", refusal, "the image takes a byte less than the words need", next,
     [](Case& c) { c.request.image->cmdline_size = c.line().size() + 29; },
     [](Case& c) { ++c.request.image->cmdline_size; }},
    {"next-words", refusal, "the image reads nobody's words", next,
     [](Case& c) { c.request.config->command_line_alone = true; },
     [](Case& c) { c.request.config->command_line_alone = false; }},
    {"next-words", refusal, "the image has a bootconfig", next,
     [](Case& c) { c.request.config->bootconfig_embedded = true; },
     [](Case& c) { c.request.config->bootconfig_embedded = false; }},
    {"next-crashkernel", refusal, "it has the last page of the pool", next,
     [](Case& c) { replace(c.line(), "crashkernel=256M", "crashkernel=64M@0x6ffff000"); },
     [](Case& c) { replace(c.line(), "0x6ffff000", "0x70000000"); }},
    {"next-crashkernel", refusal, "the same is built into the image", next,
     [](Case& c) {
         replace(c.line(), "crashkernel=256M", "quiet");
         c.request.config->command_line = "crashkernel=64M@0x6ffff000";
     },
     [](Case& c) { c.request.config->command_line = "crashkernel=64M@0x70000000"; }},
    {"next-handover", refusal, "kho=on, and the kernel loads", next,
     [](Case& c) {
         c.request.loader = Loader::kexec_file_load;
         c.machine.command_line += " kho=on";
     },
     [](Case& c) { c.request.loader = Loader::kexec_load; }},
    {"next-segments", refusal, "no room above the pool, and none below", next,
     [](Case& c) { c.request.image->init_size = 4 * GiB; }, [](Case& c) { c.request.image->init_size = 3 * GiB; }},

    // --- words, headers and records that somebody made
    {"handoff-present", refusal, "neither a marker nor RAM of the pool's size", checked,
     [](Case& c) { c.input.command_line = c.line() + " swiotlb=32768 memmap=60M@0x6c000000"; },
     [](Case& c) { replace(c.input.command_line, "60M", "64M"); }},
    {"elfcorehdr-agrees", refusal, "a PT_LOAD has all of the pool but its last page", checked,
     [](Case& c) {
         c.input.core = ElfCore{{range(MiB, 0x6ffff000)}, 2};
     },
     [](Case& c) { c.input.core->loads.front() = range(MiB, 0x70000000); }},
    {"elfcorehdr-agrees", refusal, "a PT_LOAD has the first page of the pool", checked,
     [](Case& c) {
         c.input.core = ElfCore{{range(MiB, 0x6c001000)}, 2};
     },
     [](Case& c) { c.input.core->loads.front() = range(MiB, 0x6c000000); }},
    {"elfcorehdr-agrees", refusal, "there are no notes", checked,
     [](Case& c) {
         c.input.core = ElfCore{{range(MiB, 0x6c000000)}, 0};
     },
     [](Case& c) { c.input.core->notes = 1; }},
    {"record-agrees", refusal, "it is of a load without the handoff", recorded,
     [](Case& c) { c.record.outcome = Record::Outcome::plain; },
     [](Case& c) { c.record.outcome = Record::Outcome::handoff; }},
    {"record-agrees", refusal, "a segment has a page of the pool", recorded,
     [](Case& c) {
         c.record.segments.push_back({"", range(0x6ffff000, 0x70000000)});
     },
     [](Case& c) { c.record.segments.back().range = range(0x70001000, 0x70002000); }},
    {"record-agrees", refusal, "a page of the pool that is not handed over is RAM", recorded_part,
     [](Case& c) { c.record.after.add(range(0x6e000000, 0x6e001000), Type::ram); },
     [](Case& c) { c.record.after.entries.back().range = range(0x70000000, 0x70001000); }},
    {"record-agrees", refusal, "a segment lies over a fence", recorded,
     [](Case& c) {
         c.record.segments.push_back({"", range(0x73fff000, 0x74001000)});
     },
     [](Case& c) { c.record.segments.back().range = range(0x73fff000, 0x74000000); }},
    {"source-unread", info, "a file could not be read", planned,
     [](Case& c) {
         c.machine.unread = {Error{Errc::io, "proc/kcore", 0, "cannot be read"}};
     },
     [](Case& c) { c.machine.unread.clear(); }},
};

class Rules : public testing::TestWithParam<Row> {
protected:
    Rules() {
        GetParam().question.start(altered);
        GetParam().alter(altered);
        neighbour = altered;
        GetParam().alter_back(neighbour);
    }
    static std::vector<Reason> answer(const Case& c) { return GetParam().question.answer(c); }
    Case altered, neighbour;
};

TEST_P(Rules, FindWhatTheyAreForAndNoOtherRefuses) {
    const auto reasons = answer(altered);
    EXPECT_TRUE(has(reasons, GetParam().rule, GetParam().severity)) << text_of(reasons);
    std::set<std::string> expected;
    if (GetParam().severity == Severity::refusal) expected = {GetParam().rule};
    EXPECT_EQ(refusals(reasons), expected) << text_of(reasons);
}

TEST_P(Rules, LeaveTheNeighbourAlone) {
    const auto reasons = answer(neighbour);
    EXPECT_FALSE(has(reasons, GetParam().rule, GetParam().severity)) << text_of(reasons);
    EXPECT_EQ(refusals(reasons), std::set<std::string>{}) << text_of(reasons);
}

/// "pool_slabs_DebugfsCountsAnotherNumber": letters, digits and '_' only.
std::string test_name(const testing::TestParamInfo<Row>& row) {
    std::string text = row.param.rule;
    std::replace(text.begin(), text.end(), '-', '_');
    bool starts_word = true;
    text += '_';
    for (const char* c = row.param.what; *c != 0; ++c) {
        if (*c == '\'') continue;
        const bool in_word = std::isalnum(static_cast<unsigned char>(*c)) != 0;
        if (in_word) text += static_cast<char>(starts_word ? std::toupper(static_cast<unsigned char>(*c)) : *c);
        starts_word = !in_word;
    }
    return text;
}

INSTANTIATE_TEST_SUITE_P(Each, Rules, testing::ValuesIn(rows), test_name);

TEST(RuleTable, StartsFromCasesThatNothingRefuses) {
    for (const Question& question : {planned, lent, reviewed, next, checked, lent_checked, recorded}) {
        Case sound;
        question.start(sound);
        const auto reasons = question.answer(sound);
        EXPECT_EQ(refusals(reasons), std::set<std::string>{}) << question.name << "\n" << text_of(reasons);
    }
}

/// Rules that warn or inform, and never refuse: docs/rules.md says so of each.
const std::set<std::string> never_refuse = {"pool-needed",   "pool-in-use",       "command-line-known",
                                            "reset-devices", "loader-setup-data", "reserve-mem-apart",
                                            "hotplug-sound", "source-unread",     "next-pool"};

TEST(RuleTable, HasARefusalForEveryRuleThatCanRefuse) {
    for (const RuleInfo& rule : rules()) {
        const bool refuses = !never_refuse.contains(std::string(rule.id));
        EXPECT_TRUE(std::any_of(
            std::begin(rows), std::end(rows),
            [&](const Row& row) { return row.rule == rule.id && (!refuses || row.severity == Severity::refusal); }))
            << "no row shows that " << rule.id << (refuses ? " refuses" : " says anything");
    }
}

TEST(RuleTable, NamesOnlyRulesThatThereAre) {
    for (const Row& row : rows) EXPECT_TRUE(find_rule(row.rule)) << row;
    for (const std::string& id : never_refuse) EXPECT_TRUE(find_rule(id)) << id;
}

TEST(RuleTable, RefusesForNoRuleThatOnlyWarnsOrInforms) {
    for (const Row& row : rows)
        EXPECT_FALSE(row.severity == Severity::refusal && never_refuse.contains(row.rule)) << row;
}

}  // namespace
}  // namespace handoff
