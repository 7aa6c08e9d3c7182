// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "e820/range.hpp"
#include "e820/result.hpp"
#include "e820/table.hpp"
#include "lib/machine.hpp"

namespace handoff {

/// The two ways into the kernel, and kexec's -a, which tries one, then the other.
enum class Loader { automatic, kexec_load, kexec_file_load };
/// "auto", "kexec_load", "kexec_file_load".
const char* name(Loader);
std::optional<Loader> loader_from(std::string_view);

/// One piece of memory that a loader fills in the crashkernel reservation.
struct Segment {
    std::string name;    ///< "kernel", "initrd", "boot_params", "purgatory", "elfcorehdr", "backup", "setup_data"
    AddressRange range;  ///< whole pages
    friend bool operator==(const Segment&, const Segment&) = default;
};

/// What is to be loaded: sizes in bytes.
struct LoadInput {
    Loader loader = Loader::kexec_load;  ///< not automatic
    std::uint64_t init_size = 0;         ///< of the image's setup header
    std::uint64_t kernel_alignment = 2 * e820::MiB;
    std::uint64_t pref_address = 16 * e820::MiB;
    std::uint64_t setup_bytes = 20 * 1024;  ///< (setup_sects + 1) * 512
    std::uint64_t payload_bytes = 0;        ///< the compressed kernel, at least; 0 where unknown
    std::uint64_t initrd_bytes = 0;
    std::uint64_t command_line_bytes = 0;  ///< at least, without a NUL
    /// kexec-tools passes setup_data at the start of the reservation: on EFI
    /// machines with a runtime map, and from 2.0.25 on everywhere (an RNG seed, if getrandom() with GRND_NONBLOCK
    /// gives one). No value: not known.
    std::optional<bool> setup_data;
    /// Bytes more than expected in the small segments, which other versions of a
    /// loader may need; they can move the large ones.
    std::uint64_t slack = 0;
};

/// Where everything is when the crash kernel starts.
struct Load {
    Loader loader = Loader::kexec_load;
    std::vector<Segment> segments;  ///< in load order
    e820::Table map;                ///< the e820 table in boot_params, sanitised
    /// Bytes that the loader itself adds to the command line, at most:
    /// elfcorehdr=, and acpi_rsdp= with kexec_load.
    std::uint64_t added_words = 0;
    [[nodiscard]] const Segment* find(std::string_view name) const;
};

/// Predicts a load. kexec_load: kexec-tools' load_crashdump_segments() and
/// do_bzImage64_load(), top-down in the highest "Crash kernel" range.
/// kexec_file_load: the kernel's bzImage64_load() and
/// crash_setup_memmap_entries(). An input error where something does not fit,
/// as the loader itself would fail, or where the machine has no reservation.
Result<Load> predict_load(const Machine&, const LoadInput&);

}  // namespace handoff
