// SPDX-License-Identifier: GPL-2.0-or-later
#include "swiotlb-handoff/check.hpp"

#include <utility>

#include <fmt/format.h>

#include "lib/sources/program_headers.hpp"

namespace handoff {

using base::AddressRange;
using base::input_error;

base::Result<ElfCore> parse_elf_core(std::span<const std::byte> head) {
    ElfCore core;
    std::size_t count = 0;
    auto error = each_program_header(read_at(head), [&](const Elf64_Phdr& header) -> std::optional<base::Error> {
        const std::size_t number = count++;
        if (header.p_type == PT_NOTE) ++core.notes;
        if (header.p_type != PT_LOAD) return std::nullopt;
        const auto range = AddressRange::from_size(header.p_paddr, header.p_memsz);
        if (!range || range->empty())
            return input_error(0, fmt::format("expected memory in PT_LOAD {}, found {:#x} bytes at {:#x}", number,
                                              header.p_memsz, header.p_paddr));
        core.loads.push_back(*range);
        return std::nullopt;
    });
    if (error) return *std::move(error);
    if (count == 0) return input_error(0, "expected program headers in the ELF core file, found none");
    return core;
}

}  // namespace handoff
