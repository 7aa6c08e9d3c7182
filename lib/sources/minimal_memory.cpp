// SPDX-License-Identifier: GPL-2.0-or-later
// What a capture keeps of a kernel's memory: files of which the readers of kernel_memory.hpp say the same.
#include <elf.h>
#include <linux/btf.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <initializer_list>
#include <string>

#include "lib/sources/btf.hpp"
#include "lib/sources/kernel_memory.hpp"

namespace handoff {
namespace {

/// BTF in the making (Documentation/bpf/btf.rst). Types are numbered from 1 in the order in which they are added.
class BtfWriter {
public:
    void type(std::string_view name, std::uint32_t kind, std::uint32_t count, std::uint32_t size_or_type,
              std::initializer_list<std::uint32_t> more = {}) {
        add({name_at(name), kind << 24 | count, size_or_type});
        add(more);
    }
    void member(std::string_view name, std::uint32_t type, std::size_t offset) {
        add({name_at(name), type, static_cast<std::uint32_t>(offset * 8)});
    }
    [[nodiscard]] std::vector<std::byte> bytes() const {
        btf_header header{};
        header.magic = BTF_MAGIC;
        header.version = BTF_VERSION;
        header.hdr_len = least_btf_header;
        header.type_len = header.str_off = static_cast<std::uint32_t>(types_.size() * sizeof types_[0]);
        header.str_len = static_cast<std::uint32_t>(strings_.size());
        std::vector<std::byte> all;
        for (const auto part : {std::as_bytes(std::span(&header, 1)).first(least_btf_header),
                                std::as_bytes(std::span(types_)), std::as_bytes(std::span(strings_))})
            all.insert(all.end(), part.begin(), part.end());
        return all;
    }

private:
    std::uint32_t name_at(std::string_view name) {
        const auto offset = static_cast<std::uint32_t>(strings_.size());
        if (name.empty()) return 0;
        strings_.append(name) += '\0';
        return offset;
    }
    void add(std::initializer_list<std::uint32_t> values) { types_.insert(types_.end(), values); }

    std::vector<std::uint32_t> types_;
    std::string strings_ = std::string(1, '\0');
};

}  // namespace

std::vector<std::byte> minimal_btf(const PoolLayout& layout) {
    constexpr std::uint32_t integer = 1, slot = 2, slots = 3, word = 8;
    const std::size_t size = std::max({layout.start, layout.end, layout.nslabs}) + word;
    BtfWriter btf;
    btf.type("long unsigned int", BTF_KIND_INT, 0, word, {8 * word});
    btf.type("io_tlb_slot", BTF_KIND_STRUCT, 0, 0);
    if (layout.pointer)
        btf.type("", BTF_KIND_ARRAY, 0, 0, {slot, integer, 0});
    else
        btf.type("", BTF_KIND_PTR, 0, slot);
    btf.type("io_tlb_mem", BTF_KIND_STRUCT, layout.areas ? 5 : 4,
             static_cast<std::uint32_t>(size + (layout.pointer ? 0 : word)));
    btf.member("start", integer, layout.start);
    btf.member("end", integer, layout.end);
    btf.member("nslabs", integer, layout.nslabs);
    btf.member("slots", slots, size);
    // Whether there are areas, and otherwise another member: it shows that the structure is whole.
    if (layout.areas) btf.member(*layout.areas ? "nareas" : "used", integer, 0);
    return btf.bytes();
}

std::vector<std::byte> minimal_core(std::span<const MemoryPiece> pieces) {
    Elf64_Ehdr header{};
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_ident[EI_VERSION] = EV_CURRENT;
    header.e_type = ET_CORE;
    header.e_machine = EM_X86_64;
    header.e_version = EV_CURRENT;
    header.e_phoff = sizeof header;
    header.e_ehsize = sizeof header;
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_phnum = static_cast<Elf64_Half>(pieces.size());

    std::vector<std::byte> file;
    const auto append = [&](const void* data, std::size_t size) {
        const auto* begin = static_cast<const std::byte*>(data);
        file.insert(file.end(), begin, begin + size);
    };
    append(&header, sizeof header);
    std::size_t offset = sizeof header + pieces.size() * sizeof(Elf64_Phdr);
    for (const MemoryPiece& piece : pieces) {
        Elf64_Phdr segment{};
        segment.p_type = PT_LOAD;
        segment.p_flags = PF_R;
        segment.p_offset = offset;
        segment.p_vaddr = piece.address;
        segment.p_paddr = piece.physical;
        segment.p_filesz = segment.p_memsz = piece.bytes.size();
        append(&segment, sizeof segment);
        offset += piece.bytes.size();
    }
    for (const MemoryPiece& piece : pieces) append(piece.bytes.data(), piece.bytes.size());
    return file;
}

}  // namespace handoff
