// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "e820/table.hpp"
#include "lib/loader.hpp"
#include "lib/machine.hpp"
#include "lib/placement.hpp"
#include "lib/rules.hpp"

namespace handoff {

/// No reservation is larger, in bytes: whatever seems to be is refused, and sums of a
/// few of this size cannot wrap.
inline constexpr std::uint64_t largest_reservation = 64 * e820::GiB;

/// How the crash kernel is told where the pool is.
enum class Method {
    automatic,  ///< addr where the image announces it, ram otherwise
    ram,   ///< memmap= adds the region as RAM, placement does the rest; any kernel, both loaders
    addr,  ///< the same and swiotlb=…,addr=, for kernels with the patches in kernel/
    e820,  ///< the table itself has it, for who builds boot_params; demands nokaslr
};
/// "auto", "ram", "addr", "e820".
const char* name(Method);
std::optional<Method> method_from(std::string_view);

/// The crash kernel's image, as far as its loading is concerned. Bytes.
struct Image {
    std::uint64_t init_size = 0;
    std::uint64_t kernel_alignment = 2 * e820::MiB;
    std::uint64_t pref_address = 16 * e820::MiB;
    std::uint64_t setup_bytes = 20 * 1024;
    std::uint64_t cmdline_size = 2047;      ///< longest command line, without its NUL
    std::uint64_t payload_bytes = 0;        ///< the compressed kernel; 0 where unknown
    std::uint64_t uncompressed_bytes = 0;   ///< of the payload; 0 where unknown
    std::string release;                    ///< uname -r of the image; "" where unknown
    bool swiotlb_addr = false;              ///< announces swiotlb=…,addr= (bzimage.hpp)
};

/// How what saves the dump gets at /proc/vmcore: where the pool is ordinary RAM of the crash kernel only mmap() works there.
enum class Collector { unknown, maps, reads };
/// "unknown", "mmap", "read".
const char* name(Collector);
std::optional<Collector> collector_from(std::string_view);

struct PlanRequest {
    Loader loader = Loader::automatic;
    Method method = Method::automatic;
    std::optional<Image> image;                 ///< none: the running kernel's size is assumed, and said
    std::optional<std::uint64_t> initrd_bytes;  ///< none: assumed, and said
    /// Without the handoff's words; none: the running kernel's, as the kdump scripts derive it,
    /// with reset_devices and nr_cpus=1, which then are among the words to append.
    std::optional<std::string> command_line;
    std::optional<AddressRange> pool;  ///< by hand (--pool)
    std::vector<std::string> accept;   ///< rules whose risk the user takes, where they allow it
    /// Where the crash kernel makes no pool, lend it the old one as ordinary RAM, if nothing speaks against it (lend.hpp).
    bool lend = false;
    Collector collector = Collector::unknown;
    /// Whoever loads by kexec_load keeps the pool out of the ELF headers: 'swiotlb-handoff kexec' does.
    bool leaves_pool_out = false;
};

enum class Verdict { ready, not_needed, refused };
/// "ready", "not-needed", "refused".
const char* name(Verdict);

/// A decision, and everything it rests on: a value, so that it can be compared,
/// printed and replayed.
struct Plan {
    Verdict verdict = Verdict::refused;
    Method method = Method::ram;
    Loader loader = Loader::automatic;
    std::optional<AddressRange> pool;      ///< of the running kernel
    /// The pool is lent: ordinary RAM of a crash kernel that makes none. Then nothing is expected to land anywhere.
    bool loan = false;
    std::optional<AddressRange> expected;  ///< of the crash kernel; only when ready
    std::string base;                      ///< the command line it was planned for
    std::string append;                    ///< words to append; "" unless ready
    std::vector<AddressRange> fences;
    /// Every load that the proof covers: of each loader, and with small segments of
    /// other sizes. The first is the most likely one.
    std::vector<Load> loads;
    e820::Table after;  ///< what the crash kernel makes of the first load's map with the words
    std::optional<Counterexample> counterexample;  ///< of the layout that was refused
    std::uint64_t early_bytes = 0;  ///< bound on early allocations that the proof used
    std::vector<Reason> reasons;
};

/// Whether a plan that the layout refuses looks for a crashkernel= that would do.
enum class Advice { layout, none };

/// Decides. Never fails: what is wrong is a reason, and the verdict `refused`.
Plan plan(const Machine&, const PlanRequest&, Advice = Advice::layout);

/// The image and the initrd's size that a plan assumes where nobody named them.
Image assumed_image(const Machine&, const PlanRequest&);
std::uint64_t assumed_initrd_bytes(const PlanRequest&);

/// The same for a command line that has a handoff of `promised` already: nothing
/// is added, the placement of exactly these words is judged.
Plan review(const Machine&, const PlanRequest&, const AddressRange& promised);

/// In one line: the verdict and what decided it.
std::string headline(const Plan&);

}  // namespace handoff
