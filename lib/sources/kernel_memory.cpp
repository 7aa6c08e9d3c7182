// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/kernel_memory.hpp"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <elf.h>
#include <gelf.h>
#include <libelf.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include <fmt/format.h>

#include "base/byte_cursor.hpp"
#include "lib/kernel/constants.hpp"

namespace handoff {

using base::Fd;
namespace {

using base::input_error;

constexpr std::size_t word = 8;  // phys_addr_t, unsigned long and pointers on x86-64

// --- BTF ------------------------------------------------------------------------------------------------------

struct FreeBtf {
    void operator()(btf* types) const { btf__free(types); }
};
using Btf = std::unique_ptr<btf, FreeBtf>;

constexpr const char* areas_member = "nareas";

/// libbpf prints its complaints unless it is told not to.
class QuietLibbpf {
public:
    QuietLibbpf() : before_(libbpf_set_print(nullptr)) {}
    ~QuietLibbpf() { libbpf_set_print(before_); }
    QuietLibbpf(const QuietLibbpf&) = delete;
    QuietLibbpf& operator=(const QuietLibbpf&) = delete;

private:
    libbpf_print_fn_t before_;
};

Result<Btf> parse_btf(std::span<const std::byte> bytes) {
    const QuietLibbpf quiet;
    if (bytes.size() > 256 * base::MiB) return input_error(0, "expected BTF, found more than 256 MiB");
    Btf types(btf__new(bytes.data(), static_cast<std::uint32_t>(bytes.size())));
    if (!types) return input_error(0, fmt::format("expected BTF: {}", std::strerror(errno)));
    return types;
}

/// "?" for what is no name in C: it may be said in a message.
std::string_view name_at(const btf* types, std::uint32_t offset) {
    constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    const char* found = btf__name_by_offset(types, offset);
    const std::string_view name = found ? found : "";
    return name.find_first_not_of(letters) == name.npos ? name : "?";
}

/// A type without the typedefs and qualifiers around it; nullptr where it is void or broken.
const btf_type* plain_type(const btf* types, std::uint32_t id) {
    const int resolved = btf__resolve_type(types, id);
    return resolved < 0 ? nullptr : btf__type_by_id(types, static_cast<std::uint32_t>(resolved));
}

struct Member {
    std::size_t offset;  ///< bytes
    std::uint32_t type;
};

std::optional<Member> find_member(const btf* types, const btf_type* structure, std::string_view name) {
    const btf_member* members = btf_members(structure);
    for (std::uint32_t i = 0; i < btf_vlen(structure); ++i) {
        if (name_at(types, members[i].name_off) != name) continue;
        const std::uint32_t bits = btf_member_bit_offset(structure, i);
        if (bits % 8 != 0 || btf_member_bitfield_size(structure, i) != 0) return std::nullopt;
        return Member{bits / 8, members[i].type};
    }
    return std::nullopt;
}

std::string member_names(const btf* types, const btf_type* structure) {
    std::string names;
    const std::uint32_t shown = std::min<std::uint32_t>(btf_vlen(structure), 12);
    for (std::uint32_t i = 0; i < shown; ++i) {
        names += fmt::format("{}{}", i == 0 ? "" : ", ", name_at(types, btf_members(structure)[i].name_off));
    }
    return names;
}

Result<const btf_type*> find_struct(const btf* types, const char* name) {
    const int id = btf__find_by_name_kind(types, name, BTF_KIND_STRUCT);
    if (id < 0) return input_error(0, fmt::format("expected struct {} in BTF, found none", name));
    return btf__type_by_id(types, static_cast<std::uint32_t>(id));
}

/// The structure that holds the bounds of the default pool: struct io_tlb_mem itself, or what it
/// embeds since Linux commit 158dbe9c9a3d ("swiotlb: separate memory pool data from other
/// allocator data") (in v6.6).
struct PoolStruct {
    const btf_type* type;
    std::size_t offset;  ///< in struct io_tlb_mem
};

PoolStruct pool_struct(const btf* types, const btf_type* mem) {
    const auto embedded = find_member(types, mem, "defpool");
    const btf_type* pool = embedded ? plain_type(types, embedded->type) : nullptr;
    if (!pool || !btf_is_struct(pool)) return {mem, 0};
    return {pool, embedded->offset};
}

// --- kcore ----------------------------------------------------------------------------------------------------

struct EndElf {
    void operator()(Elf* elf) const { elf_end(elf); }
};

Error elf_error(std::string_view expected) {
    return input_error(0, fmt::format("expected {}: {}", expected, elf_errmsg(-1)));
}

// --- variables ------------------------------------------------------------------------------------------------

constexpr std::string_view default_mem = "io_tlb_default_mem";  // 5.13 and later
constexpr std::string_view old_start = "io_tlb_start", old_end = "io_tlb_end", old_nslabs = "io_tlb_nslabs";
constexpr std::string_view sme_mask = "sme_me_mask", sev_status = "sev_status", cc_vendor = "cc_vendor";
constexpr std::string_view track_hiwater = "track_hiwater_enabled";
constexpr std::array names{default_mem, old_start, old_end, old_nslabs, sme_mask, sev_status, cc_vendor, track_hiwater};

std::optional<Address> find_symbol(const Symbols& symbols, std::string_view name) {
    const auto found = symbols.find(std::string(name));
    return found == symbols.end() ? std::nullopt : std::optional(found->second);
}

Result<std::uint64_t> read_word(const MemoryReader& read, Address address) {
    const auto bytes = read(address, word);
    if (!bytes) return bytes.error();
    const auto value = base::ByteCursor(*bytes).take<std::uint64_t>();
    if (!value) return input_error(0, fmt::format("expected {} bytes at {:#x}", word, address));
    return *value;
}

Result<std::optional<AddressRange>> checked_pool(Address start, Address end, std::uint64_t slabs) {
    // swiotlb_exit() and a kernel that never made a pool leave zeros.
    if (start == 0 && end == 0) return std::optional<AddressRange>();
    const auto range = AddressRange::from_bounds(start, end);
    if (!range || range->empty() || slabs != range->size() / slab_size || range->size() % slab_size != 0) {
        return input_error(0,
                           fmt::format("expected a pool of {} slabs of 2 KiB, found {:#x}-{:#x}", slabs, start, end));
    }
    return range;
}

}  // namespace

std::span<const std::string_view> wanted_symbols() { return names; }

Result<PoolLayout> pool_layout(std::span<const std::byte> bytes) {
    const auto parsed = parse_btf(bytes);
    if (!parsed) return parsed.error();
    const btf* types = parsed->get();
    const auto mem = find_struct(types, "io_tlb_mem");
    if (!mem) return mem.error();

    const PoolStruct pool = pool_struct(types, *mem);
    const auto unknown = [&](std::string_view expected) {
        return input_error(0, fmt::format("expected {} in struct {}, found: {}", expected,
                                          name_at(types, pool.type->name_off), member_names(types, pool.type)));
    };
    PoolLayout layout;
    for (const auto& [name, offset] :
         {std::pair{"start", &layout.start}, {"end", &layout.end}, {"nslabs", &layout.nslabs}}) {
        const auto member = find_member(types, pool.type, name);
        const btf_type* type = member ? plain_type(types, member->type) : nullptr;
        if (!type || !btf_is_int(type) || type->size != word) return unknown(fmt::format("a 64-bit '{}'", name));
        *offset = pool.offset + member->offset;
    }

    // A structure that ends in `slots[]` is allocated with them, and the variable points to it: Linux commit
    // 2d29960af0be ("swiotlb: dynamically allocate io_tlb_default_mem") (in v5.13). Since Linux commit
    // 463e862ac63e ("swiotlb: Convert io_default_tlb_mem to static allocation") (in v5.15) `slots` is a
    // pointer, and the variable is the structure.
    const auto slots = find_member(types, pool.type, "slots");
    const btf_type* slots_type = slots ? plain_type(types, slots->type) : nullptr;
    if (!slots_type || !(btf_is_array(slots_type) || btf_is_ptr(slots_type))) return unknown("'slots'");
    layout.pointer = btf_is_array(slots_type);
    constexpr std::uint32_t members_above = 4;
    if (find_member(types, pool.type, areas_member))
        layout.areas = true;
    else if (btf_vlen(pool.type) > members_above)
        layout.areas = false;
    return layout;
}

Result<std::vector<std::byte>> minimal_btf(std::span<const std::byte> bytes) {
    const auto layout = pool_layout(bytes);
    if (!layout) return layout.error();
    const auto parsed = parse_btf(bytes);
    if (!parsed) return parsed.error();
    const auto mem = find_struct(parsed->get(), "io_tlb_mem");
    if (!mem) return mem.error();
    const PoolStruct pool = pool_struct(parsed->get(), *mem);
    const bool embedded = pool.type != *mem;
    const auto bits = [&](std::size_t offset) { return static_cast<std::uint32_t>((offset - pool.offset) * 8); };
    const auto slots = find_member(parsed->get(), pool.type, "slots");

    const QuietLibbpf quiet;
    const Btf made(btf__new_empty());
    if (!made) return Error{Errc::io, {}, 0, "cannot make BTF"};
    btf* types = made.get();
    const int integer = btf__add_int(types, "long unsigned int", word, 0);
    const int slot = btf__add_struct(types, "io_tlb_slot", 0);
    const int slots_type = layout->pointer ? btf__add_array(types, integer, slot, 0) : btf__add_ptr(types, slot);
    const int pool_id = btf__add_struct(types, embedded ? "io_tlb_pool" : "io_tlb_mem", pool.type->size);
    int failed = std::min({integer, slot, slots_type, pool_id, 0});
    failed |= btf__add_field(types, "start", integer, bits(layout->start), 0);
    failed |= btf__add_field(types, "end", integer, bits(layout->end), 0);
    failed |= btf__add_field(types, "nslabs", integer, bits(layout->nslabs), 0);
    failed |= btf__add_field(types, "slots", slots_type, static_cast<std::uint32_t>(slots->offset * 8), 0);
    // Whether there are areas, and otherwise another member: it shows that the structure is whole.
    if (layout->areas) failed |= btf__add_field(types, *layout->areas ? areas_member : "used", integer, 0, 0);
    if (embedded) {
        failed |= std::min(btf__add_struct(types, "io_tlb_mem", (*mem)->size), 0);
        failed |= btf__add_field(types, "defpool", pool_id, static_cast<std::uint32_t>(pool.offset * 8), 0);
    }
    std::uint32_t size = 0;
    const void* raw = failed == 0 ? btf__raw_data(types, &size) : nullptr;
    if (!raw) return Error{Errc::io, {}, 0, "cannot make BTF"};
    const auto* begin = static_cast<const std::byte*>(raw);
    return std::vector<std::byte>(begin, begin + size);
}

Result<std::optional<AddressRange>> read_pool(const Symbols& symbols, const std::function<Result<PoolLayout>()>& layout,
                                              const MemoryReader& read) {
    Address start_at = 0, end_at = 0, nslabs_at = 0;
    if (const auto variable = find_symbol(symbols, default_mem)) {
        const auto offsets = layout();
        if (!offsets) return offsets.error();
        Address structure = *variable;
        if (offsets->pointer) {
            const auto target = read_word(read, *variable);
            if (!target) return target.error();
            if (*target == 0) return std::optional<AddressRange>();
            structure = *target;
        }
        start_at = structure + offsets->start;
        end_at = structure + offsets->end;
        nslabs_at = structure + offsets->nslabs;
    } else {
        // Up to 5.12 the bounds are variables of their own (kernel/dma/swiotlb.c).
        const auto first = find_symbol(symbols, old_start), second = find_symbol(symbols, old_end),
                   third = find_symbol(symbols, old_nslabs);
        if (!first || !second || !third) {
            return Error{Errc::not_found, {}, 0, "neither io_tlb_default_mem nor io_tlb_start is among the symbols"};
        }
        start_at = *first;
        end_at = *second;
        nslabs_at = *third;
    }
    const auto start = read_word(read, start_at);
    if (!start) return start.error();
    const auto end = read_word(read, end_at);
    if (!end) return end.error();
    const auto slabs = read_word(read, nslabs_at);
    if (!slabs) return slabs.error();
    return checked_pool(*start, *end, *slabs);
}

Result<Encryption> read_amd_encryption(const Symbols& symbols, const MemoryReader& read) {
    const auto mask_at = find_symbol(symbols, sme_mask), status_at = find_symbol(symbols, sev_status);
    if (!mask_at || !status_at) return Error{Errc::not_found, {}, 0, "no sme_me_mask and sev_status among the symbols"};
    const auto mask = read_word(read, *mask_at);
    if (!mask) return mask.error();
    const auto status = read_word(read, *status_at);
    if (!status) return status.error();
    // MSR_AMD64_SEV, arch/x86/include/asm/msr-index.h: bit 0 SEV, bit 1 SEV-ES, bit 2 SEV-SNP, bit 3 an SEV-SNP guest
    // under a paravisor, which has that bit alone (arch/x86/hyperv/ivm.c, hv_vtom_init()).
    if ((*status & (4 | 8)) != 0) return Encryption::sev_snp;
    if ((*status & 2) != 0) return Encryption::sev_es;
    if ((*status & 1) != 0) return Encryption::sev;
    if (*mask != 0) return Encryption::sme;
    // A TDX guest under a paravisor has no flag of its own; its kernel knows that it is a confidential guest
    // (arch/x86/coco/core.c, cc_vendor, 5.19 and later). CC_VENDOR_AMD says only who made the processor (6.12:
    // arch/x86/kernel/cpu/amd.c, bsp_determine_snp()); what that encrypts was read above.
    constexpr std::uint32_t vendor_none = 0, vendor_amd = 1;
    const auto vendor_at = find_symbol(symbols, cc_vendor);
    const auto bytes = vendor_at ? read(*vendor_at, sizeof vendor_none) : std::vector<std::byte>(sizeof vendor_none);
    if (!bytes) return bytes.error();
    const auto vendor = base::ByteCursor(*bytes).take<std::uint32_t>();
    if (!vendor) return input_error(0, fmt::format("expected {} bytes at {:#x}", sizeof vendor_none, *vendor_at));
    return *vendor == vendor_none || *vendor == vendor_amd ? Encryption::none : Encryption::tdx;
}

Result<bool> read_hiwater_tracking(const Symbols& symbols, bool all_symbols, const MemoryReader& read) {
    if (const auto at = find_symbol(symbols, track_hiwater)) {
        const auto value = read(*at, 1);  // a bool
        if (!value) return value.error();
        return value->front() != std::byte{0};
    }
    // A variable among the symbols: then this one would be there, too.
    if (all_symbols && (find_symbol(symbols, default_mem) || find_symbol(symbols, old_start))) return true;
    return Error{Errc::not_found, {}, 0, "the symbols do not show whether the kernel has track_hiwater_enabled"};
}

Result<Core> Core::open(Fd file) {
    elf_version(EV_CURRENT);
    const std::unique_ptr<Elf, EndElf> elf(elf_begin(file.get(), ELF_C_READ, nullptr));
    if (!elf || elf_kind(elf.get()) != ELF_K_ELF) return elf_error("an ELF core file");
    GElf_Ehdr header;
    if (!gelf_getehdr(elf.get(), &header)) return elf_error("an ELF header");
    if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_type != ET_CORE || header.e_machine != EM_X86_64) {
        return input_error(0, fmt::format("expected a 64-bit x86 core file, found class {}, type {}, machine {}",
                                          header.e_ident[EI_CLASS], header.e_type, header.e_machine));
    }
    std::size_t count = 0;
    if (elf_getphdrnum(elf.get(), &count) != 0) return elf_error("program headers");

    Core core(std::move(file));
    for (std::size_t i = 0; i < count; ++i) {
        GElf_Phdr segment;
        if (!gelf_getphdr(elf.get(), static_cast<int>(i), &segment)) return elf_error("a program header");
        if (segment.p_type != PT_LOAD) continue;
        core.segments_.push_back({segment.p_vaddr, segment.p_paddr, segment.p_filesz, segment.p_offset});
    }
    return core;
}

Result<std::vector<std::byte>> Core::read(Address address, std::size_t size) const {
    return read_from(&Segment::address, address, size);
}

Result<std::vector<std::byte>> Core::read_physical(Address address, std::size_t size) const {
    return read_from(&Segment::physical, address, size);
}

Result<std::vector<std::byte>> Core::read_from(Address Segment::*start, Address address, std::size_t size) const {
    const auto holds = [&](const Segment& s) {
        return address >= s.*start && address - s.*start < s.size && size <= s.size - (address - s.*start);
    };
    const auto segment = std::find_if(segments_.begin(), segments_.end(), holds);
    if (segment == segments_.end()) {
        return Error{Errc::not_found, {}, 0, fmt::format("no segment has {} bytes at {:#x}", size, address)};
    }
    std::vector<std::byte> bytes(size);
    const std::uint64_t offset = segment->offset + (address - (*segment).*start);
    const ssize_t got = ::pread(fd_.get(), bytes.data(), size, static_cast<off_t>(offset));
    if (got < 0) return Error{Errc::io, {}, 0, fmt::format("{:#x}: {}", address, std::strerror(errno))};
    if (static_cast<std::size_t>(got) != size) {
        return Error{Errc::io, {}, 0, fmt::format("expected {} bytes at offset {:#x}, found {}", size, offset, got)};
    }
    return bytes;
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
        segment.p_filesz = segment.p_memsz = piece.bytes.size();
        append(&segment, sizeof segment);
        offset += piece.bytes.size();
    }
    for (const MemoryPiece& piece : pieces) append(piece.bytes.data(), piece.bytes.size());
    return file;
}

}  // namespace handoff
