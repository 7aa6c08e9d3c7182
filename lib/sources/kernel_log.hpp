// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "swiotlb-handoff/machine.hpp"

namespace handoff {

/// What a log says, and its line, 1-based.
template <class T>
struct Logged {
    T value;
    std::size_t line = 0;
    friend bool operator==(const Logged&, const Logged&) = default;
};

/// What a kernel log says of its last boot. Where a boot says something twice
/// the last word counts.
struct KernelLog {
    unsigned boots = 0;          ///< in the whole text; 0 where not even one can be told
    std::size_t first_line = 0;  ///< of the last boot
    /// The boot's first lines are there: the ring buffer had not wrapped, so that
    /// what is not said was not said.
    bool complete = false;
    /// The log goes on to where the kernel has said everything that is looked for
    /// here except the pool: it is not the beginning of a longer one.
    bool reaches_initcalls = false;
    /// A line is there that every boot has next to where the kernel would speak of encryption, and that nobody who
    /// searches a log for a few words would look for: nothing was taken out.
    bool has_witness = false;
    LogGaps gaps;  ///< of the last boot, up to there

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
    bool xen = false;
    bool other_architecture = false;  ///< the log is not of an x86 kernel
};

/// The log in any dress that e820::LogLines reads. Errors: a line that is known
/// to hold one of these values and does not parse. A text without any known line
/// gives an empty value.
Result<KernelLog> parse_kernel_log(std::string_view text);

/// What is not in the log was not said: it is complete, goes past the place where the kernel would have said it, and
/// has no gaps and a witness.
bool shows_everything(const KernelLog&);

/// What the log can say about encryption: `none` only where it shows everything.
Encryption encryption_of(const KernelLog&);

/// Whether parse_kernel_log() takes anything from this line, already without its prefix.
bool is_known_log_line(std::string_view line);

}  // namespace handoff
