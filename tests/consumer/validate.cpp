// SPDX-License-Identifier: GPL-2.0-or-later
// Uses the validation alone, on a machine that exists only here: 1 GiB of RAM below
// 4 GiB and as much above, the reservation right above the pool.
#include <cstdint>
#include <cstdio>

#include <swiotlb-handoff/plan.hpp>

namespace {

using base::AddressRange;
using base::GiB;
using base::MiB;

AddressRange sized(std::uint64_t start, std::uint64_t size) { return *AddressRange::from_size(start, size); }

handoff::Machine machine() {
    handoff::Machine m;
    m.release = "6.1.0";
    m.map.add(sized(MiB, GiB - MiB), e820::Type::ram);
    m.map.add(sized(4 * GiB, GiB), e820::Type::ram);
    m.ram = m.map.of(e820::Type::ram);
    m.crash_kernel = {sized(864 * MiB, 96 * MiB)};
    m.pool = {{sized(800 * MiB, 64 * MiB), handoff::PoolSource::user, {"here", 0}}};
    m.encryption = handoff::Encryption::none;
    m.memory_nodes = 1;
    m.kexec_tools = "2.0.25";
    return m;
}

bool expect(bool holds, const char* what) {
    if (!holds) std::fprintf(stderr, "not so: %s\n", what);
    return holds;
}

}  // namespace

int main() {
    handoff::PlanRequest request;
    request.command_line = "reset_devices nr_cpus=1 swiotlb=force";
    request.initrd_bytes = 8 * MiB;
    request.image = handoff::Image{};
    request.image->init_size = 32 * MiB;
    const handoff::Plan ready = handoff::plan(machine(), request);

    handoff::Machine without = machine();
    without.crash_kernel.clear();
    const handoff::Plan refused = handoff::plan(without, request);

    // The same words, reviewed: somebody put the pool a page lower.
    request.command_line = *request.command_line + " " + ready.append;
    const handoff::Plan agrees = handoff::review(machine(), request, *ready.pool);
    const handoff::Plan differs = handoff::review(machine(), request, sized(800 * MiB - 4096, 64 * MiB));

    bool good = expect(ready.verdict == handoff::Verdict::ready, "the pool right below a small reservation is ready");
    for (const handoff::Reason& reason : ready.reasons)
        if (reason.severity == handoff::Severity::refusal)
            std::fprintf(stderr, "  %s: %s\n", reason.rule.c_str(), reason.text.c_str());
    good &= expect(refused.verdict == handoff::Verdict::refused, "nothing reserved is refused");
    good &= expect(agrees.verdict == handoff::Verdict::ready, "the words that plan() wrote are reviewed as ready");
    good &= expect(differs.verdict == handoff::Verdict::refused, "another place than the pool's is refused");
    return good ? 0 : 1;
}
