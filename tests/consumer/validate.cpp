// SPDX-License-Identifier: GPL-2.0-or-later
// Uses the validation alone, on a machine that exists only here: 1 GiB of RAM below
// 4 GiB and as much above, the reservation right above the pool.
#include <cstdio>

#include <lib/placement.hpp>
#include <lib/decide/plan.hpp>

namespace {

using e820::AddressRange;
using e820::GiB;
using e820::MiB;

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

    // Free memory that goes on where the pool ends: it would be placed higher.
    handoff::CrashMemory memory;
    memory.ram.add(sized(800 * MiB, 128 * MiB));
    memory.images = {896 * MiB};
    memory.image_at_least = memory.image_at_most = 16 * MiB;
    const auto slides = handoff::find_counterexample(memory, sized(800 * MiB, 64 * MiB), {});

    bool good = expect(ready.verdict == handoff::Verdict::ready, "the pool right below a small reservation is ready");
    for (const handoff::Reason& reason : ready.reasons)
        if (reason.severity == handoff::Severity::refusal)
            std::fprintf(stderr, "  %s: %s\n", reason.rule.c_str(), reason.text.c_str());
    good &= expect(refused.verdict == handoff::Verdict::refused, "nothing reserved is refused");
    good &= expect(slides && slides->kind == handoff::Counterexample::Kind::slides_up, "the pool slides up");
    return good ? 0 : 1;
}
