// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/load/in_use.hpp"

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "lib/decide/pool_size.hpp"
#include "lib/kernel/command_line.hpp"
#include "lib/sources/host.hpp"

namespace handoff {
namespace {

struct Marker {
    AddressRange pool;
    bool loan = false;
};

// The marker on the loaded command line; nullopt: it has none.
Result<std::optional<Marker>> marker_on(const std::string& text) {
    const auto line = CommandLine::parse(text);
    if (!line) return line.error();
    const auto handed = read_marker(*line), lent = read_marker(*line, lent_key);
    if (!handed) return handed.error();
    if (!lent) return lent.error();
    if (*handed && *lent) return base::input_error(0, "expected one marker, found one of a handoff and one of a loan");
    if (*handed) return std::optional(Marker{**handed, false});
    if (*lent) return std::optional(Marker{**lent, true});
    return std::optional<Marker>();
}

// The words that somebody gave, without those that kexec-tools or the kernel adds to them
// (kexec/arch/i386/crashdump-x86.c; arch/x86/kernel/kexec-bzimage64.c, setup_cmdline()).
std::vector<std::string> given_words(const std::string& text) {
    std::vector<std::string> words;
    const auto line = CommandLine::parse(text);
    if (!line) return words;
    for (const Word& word : line->words())
        if (word.key != "elfcorehdr" && word.key != "acpi_rsdp" && word.key != "dmcryptkeys")
            words.push_back(word.text);
    return words;
}

std::vector<AddressRange> ranges_of(const std::vector<Segment>& segments) {
    std::vector<AddressRange> ranges;
    ranges.reserve(segments.size());
    for (const Segment& s : segments) ranges.push_back(s.range);
    return ranges;
}

bool same_segments(const Record& record, std::vector<AddressRange> loaded) {
    std::vector<AddressRange> recorded = ranges_of(record.segments);
    const auto by_start = [](const AddressRange& a, const AddressRange& b) { return a.start() < b.start(); };
    std::sort(recorded.begin(), recorded.end(), by_start);
    std::sort(loaded.begin(), loaded.end(), by_start);
    if (record.segments_reported) return recorded == loaded;
    // The segments were planned and not reported. Only kernel and initrd are known exactly from a plan.
    return std::all_of(record.segments.begin(), record.segments.end(), [&](const Segment& s) {
        return (s.name != "kernel" && s.name != "initrd") ||
               std::find(loaded.begin(), loaded.end(), s.range) != loaded.end();
    });
}

// How the record differs from what is loaded; "" if it does not.
std::string difference(const Record& record, const LoadedKernel& kernel, const Marker& marker) {
    if (record.outcome != Record::Outcome::handoff)
        return "the record says that the last load was one without it: " + record.why;
    if (record.loan != marker.loan || record.marker != marker.pool)
        return "the record has another word swiotlb_handoff=";
    if (record.append.empty() || given_words(kernel.command_line) != given_words(record.command_line))
        return "the record has other words";
    if (!same_segments(record, kernel.segments)) return "the record has other segments";
    return {};
}

}  // namespace

const char* name(Handoff handoff) {
    switch (handoff) {
        case Handoff::in_use:
            return "in-use";
        case Handoff::not_in_use:
            return "not-in-use";
        case Handoff::stale:
            return "stale";
        case Handoff::unknown:
            return "unknown";
    }
    return "";
}

const char* name(Unknown unknown) {
    switch (unknown) {
        case Unknown::none:
            return "none";
        case Unknown::unread:
            return "unread";
        case Unknown::no_pool:
            return "no-pool";
        case Unknown::no_record:
            return "no-record";
        case Unknown::other_load:
            return "other-load";
        case Unknown::no_image:
            return "no-image";
    }
    return "";
}

HandoffEvidence read_handoff_evidence(const Host& host) {
    HandoffEvidence evidence;
    auto kernel = loaded_kernel(host);
    if (kernel) {
        evidence.loaded = kernel->has_value();
        evidence.kernel = *std::move(kernel);
    } else {
        evidence.kernel_problem = host.with_full_path(kernel.error()).message();
        if (const auto said = host.read(Source::crash_loaded)) evidence.loaded = said->starts_with('1');
    }
    auto record = last_record(host);
    if (record)
        evidence.record = *std::move(record);
    else if (record.error().code != Errc::not_found)
        evidence.record_problem = host.with_full_path(record.error()).message();
    return evidence;
}

HandoffState judge_handoff(const HandoffEvidence& e) {
    const auto unknown = [](Unknown reason, std::string why) {
        return HandoffState{Handoff::unknown, std::move(why), reason};
    };
    if (e.loaded && !*e.loaded) return {Handoff::not_in_use, "No crash kernel is loaded.", Unknown::none};
    if (!e.kernel)
        return unknown(Unknown::unread, "What is loaded cannot be read: " +
                                            (e.kernel_problem.empty() ? "nothing was read" : e.kernel_problem) + ".");
    const auto marker = marker_on(e.kernel->command_line);
    if (!marker)
        return unknown(Unknown::unread,
                       "The command line of the loaded crash kernel cannot be read: " + marker.error().message() + ".");
    if (!*marker) {
        HandoffState state{Handoff::not_in_use, "The command line of the loaded crash kernel has no word of a handoff.",
                           Unknown::none, Rung::plain};
        if (e.record && e.record->outcome == Rung::own_pool && !e.record->append.empty() &&
            given_words(e.kernel->command_line) == given_words(e.record->command_line)) {
            state.rung = Rung::own_pool;
            state.why += fmt::format(" It has {} instead: {}.", e.record->append, e.record->why);
        }
        return state;
    }
    const Marker& found = **marker;
    if (!e.pool)
        return unknown(
            Unknown::no_pool,
            fmt::format(
                "The loaded crash kernel was given the pool {}, but the pool of the running kernel is not known.",
                base::to_string(found.pool)));
    // A pool may be handed over in part; it is lent as a whole.
    if (found.loan ? found.pool != *e.pool : !e.pool->contains(found.pool))
        return {Handoff::stale,
                fmt::format("The loaded crash kernel was given the pool {}, but the pool of the running kernel is {}.",
                            base::to_string(found.pool), base::to_string(*e.pool)),
                Unknown::none};
    if (!e.record)
        return unknown(Unknown::no_record,
                       "The loaded crash kernel has the words of a handoff, but no record says that they were proven" +
                           (e.record_problem.empty() ? "." : ": " + e.record_problem + "."));
    if (const std::string differs = difference(*e.record, *e.kernel, found); !differs.empty())
        return unknown(
            Unknown::other_load,
            "The loaded crash kernel has the words of a handoff, but the record is of another load: " + differs + ".");
    return {Handoff::in_use,
            fmt::format("The loaded crash kernel was given {}. Its words and segments are those of the record.",
                        found.pool == *e.pool ? "the pool " + base::to_string(found.pool)
                                              : share_text(found.pool, *e.pool) + ", " + base::to_string(found.pool)),
            Unknown::none, Rung::handoff};
}

std::string objection_to_counting_on_loan(const HandoffEvidence& evidence) {
    const HandoffState state = judge_handoff(evidence);
    const bool in_use = state.handoff == Handoff::in_use;
    if (in_use && evidence.record->loan) return {};
    return "The size can count on the loan only while a crash kernel with the loan is loaded. " +
           (in_use ? "The one that is loaded takes the pool over as its own." : state.why);
}

}  // namespace handoff
