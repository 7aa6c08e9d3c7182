// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "lib/sources/kernel_memory.hpp"
#include "lib/sources/read_at.hpp"
#include "swiotlb-handoff/check.hpp"
#include "swiotlb-handoff/range.hpp"
#include "swiotlb-handoff/result.hpp"

namespace handoff {

class Host;

/// The crash kernel that the running kernel would start now, as it lies in memory.
struct LoadedKernel {
    std::vector<AddressRange> segments;  ///< physical, in the order of the load
    std::string command_line;            ///< as the crash kernel will read it; any bytes but NUL
    friend bool operator==(const LoadedKernel&, const LoadedKernel&) = default;
};

/// Where a kernel keeps the segments of a load: struct kimage and struct kexec_segment (include/linux/kexec.h).
/// Offsets and sizes in bytes.
struct ImageLayout {
    std::size_t count = 0;         ///< offset of `nr_segments` in struct kimage
    std::size_t segments = 0;      ///< offset of `segment[]` in it
    std::size_t most = 0;          ///< elements of `segment[]`
    std::size_t segment_size = 0;  ///< of one element
    std::size_t start = 0;         ///< offset of `mem` in an element
    std::size_t size = 0;          ///< offset of `memsz` in an element
    friend bool operator==(const ImageLayout&, const ImageLayout&) = default;
};

/// The layout from a kernel's BTF. Input errors: no BTF, no such structures in it, or of a shape that is not known
/// here.
Result<ImageLayout> image_layout(ReadAt btf);

/// What `kexec_crash_image`, a pointer at the address `variable`, points to; nullopt where it points to nothing: no
/// crash kernel is loaded. The command line is read as the crash kernel finds it: through boot_params, which is the
/// segment that begins with a setup header and that has the header's command line in it. So it is, whichever system
/// call loaded (kexec-tools, kexec/arch/i386/kexec-bzimage64.c; arch/x86/kernel/kexec-bzimage64.c). `physical` reads by
/// physical address. Input errors: what is there is no such load, or it was replaced while it was read.
Result<std::optional<LoadedKernel>> read_loaded_kernel(Address variable, const ImageLayout&, const MemoryReader& read,
                                                       const MemoryReader& physical);

/// The same of a machine; nullopt too where /sys/kernel/kexec_crash_loaded says that none is loaded. Errors name the
/// source: it is not there, may not be read, or says something else than the others.
Result<std::optional<LoadedKernel>> loaded_kernel(const Host&);

/// The segments of what a reboot by kexec would start now, physical, where they will be when it starts; empty where
/// nothing is loaded. `kexec_image`, a pointer at the address `variable`, points to it. Input errors as of
/// read_loaded_kernel().
Result<std::vector<AddressRange>> read_next_segments(Address variable, const ImageLayout&, const MemoryReader& read);

/// The same of a machine. Errors name the source.
Result<std::vector<AddressRange>> next_segments(const Host&);

/// The ELF headers that lie in the memory of a machine there, as the crash kernel will read them. Errors as of
/// parse_elf_core() and Core.
Result<ElfCore> loaded_headers(const Host&, const AddressRange& elfcorehdr);

}  // namespace handoff
