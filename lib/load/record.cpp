// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/load/record.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "lib/decide/findings.hpp"
#include "lib/kernel/command_line.hpp"
#include "lib/sources/host.hpp"

namespace handoff {
namespace {

using e820::Type;

std::string_view marker_key_of(const Record& record) { return record.loan ? lent_key : marker_key; }

}  // namespace

Record record_of(const Plan& plan, const std::vector<AddressRange>& segments, const LoadAddresses& addresses) {
    Record record;
    record.verdict = plan.verdict;
    record.reasons = plan.reasons;
    record.loader = plan.loader;
    record.method = plan.method;
    record.append = plan.append;
    record.command_line = plan.base;
    if (!plan.append.empty()) record.command_line += (plan.base.empty() ? "" : " ") + plan.append;
    record.pool = plan.pool;
    record.loan = plan.loan;
    if (const auto line = CommandLine::parse(record.command_line))
        if (const auto marker = read_marker(*line, marker_key_of(record))) record.marker = *marker;
    record.fences = plan.fences;
    record.segments_reported = !segments.empty();

    // Of the loads that the proof covers, the one that explains most of what was reported: both
    // system calls can put the kernel at one place.
    const auto explained = [&](const Load& load) {
        return std::count_if(load.segments.begin(), load.segments.end(), [&](const Segment& s) {
            return std::find(segments.begin(), segments.end(), s.range) != segments.end();
        });
    };
    const auto most = std::max_element(plan.loads.begin(), plan.loads.end(),
                                       [&](const Load& a, const Load& b) { return explained(a) < explained(b); });
    const Load* load = most != plan.loads.end() ? &*most : nullptr;
    if (load) {
        record.map = load->map;
        if (explained(*load) != 0) record.loader = load->loader;
    }
    record.after = plan.after;
    if (load && load != &plan.loads.front() && plan.method != Method::e820) {
        const auto line = CommandLine::parse(record.command_line);
        if (const auto after = line ? apply_memory_words(load->map, *line) : Result<e820::Table>(line.error()))
            record.after = *after;
    }
    if (segments.empty()) {
        if (load) record.segments = load->segments;
    } else {
        for (const AddressRange& r : segments) {
            std::string segment_name;
            for (const Segment& s : load ? load->segments : std::vector<Segment>())
                if (s.range == r) segment_name = s.name;
            record.segments.push_back({segment_name, r});
        }
    }
    record.rsdp = addresses.rsdp;
    for (Segment& s : record.segments) {
        if (addresses.elfcorehdr ? s.range.start() != *addresses.elfcorehdr : s.name != "elfcorehdr") continue;
        s.name = "elfcorehdr";
        record.elfcorehdr = s.range;
    }
    return record;
}

Result<Record> last_record(const Host& host) {
    const auto text = host.read(Source::load_record);
    if (!text) return text.error();
    auto record = parse_record(*text);
    if (!record) return std::move(record).error().at(host.path(Source::load_record));
    return record;
}

std::vector<std::string> changed_since_load(const Host& host, const Record& record) {
    std::vector<std::string> changed;
    const auto look = [&](const std::string& path, const std::optional<FileSum>& loaded) {
        if (!loaded || !path.starts_with('/')) return;
        const auto file = host.file(std::string_view(path).substr(1));
        const auto now = file ? sum_if_read(*file) : std::nullopt;
        if (now && *now != *loaded) changed.push_back(path);
    };
    look(record.kernel, record.kernel_sum);
    look(record.initrd, record.initrd_sum);
    return changed;
}

std::vector<Reason> judge_record(const Record& record) {
    Findings found;
    const auto refuse = [&](std::string text) { found.refuse("record-agrees", std::move(text)); };
    if (record.outcome != Record::Outcome::handoff) {
        refuse("The record is of a load without the handoff: " + record.why + ".");
        return found.take();
    }
    if (record.verdict != Verdict::ready) refuse("A handoff was loaded, but the verdict is not 'ready'.");
    const auto line = CommandLine::parse(record.command_line);
    const auto marker =
        line ? read_marker(*line, marker_key_of(record)) : Result<std::optional<AddressRange>>(line.error());
    if (!marker)
        refuse("The command line cannot be read: " + marker.error().message() + ".");
    else if (*marker != record.marker)
        refuse("The promised range is not the one on the command line.");
    if (!record.pool) {
        refuse("A handoff was loaded, but there is no pool.");
        return found.take();
    }
    const AddressRange& pool = *record.pool;
    if (record.loan ? record.marker != pool : !record.marker || !pool.contains(*record.marker))
        refuse("The promised range is not the pool or a part of it.");
    if (record.append.empty() || record.command_line.find(record.append) == std::string::npos)
        refuse("The words are not on the command line.");
    for (const Segment& s : record.segments) {
        if (s.range.overlaps(pool)) refuse(fmt::format("The segment {} is in the pool.", base::to_string(s.range)));
        for (const AddressRange& fence : record.fences)
            if (s.name != "kernel" && s.range.overlaps(fence))
                refuse(fmt::format("The fence {} is in the segment {}.", base::to_string(fence),
                                   base::to_string(s.range)));
    }
    if (record.elfcorehdr && std::none_of(record.segments.begin(), record.segments.end(),
                                          [&](const Segment& s) { return s.range == *record.elfcorehdr; }))
        refuse("The ELF headers are not among the segments.");
    if (record.method != Method::e820 && record.map.of(Type::ram).overlaps(pool))
        refuse("The pool is RAM in the memory map already without the words.");
    const AddressRange taken_over = record.marker.value_or(pool);
    if (!record.after.of(Type::ram).contains(taken_over))
        refuse("The pool is not RAM in the memory map with the words.");
    RangeSet rest({pool});
    rest.subtract(taken_over);
    for (const AddressRange& r : rest.ranges())
        if (record.after.of(Type::ram).overlaps(r))
            refuse(fmt::format("In the memory map with the words, {} is RAM, but it is not handed over.",
                               base::to_string(r)));
    return found.take();
}

}  // namespace handoff
