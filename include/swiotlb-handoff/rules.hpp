// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>

namespace handoff {

struct RuleInfo {
    std::string_view id;       ///< stable: scripts may rely on it
    std::string_view demands;  ///< what has to hold, and why
    /// The user may accept the risk by name (--accept ID): only where nothing is
    /// known to be wrong but nobody has shown it on real hardware.
    bool acceptable = false;
};

/// Every rule there is. A new rule is a row here, and a section of docs/rules.md.
inline constexpr auto rule_table = std::to_array<RuleInfo>({
    {"machine-x86-64", "The machine is an x86-64 one: others have no e820 map, and their kernels no memmap= word."},
    {"sources-agree", "The kernel log is of the same boot of the same machine as /proc and /sys."},
    {"crashkernel-reserved", "Memory is reserved for a crash kernel; without it there is no kdump to help."},
    {"pool-needed",
     "The crash kernel would make a pool at all: RAM above 4 GiB in its map or in SRAT, SME, an encrypted guest, or "
     "swiotlb=force. Otherwise there is nothing to save."},
    {"pool-found", "The running kernel's pool can be seen, and it was not given back."},
    {"pool-understood",
     "The kernel's own structure of the pool is one of a known kernel. Another one may place its pool by other rules, "
     "whatever the log says.",
     true},
    {"pool-agrees", "All sources that show the pool show the same one."},
    {"pool-aligned", "The pool starts and ends on page boundaries, as memblock places it."},
    {"pool-slabs", "The pool is a whole number of 128-slab segments, and as many slabs as debugfs says."},
    {"pool-power-of-two",
     "Linux 6.0 and later round the slab count up to a power of two; a pool of another size would not fit its own "
     "region. A part of it that has such a count is handed over, where that is large enough."},
    {"pool-part",
     "Where the pool cannot be handed over as a whole, the largest part of it is that is proven and was seen to be "
     "enough. The rest of the pool is no memory of the crash kernel, since devices may still write to it."},
    {"pool-below-4g", "The pool ends below 4 GiB, where the crash kernel looks for its own."},
    {"pool-in-ram", "The pool lies inside one RAM range, in every memory map that a source shows."},
    {"pool-disjoint",
     "The pool overlaps neither the crashkernel reservation, nor the running kernel's image, ACPI or "
     "reserved memory, nor anything else that /proc/iomem names."},
    {"pool-in-use",
     "Slabs in use now mean that devices write to the pool; they may go on after a crash, into the pool "
     "of the crash kernel: nowhere else, as long as it is the pool there as well."},
    {"encryption-none",
     "An encrypted guest, or an SME host, changes who may touch the pool and how. SNP and TDX guests "
     "are refused: their pool is in a state that a new kernel cannot know."},
    {"encryption-unshared",
     "The kernel of an SNP or TDX guest makes the pool private again before the crash kernel starts, as its source "
     "says. Nobody has shown it, and where it fails for a page, the crash kernel ends the guest.",
     true},
    {"encryption-unproven",
     "SME, SEV and SEV-ES should work as a plain machine does, but nobody has shown it with this "
     "tool on real hardware.",
     true},
    {"encryption-known", "Some source says whether the machine's memory is encrypted.", true},
    {"release-tested",
     "The crash kernel's release is one that was tested (Debian's of Linux 5.10, 6.1, 6.12, 7.2 and 7.3). Another one "
     "between these is taken with a warning, where its configuration was read.",
     true},
    {"config-known",
     "The crash kernel's configuration was read: it decides what the kernel takes of memory before its pool.", true},
    {"config-early",
     "The crash kernel's configuration has it take no memory before its pool without a bound: no area for contiguous "
     "DMA, no KASAN, no KMSAN, no Kexec HandOver."},
    {"config-words",
     "The words that the crash kernel's image or initrd adds to its command line do nothing to memory: CONFIG_CMDLINE, "
     "a bootconfig.",
     true},
    {"xen-none", "Under Xen PV the pool is the hypervisor's business."},
    {"command-line-known",
     "The crash kernel's command line was given; otherwise the running kernel's is assumed, with reset_devices "
     "and nr_cpus=1, which are then appended as well."},
    {"command-line-sound", "The crash kernel's command line can be read as the kernel reads it."},
    {"command-line-agrees",
     "Nothing on the crash kernel's command line contradicts the handoff: noforce, iommu=off, "
     "exactmap, mem=, a memmap= over the pool, another handoff."},
    {"command-line-early",
     "No word on the crash kernel's command line takes memory before the pool without a bound, moves what is taken, or "
     "changes "
     "the memory map: crashkernel=, cma=, pages of 1 GiB, memtest, kernelcore=, fake NUMA nodes, and others."},
    {"command-line-covered",
     "It is known what each word on the crash kernel's command line does: the kernel is one whose words were looked "
     "at, or the "
     "word is one of theirs.",
     true},
    {"command-line-iommu",
     "The crash kernel is told the same about IOMMUs and memory encryption as the running one, as far as its kernel "
     "goes by "
     "it; otherwise it may give its pool back to the page allocator."},
    {"command-line-fits", "The command line, with what the loader adds, fits the image's cmdline_size."},
    {"command-line-init", "There is no '--' on the command line: words pasted behind it never reach the kernel."},
    {"reset-devices", "reset_devices is on the crash kernel's command line, so that drivers stop old DMA early."},
    {"loader-known", "It is known which system call loads the crash kernel; otherwise the plan holds for both."},
    {"loader-permitted", "A locked-down kernel takes only kexec_file_load."},
    {"loader-setup-data",
     "What kexec-tools puts at the start of the reservation is known: from its version, and whether there is a "
     "random seed to pass yet."},
    {"image-known", "The crash kernel's image and initrd were read; otherwise their sizes are assumed, and said."},
    {"image-addr", "With the addr method the crash kernel's image announces that it takes swiotlb=...,addr=."},
    {"segments-in-ram",
     "The initrd and what the loader puts beside it stay in RAM of the crash kernel's map: no memmap= or mem= word "
     "takes a "
     "page of them."},
    {"loader-segments",
     "kexec_file_load puts nothing into the reservation that is not modelled: no keys of dm-crypt, and no list of "
     "IMA's that is larger than what is kept for it."},
    {"load-fits", "Kernel, initrd and the rest fit into the reservation."},
    {"numa-single",
     "The crash kernel sees one NUMA node (numa=off is added where there are more): a node's memory map "
     "is allocated on the node itself, which may have nothing but the pool."},
    {"map-once", "The pool is RAM in the crash kernel's map exactly once, and as a whole."},
    {"kaslr-blind", "KASLR cannot choose the pool for the kernel: it is not in the boot_params map, or KASLR is off."},
    {"pool-exact",
     "The crash kernel's pool lands at the inherited address wherever the kernel itself lands, and no "
     "byte of it can become ordinary RAM."},
    {"pool-below-crashkernel",
     "Early allocations find memory above the pool: it lies below the reservation, or the "
     "reservation is above 4 GiB."},
    {"memory-kept",
     "The crash kernel has at least the memory free that it would have without the handoff and with a pool "
     "of its own. Where it would find no place for one, what the inherited pool costs is said."},
    {"cma-apart",
     "crashkernel=,cma adds no memory to the crash kernel's map that is not modelled, and has none of the pool "
     "or of the fences."},
    {"kho-apart",
     "Kexec HandOver's scratch areas have nothing of the pool or of the fences, and the crash kernel makes "
     "none of its own."},
    {"reserve-mem-apart", "reserve_mem= of the running kernel is known; it lies apart from the pool."},
    {"hotplug-sound",
     "What the kernel changes in a loaded crash kernel when memory or CPUs come and go leaves the handoff "
     "as it is."},
    {"lend-no-bounce",
     "--lend: nothing makes the running kernel or the crash kernel bounce: no encryption, no swiotlb=force, no Xen. A "
     "kernel that "
     "bounces gets the pool as a pool, or not at all."},
    {"lend-idle",
     "--lend: no slab of the pool was ever in use since boot: the kernel's search for slabs still begins at the first, "
     "each byte of the pool is 0, as the kernel left it, and its own count, where it keeps one, says the same "
     "(io_tlb_used_hiwater, Linux 6.4 and later; from 7.3 on only with swiotlb=track_hiwater)."},
    {"lend-devices",
     "--lend: each device with a driver can address all memory, or does no DMA; and no PCI device without a driver has "
     "bus mastering on. Another one may bounce through the pool at any time, and then DMA may be in flight into it at "
     "the crash."},
    {"lend-trusted",
     "--lend: no device is behind an external-facing port. For such ones the kernel bounces even what they could "
     "address."},
    {"lend-iommu",
     "--lend: where an IOMMU translates, both kernels are told the same of it and are of one release, and the firmware "
     "has no device write to the pool. Otherwise addresses that devices still use may become addresses of the pool."},
    {"lend-dump",
     "--lend: the pool's pages are left out of the dump, or what saves it maps /proc/vmcore: reading them fails, since "
     "they are the "
     "crash kernel's own RAM."},
    {"lend-gain", "--lend: the crash kernel has more memory with the pool than the pool costs it."},
    {"handoff-present", "check: the command line has a handoff: a marker, or RAM of the pool's size."},
    {"elfcorehdr-agrees", "check: each PT_LOAD has the pool as a whole or not at all, and there are notes."},
    {"record-agrees", "check: the record of a load does not contradict itself, and is of a load with the handoff."},
    {"source-unread", "A source was there and could not be used."},
});

/// A rule, written as its id: `found.refuse("pool-exact", ...)`. The compiler looks the id up in rule_table; one
/// that is not there does not compile.
class Rule {
public:
    // NOLINTNEXTLINE(google-explicit-constructor): the id is the rule.
    consteval Rule(const char* id) : info_(&find(id)) {}
    [[nodiscard]] constexpr const RuleInfo& info() const { return *info_; }
    [[nodiscard]] constexpr std::string_view id() const { return info_->id; }

private:
    static consteval const RuleInfo& find(std::string_view id) {
        for (const RuleInfo& rule : rule_table)
            if (rule.id == id) return rule;
        throw "rule_table has no rule with this id";
    }
    const RuleInfo* info_;
};

enum class Severity { info, warning, refusal };
/// "info", "warning", "refusal".
const char* name(Severity);

/// What a rule found on this machine.
struct Reason {
    std::string rule;  ///< the id; that of a record may be of another version's rule
    Severity severity = Severity::info;
    std::string text;      ///< what was found, one line
    std::string evidence;  ///< where it was read: "proc/iomem:12"; "" where it follows from the rest
    std::string advice;    ///< what to do about it, one line; "" where there is nothing
    [[nodiscard]] bool is(Rule other) const { return rule == other.id(); }
    friend bool operator==(const Reason&, const Reason&) = default;
};

/// What a plan for a captured machine takes for granted, since the capture lacks a source that the machine itself has.
/// On the machine the source is read, or the rule refuses.
struct Assumption {
    std::string rule;    ///< the id
    std::string text;    ///< what is assumed: "ready if …" goes on with it
    std::string where;   ///< where the machine itself has it: "boot/config-6.1.0-50-amd64"
    std::string advice;  ///< how to have it for this plan, one line; "" where there is no way
    [[nodiscard]] bool is(Rule other) const { return rule == other.id(); }
    friend bool operator==(const Assumption&, const Assumption&) = default;
};

/// The rules of rule_table.
std::span<const RuleInfo> rules();
/// By an id that a user gave; nullptr where there is none.
const RuleInfo* find_rule(std::string_view id);

}  // namespace handoff
