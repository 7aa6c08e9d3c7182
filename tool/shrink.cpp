// SPDX-License-Identifier: GPL-2.0-or-later
// Makes the reservation smaller in this boot. Decides nothing: lib/load/shrink.cpp does.
#include "lib/load/shrink.hpp"

#include <csignal>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "lib/load/reserve.hpp"
#include "lib/report/documents.hpp"
#include "lib/service/service.hpp"
#include "lib/sources/host.hpp"
#include "lib/sources/kexec_program.hpp"
#include "tool/commands.hpp"
#include "tool/print.hpp"
#include "tool/run_program.hpp"

namespace tool {
namespace {

using base::MiB;
using Failure = handoff::ShrinkEffects::Failure;
using Outcome = handoff::ShrinkResult::Outcome;

handoff::HandoffState state_on(const handoff::Host& host, const std::optional<base::AddressRange>& pool) {
    handoff::HandoffEvidence evidence = handoff::read_handoff_evidence(host);
    evidence.pool = pool;
    return handoff::judge_handoff(evidence);
}

class Effects : public handoff::ShrinkEffects {
public:
    Effects(const handoff::Host& host, std::optional<base::AddressRange> pool, std::string kexec,
            std::vector<std::string> loader, const sigset_t& signals)
        : host_(host), pool_(pool), kexec_(std::move(kexec)), loader_(std::move(loader)), signals_(signals) {}

    base::Result<bool> loaded() override {
        const auto text = host_.read(handoff::Source::crash_loaded);
        if (!text) return text.error();
        return text->starts_with('1');
    }
    handoff::HandoffState state() override { return state_on(host_, pool_); }
    Failure unload() override { return run({kexec_, "-p", "-u"}); }
    Failure resize(std::uint64_t bytes) override { return host_.resize_reservation(bytes); }
    Failure reload() override { return run(loader_); }

private:
    Failure run(std::vector<std::string> words) const { return run_program(std::move(words), signals_); }

    const handoff::Host& host_;
    std::optional<base::AddressRange> pool_;
    std::string kexec_;
    std::vector<std::string> loader_;
    sigset_t signals_;
};

std::string words_of(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
    return text;
}

using Loader = base::Result<std::vector<std::string>>;

void print_shrink(const handoff::ShrinkPlan& s, const std::string& kexec, const Loader& loader) {
    if (s.from) field("now", row(*s.from));
    if (!s.possible()) {
        sentence("refused", s.problem);
        return;
    }
    field("then", row(s.to));
    field("gives back", fmt::format("{} MiB", s.given_back() / MiB));
    sentence(
        "needs",
        fmt::format("The crash kernel should have {} MiB{}. {}'swiotlb-handoff recommend --verbose' has the sum.",
                    base::whole_mib(s.need.recommended()),
                    s.on_loan == 0 ? std::string(" in addition to the pool")
                                   : fmt::format(", and {} MiB of these are in the pool", base::whole_mib(s.on_loan)),
                    s.need.rests_on_assumptions() ? "Some of it is assumed. " : ""));
    if (s.on_loan != 0) sentence("note", handoff::counts_on_loan_text);
    field("append", s.plan.append);
    sentence("steps", fmt::format("1. {} -p -u", kexec));
    sentence("", fmt::format("2. write {} to /sys/kernel/kexec_crash_size", s.write));
    sentence("", loader ? "3. " + words_of(*loader)
                        : "3. the command that loads the crash kernel. It is not known: " + loader.error().message());
    next(fmt::format(
        "Run this command without --dry-run{}. No crash kernel is loaded for some seconds between the first "
        "step and the last.",
        loader ? "" : ", with the command that loads the crash kernel after --"));
}

Status status_of(Outcome outcome) {
    switch (outcome) {
        case Outcome::done:
            return Status::ready;
        case Outcome::unchanged:
            return Status::refused;
        case Outcome::restored:
        case Outcome::without_handoff:
        case Outcome::not_loaded:
            return Status::input;
    }
    return Status::input;
}

}  // namespace

Status shrink(const Options& options) {
    if (!options.operands.empty() && !options.operands.front().starts_with('/'))
        return misused(options, fmt::format("The command that loads the crash kernel needs its full path, not '{}'.",
                                            options.operands.front()));
    const auto opened = host_of(options);
    if (!opened) return fail(opened.error());
    const handoff::Host& host = *opened;
    auto machine = machine_of(host);
    if (!machine) return fail(machine.error());
    handoff::Wishes wishes = wishes_from(options);
    // The next load is planned like the last one, unless an option says otherwise, because 'kexec' loads it again.
    if (const auto record = handoff::last_record(host)) wishes = as_recorded(std::move(wishes), *record);
    wishes.lend = wishes.lend || options.count_on_loan;
    wishes.leaves_pool_out = true;
    auto request = handoff::request_for(host, *machine, wishes);
    if (!request) return fail(request.error());
    handoff::look_where_asked(host, *request, *machine);
    handoff::look_at_sizes(host, *machine, *request);
    handoff::ShrinkPlan wanted =
        handoff::plan_shrink(*machine, *request, options.to, options.margin, options.count_on_loan);
    if (options.count_on_loan && wanted.possible())
        wanted.problem = handoff::lends_at_no_load(handoff::load_settings(host));
    const auto pool = machine->pool.empty() ? std::nullopt : std::optional(machine->pool.front().range);
    if (options.dry_run && wanted.possible()) {
        const handoff::HandoffState state = state_on(host, pool);
        // A captured machine does not show what is loaded; what could be given back there may still be asked.
        if (host.live() || state.unknown != handoff::Unknown::unread)
            wanted.problem = handoff::objection_to_shrinking(state);
    }
    const Loader loader = options.operands.empty() ? handoff::kdump_load_command(host) : Loader(options.operands);

    if (options.dry_run || !wanted.possible()) {
        if (options.json)
            print_json(handoff::shrink_document(wanted, std::nullopt));
        else
            print_shrink(wanted, options.kexec.value_or("kexec"), loader);
        return wanted.possible() ? Status::ready : Status::refused;
    }
    if (!loader)
        return misused(options, fmt::format("Give the command that loads the crash kernel after --: {}.",
                                            loader.error().message()));
    std::string kexec = options.kexec.value_or("");
    if (kexec.empty()) {
        const auto found = handoff::find_kexec(host);
        if (!found) return fail(found.error());
        kexec = found->path;
    }

    const NoInterruption quiet;  // while there is no crash kernel
    Effects effects(host, pool, kexec, *loader, quiet.before());
    const handoff::ShrinkResult result = handoff::shrink(effects, wanted);
    if (options.json) {
        print_json(handoff::shrink_document(wanted, result));
    } else {
        field("outcome", handoff::name(result.outcome));
        for (const std::string& step : result.steps) sentence("did", step);
        if (result.outcome == Outcome::done)
            sentence("gives back",
                     fmt::format("{} MiB. The reservation had {} MiB and has {} MiB now.", wanted.given_back() / MiB,
                                 wanted.from->size() / MiB, wanted.to.size() / MiB));
        if (wanted.on_loan != 0) sentence("note", handoff::counts_on_loan_text);
    }
    if (!result.text.empty()) report(result.text);
    return status_of(result.outcome);
}

}  // namespace tool
