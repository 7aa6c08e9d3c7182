// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <elf.h>

#include <functional>
#include <optional>

#include "lib/sources/read_at.hpp"
#include "swiotlb-handoff/result.hpp"

namespace handoff {

/// Gives each program header of a 64-bit x86 ELF core file to `take`, in the order of the file, more than 65534 of them
/// too. Input errors: no such file, or it ends early; and what `take` answers ends it.
std::optional<base::Error> each_program_header(
    const ReadAt& file, const std::function<std::optional<base::Error>(const Elf64_Phdr&)>& take);

}  // namespace handoff
