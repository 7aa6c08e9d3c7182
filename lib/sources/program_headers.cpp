// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/program_headers.hpp"

#include <cstring>
#include <span>
#include <type_traits>

#include "base/text.hpp"

namespace handoff {

using base::Error;
using base::input_error;

namespace {

// As it lies there: x86 is little-endian, and so are its files.
template <class Header>
std::optional<Header> header_at(const ReadAt& file, std::uint64_t offset) {
    static_assert(std::is_trivially_copyable_v<Header>);
    Header header{};
    if (!file(offset, std::as_writable_bytes(std::span(&header, 1)))) return std::nullopt;
    return header;
}

}  // namespace

std::optional<Error> each_program_header(const ReadAt& file,
                                         const std::function<std::optional<Error>(const Elf64_Phdr&)>& take) {
    const auto header = header_at<Elf64_Ehdr>(file, 0);
    if (!header) return input_error(0, "expected an ELF core file, found less than an ELF header");
    if (std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0)
        return input_error(0, "expected an ELF core file, found no ELF header");
    if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB ||
        header->e_machine != EM_X86_64 || header->e_type != ET_CORE)
        return input_error(0, base::text("expected a 64-bit x86-64 core file, found class ", header->e_ident[EI_CLASS],
                                         ", machine ", header->e_machine, ", type ", header->e_type));
    std::uint64_t count = header->e_phnum;
    if (count == PN_XNUM) {  // elf(5): then the first section header has the number
        const auto section = header_at<Elf64_Shdr>(file, header->e_shoff);
        if (!section) return input_error(0, "expected the number of program headers in a section header, found none");
        count = section->sh_info;
    }
    if (count != 0 && header->e_phentsize != sizeof(Elf64_Phdr))
        return input_error(
            0, base::text("expected program headers of ", sizeof(Elf64_Phdr), " bytes, found ", header->e_phentsize));
    for (std::uint64_t i = 0; i < count; ++i) {
        const auto segment = header_at<Elf64_Phdr>(file, header->e_phoff + i * sizeof(Elf64_Phdr));
        if (!segment)
            return input_error(
                0, base::text("expected ", count, " program headers, found ", i, ": the file is truncated"));
        if (auto error = take(*segment)) return error;
    }
    return std::nullopt;
}

}  // namespace handoff
