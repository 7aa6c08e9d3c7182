// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "swiotlb-handoff/machine.hpp"

namespace handoff {

/// What a log says, and its line, 1-based.
template <class T>
struct Logged {
    T value;
    std::size_t line = 0;
    friend bool operator==(const Logged&, const Logged&) = default;
};

/// What `capture`, which keeps only the lines that say something, writes behind a log that showed everything.
inline constexpr std::string_view whole_log_mark = "-- swiotlb-handoff: of a log that shows the whole boot";

/// What a kernel says of Xen, the last word counting: up to 4.12 some print the name alone.
enum class Xen { none, unknown_kind, hvm, pv };

/// What a kernel log says of one boot: the last one that is no crash kernel's, or of a log that holds nothing else the
/// crash kernel's. Where a boot says something twice the last word counts.
struct KernelLog {
    std::size_t lines = 0;       ///< in the whole text, without empty ones
    std::size_t recognised = 0;  ///< of this boot, those that say anything
    unsigned boots = 0;          ///< in the whole text; 0 where not even one can be told
    unsigned crash_boots = 0;    ///< of those, behind this one: crash kernels' own
    std::size_t first_line = 0;  ///< of this boot
    std::size_t end_line = 0;    ///< where the next one begins; 0: it is the last
    /// It is a crash kernel's own: elfcorehdr= is on its command line.
    bool of_crash_kernel = false;
    /// The boot's first lines are there: the ring buffer had not wrapped, so that
    /// what is not said was not said.
    bool complete = false;
    /// The log goes on to where the kernel has said everything that is looked for
    /// here except the pool: it is not the beginning of a longer one.
    bool reaches_initcalls = false;
    /// A bit for each of some lines that every boot has next to where the kernel would speak of encryption, and that
    /// nobody who searches a log for a few words would look for: where two are there, nothing was taken out.
    unsigned witnesses = 0;
    bool captured_whole = false;  ///< whole_log_mark is there
    LogGaps gaps;                 ///< of the last boot, up to there

    /// The default pool, where it has not been torn down since.
    std::optional<Logged<AddressRange>> pool;
    /// An earlier line of the same boot shows another one, which was not torn down before.
    std::optional<Logged<AddressRange>> other_pool;
    bool pool_torn_down = false;   ///< and not made again
    bool pool_put_to_use = false;  ///< Machine::pool_put_to_use

    /// Up to 6.7 the kernel prints whole MiB of start and size, rounded down.
    std::optional<Logged<AddressRange>> crash_kernel;
    std::optional<Logged<AddressRange>> crash_kernel_low;
    std::optional<Logged<std::uint64_t>>
        crash_cma;  ///< bytes that were reserved, which may be fewer than were asked for

    /// Why nothing was reserved, or a part only: the kernel's own lines, a few of them.
    std::vector<Logged<std::string>> reservation_failures;

    std::optional<Logged<std::string>> release;       ///< of "Linux version"
    std::optional<Logged<std::string>> command_line;  ///< printk may cut it: command_line_cut
    bool command_line_cut = false;
    std::optional<Logged<AddressRange>> initrd;
    bool hyperv = false;                           ///< a guest of Hyper-V: perhaps a paravisor stands between
    std::optional<Logged<Encryption>> isolation;   ///< what Hyper-V says of its guest, by the last line about it
    std::optional<Logged<Encryption>> encryption;  ///< the strongest of all lines; never `none`: see encryption_of()
    std::optional<Logged<unsigned>> memory_nodes;
    std::optional<Logged<unsigned>> possible_cpus;
    std::optional<Logged<Address>> srat_memory_end;  ///< exclusive end of the highest memory in ACPI's SRAT
    bool efi = false;
    Xen xen = Xen::none;
    bool other_architecture = false;  ///< the log is not of an x86 kernel
};

/// A log of lines, in any dress that e820::LogLines reads; e820::plain_log() makes one of every other form. What a
/// mailer cut in two is joined where a value needs it. Errors: a line that is known to hold one of these values and
/// does not parse. A text without any known line gives an empty value.
Result<KernelLog> parse_kernel_log(std::string_view text);

/// What is not in the log was not said: it is complete, goes past the place where the kernel would have said it, and
/// has no gaps; and that nobody took lines out, two witnesses tell.
bool shows_everything(const KernelLog&);

/// Under Xen with memory that is not the machine's, as dom0 or a guest: all but HVM.
inline bool is_paravirtualised(const KernelLog& log) { return log.xen == Xen::pv || log.xen == Xen::unknown_kind; }

/// What the log can say about encryption: `none` only where it shows everything.
Encryption encryption_of(const KernelLog&);

/// Whether parse_kernel_log() takes anything from this line, already without its prefix.
bool is_known_log_line(std::string_view line);

}  // namespace handoff
