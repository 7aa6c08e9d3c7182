// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "e820/range.hpp"
#include "e820/result.hpp"

namespace handoff {

/// The program headers of an elfcorehdr or of a vmcore: what the crash kernel
/// will offer as /proc/vmcore.
struct ElfCore {
    std::vector<e820::AddressRange> loads;  ///< physical, in file order
    std::size_t notes = 0;                  ///< PT_NOTE headers
};

/// The head of an ELF core file, as much of it as holds the program headers.
/// Input errors: not a 64-bit x86-64 ELF core file, truncated headers, a PT_LOAD
/// that is empty or passes the end of the address space.
e820::Result<ElfCore> parse_elf_core(std::span<const std::byte> head);

}  // namespace handoff
