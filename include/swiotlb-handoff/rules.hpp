// SPDX-License-Identifier: GPL-2.0-or-later
//
// The rules that a handoff has to obey, and what a rule found on a machine.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>

#pragma GCC visibility push(default)
namespace handoff {

struct RuleInfo {
    std::string_view id;       ///< stable: scripts may rely on it
    std::string_view demands;  ///< what has to be true: the rule is a requirement, and its id is read with "requires"
    /// The user may accept the risk by name (--accept ID). Only such rules are acceptable where nothing is known
    /// to be wrong, but where nobody has shown on real hardware that it works.
    bool acceptable = false;
};

/// All rules. A new rule needs a row here and a section of docs/rules.md.
inline constexpr auto rule_table = std::to_array<RuleInfo>({
    {"machine-x86-64",
     "The machine is an x86-64 machine. Others have no e820 map, and their kernels have no memmap= word."},
    {"sources-agree", "The kernel log, /proc and /sys are of the same boot of the same machine."},
    {"crashkernel-reserved", "Memory is reserved for a crash kernel. Without it there is no kdump."},
    {"pool-needed",
     "The crash kernel makes a pool: it has RAM above 4 GiB in its memory map or in ACPI's SRAT, memory is encrypted, "
     "or swiotlb=force is given. Otherwise there is nothing to hand over."},
    {"pool-found", "A source shows the pool of the running kernel, and the kernel did not free it."},
    {"pool-understood",
     "The structure that describes the pool in the running kernel's memory is one of a known kernel. A kernel with "
     "another one may place its pool in another way.",
     true},
    {"pool-agrees", "All sources show the same pool."},
    {"pool-aligned", "The pool begins and ends at a page boundary, as memblock places it."},
    {"pool-slabs",
     "The pool is a multiple of 128 slabs, has as many slabs as debugfs says, and enough for the CPUs of the crash "
     "kernel."},
    {"pool-power-of-two",
     "The number of slabs is a power of two. Linux 6.0 and later round it up, and a larger pool does not fit into the "
     "old one. Otherwise a part of the pool that has such a number is handed over, if it is large enough."},
    {"pool-part",
     "If the pool cannot be handed over as a whole, the largest part of it is handed over that is proven and was seen "
     "to be "
     "enough. The rest of the pool does not become memory of the crash kernel, since devices may still write to it."},
    {"pool-below-4g", "The pool ends below 4 GiB. The crash kernel makes its pool only there."},
    {"pool-in-ram", "The pool is inside one range of RAM, in every memory map that a source shows."},
    {"pool-disjoint",
     "The pool does not overlap the crashkernel reservation, the running kernel's image, ACPI or reserved memory, or "
     "anything else that /proc/iomem names."},
    {"pool-in-use",
     "No slab is in use now. Otherwise devices may write to the pool after the crash. They can spoil a buffer that the "
     "crash kernel uses at that moment, and no other memory."},
    {"device-pools",
     "Pools of single devices (swiotlb_dev=) that the words hand over are pools of the running kernel, and will be at "
     "the same addresses in the crash kernel. If they cannot be handed over, the pool of all other devices is handed "
     "over without them."},
    {"encryption-none",
     "The machine is not a guest with SEV-SNP or TDX. There the host shares the pages of the pool, and a new kernel "
     "cannot know that."},
    {"encryption-unshared",
     "The machine is not a guest with SEV-SNP or TDX whose kernel makes the pool private again before the crash kernel "
     "starts. Nobody has shown that this works, and if it fails for a page, the crash kernel ends the guest.",
     true},
    {"encryption-unproven",
     "The machine has no SME, SEV or SEV-ES. The handoff should work there, but nobody has shown it on real hardware.",
     true},
    {"encryption-known", "A source says whether the memory of the machine is encrypted.", true},
    {"release-tested",
     "The crash kernel is one that was tested: Debian's Linux 5.10, 6.1, 6.12, 7.2 or 7.3. Another kernel from 5.10 to "
     "7.3 is accepted with a warning if its configuration was read.",
     true},
    {"config-known",
     "The configuration of the crash kernel was read. It decides how much memory the kernel takes before its pool.",
     true},
    {"config-early",
     "The configuration of the crash kernel does not make it take memory before its pool without an upper bound: no "
     "area for contiguous DMA, no KASAN, no KMSAN, no Kexec HandOver."},
    {"config-words",
     "The words that the image or the initrd of the crash kernel adds to its command line (CONFIG_CMDLINE, a "
     "bootconfig) do nothing to memory.",
     true},
    {"xen-none", "The kernel does not run paravirtualised under Xen, where its memory belongs to the hypervisor."},
    {"command-line-known",
     "The command line of the crash kernel was given. Otherwise that of the running kernel is assumed, with "
     "reset_devices and nr_cpus=1, which are then appended as well."},
    {"command-line-sound", "The command line of the crash kernel can be read as the kernel reads it."},
    {"command-line-agrees",
     "No word on the command line of the crash kernel contradicts the handoff, such as noforce, iommu=off, "
     "memmap=exactmap, mem=, a memmap= over the pool, or another handoff."},
    {"command-line-early",
     "No word on the command line of the crash kernel takes memory before the pool without an upper bound, changes "
     "where such memory is taken, or changes the memory map. Such words are crashkernel=, cma=, pages of 1 GiB, "
     "memtest, kernelcore=, fake NUMA nodes, and others."},
    {"command-line-covered",
     "It is known what each word on the command line of the crash kernel does, because the words of this kernel are "
     "known, or the word is one of a known kernel.",
     true},
    {"command-line-iommu",
     "The crash kernel has the same words about IOMMUs and memory encryption as the running kernel. Otherwise it may "
     "free its pool and use the memory for other things."},
    {"command-line-fits",
     "The command line, with what the loader adds, is not longer than the image allows (cmdline_size)."},
    {"command-line-init", "There is no '--' on the command line. Words after it do not reach the kernel."},
    {"reset-devices",
     "The word reset_devices is on the command line of the crash kernel, so that drivers stop old DMA early."},
    {"loader-known", "It is known which system call loads the crash kernel. Otherwise the plan is made for both."},
    {"loader-permitted",
     "The running kernel accepts the system call that loads the crash kernel. If it is locked down, it accepts only "
     "kexec_file_load."},
    {"loader-setup-data",
     "It is known what kexec-tools puts at the start of the reservation. This depends on its version, and on whether "
     "there is a random seed yet."},
    {"image-known", "The image and the initrd of the crash kernel were read. Otherwise their sizes are assumed."},
    {"image-addr", "With method addr, the crash kernel's image announces that it knows swiotlb=...,addr=."},
    {"segments-in-ram",
     "The initrd and what the loader puts beside it stay in RAM of the crash kernel. No memmap= or mem= word takes a "
     "page of them away."},
    {"loader-segments",
     "kexec_file_load puts nothing into the reservation that is not modelled: no keys of dm-crypt, and no list of IMA "
     "measurements that is larger than the room that is kept for it."},
    {"load-fits", "The kernel, the initrd and the other segments fit into the reservation."},
    {"numa-single",
     "The crash kernel has one NUMA node; numa=off is added where there are more. The memory map of a node is "
     "allocated on the node itself, which may have nothing but the pool."},
    {"map-once", "In the memory map of the crash kernel the pool is RAM exactly once, and as a whole."},
    {"kaslr-blind",
     "KASLR cannot put the kernel into the pool: the pool is not in the table of boot_params, or KASLR is off."},
    {"pool-exact",
     "The crash kernel's pool will be at the address of the old pool, wherever the kernel itself is placed, and no "
     "byte of the old pool can become ordinary RAM."},
    {"pool-below-crashkernel",
     "Early allocations find memory above the pool: the pool is below the reservation, or the reservation is above 4 "
     "GiB."},
    {"memory-kept",
     "The crash kernel has at least as much free memory as it would have without the handoff and with a pool of its "
     "own. If it would find no place for one, the cost of the handoff is reported."},
    {"cma-apart",
     "crashkernel=,cma adds no memory to the crash kernel's memory map that is not modelled, and its memory does not "
     "overlap the pool or a fence."},
    {"kho-apart",
     "The scratch areas of Kexec HandOver do not overlap the pool or a fence, and the crash kernel makes none of its "
     "own."},
    {"reserve-mem-apart", "The memory of reserve_mem= of the running kernel does not overlap the pool."},
    {"hotplug-sound",
     "What the kernel changes in a loaded crash kernel when memory or CPUs are added or removed does not change the "
     "handoff."},
    {"lend-no-bounce",
     "--lend: nothing makes the running kernel or the crash kernel bounce: no encryption, no swiotlb=force, no Xen."},
    {"lend-idle",
     "--lend: no slab of the pool was ever in use since boot. The kernel's search for slabs begins at the first one, "
     "each byte of the pool is 0, and the kernel's own count is 0, if there is one (io_tlb_used_hiwater, Linux 6.4 and "
     "later; from 7.3 on only with swiotlb=track_hiwater)."},
    {"lend-devices",
     "--lend: each device with a driver addresses all memory or does no DMA, and no PCI device without a driver is a "
     "bus master. Any other device may bounce through the pool at any time, also at the crash."},
    {"lend-trusted",
     "--lend: no device is behind an external-facing port. For such devices the kernel bounces even what they could "
     "address."},
    {"lend-iommu",
     "--lend: if an IOMMU is in use, both kernels have the same words about it and are of the same release, and the "
     "firmware lets no device write to the pool. Otherwise addresses that devices still use may become addresses of "
     "the pool."},
    {"lend-dump",
     "--lend: the pages of the pool are not in the dump, or the program that saves the dump maps /proc/vmcore. Reading "
     "them fails, because they are RAM of the crash kernel."},
    {"lend-gain", "--lend: the crash kernel gets more memory with the pool than the pool costs it."},
    {"next-pool",
     "kexec -l: the image of the next kernel announces that it knows swiotlb=...,addr=, the kernel makes a pool, and "
     "its command line leaves place and size of it open. Otherwise the load is left as it is."},
    {"next-map",
     "kexec -l: the pool is RAM in the memory map that the next kernel is given, with the words on its command line."},
    {"next-words",
     "kexec -l: nothing on the command line of the next kernel, and nothing that its image adds to it, changes or "
     "hides the words that are appended."},
    {"next-crashkernel", "kexec -l: no crashkernel=SIZE@OFFSET on the command line of the next kernel meets the pool."},
    {"next-handover",
     "kexec -l: kexec_file_load passes no Kexec HandOver on to the next kernel, which then refuses addr=."},
    {"next-segments", "kexec -l: nothing of what is loaded is put into the pool, where devices may still write to it."},
    {"handoff-present",
     "check: the command line has a handoff, which is the word swiotlb_handoff= or RAM of the size of the pool."},
    {"elfcorehdr-agrees", "check: each PT_LOAD has the whole pool or nothing of it, and there are notes."},
    {"record-agrees", "check: the record of a load does not contradict itself, and is of a load with the handoff."},
    {"source-unread", "Every source that exists could be used."},
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

/// What was found about a rule on this machine.
struct Reason {
    std::string rule;  ///< the id; that of a record may be of another version's rule
    Severity severity = Severity::info;
    std::string text;      ///< what was found, one line
    std::string evidence;  ///< where it was read: "proc/iomem:12"; "" where it follows from the rest
    std::string advice;    ///< what to do about it, one line; "" where there is nothing
    [[nodiscard]] bool is(Rule other) const { return rule == other.id(); }
    friend bool operator==(const Reason&, const Reason&) = default;
};

/// What a plan for a captured machine assumes, because the capture lacks a source that the machine itself has. On the
/// running machine nothing is assumed: the source is read, or the rule refuses.
struct Assumption {
    std::string rule;    ///< the id
    std::string text;    ///< what is assumed: "ready if …" goes on with it
    std::string where;   ///< where the machine itself has it: "boot/config-6.1.0-50-amd64"
    std::string advice;  ///< how to make the assumption needless, one line; "" if there is no way
    [[nodiscard]] bool is(Rule other) const { return rule == other.id(); }
    friend bool operator==(const Assumption&, const Assumption&) = default;
};

/// The rules of rule_table.
std::span<const RuleInfo> rules();
/// The rule with an id that a user gave; nullptr if there is none.
const RuleInfo* find_rule(std::string_view id);

}  // namespace handoff
#pragma GCC visibility pop
