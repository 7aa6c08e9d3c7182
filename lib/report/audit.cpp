// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/report/audit.hpp"

#include <algorithm>
#include <utility>

#include "base/number.hpp"
#include "lib/decide/recommend.hpp"

namespace handoff {

namespace {

void judge_size(const Recommendation& next, MachineAudit& audited) {
    for (const NeedLine& line : next.need.lines)
        if (line.basis == Basis::assumed && line.part != NeedPart::margin && line.bytes != 0)
            audited.guessed.emplace_back(name(line.part));
    if (next.now == 0) return;
    const std::optional<Fit> fits = next.present.reservation.fits;
    audited.certainly_too_small = fits == Fit::no;
    const std::uint64_t wanted = next.chosen ? next.chosen->bytes : next.need.recommended();
    if (wanted > next.now && fits != Fit::surely) audited.too_small = wanted - next.now;
    if (!next.chosen || wanted >= next.now) return;
    audited.recommended = next.chosen->reservation.text();
    audited.by_handoff = std::min(next.now - wanted, static_cast<std::uint64_t>(next.by_handoff()));
    audited.by_right_sizing = next.now - wanted - audited.by_handoff;
}

}  // namespace

MachineAudit audit(std::string name, const Machine& machine, const PlanRequest& request, std::uint64_t margin) {
    MachineAudit audited;
    audited.machine = std::move(name);
    const Recommendation next = recommend(machine, request, margin);
    const Plan& planned = next.present;
    audited.verdict = planned.verdict;
    if (planned.verdict == Verdict::refused)
        for (const Reason& reason : planned.reasons)
            if (reason.severity == Severity::refusal) audited.refused_by.emplace_back(reason.rule);
    if (planned.verdict == Verdict::ready)
        for (const Assumption& assumption : planned.assumptions) audited.assumed.push_back(assumption.rule);
    if (!machine.pool.empty()) audited.pool_bytes = machine.pool.front().range.size();
    audited.crashkernel_bytes = next.now;
    judge_size(next, audited);
    if (planned.verdict == Verdict::not_needed && audited.pool_bytes != 0) {
        PlanRequest lending = request;
        lending.lend = true;
        lending.loader =
            Loader::kexec_load;  // by 'kexec', which keeps the pool out of the dump: then any collector will do
        lending.leaves_pool_out = true;
        const LoanOutlook outlook = loan_outlook(machine, lending, 0);
        audited.lendable = outlook.possible;
        audited.lent_bytes = outlook.gain;
        // Evidence that is missing is not evidence to the contrary: most captures are too old to have any.
        Machine assumed = machine;
        if (!assumed.slabs_hiwater) assumed.slabs_hiwater = 0;
        if (!assumed.slabs_used) assumed.slabs_used = 0;
        if (!assumed.devices) assumed.devices.emplace();
        if (!assumed.platform_devices) assumed.platform_devices.emplace();
        if (!assumed.external_devices) assumed.external_devices.emplace();
        if (!assumed.hiwater_tracked) assumed.hiwater_tracked = true;
        if (!assumed.iommu_groups) assumed.iommu_groups = 0;
        if (!assumed.pool_traces) {
            const AddressRange& pool = assumed.pool.front().range;
            assumed.pool_traces = PoolTraces{pool, 1, 0, 0, pool.size(), std::nullopt};
            assumed.pool_traces_problem.reset();
        }
        if (assumed.encryption == Encryption::unknown) assumed.encryption = Encryption::none;
        audited.would_lend = !audited.lendable && loan_outlook(assumed, lending, 0).possible;
    }
    return audited;
}

bool AuditSummary::add(const MachineAudit& audited) {
    const auto digest = base::parse_number(audited.digest, 16);
    if (digest && !digests_.insert(*digest).second) {
        ++identical;
        return false;
    }
    if (audited.error) {
        ++unreadable;
        return true;
    }
    switch (audited.verdict) {
        case Verdict::ready:
            ++ready;
            ready_if += !audited.assumed.empty();
            break;
        case Verdict::not_needed:
            ++not_needed;
            break;
        case Verdict::refused:
            ++refused;
            break;
    }
    for (const std::string& rule : audited.refused_by) ++refused_by[rule];
    for (const std::string& rule : audited.assumed) ++assumed[rule];
    lendable += audited.lendable;
    would_lend += audited.would_lend;
    if (audited.lendable) lent += audited.lent_bytes;
    for (const std::string& part : audited.guessed) ++guessed[part];
    giving += audited.by_handoff != 0;
    by_handoff += audited.by_handoff;
    oversized += audited.by_right_sizing != 0;
    by_right_sizing += audited.by_right_sizing;
    undersized += audited.too_small != 0;
    certainly_undersized += audited.certainly_too_small;
    too_small += audited.too_small;
    return true;
}

}  // namespace handoff
