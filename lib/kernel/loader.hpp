// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "swiotlb-handoff/plan.hpp"
#include "swiotlb-handoff/range.hpp"
#include "swiotlb-handoff/result.hpp"
#include "swiotlb-handoff/table.hpp"

namespace handoff {

/// What is to be loaded: sizes in bytes.
struct LoadInput {
    Loader loader = Loader::kexec_load;  ///< not automatic
    std::uint64_t init_size = 0;         ///< of the image's setup header
    std::uint64_t kernel_alignment = 2 * base::MiB;
    std::uint64_t pref_address = 16 * base::MiB;
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
    /// kexec_load: bytes that the ELF headers have at least, as with --hotplug.
    std::uint64_t elf_header_bytes = 0;
};

/// Predicts a load. kexec_load: kexec-tools' load_crashdump_segments() and
/// do_bzImage64_load(), top-down in the highest "Crash kernel" range.
/// kexec_file_load: the kernel's bzImage64_load() and
/// crash_setup_memmap_entries(). An input error where something does not fit,
/// as the loader itself would fail, or where the machine has no reservation.
Result<Load> predict_load(const Machine&, const LoadInput&);

}  // namespace handoff
