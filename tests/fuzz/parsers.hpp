// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "tests/fuzz/targets.hpp"

namespace fuzz {

void iomem(Input);
void firmware_map(Input);
void log_map(Input);
void kernel_log(Input);
void kmsg(Input);
void command_line(Input);
void memmap(Input);
void binary_map(Input);
void sanitise(Input);
void json_map(Input);
void elf_core(Input);
void kcore(Input);
void loaded_kernel(Input);
void btf(Input);
void kallsyms(Input);
void bzimage(Input);
void early_cpio(Input);
void initrd_contents(Input);
void kernel_config(Input);
void load_report(Input);
void kexec_arguments(Input);
void record(Input);
void kdump_config(Input);
void neighbours(Input);
void archive(Input);
void report(Input);
void machine(Input);
void plan(Input);
void hostile_plan(Input);
/// How many of the plans so far were ready, and so had their proof looked at; and how many lend the pool, and had their
/// evidence looked at.
unsigned plans_ready();
unsigned plans_lent();

}  // namespace fuzz
