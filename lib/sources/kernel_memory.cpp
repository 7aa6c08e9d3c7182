// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/kernel_memory.hpp"

#include <elf.h>
#include <linux/btf.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/text.hpp"
#include "lib/kernel/constants.hpp"
#include "lib/sources/btf.hpp"
#include "lib/sources/program_headers.hpp"

namespace handoff {

using base::Fd;
namespace {

using base::Hex;
using base::input_error;

constexpr std::size_t word = 8;    // phys_addr_t, unsigned long and pointers on x86-64
constexpr std::size_t narrow = 4;  // unsigned int

// --- BTF ------------------------------------------------------------------------------------------------------

/// The structure that holds the bounds of the default pool: struct io_tlb_mem itself, or what it
/// embeds since Linux commit 158dbe9c9a3d ("swiotlb: separate memory pool data from other
/// allocator data") (in v6.6).
struct PoolStruct {
    BtfStruct structure;
    std::size_t offset = 0;  ///< in struct io_tlb_mem
};

/// Where an unsigned integer of so many bytes is in a structure; nullopt where there is none of this name.
std::optional<std::size_t> find_number(Btf& types, const BtfStruct& structure, std::string_view name,
                                       std::size_t bytes) {
    const BtfMember* member = find_member(structure, name);
    const auto type = member ? types.plain_type(member->type) : std::nullopt;
    if (!type || type->kind != BTF_KIND_INT || type->size_or_type != bytes) return std::nullopt;
    return member->offset;
}

std::optional<UseLayout> use_layout(Btf& types, const PoolStruct& pool) {
    UseLayout use;
    const BtfMember* areas = find_member(pool.structure, "areas");
    if (areas) {
        const auto nareas = find_number(types, pool.structure, "nareas", narrow);
        const auto pointer = types.plain_type(areas->type);
        if (!nareas || !pointer || pointer->kind != BTF_KIND_PTR) return std::nullopt;
        use.nareas = pool.offset + *nareas;
        use.areas = pool.offset + areas->offset;
    }
    const auto area = areas ? types.find_struct("io_tlb_area") : Result<BtfStruct>(pool.structure);
    if (!area) return std::nullopt;
    const auto index = find_number(types, *area, "index", narrow), used = find_number(types, *area, "used", word);
    if (!index || !used) return std::nullopt;
    use.area_bytes = areas ? area->size : 0;
    if (areas && std::max(*index + narrow, *used + word) > use.area_bytes) return std::nullopt;
    use.index = *index + (areas ? 0 : pool.offset);
    use.used = *used + (areas ? 0 : pool.offset);
    return use;
}

PoolStruct pool_struct(Btf& types, BtfStruct mem) {
    const BtfMember* embedded = find_member(mem, "defpool");
    const auto type = embedded ? types.plain_type(embedded->type) : std::nullopt;
    auto pool = type ? types.structure(*type) : std::nullopt;
    if (!pool) return {std::move(mem), 0};
    return {*std::move(pool), embedded->offset};
}

// --- variables ------------------------------------------------------------------------------------------------

constexpr std::string_view default_mem = "io_tlb_default_mem";  // 5.13 and later
constexpr std::string_view old_start = "io_tlb_start", old_end = "io_tlb_end", old_nslabs = "io_tlb_nslabs",
                           old_index = "io_tlb_index", old_used = "io_tlb_used";
constexpr std::string_view sme_mask = "sme_me_mask", sev_status = "sev_status", cc_vendor = "cc_vendor";
constexpr std::string_view track_hiwater = "track_hiwater_enabled";
constexpr std::string_view snp_finish = "snp_kexec_finish", tdx_finish = "tdx_kexec_finish",
                           ima_list = "ima_add_kexec_buffer";  // functions: what matters is that they are there
constexpr std::array names{default_mem, old_start, old_end,       old_nslabs, old_index,  old_used, sme_mask,
                           sev_status,  cc_vendor, track_hiwater, snp_finish, tdx_finish, ima_list};

Result<std::uint64_t> read_word(const MemoryReader& read, Address address) {
    return read_number<std::uint64_t>(read, address);
}

// Adds the area at these addresses.
std::optional<Error> add_area(const MemoryReader& read, Address index_at, Address used_at, PoolUse& use) {
    const auto index = read_number<std::uint32_t>(read, index_at), used = read_word(read, used_at);
    if (!index) return index.error();
    if (!used) return used.error();
    ++use.areas;
    if (*index != 0) ++use.moved_areas;
    use.slabs_used += *used;
    return std::nullopt;
}

Result<std::optional<AddressRange>> checked_pool(Address start, Address end, std::uint64_t slabs) {
    // swiotlb_exit() and a kernel that never made a pool leave zeros.
    if (start == 0 && end == 0) return std::optional<AddressRange>();
    const auto range = AddressRange::from_bounds(start, end);
    if (!range || range->empty() || slabs != range->size() / slab_size || range->size() % slab_size != 0) {
        return input_error(
            0, base::text("expected a pool of ", slabs, " slabs of 2 KiB, found ", Hex{start}, "-", Hex{end}));
    }
    return range;
}

}  // namespace

std::span<const std::string_view> wanted_symbols() { return names; }

bool unshares_memory(const Symbols& symbols, Encryption encryption) {
    return (encryption == Encryption::sev_snp && find_symbol(symbols, snp_finish)) ||
           (encryption == Encryption::tdx && find_symbol(symbols, tdx_finish));
}

bool may_pass_ima_list(const Symbols& symbols, bool all_symbols) {
    return !all_symbols || symbols.empty() || find_symbol(symbols, ima_list);
}

Result<PoolLayout> pool_layout(ReadAt btf) {
    auto types = Btf::open(std::move(btf));
    if (!types) return std::move(types).error();
    auto mem = types->find_struct("io_tlb_mem");
    if (!mem) return std::move(mem).error();

    const std::size_t size = mem->size;
    const PoolStruct pool = pool_struct(*types, *std::move(mem));
    PoolLayout layout;
    for (const auto& [name, offset] :
         {std::pair{"start", &layout.start}, {"end", &layout.end}, {"nslabs", &layout.nslabs}}) {
        const auto found = find_word(*types, pool.structure, name);
        if (!found) return found.error();
        *offset = pool.offset + *found;
        if (*offset + word > size) return not_in_struct(pool.structure, base::text("all of '", name, "'"));
    }

    // A structure that ends in `slots[]` is allocated with them, and the variable points to it: Linux commit
    // 2d29960af0be ("swiotlb: dynamically allocate io_tlb_default_mem") (in v5.13). Since Linux commit
    // 463e862ac63e ("swiotlb: Convert io_default_tlb_mem to static allocation") (in v5.15) `slots` is a
    // pointer, and the variable is the structure.
    const BtfMember* slots = find_member(pool.structure, "slots");
    const auto type = slots ? types->plain_type(slots->type) : std::nullopt;
    if (!type || (type->kind != BTF_KIND_ARRAY && type->kind != BTF_KIND_PTR))
        return not_in_struct(pool.structure, "'slots'");
    layout.pointer = type->kind == BTF_KIND_ARRAY;
    constexpr std::size_t members_above = 4;
    if (find_member(pool.structure, "nareas"))
        layout.areas = true;
    else if (pool.structure.members.size() > members_above)
        layout.areas = false;
    layout.use = use_layout(*types, pool);
    return layout;
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

Result<PoolUse> read_pool_use(const Symbols& symbols, const std::function<Result<PoolLayout>()>& layout,
                              const MemoryReader& read) {
    PoolUse use;
    const auto variable = find_symbol(symbols, default_mem);
    if (!variable) {
        const auto index = find_symbol(symbols, old_index), used = find_symbol(symbols, old_used);
        if (!index || !used)
            return Error{Errc::not_found, {}, 0, "neither io_tlb_default_mem nor io_tlb_index is among the symbols"};
        if (auto error = add_area(read, *index, *used, use)) return *std::move(error);
        return use;
    }
    const auto offsets = layout();
    if (!offsets) return offsets.error();
    if (!offsets->use)
        return Error{Errc::not_found, {}, 0, "BTF does not show the search index of struct io_tlb_mem or io_tlb_area"};
    const auto target = offsets->pointer ? read_word(read, *variable) : Result<std::uint64_t>(*variable);
    if (!target) return target.error();
    const UseLayout& at = *offsets->use;
    if (at.area_bytes == 0) {
        if (auto error = add_area(read, *target + at.index, *target + at.used, use)) return *std::move(error);
        return use;
    }
    constexpr std::uint64_t most_areas = 65536;  // roundup_pow_of_two(num_possible_cpus()), or as swiotlb= says
    const auto count = read_number<std::uint32_t>(read, *target + at.nareas),
               areas = read_word(read, *target + at.areas);
    if (!count) return count.error();
    if (!areas) return areas.error();
    if (*count == 0 || *count > most_areas || *areas == 0)
        return input_error(0, base::text("expected 1 to ", most_areas, " areas of the pool, found ", *count));
    for (std::uint64_t i = 0; i < *count; ++i) {
        const Address area = *areas + i * at.area_bytes;
        if (auto error = add_area(read, area + at.index, area + at.used, use)) return *std::move(error);
    }
    return use;
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
    if (!vendor) return input_error(0, base::text("expected ", sizeof vendor_none, " bytes at ", Hex{*vendor_at}));
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
    Core core(std::move(file));
    auto error = each_program_header(read_at(core.fd_), [&](const Elf64_Phdr& header) -> std::optional<Error> {
        if (header.p_type == PT_LOAD || header.p_type == PT_NOTE)
            (header.p_type == PT_LOAD ? core.segments_ : core.notes_)
                .push_back({header.p_vaddr, header.p_paddr, header.p_filesz, header.p_offset});
        return std::nullopt;
    });
    if (error) return *std::move(error);
    return core;
}

Result<std::vector<std::byte>> Core::read(Address address, std::size_t size) const {
    return read_from(&Segment::address, address, size);
}

Result<std::vector<std::byte>> Core::read_physical(Address address, std::size_t size) const {
    return read_from(&Segment::physical, address, size);
}

std::string Core::vmcoreinfo() const {
    using namespace std::string_view_literals;
    constexpr std::uint64_t most = base::MiB;  // of notes; the text has a page (VMCOREINFO_BYTES)
    constexpr auto name = "VMCOREINFO\0"sv;
    const ReadAt read = read_at(fd_);
    for (const Segment& segment : notes_) {
        std::vector<std::byte> bytes(std::min(segment.size, most));
        if (!read(segment.offset, bytes)) continue;
        const std::string_view notes(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        for (std::size_t at = 0; notes.size() - at > sizeof(Elf64_Nhdr);) {
            Elf64_Nhdr note{};
            std::memcpy(&note, notes.data() + at, sizeof note);
            const auto padded = [](std::uint64_t size) { return (size + 3) / 4 * 4; };
            const std::uint64_t text_at = at + sizeof note + padded(note.n_namesz);
            const std::uint64_t end = text_at + padded(note.n_descsz);
            if (end > notes.size()) break;
            if (notes.substr(at + sizeof note, note.n_namesz) == name)
                return std::string(notes.substr(text_at, note.n_descsz));
            at = end;
        }
    }
    return {};
}

Result<std::vector<std::byte>> Core::read_from(Address Segment::*start, Address address, std::size_t size) const {
    const auto holds = [&](const Segment& s) {
        return address >= s.*start && address - s.*start < s.size && size <= s.size - (address - s.*start);
    };
    const auto segment = std::find_if(segments_.begin(), segments_.end(), holds);
    if (segment == segments_.end()) {
        return Error{Errc::not_found, {}, 0, base::text("no segment has ", size, " bytes at ", Hex{address})};
    }
    std::vector<std::byte> bytes(size);
    const std::uint64_t offset = segment->offset + (address - (*segment).*start);
    const ssize_t got = ::pread(fd_.get(), bytes.data(), size, static_cast<off_t>(offset));
    if (got < 0) return Error{Errc::io, {}, 0, base::text(Hex{address}, ": ", std::strerror(errno))};
    if (static_cast<std::size_t>(got) != size) {
        return Error{
            Errc::io,
            {},
            0,
            base::text("expected ", size, " bytes at offset ", Hex{offset}, ", found ", static_cast<std::size_t>(got))};
    }
    return bytes;
}

}  // namespace handoff
