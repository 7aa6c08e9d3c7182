// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/report/status.hpp"

#include <regex>
#include <set>
#include <sstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "lib/report/documents.hpp"
#include "tests/kdump_services.hpp"

namespace {

using handoff::Handoff;
using handoff::StatusFacts;

const auto pool = *base::AddressRange::from_bounds(0x75000000, 0x79000000);
const auto other = *base::AddressRange::from_bounds(0x71000000, 0x75000000);

StatusFacts healthy() {
    StatusFacts facts;
    facts.service = kdump_service("kdump-tools");
    facts.enabled = true;
    facts.loaded = true;
    facts.record.emplace();
    facts.record->outcome = handoff::Record::Outcome::handoff;
    facts.record->append = "swiotlb=32768 swiotlb_handoff=0x75000000-0x79000000";
    facts.record->command_line = "nr_cpus=1 " + facts.record->append;
    facts.record->pool = facts.record->marker = pool;
    facts.record->segments = {{"kernel", other}};
    facts.record->segments_reported = true;
    facts.kernel = handoff::LoadedKernel{{other}, "nr_cpus=1 " + facts.record->append};
    facts.record->time = "2023-11-14T22:13:20Z";
    facts.pool = pool;
    facts.crashkernel_bytes = 192 * base::MiB;
    facts.plan.emplace();
    facts.plan->verdict = handoff::Verdict::ready;
    return facts;
}

void loaded_plainly(StatusFacts& f) { f.kernel->command_line = "nr_cpus=1"; }
void lent(StatusFacts& f) {
    f.record->loan = true;
    f.record->append = f.record->command_line = f.kernel->command_line = "swiotlb_lent=0x75000000-0x79000000";
}

struct Case {
    const char* what;
    void (*change)(StatusFacts&);
    Handoff handoff;
    std::string next;
};

TEST(Status, TellsHowOldTheEvidenceOfALoanIs) {
    StatusFacts facts = healthy();
    facts.now = 1700000000 + 90;  // the record is of 2023-11-14T22:13:20Z
    EXPECT_EQ(handoff::loan_age(facts), std::nullopt);
    facts.record->loan = true;
    EXPECT_EQ(handoff::loan_age(facts), 90);
    facts.record->time = "yesterday";
    EXPECT_EQ(handoff::loan_age(facts), std::nullopt);
}

handoff::Fallback small_fallback() {
    handoff::Fallback fallback;
    fallback.rung = handoff::Rung::own_pool;
    fallback.append = "swiotlb=8192";
    fallback.crashkernel = "crashkernel=256M";
    return fallback;
}

TEST(Status, TheMetricsSayTheRungAndWhetherALoadWithoutTheHandoffFits) {
    const auto metrics = [](auto change) {
        StatusFacts facts = healthy();
        change(facts);
        return to_prometheus(judge_status(facts), "1");
    };
    const auto has = [](const std::string& text, const char* line) {
        return text.find(std::string("\nswiotlb_handoff_") + line + "\n") != std::string::npos;
    };
    const std::string well = metrics([](StatusFacts&) {});
    EXPECT_TRUE(has(well, "rung{rung=\"handoff\"} 1") && has(well, "rung{rung=\"plain\"} 0")) << well;
    EXPECT_FALSE(has(well, "fallback_fits{fits=\"no\"} 0")) << "it is not known";
    const std::string small = metrics([](StatusFacts& f) {
        loaded_plainly(f);
        f.record->outcome = handoff::Rung::own_pool;
        f.record->append = "swiotlb=8192";
        f.record->command_line = f.kernel->command_line += " swiotlb=8192";
        f.plan->fallback = small_fallback();
    });
    EXPECT_TRUE(has(small, "rung{rung=\"own-pool\"} 1") && has(small, "rung{rung=\"handoff\"} 0")) << small;
    EXPECT_TRUE(has(small, "fallback_fits{fits=\"no\"} 1") && has(small, "fallback_fits{fits=\"surely\"} 0")) << small;
    const std::string unread = metrics([](StatusFacts& f) { f.kernel.reset(); });
    EXPECT_FALSE(has(unread, "rung{rung=\"handoff\"} 0")) << unread;
}

TEST(Status, SaysHowThingsStandAndWhatToDoNext) {
    const Case cases[] = {
        {"all is well", [](StatusFacts&) {}, Handoff::in_use,
         "Nothing has to be done. The crash kernel takes over the pool."},
        {"the initrd was made anew after the load",
         [](StatusFacts& f) { f.changed_files = {"/var/lib/kdump/initrd.img"}; }, Handoff::in_use,
         "Run 'kdump-config reload'. /var/lib/kdump/initrd.img changed after the crash kernel was loaded. What is "
         "loaded "
         "is older."},
        {"the same, but the record is of another load",
         [](StatusFacts& f) {
             f.changed_files = {"/var/lib/kdump/initrd.img"};
             loaded_plainly(f);
         },
         Handoff::not_in_use, "Run 'kdump-config reload'. Then the crash kernel takes over the pool."},
        {"no kdump at all", [](StatusFacts& f) { f.service.reset(); }, Handoff::in_use,
         "Install the kdump service of the distribution (Debian: kdump-tools)."},
        {"two kdumps",
         [](StatusFacts& f) {
             f.service.reset();
             f.service_problem = base::input_error(0, "two");
         },
         Handoff::in_use, "Remove the kdump service that is not used: two."},
        {"never enabled",
         [](StatusFacts& f) {
             f.enabled = false;
             f.record.reset();
             loaded_plainly(f);
         },
         Handoff::not_in_use, "Run 'swiotlb-handoff enable'."},
        {"enabled, not yet reloaded",
         [](StatusFacts& f) {
             f.record.reset();
             loaded_plainly(f);
         },
         Handoff::not_in_use, "Run 'kdump-config reload'. Then the crash kernel takes over the pool."},
        {"the words without a record", [](StatusFacts& f) { f.record.reset(); }, Handoff::unknown,
         "Run 'kdump-config reload'. Then the crash kernel takes over the pool."},
        {"a record of a handoff, and a plain load", loaded_plainly, Handoff::not_in_use,
         "Run 'kdump-config reload'. Then the crash kernel takes over the pool."},
        {"a record of a handoff, and memory that cannot be read",
         [](StatusFacts& f) {
             f.kernel.reset();
             f.kernel_problem = "/proc/kcore: Operation not permitted";
         },
         Handoff::unknown,
         "Nothing has to be done. The last load had the handoff, but what is loaded cannot be read here."},
        {"kexec does not load with the handoff",
         [](StatusFacts& f) {
             loaded_plainly(f);
             f.record->outcome = handoff::Record::Outcome::plain;
             f.record->verdict = handoff::Verdict::ready;
             f.record->why = "kexec failed with the handoff (exit status 255): Cannot open `/boot/x'";
         },
         Handoff::not_in_use,
         "The last load was without the handoff: kexec failed with the handoff (exit status 255): Cannot open "
         "`/boot/x'. Remove the cause, and then run 'kdump-config reload'."},
        {"kexec does not load at all",
         [](StatusFacts& f) {
             f.loaded = false;
             f.kernel.reset();
             f.record->outcome = handoff::Record::Outcome::plain;
             f.record->verdict = handoff::Verdict::ready;
             f.record->why = "kexec failed with the handoff (exit status 255)";
         },
         Handoff::not_in_use,
         "The last load was without the handoff: kexec failed with the handoff (exit status 255). Remove the cause, "
         "and then run 'kdump-config reload'."},
        {"nothing loaded", [](StatusFacts& f) { f.loaded = false; }, Handoff::not_in_use,
         "Run 'kdump-config reload' to load a crash kernel. None is loaded."},
        {"loaded plainly",
         [](StatusFacts& f) {
             loaded_plainly(f);
             f.record->outcome = handoff::Record::Outcome::plain;
         },
         Handoff::not_in_use, "Run 'kdump-config reload'. Then the crash kernel takes over the pool."},
        {"another pool", [](StatusFacts& f) { f.pool = other; }, Handoff::stale,
         "Run 'kdump-config reload'. The loaded crash kernel was given the pool [0x75000000-0x79000000), but the pool "
         "of the running kernel is [0x71000000-0x75000000)."},
        {"no crashkernel=",
         [](StatusFacts& f) {
             f.crashkernel_bytes = 0;
             f.loaded = false;
         },
         Handoff::not_in_use, "Boot with crashkernel=. No memory is reserved for a crash kernel."},
        {"not read without root",
         [](StatusFacts& f) {
             f.crashkernel_bytes.reset();
             f.plan.reset();
             f.needs_root = true;
         },
         Handoff::in_use, "Run this command as root. Only root can read the memory map of the machine."},
        {"a memory map that is damaged",
         [](StatusFacts& f) {
             f.crashkernel_bytes.reset();
             f.plan.reset();
             f.plan_problem = "/proc/iomem:3: odd";
             f.record.reset();
         },
         Handoff::unknown, "Run 'swiotlb-handoff plan': /proc/iomem:3: odd."},
        {"not needed",
         [](StatusFacts& f) {
             f.plan->verdict = handoff::Verdict::not_needed;
             f.plan->reservation.fits = handoff::Fit::surely;
             f.record.reset();
             loaded_plainly(f);
         },
         Handoff::not_in_use,
         "Nothing has to be done. The crash kernel needs no handoff, and the reservation is large enough. "
         "'swiotlb-handoff recommend' says whether a smaller one would be."},
        {"not needed, and the reservation may be too small",
         [](StatusFacts& f) {
             f.plan->verdict = handoff::Verdict::not_needed;
             f.plan->reservation.fits = handoff::Fit::perhaps;
             f.plan->reservation.reserved = 192 * base::MiB;
             f.plan->reservation.crashkernel = "crashkernel=240M";
             f.record.reset();
             loaded_plainly(f);
         },
         Handoff::not_in_use,
         "The crash kernel needs no handoff. The reservation of 192 MiB may be too small: crashkernel=240M would be "
         "large enough."},
        {"refused",
         [](StatusFacts& f) {
             loaded_plainly(f);
             f.record->outcome = handoff::Record::Outcome::plain;
             f.plan->verdict = handoff::Verdict::refused;
             f.plan->reasons.push_back({"pool-exact", handoff::Severity::refusal, "", "", ""});
         },
         Handoff::not_in_use,
         "kdump loads the crash kernel without the handoff, if it can. Whether the reservation is large enough is not "
         "known. 'swiotlb-handoff plan' and 'swiotlb-handoff explain pool-exact' say why."},
        {"refused, and the reservation is too small for a pool of its own",
         [](StatusFacts& f) {
             loaded_plainly(f);
             f.record->outcome = handoff::Rung::own_pool;
             f.record->append = "swiotlb=8192";
             f.record->command_line = f.kernel->command_line += " swiotlb=8192";
             f.plan = handoff::Plan{};
             f.plan->reasons.push_back({"pool-exact", handoff::Severity::refusal, "", "", ""});
             f.plan->fallback = small_fallback();
         },
         Handoff::not_in_use,
         to_text(small_fallback()) + " 'swiotlb-handoff plan' and 'swiotlb-handoff explain pool-exact' say why."},
        {"not needed, and the reservation is too small",
         [](StatusFacts& f) {
             loaded_plainly(f);
             f.plan = handoff::Plan{};
             f.plan->verdict = handoff::Verdict::not_needed;
             f.plan->fallback = small_fallback();
         },
         Handoff::not_in_use, to_text(small_fallback())},
        {"lent, and still may be",
         [](StatusFacts& f) {
             lent(f);
             f.plan->loan = true;
         },
         Handoff::in_use, "Nothing has to be done. The pool is lent to the crash kernel as ordinary RAM."},
        {"lent, and a device came",
         [](StatusFacts& f) {
             lent(f);
             f.plan->verdict = handoff::Verdict::refused;
             f.plan->reasons.push_back(
                 {"lend-devices", handoff::Severity::refusal, "0000:03:00.0 (e1000) addresses 32 bits", "", ""});
         },
         Handoff::stale,
         "Run 'kdump-config reload'. The pool is lent, but it may no longer be lent: refused (requires lend-devices): "
         "0000:03:00.0 (e1000) addresses 32 bits."},
        {"lent, and the image that would be loaded is not known",
         [](StatusFacts& f) {
             lent(f);
             f.plan->verdict = handoff::Verdict::refused;
             f.plan->reasons.push_back({"image-known", handoff::Severity::refusal, "no image", "", ""});
         },
         Handoff::unknown,
         "Run 'kdump-config reload'. The pool is lent. It is not known whether it may still be lent: refused (requires "
         "image-known): no image."},
        {"block damaged",
         [](StatusFacts& f) {
             f.enabled.reset();
             f.config_problem = "etc/default/kdump-tools:7: odd";
         },
         Handoff::in_use, "Look at the configuration: etc/default/kdump-tools:7: odd."},
    };
    for (const Case& c : cases) {
        StatusFacts facts = healthy();
        c.change(facts);
        const auto report = handoff::judge_status(facts);
        EXPECT_EQ(report.state.handoff, c.handoff) << c.what << ": " << report.state.why;
        EXPECT_EQ(report.next, c.next) << c.what;
    }
}

TEST(Status, JsonHasWhatIsKnownAndNullForTheRest) {
    const auto j = handoff::status_document(handoff::judge_status(healthy()));
    EXPECT_EQ(j["schema"], 2);
    EXPECT_EQ(j["handoff"], "in-use");
    EXPECT_EQ(j["why"],
              "The loaded crash kernel was given the pool [0x75000000-0x79000000). Its words and segments are those of "
              "the record.");
    EXPECT_EQ(j["config"], "/etc/default/kdump-tools");
    EXPECT_EQ(j["pool"]["start"], "0x75000000");
    const auto nothing = handoff::status_document(handoff::judge_status({}));
    for (const char* key : {"service", "config", "enabled", "loaded", "pool", "record", "plan", "reservation_bytes"})
        EXPECT_TRUE(nothing[key].is_null()) << key;
    EXPECT_EQ(nothing["handoff"], "unknown");
    EXPECT_EQ(nothing["why"], "What is loaded cannot be read: nothing was read.");
    StatusFacts unknown_service;
    unknown_service.service_problem = base::Error{base::Errc::not_found, "", 0, "no kdump service is found"};
    EXPECT_EQ(handoff::status_document(handoff::judge_status(unknown_service))["problems"][0],
              "no kdump service is found");
}

// The grammar of the text format 0.0.4: HELP, TYPE and then that metric's samples, each series once.
std::string exposition_error(const std::string& text) {
    static const std::regex help("# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) [^\\n]*");
    static const std::regex type("# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram|summary|untyped)");
    static const std::regex sample(
        "([a-zA-Z_:][a-zA-Z0-9_:]*)(\\{[a-zA-Z_][a-zA-Z0-9_]*=\"([^\"\\\\\\n]|\\\\[\\\\\"n])*\"\\})? "
        "-?[0-9]+(\\.[0-9]+)?");
    if (text.empty() || text.back() != '\n') return "no newline at the end";
    std::istringstream lines(text);
    std::set<std::string> helped, series;
    std::string current, line;
    std::smatch m;
    while (std::getline(lines, line)) {
        if (std::regex_match(line, m, help)) {
            if (!helped.insert(m[1]).second) return "HELP twice: " + line;
        } else if (std::regex_match(line, m, type)) {
            if (!helped.count(m[1])) return "TYPE before HELP: " + line;
            current = m[1];
        } else if (std::regex_match(line, m, sample)) {
            if (m[1] != current) return "a sample outside of its group: " + line;
            if (!series.insert(m[1].str() + m[2].str()).second) return "a series twice: " + line;
        } else {
            return "not of the format: " + line;
        }
    }
    return "";
}

TEST(Prometheus, IsTheTextExpositionFormat) {
    StatusFacts refused = healthy();
    refused.plan->verdict = handoff::Verdict::refused;
    for (const StatusFacts& facts : {healthy(), StatusFacts{}, refused})
        EXPECT_EQ(exposition_error(handoff::to_prometheus(handoff::judge_status(facts), "0.1.0")), "");
    EXPECT_NE(exposition_error("a 1"), "") << "the test can fail";
    EXPECT_NE(exposition_error("# HELP a b\n# TYPE a gauge\na 1\na 1\n"), "");
    EXPECT_NE(exposition_error("# HELP a b\n# TYPE a gauge\nb 1\n"), "");
}

TEST(Prometheus, HasNoSampleForWhatIsNotKnown) {
    const std::string known = handoff::to_prometheus(handoff::judge_status(healthy()), "0.1.0");
    for (const char* line :
         {"swiotlb_handoff_info{version=\"0.1.0\"} 1\n", "\nswiotlb_handoff_enabled 1\n",
          "\nswiotlb_handoff_loaded 1\n", "\nswiotlb_handoff_ready 1\n", "\nswiotlb_handoff_pool_bytes 67108864\n",
          "\nswiotlb_handoff_unknown{reason=\"unread\"} 0\n", "\nswiotlb_handoff_unknown{reason=\"no-record\"} 0\n",
          "\nswiotlb_handoff_crashkernel_bytes 201326592\n", "\nswiotlb_handoff_plan_verdict{verdict=\"ready\"} 1\n"})
        EXPECT_NE(known.find(line), std::string::npos) << line;
    const std::string unknown = handoff::to_prometheus(handoff::judge_status({}), "0.1.0");
    for (const char* line : {"\nswiotlb_handoff_enabled ", "\nswiotlb_handoff_loaded ", "\nswiotlb_handoff_ready ",
                             "\nswiotlb_handoff_pool_bytes ", "\nswiotlb_handoff_crashkernel_bytes "})
        EXPECT_EQ(unknown.find(line), std::string::npos) << line;
    EXPECT_NE(unknown.find("\nswiotlb_handoff_unknown{reason=\"unread\"} 1\n"), std::string::npos) << unknown;
}

}  // namespace
