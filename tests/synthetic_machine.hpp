// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "swiotlb-handoff/machine.hpp"
#include "swiotlb-handoff/plan.hpp"

namespace handoff {

/// The pool of the machines below, 64 MiB.
inline constexpr AddressRange synthetic_pool = *AddressRange::from_bounds(0x6c000000, 0x70000000);

/// 2 GiB of RAM below 4 GiB and 4 GiB above; the pool directly below 0x70000000, and
/// crashkernel=512M,high crashkernel=256M,low as Linux places them.
inline Machine synthetic_machine() {
    using base::GiB;
    using base::MiB;
    const auto range = [](Address start, Address end) { return *AddressRange::from_bounds(start, end); };
    Machine machine;
    machine.release = "6.1.0-50-amd64";
    machine.command_line = "root=/dev/vda1 crashkernel=512M,high crashkernel=256M,low";
    machine.map.add(range(0x1000, 0x9f000), e820::Type::ram);
    machine.map.add(range(0xf0000, 0x100000), e820::Type::reserved);
    machine.map.add(range(MiB, 2 * GiB), e820::Type::ram);
    machine.map.add(range(4 * GiB, 8 * GiB), e820::Type::ram);
    machine.ram = machine.map.of(e820::Type::ram);
    machine.crash_kernel = {range(0x70000000, 0x80000000), range(7 * GiB + 512 * MiB, 8 * GiB)};
    machine.crash_kernel_from = {"proc/iomem", 1};
    machine.kernel_image = range(16 * MiB, 64 * MiB);
    machine.pool = {{synthetic_pool, PoolSource::memory, {"proc/kcore", 0}}};
    machine.encryption = Encryption::none;
    machine.log_complete = true;
    machine.memory_nodes = 1;
    machine.possible_cpus = 2;
    machine.kexec_tools = "2.0.25";
    machine.lockdown = false;
    return machine;
}

/// A kernel of 64 MiB and an initrd of 16 MiB, loaded by either system call.
inline PlanRequest synthetic_request() {
    PlanRequest request;
    request.image = Image{};
    request.image->init_size = 64 * base::MiB;
    request.image->release = "6.1.0-50-amd64";
    request.config = KernelConfig{};
    request.config_from = "boot/config-6.1.0-50-amd64";
    request.initrd_bytes = 16 * base::MiB;
    request.command_line = "root=/dev/vda1 reset_devices nr_cpus=1";
    return request;
}

/// The same machine booted with crashkernel=512M,high and crashkernel=0,low. The crash kernel has no memory below 4 GiB
/// but the pool, so that the words need neither fences nor nokaslr.
inline Machine synthetic_machine_without_low_part() {
    Machine machine = synthetic_machine();
    machine.command_line = "root=/dev/vda1 crashkernel=512M,high crashkernel=0,low";
    machine.crash_kernel.erase(machine.crash_kernel.begin());
    return machine;
}

/// The words that plan() appends on that machine.
inline constexpr const char* synthetic_words =
    "swiotlb=32768 memmap=64M@0x6c000000 swiotlb_handoff=0x6c000000-0x70000000";

/// A machine with crashkernel=256M, whose crash kernel makes no pool. Nothing speaks against lending it the old one.
inline Machine idle_machine() {
    Machine machine = synthetic_machine();
    machine.release = "6.12.117+deb13-amd64";
    machine.command_line = "root=/dev/vda1 crashkernel=256M";
    machine.crash_kernel = {*AddressRange::from_bounds(0x70000000, 0x80000000)};
    machine.slabs_hiwater = machine.slabs_used = 0;
    machine.hiwater_tracked = true;
    machine.pool_traces = PoolTraces{synthetic_pool, 2, 0, 0, synthetic_pool.size(), std::nullopt};
    machine.devices = {{"0000:00:02.0", "pcieport", 0x060400, 32, 32},
                       {"0000:01:00.0", "nvme", 0x010802, 64, 64},
                       {"0000:02:00.0", "mgag200", 0x030000, 32, 32}};
    machine.platform_devices = {{"serial8250", "serial8250"}, {"PNP0B00:00", "rtc_cmos"}};
    machine.external_devices.emplace();
    machine.ownerless_masters.emplace();
    machine.narrow_bridges.emplace();
    machine.iommu_groups = 0;
    return machine;
}

/// Asks for the loan, and loads by kexec_load with the pool left out of the ELF headers.
inline PlanRequest lending_request() {
    PlanRequest request = synthetic_request();
    request.image->release = "6.12.117+deb13-amd64";
    request.lend = true;
    request.loader = Loader::kexec_load;
    request.leaves_pool_out = true;
    return request;
}

/// The words that plan() appends for that machine and that request.
inline constexpr const char* synthetic_loan_words = "memmap=64M@0x6c000000 swiotlb_lent=0x6c000000-0x70000000";

}  // namespace handoff
