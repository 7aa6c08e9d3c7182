// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/load/crash_load.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "lib/decide/fallback.hpp"
#include "lib/decide/findings.hpp"
#include "lib/decide/need.hpp"
#include "lib/decide/pool_size.hpp"
#include "lib/load/lend.hpp"
#include "lib/load/load_report.hpp"
#include "lib/sources/gather.hpp"
#include "lib/sources/host.hpp"
#include "swiotlb-handoff/machine.hpp"

namespace handoff {
namespace {

// What is wrong with a load that kexec calls done; `segments` as far as they are known.
std::optional<std::string> objection(const Plan& plan, const Result<std::vector<AddressRange>>& segments) {
    if (!segments) return "the loaded segments cannot be read: " + segments.error().message();
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

// "[0x6c000000-0x70000000)"; of a part also how much it is.
std::string what_is_given(const Plan& plan) {
    const std::string range = base::to_string(plan.part.value_or(*plan.pool));
    return plan.part ? share_text(*plan.part, *plan.pool) + ", " + range : range;
}

// One load, from the first record to the last.
class Loading {
public:
    Loading(LoadEffects& effects, const KexecArguments& arguments) : effects_(effects), arguments_(arguments) {
        name_files(record_);
        begin();
    }

    LoadResult with_handoff();
    LoadResult without_handoff(std::string why);

private:
    // This record is replaced when the result is known. Until then no older record can be taken for this load.
    void begin() {
        record_.why = "the load was interrupted";
        effects_.record(record_);
    }
    LoadResult plain(std::string why);
    LoadResult passed_on(Rung rung, std::string why, KexecRun run) const;
    bool make_plan(std::string& why);
    void name_files(Record& record) const {
        record.kernel = arguments_.kernel;
        record.initrd = arguments_.initrd.value_or("");
        record.kernel_sum = kernel_sum_;
        record.initrd_sum = initrd_sum_;
    }
    KexecRun run_with_words(const Plan& plan, std::string& shown);
    std::optional<std::string> against_the_loan();
    std::optional<std::string> wrong_with(const Plan& plan, const KexecRun& load, Record& done);

    LoadEffects& effects_;
    const KexecArguments& arguments_;
    Record record_;
    std::optional<PlannedLoad> planned_;
    std::optional<FileSum> kernel_sum_, initrd_sum_;  // as in the record; once there is a plan
};

LoadResult Loading::plain(std::string why) {
    record_.outcome = Rung::plain;
    record_.why = why;
    effects_.record(record_);
    return {Rung::plain, std::move(why), {}, {}};
}

LoadResult Loading::passed_on(Rung rung, std::string why, KexecRun run) const {
    if (!arguments_.debug) leave_out_debug(run);
    return {rung, std::move(why), std::move(run.output), std::move(run.errors)};
}

bool Loading::make_plan(std::string& why) {
    auto planned = effects_.plan(arguments_);
    if (!planned) {
        why = planned.error().message();
        return false;
    }
    planned_ = *std::move(planned);
    kernel_sum_ = effects_.sum_of(arguments_.kernel);
    initrd_sum_ = arguments_.initrd.value_or("").empty() ? FileSum{} : effects_.sum_of(*arguments_.initrd);
    record_ = record_of(planned_->plan, {}, {});
    name_files(record_);
    record_.release = planned_->machine.release;
    record_.kexec_tools = planned_->machine.kexec_tools.value_or("");
    return true;
}

LoadResult Loading::without_handoff(std::string why) {
    std::string unplanned;
    if (!planned_ && !make_plan(unplanned)) return plain(std::move(why));
    const auto fallback = effects_.fallback(*planned_);
    if (!fallback || fallback->rung != Rung::own_pool) return plain(std::move(why));
    begin();
    KexecRun load = effects_.run(given_with_words(arguments_, fallback->append), std::nullopt);
    if (load.status != 0) return plain(why + "; " + failure_of(load, fallback->append));
    Record done = record_;
    done.outcome = Rung::own_pool;
    done.why = fmt::format("{}; the crash kernel was loaded with {}, because the pool that it would make does not fit",
                           why, fallback->append);
    done.append = fallback->append;
    done.command_line = planned_->plan.base;
    done.command_line += (done.command_line.empty() ? "" : " ") + fallback->append;
    done.marker.reset();
    done.fences.clear();
    done.segments.clear();
    done.loan = false;
    done.after = {};
    effects_.record(done);
    return passed_on(Rung::own_pool, done.why, std::move(load));
}

// What is wrong with a load that kexec calls done; nullopt: nothing, and `done` is its record.
std::optional<std::string> Loading::wrong_with(const Plan& plan, const KexecRun& load, Record& done) {
    const std::string log = effects_.kernel_log();
    auto segments = parse_segments(load.errors);
    if (segments && segments->empty()) segments = parse_segments(load.output);
    if (segments && segments->empty()) segments = parse_segments(log);
    if (auto wrong = objection(plan, segments)) return wrong;

    LoadAddresses addresses = parse_addresses(log);
    const LoadAddresses printed = parse_addresses(load.errors + load.output);
    if (printed.elfcorehdr) addresses.elfcorehdr = printed.elfcorehdr;
    if (printed.rsdp) addresses.rsdp = printed.rsdp;
    if (plan.loan && plan.loader == Loader::kexec_load)
        if (auto wrong = objection_to_headers(effects_, *plan.pool, *segments, addresses)) return wrong;
    done = record_of(plan, *segments, addresses);
    name_files(done);
    done.release = record_.release;
    done.kexec_tools = record_.kexec_tools;
    done.outcome = Rung::handoff;
    done.why = fmt::format(
        "loaded with {} {}{}", plan.loan ? "the loan of" : "the handoff of", what_is_given(plan),
        segments->empty() ? "; neither kexec nor the kernel reported the segments" : ", segments as planned");
    return std::nullopt;
}

// The kernel makes the ELF headers of kexec_file_load; kexec-tools those of kexec_load, from what it sees. The pool is
// left out of them: a pool that is lent must not be in the dump, and of one that is handed over a dump has nothing but
// what was bounced last. Where it cannot be left out, a handoff works all the same, and `shown` says why its dump is
// larger.
KexecRun Loading::run_with_words(const Plan& plan, std::string& shown) {
    const auto words = with_words(arguments_, plan.append, planned_->machine.release);
    if (plan.loader == Loader::kexec_file_load) return effects_.run(words, std::nullopt);
    KexecRun load = effects_.run(words, plan.pool);
    if (!load.cannot_hide || plan.loan) return load;
    shown = fmt::format("; the dump will have the pages of the pool, because the pool cannot be hidden from kexec ({})",
                        load.how);
    return effects_.run(words, std::nullopt);
}

// Why the pool that was just lent must not stay lent: what speaks against it came after the plan was made. nullopt:
// nothing. What comes from now on finds the record (udev/reload-lent).
std::optional<std::string> Loading::against_the_loan() {
    const auto again = effects_.plan(arguments_);
    if (!again) return again.error().message();
    // Of refusals only those count that are about the pool: this load may have been the last one that is permitted.
    for (const Reason& reason : again->plan.reasons)
        if (reason.severity == Severity::refusal &&
            (reason.rule.starts_with("lend-") || reason.rule.starts_with("pool-")))
            return requirement(reason);
    const bool other = !again->plan.loan || again->plan.pool != planned_->plan.pool;
    return again->plan.verdict != Verdict::refused && other ? std::optional(headline(again->plan)) : std::nullopt;
}

LoadResult Loading::with_handoff() {
    if (!arguments_.not_modelled.empty()) return without_handoff(not_modelled_text(arguments_));
    std::string unplanned;
    if (!make_plan(unplanned)) return plain(std::move(unplanned));
    const Plan& plan = planned_->plan;
    if (plan.verdict != Verdict::ready) return without_handoff(headline(plan));

    std::string shown;
    KexecRun load = run_with_words(plan, shown);
    if (load.status != 0) return without_handoff(failure_of(load, "the handoff"));
    Record done;
    if (auto wrong = wrong_with(plan, load, done)) return without_handoff(*std::move(wrong));
    done.why += shown;
    effects_.record(done);
    // After the record, so that one of the two sees the other.
    if (!effects_.alone())
        return without_handoff("another load did not wait for this one, and may be what is loaded now");
    if (plan.loan)
        if (const auto why = against_the_loan()) return without_handoff("the pool may no longer be lent: " + *why);
    return passed_on(Rung::handoff, done.why, std::move(load));
}

}  // namespace

LoadResult load_with_handoff(LoadEffects& effects, const KexecArguments& arguments) {
    return Loading(effects, arguments).with_handoff();
}

LoadResult load_without_handoff(LoadEffects& effects, const KexecArguments& arguments, const std::string& why) {
    return Loading(effects, arguments).without_handoff(why);
}

Result<PlannedLoad> plan_load(const Host& host, const KexecArguments& arguments, Wishes wishes) {
    auto machine = gather(host);
    if (!machine) return machine.error();
    auto line = kexec_command_line(arguments, machine->command_line, machine->kexec_tools);
    if (!line)
        return base::input_error(
            0, "--reuse-cmdline: it is not known which crashkernel= words this version of kexec leaves out");
    wishes.kernel = arguments.kernel;
    wishes.initrd = arguments.initrd.value_or("");
    wishes.command_line = std::move(*line);
    wishes.loader = loader_of(arguments, machine->kexec_tools);
    wishes.leaves_pool_out = true;
    auto request = request_for(host, *machine, wishes);
    if (!request) return request.error();
    look_where_asked(host, *request, *machine);
    Plan plan = decide(*machine, *request);
    return PlannedLoad{std::move(plan), *std::move(machine), *std::move(request)};
}

std::optional<Fallback> fallback_of(const Host& host, const PlannedLoad& planned) {
    PlanRequest request = planned.request;
    look_at_sizes(host, planned.machine, request);
    return fallback_for(planned.machine, request, Need::default_margin);
}

}  // namespace handoff
