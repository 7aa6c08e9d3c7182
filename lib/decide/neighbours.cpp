// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/decide/neighbours.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "lib/kernel/behaviour.hpp"

namespace handoff {
namespace {

using std::string_view;

std::uint64_t total(const std::vector<AddressRange>& ranges) {
    std::uint64_t bytes = 0;
    for (const AddressRange& r : ranges) bytes += r.size();
    return bytes;
}

/// kstrtobool() of the early parameter kho=: lib/kstrtox.c.
bool is_off(string_view value) {
    return value.starts_with('0') || value.starts_with('n') || value.starts_with('N') || value.starts_with('f') ||
           value.starts_with('F') || value == "off" || value == "Off" || value == "OFF";
}

bool asks_for_kho(const CommandLine& line) { return line.has("kho") && !is_off(line.last("kho").value_or("")); }

// The one that has memory of the pool or of a fence; nullopt where none has.
std::optional<std::string> overlap(const std::vector<AddressRange>& theirs, const AddressRange& pool,
                                   const std::vector<AddressRange>& fences) {
    for (const AddressRange& r : theirs) {
        if (r.overlaps(pool)) return fmt::format("{} overlaps the pool.", base::to_string(r));
        for (const AddressRange& fence : fences)
            if (r.overlaps(fence))
                return fmt::format("{} overlaps the fence at {:#x}.", base::to_string(r), fence.start());
    }
    return std::nullopt;
}

// crashkernel=SIZE,cma: the kernel may have reserved less, or nothing.
// The kernel searches the whole text, behind "--" and inside other words as well (kernel/crash_reserve.c,
// get_last_crashkernel()).
bool asks_for_cma(std::string_view line) {
    constexpr std::string_view key = "crashkernel=";
    for (auto at = line.find(key); at != line.npos; at = line.find(key, at + 1)) {
        const std::string_view value = line.substr(at + key.size());
        if (value.substr(0, value.find(' ')).ends_with(",cma")) return true;
    }
    return false;
}

void judge_cma(const Machine& machine, bool file_load, const AddressRange& pool,
               const std::vector<AddressRange>& fences, Findings& found) {
    const Neighbours& n = machine.neighbours;
    if (!n.cma && !n.cma_bytes && !machine.knows_command_line() && file_load)
        found.missing(machine.live, "cma-apart",
                      "The command line of the running kernel is not known completely. It may have crashkernel=,cma, "
                      "and kexec_file_load would give that memory to the crash kernel, which could put its pool there.",
                      {"the running kernel's command line has no crashkernel=,cma", "proc/cmdline"},
                      "Give /proc/cmdline, or load with kexec_load (kexec -c), which does not do this.");
    if (!n.cma && !n.cma_bytes && asks_for_cma(machine.command_line) && file_load)
        found.refuse("cma-apart",
                     "The running kernel has crashkernel=,cma, and no source says how much memory that reserved. "
                     "kexec_file_load gives it to the crash kernel, which could put its pool there.",
                     "proc/cmdline",
                     "Load with kexec_load (kexec -c), which does not do this, or boot without crashkernel=,cma.");
    const std::uint64_t bytes = n.cma ? total(*n.cma) : n.cma_bytes.value_or(0);
    if (bytes == 0) return;
    const std::string where = n.cma ? "sys/kernel/kexec/crash_cma_ranges" : "dmesg";
    if (const auto what = n.cma ? overlap(*n.cma, pool, fences) : std::nullopt)
        found.refuse("cma-apart", "The memory of crashkernel=,cma at " + *what, where,
                     "Boot without crashkernel=,cma.");
    else if (file_load)
        // crash_setup_memmap_entries() in arch/x86/kernel/crash.c adds them as RAM.
        found.refuse("cma-apart",
                     fmt::format("With crashkernel=,cma, kexec_file_load gives the crash kernel {} MiB of movable "
                                 "memory, and the crash kernel could put its pool there.",
                                 base::whole_mib(bytes)),
                     where,
                     "Load with kexec_load (kexec -c), which does not do this, or boot without crashkernel=,cma.");
    else
        found.note("cma-apart",
                   fmt::format("The running kernel has {} MiB by crashkernel=,cma. A crash kernel that is loaded by "
                               "kexec_load gets nothing of it.",
                               base::whole_mib(bytes)),
                   where);
}

void judge_kho(const Machine& machine, const std::string& crash_release, const CommandLine& crash_kernel,
               bool file_load, const AddressRange& pool, const std::vector<AddressRange>& fences, Findings& found) {
    const Neighbours& n = machine.neighbours;
    const bool scratch_seen = n.kho_scratch && !n.kho_scratch->empty();
    if (const std::string where = handover_evidence(machine); !where.empty()) {
        if (const auto what = scratch_seen ? overlap(*n.kho_scratch, pool, fences) : std::nullopt)
            found.refuse("kho-apart", "The scratch area of Kexec HandOver at " + *what, where,
                         "Boot this kernel by the firmware, not by a kexec with a handover, or boot with kho=off.");
        else if (file_load && keeps_handover_from_crash_kernel(machine.release))
            found.note("kho-apart", "Kexec HandOver is on. This kernel passes nothing of it on to a crash kernel.",
                       where);
        else if (file_load)
            // Before that kho_fill_kimage() in kernel/liveupdate/kexec_handover.c does not ask what kind of image it
            // is; kho_populate() then lets early allocations, the pool among them, come from the scratch areas only.
            found.refuse("kho-apart",
                         "Kexec HandOver is on. kexec_file_load may pass its scratch areas on to the crash kernel, "
                         "which would put its pool there.",
                         where, "Load with kexec_load (kexec -c), or boot with kho=off.");
        else
            found.note("kho-apart",
                       "Kexec HandOver is on. A crash kernel that is loaded by kexec_load gets nothing of it.", where);
    }
    if (makes_no_handover_in_kdump(crash_release)) return;
    // Scratch areas of the crash kernel's own: twice what is reserved, and no memory for the kernel itself.
    const bool by_default = scratch_seen && !crash_kernel.has("kho");
    if (asks_for_kho(crash_kernel) || by_default)
        found.refuse(
            "kho-apart",
            by_default
                ? "Kexec HandOver is on by default. The crash kernel would set memory aside for a handover of its own."
                : "The word kho= makes the crash kernel set memory aside for a handover of its own.",
            {}, "Add kho=off to the crash kernel's command line.");
}

void judge_hotplug(const Neighbours& n, bool file_load, Findings& found) {
    const bool memory = n.memory_crash_hotplug.value_or(false);
    if (!memory && !n.cpu_crash_hotplug.value_or(false)) return;
    found.note("hotplug-sound",
               file_load ? "The kernel updates the ELF headers of a loaded crash kernel when memory or CPUs are added "
                           "or removed. The words and the memory map stay as they are."
                         : "The kernel can update the ELF headers of a loaded crash kernel. Without kexec --hotplug it "
                           "does not, and kdump loads again.",
               memory ? "sys/devices/system/memory/crash_hotplug" : "sys/devices/system/cpu/crash_hotplug");
}

}  // namespace

std::string handover_evidence(const Machine& machine) {
    const Neighbours& n = machine.neighbours;
    if (n.kho_scratch && !n.kho_scratch->empty()) return "sys/kernel/debug/kho/out/scratch_phys";
    const CommandLine running = CommandLine::parse(machine.command_line).value_or(CommandLine());
    if (asks_for_kho(running)) return "proc/cmdline";
    const bool configured = machine.config && machine.config->kexec_handover && !running.has("kho");
    return configured ? "CONFIG_KEXEC_HANDOVER_ENABLE_DEFAULT" : "";
}

void judge_neighbours(const Machine& machine, const CommandLine& crash_kernel, const std::string& crash_release,
                      bool file_load, const AddressRange& pool, const std::vector<AddressRange>& fences,
                      Findings& found) {
    const Neighbours& n = machine.neighbours;
    const CommandLine running = CommandLine::parse(machine.command_line).value_or(CommandLine());
    judge_cma(machine, file_load, pool, fences, found);
    judge_kho(machine, crash_release, crash_kernel, file_load, pool, fences, found);
    if (running.has("reserve_mem"))
        found.note("reserve-mem-apart",
                   "The running kernel has reserve_mem=. It takes that memory before the pool, from other memory, and "
                   "the crash kernel does not see it.",
                   "proc/cmdline");
    judge_hotplug(n, file_load, found);
}

}  // namespace handoff
