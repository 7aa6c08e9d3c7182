// SPDX-License-Identifier: GPL-2.0-or-later
#include "swiotlb-handoff/check.hpp"

#include <memory>

#include <elf.h>
#include <fmt/format.h>
#include <gelf.h>

namespace handoff {

using base::AddressRange;
using base::input_error;

base::Result<ElfCore> parse_elf_core(std::span<const std::byte> head) {
    if (head.size() < sizeof(Elf64_Ehdr))
        return input_error(0, "expected an ELF core file, found less than an ELF header");
    if (elf_version(EV_CURRENT) == EV_NONE) return input_error(0, "expected a libelf of this ELF version");
    // elf_memory() takes a mutable image and does not change it when only read.
    std::vector<std::byte> image(head.begin(), head.end());
    const std::unique_ptr<Elf, int (*)(Elf*)> elf(elf_memory(reinterpret_cast<char*>(image.data()), image.size()),
                                                  elf_end);
    GElf_Ehdr header;
    if (!elf || elf_kind(elf.get()) != ELF_K_ELF || !gelf_getehdr(elf.get(), &header))
        return input_error(0, "expected an ELF core file, found no ELF header");
    if (gelf_getclass(elf.get()) != ELFCLASS64 || header.e_machine != EM_X86_64 || header.e_type != ET_CORE)
        return input_error(0, fmt::format("expected a 64-bit x86-64 core file, found class {}, machine {}, type {}",
                                          gelf_getclass(elf.get()), header.e_machine, header.e_type));
    std::size_t count = 0;
    if (elf_getphdrnum(elf.get(), &count) != 0 || count == 0)
        return input_error(0, "expected program headers in the ELF core file, found none");

    ElfCore core;
    for (std::size_t i = 0; i < count; ++i) {
        GElf_Phdr phdr;
        if (!gelf_getphdr(elf.get(), static_cast<int>(i), &phdr))
            return input_error(0,
                               fmt::format("expected {} program headers, found {}: the file is truncated", count, i));
        if (phdr.p_type == PT_NOTE) ++core.notes;
        if (phdr.p_type != PT_LOAD) continue;
        const auto range = AddressRange::from_size(phdr.p_paddr, phdr.p_memsz);
        if (!range || range->empty())
            return input_error(0, fmt::format("expected memory in PT_LOAD {}, found {:#x} bytes at {:#x}", i,
                                              phdr.p_memsz, phdr.p_paddr));
        core.loads.push_back(*range);
    }
    return core;
}

}  // namespace handoff
