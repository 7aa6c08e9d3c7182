// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/load/crash_load.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "lib/load/lend.hpp"
#include "lib/load/load_report.hpp"
#include "lib/sources/gather.hpp"
#include "lib/sources/host.hpp"
#include "swiotlb-handoff/machine.hpp"

namespace handoff {
namespace {

// What is wrong with a load that kexec calls done; `segments` as far as they are known.
std::optional<std::string> objection(const Plan& plan, const Result<std::vector<AddressRange>>& segments) {
    if (!segments) return "the segments cannot be read: " + segments.error().message();
    if (!segments->empty()) return disagreement(plan, *segments);
    // kexec -d always prints what it passes to kexec_load; kexec_file_load is reported by
    // some kernels only, and its placement is the kernel's own, which is what was proven.
    if (plan.loader == Loader::kexec_load) return "kexec did not report the segments";
    return std::nullopt;
}

// What is wrong with the ELF headers of a load by kexec_load that lends the pool.
std::optional<std::string> objection_to_headers(LoadEffects& effects, const AddressRange& pool,
                                                const std::vector<AddressRange>& segments,
                                                const LoadAddresses& addresses) {
    const auto segment = std::find_if(segments.begin(), segments.end(),
                                      [&](const AddressRange& s) { return s.start() == addresses.elfcorehdr; });
    if (segment == segments.end()) return "neither kexec nor the kernel reported the address of the elfcorehdr";
    const auto core = effects.loaded_headers(*segment);
    if (!core) return "the ELF headers that were loaded cannot be read: " + core.error().message();
    return pool_in_headers(*core, pool);
}

// The last lines of what a program printed, as one line of plain text.
std::string last_words(std::string_view text) {
    constexpr std::size_t most_lines = 3, longest = 300;
    std::string words;
    for (std::size_t lines = 0; lines < most_lines && !text.empty();) {
        const auto newline = text.rfind('\n');
        const std::string_view line = text.substr(newline == text.npos ? 0 : newline + 1);
        text = text.substr(0, newline == text.npos ? 0 : newline);
        if (line.find_first_not_of(" \t\r") == line.npos) continue;
        words.insert(0, words.empty() ? "" : "; ").insert(0, line);
        ++lines;
    }
    if (words.size() > longest) words = "..." + words.substr(words.size() - longest);
    for (char& c : words)
        if (c < ' ' || c > '~') c = '?';
    return words;
}

std::string failure_of(const KexecRun& load) {
    std::string words = last_words(without_debug(load.errors));
    if (words.empty()) words = last_words(without_debug(load.output));
    return fmt::format("kexec failed with the handoff ({}){}{}", load.how, words.empty() ? "" : ": ", words);
}

}  // namespace

LoadResult load_with_handoff(LoadEffects& effects, const KexecArguments& arguments) {
    Record record;
    record.kernel = arguments.kernel;
    record.initrd = arguments.initrd.value_or("");
    const auto plain = [&](std::string why) {
        record.outcome = Record::Outcome::plain;
        record.why = why;
        effects.record(record);
        return LoadResult{false, std::move(why), {}, {}};
    };
    // Stands until the end is known, so that no older record outlives this load.
    record.why = "the load was interrupted";
    effects.record(record);

    if (!arguments.not_modelled.empty())
        return plain(fmt::format("{} changes the load in a way that is not modelled", arguments.not_modelled.front()));
    const auto planned = effects.plan(arguments);
    if (!planned) return plain(planned.error().message());
    const Plan& plan = planned->plan;
    record = record_of(plan, {}, {});
    record.kernel = arguments.kernel;
    record.initrd = arguments.initrd.value_or("");
    record.release = planned->release;
    record.kexec_tools = planned->kexec_tools;
    if (plan.verdict != Verdict::ready) return plain(headline(plan));

    // The kernel makes the ELF headers of kexec_file_load; kexec-tools those of kexec_load, from what it sees.
    std::optional<AddressRange> left_out;
    if (plan.loan && plan.loader != Loader::kexec_file_load) left_out = plan.pool;
    KexecRun load = effects.run(with_words(arguments, plan.append, planned->release), left_out);
    if (load.status != 0) return plain(failure_of(load));
    const std::string log = effects.kernel_log();
    auto segments = parse_segments(load.errors);
    if (segments && segments->empty()) segments = parse_segments(load.output);
    if (segments && segments->empty()) segments = parse_segments(log);
    if (const auto wrong = objection(plan, segments)) return plain(*wrong);

    LoadAddresses addresses = parse_addresses(log);
    const LoadAddresses printed = parse_addresses(load.errors + load.output);
    if (printed.elfcorehdr) addresses.elfcorehdr = printed.elfcorehdr;
    if (printed.rsdp) addresses.rsdp = printed.rsdp;
    if (plan.loan && plan.loader == Loader::kexec_load)
        if (const auto wrong = objection_to_headers(effects, *plan.pool, *segments, addresses)) return plain(*wrong);
    Record done = record_of(plan, *segments, addresses);
    done.kernel = record.kernel;
    done.initrd = record.initrd;
    done.release = record.release;
    done.kexec_tools = record.kexec_tools;
    done.outcome = Record::Outcome::handoff;
    done.why = fmt::format(
        "loaded with {} {}{}", plan.loan ? "the loan of" : "the handoff of", base::to_string(*plan.pool),
        segments->empty() ? "; neither kexec nor the kernel reported the segments" : ", segments as planned");
    effects.record(done);
    // After the record, so that one of the two sees the other.
    if (!effects.alone()) return plain("another load did not wait for this one, and may be the one that is loaded");
    LoadResult result{true, done.why, std::move(load.output), std::move(load.errors)};
    if (!arguments.debug) {
        result.output = without_debug(result.output);
        result.errors = without_debug(result.errors);
    }
    return result;
}

Result<PlannedLoad> plan_load(const Host& host, const KexecArguments& arguments, Wishes wishes) {
    const auto machine = gather(host);
    if (!machine) return machine.error();
    auto line = kexec_command_line(arguments, machine->command_line, machine->kexec_tools);
    if (!line)
        return base::input_error(0, "--reuse-cmdline: which crashkernel= words this kexec leaves out is not known");
    wishes.kernel = arguments.kernel;
    wishes.initrd = arguments.initrd.value_or("");
    wishes.command_line = std::move(*line);
    wishes.loader = loader_of(arguments, machine->kexec_tools);
    wishes.leaves_pool_out = true;
    const auto request = request_for(host, *machine, wishes);
    if (!request) return request.error();
    return PlannedLoad{handoff::plan(*machine, *request), machine->release, machine->kexec_tools.value_or("")};
}

}  // namespace handoff
