// SPDX-License-Identifier: GPL-2.0-or-later
// What a decision costs: gathering a captured machine, and planning for it with every place that KASLR has.
//   cmake --preset release && cmake --build --preset release && build/release/bench/plan_bench
#include <cstdio>
#include <cstdlib>

#include <benchmark/benchmark.h>

#include "lib/sources/gather.hpp"
#include "lib/sources/host.hpp"
#include "swiotlb-handoff/plan.hpp"

namespace {

using base::AddressRange;
using base::GiB;
using base::MiB;
using namespace handoff;

const std::string captured = FIXTURES_DIR "/machines/debian-6.1-kexec-load";

Machine machine_of(const std::string& folder) {
    auto machine = gather(Host(folder));
    if (!machine) {
        std::fprintf(stderr, "%s\n", machine.error().message().c_str());
        std::exit(1);
    }
    return *std::move(machine);
}

// A server with 64 GiB: the pool at 1 GiB - 64 MiB, the reservation directly above it.
Machine with_reservation(std::uint64_t bytes) {
    Machine machine = machine_of(captured);
    const AddressRange pool = *AddressRange::from_size(GiB - 64 * MiB, 64 * MiB);
    machine.iomem.clear();
    machine.map.entries.clear();
    machine.map.add(*AddressRange::from_size(0, 0x9f000), e820::Type::ram);
    machine.map.add(*AddressRange::from_bounds(MiB, 3 * GiB), e820::Type::ram);
    machine.map.add(*AddressRange::from_bounds(4 * GiB, 65 * GiB), e820::Type::ram);
    machine.ram = machine.map.of(e820::Type::ram);
    machine.kernel_image = AddressRange::from_size(32 * MiB, 48 * MiB);
    machine.crash_kernel = {*AddressRange::from_size(pool.end(), bytes)};
    machine.pool = {{pool, PoolSource::memory, {"proc/kcore", 0}}};
    return machine;
}

PlanRequest request_for(Loader loader) {
    PlanRequest request;
    request.loader = loader;
    Image image;
    image.init_size = 66678784;
    image.payload_bytes = 8098996;
    image.uncompressed_bytes = 65905060;
    image.release = "6.1.0-50-amd64";
    request.image = image;
    request.initrd_bytes = 24 * MiB;
    request.command_line = "swiotlb=force reset_devices nr_cpus=1";
    return request;
}

void gather_machine(benchmark::State& state) {
    for (auto _ : state) benchmark::DoNotOptimize(machine_of(captured));
}
BENCHMARK(gather_machine)->Unit(benchmark::kMillisecond);

// The reservation in MiB. Both loaders, so twice the loads and twice the places of the kernel.
void plan_machine(benchmark::State& state) {
    const Machine machine = with_reservation(static_cast<std::uint64_t>(state.range(0)) * MiB);
    const PlanRequest request = request_for(Loader::automatic);
    for (auto _ : state) {
        const Plan decided = plan(machine, request);
        if (decided.verdict != Verdict::ready)
            state.SkipWithError(decided.reasons.empty() ? "refused" : decided.reasons.back().text.c_str());
        benchmark::DoNotOptimize(decided);
    }
}
BENCHMARK(plan_machine)->Arg(192)->Arg(512)->Arg(1024)->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
