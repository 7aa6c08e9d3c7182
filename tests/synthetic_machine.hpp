// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "lib/machine.hpp"
#include "lib/plan.hpp"

namespace handoff {

/// 2 GiB of RAM below 4 GiB and 4 GiB above; the pool directly below 0x70000000, and
/// crashkernel=512M,high crashkernel=256M,low as Linux places them.
inline Machine synthetic_machine() {
    using e820::GiB;
    using e820::MiB;
    const auto range = [](Address start, Address end) { return *AddressRange::from_bounds(start, end); };
    Machine machine;
    machine.release = "6.1.0-test";
    machine.command_line = "root=/dev/vda1 crashkernel=512M,high crashkernel=256M,low";
    machine.map.add(range(0x1000, 0x9f000), e820::Type::ram);
    machine.map.add(range(0xf0000, 0x100000), e820::Type::reserved);
    machine.map.add(range(MiB, 2 * GiB), e820::Type::ram);
    machine.map.add(range(4 * GiB, 8 * GiB), e820::Type::ram);
    machine.ram = machine.map.of(e820::Type::ram);
    machine.crash_kernel = {range(0x70000000, 0x80000000), range(7 * GiB + 512 * MiB, 8 * GiB)};
    machine.crash_kernel_from = {"proc/iomem", 1};
    machine.kernel_image = range(16 * MiB, 64 * MiB);
    machine.pool = {{range(0x6c000000, 0x70000000), PoolSource::memory, {"proc/kcore", 0}}};
    machine.encryption = Encryption::none;
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
    request.image->init_size = 64 * e820::MiB;
    request.image->release = "6.1.0-test";
    request.initrd_bytes = 16 * e820::MiB;
    request.command_line = "root=/dev/vda1 reset_devices nr_cpus=1";
    return request;
}

}  // namespace handoff
