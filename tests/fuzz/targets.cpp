// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/fuzz/targets.hpp"

#include "tests/fuzz/parsers.hpp"

namespace fuzz {

std::span<const Target> targets() {
    // scripts/fuzz reads the names here.
    static constexpr Target all[] = {
        {"iomem", iomem},
        {"firmware_map", firmware_map},
        {"log_map", log_map},
        {"kernel_log", kernel_log},
        {"kmsg", kmsg},
        {"command_line", command_line},
        {"memmap", memmap},
        {"binary_map", binary_map},
        {"sanitise", sanitise},
        {"json_map", json_map},
        {"elf_core", elf_core},
        {"kcore", kcore},
        {"loaded_kernel", loaded_kernel},
        {"btf", btf},
        {"kallsyms", kallsyms},
        {"bzimage", bzimage},
        {"early_cpio", early_cpio},
        {"initrd_contents", initrd_contents},
        {"kernel_config", kernel_config},
        {"load_report", load_report},
        {"kexec_arguments", kexec_arguments},
        {"record", record},
        {"kdump_config", kdump_config},
        {"neighbours", neighbours},
        {"archive", archive},
        {"report", report},
        {"machine", machine},
        {"plan", plan},
        {"hostile_plan", hostile_plan},
    };
    return all;
}

}  // namespace fuzz
