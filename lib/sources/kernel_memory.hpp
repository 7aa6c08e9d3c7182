// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/byte_cursor.hpp"
#include "base/fd.hpp"
#include "base/text.hpp"
#include "lib/sources/kallsyms.hpp"
#include "lib/sources/read_at.hpp"
#include "swiotlb-handoff/machine.hpp"

namespace handoff {

using base::Fd;

/// Reads `size` bytes of a kernel's memory at a virtual address: all of them, or an error.
using MemoryReader = std::function<Result<std::vector<std::byte>>(Address address, std::size_t size)>;

/// An unsigned integer of a kernel's memory, in its order of bytes. Errors: those of reading, and an input error where
/// it is not all there.
template <std::unsigned_integral Integer>
Result<std::uint64_t> read_number(const MemoryReader& read, Address address) {
    const auto bytes = read(address, sizeof(Integer));
    if (!bytes) return bytes.error();
    const auto value = base::ByteCursor(*bytes).take<Integer>();
    if (!value) return base::input_error(0, base::text("expected ", sizeof(Integer), " bytes at ", base::Hex{address}));
    return std::uint64_t{*value};
}

/// The variables that tell of the pool and of encryption, in any kernel version.
std::span<const std::string_view> wanted_symbols();

/// Where a kernel of 5.13 or later keeps what its default pool is used for. Offsets in bytes.
struct UseLayout {
    std::size_t area_bytes = 0;  ///< of struct io_tlb_area (6.0 and later); 0: the pool is one area
    std::size_t nareas = 0;      ///< in struct io_tlb_mem, 4 bytes: how many areas there are
    std::size_t areas = 0;       ///< in struct io_tlb_mem: the pointer to them
    std::size_t index = 0;       ///< in an area, or in struct io_tlb_mem; 4 bytes: where the next search begins
    std::size_t used = 0;        ///< beside it, 8 bytes: slabs in use now
    friend bool operator==(const UseLayout&, const UseLayout&) = default;
};

/// Where a kernel of 5.13 or later keeps the bounds of its default pool.
struct PoolLayout {
    /// io_tlb_default_mem is a pointer to the structure, not the structure.
    bool pointer = false;
    std::size_t start = 0;  ///< offsets from the beginning of struct io_tlb_mem, bytes;
    std::size_t end = 0;    ///< each member has 8 bytes
    std::size_t nslabs = 0;
    /// There is a member 'nareas' (6.0 and later): the kernel rounds its slabs up. nullopt: the structure is a part of
    /// one, as minimal_btf() left it in earlier versions.
    std::optional<bool> areas;
    /// nullopt: the structure is a part of one, or its use is kept in a form that is not known here.
    std::optional<UseLayout> use = std::nullopt;
    friend bool operator==(const PoolLayout&, const PoolLayout&) = default;
};

/// The layout from a kernel's BTF (/sys/kernel/btf/vmlinux). Errors: no BTF, no
/// struct io_tlb_mem in it, or one of a shape that is not known here; what was
/// found is named.
Result<PoolLayout> pool_layout(ReadAt btf);

/// BTF with one structure, struct io_tlb_mem, of which pool_layout() says this, but for its use.
std::vector<std::byte> minimal_btf(const PoolLayout&);

/// The kernel's default pool from its memory; nullopt where it has none. `layout` is
/// asked only where the kernel needs it (5.13 and later). not_found where the
/// kernel has neither form of the variables; an input error where
/// what is there is no pool: reversed, or of another size than its slabs say.
Result<std::optional<AddressRange>> read_pool(const Symbols&, const std::function<Result<PoolLayout>()>& layout,
                                              const MemoryReader&);

/// What a kernel says of the use of its default pool.
struct PoolUse {
    std::uint64_t areas = 0;        ///< that the pool is divided into
    std::uint64_t moved_areas = 0;  ///< of them, those whose search index is not 0
    std::uint64_t slabs_used = 0;   ///< now, in all areas
};
/// Its search indices, and what is in use: `io_tlb_index` and `io_tlb_used` up to 5.12, io_tlb_mem.index up to 5.19,
/// io_tlb_area.index since Linux commit 20347fca71a3 ("swiotlb: split up the global swiotlb lock") (in v6.0). `layout`
/// as for read_pool(). not_found where the kernel's symbols or its BTF do not tell; an input error where what is there
/// makes no sense.
Result<PoolUse> read_pool_use(const Symbols&, const std::function<Result<PoolLayout>()>& layout, const MemoryReader&);

/// What the kernel knows of AMD's encryption: `none` where the hardware's is
/// not in use, which leaves TDX. not_found where the variables are not there.
Result<Encryption> read_amd_encryption(const Symbols&, const MemoryReader&);

/// The kernel counts how many slabs of the pool were ever in use: where it has a switch for that, whether it is on
/// (kernel/dma/swiotlb.c, track_hiwater_enabled; Linux commit 121f9fd1c308 (in v7.3)), else true: up to 7.2 it always
/// does. `all_symbols`: what is not in `symbols` is no symbol of the kernel. not_found where that cannot be said: no
/// symbol, and not all of them, or those of functions alone (CONFIG_KALLSYMS_ALL).
Result<bool> read_hiwater_tracking(const Symbols&, bool all_symbols, const MemoryReader&);

/// Before it starts a crash kernel, the kernel of such a guest makes private again what it shared with the host:
/// snp_kexec_finish() of arch/x86/coco/sev/core.c, Linux commit 3074152e56c9 ("x86/sev: Convert shared memory back to
/// private on kexec"), seen in 7.2; tdx_kexec_finish() of arch/x86/coco/tdx/tdx.c, seen in 6.12.
bool unshares_memory(const Symbols&, Encryption);

/// The kernel has ima_add_kexec_buffer() (CONFIG_IMA_KEXEC), or nobody can say. `all_symbols` as above.
bool may_pass_ima_list(const Symbols&, bool all_symbols);

/// A 64-bit x86 ELF core file, such as /proc/kcore.
class Core {
public:
    /// The program headers of the file, more than 65534 of them too. Input errors: no
    /// ELF core file of this kind.
    static Result<Core> open(Fd);

    /// The bytes at a virtual address. not_found where no segment has them all, io
    /// where the file is shorter than its headers say.
    [[nodiscard]] Result<std::vector<std::byte>> read(Address address, std::size_t size) const;
    /// The bytes at a physical address, by the segment that says it has them (fs/proc/kcore.c: p_paddr of RAM and of
    /// the kernel's text; -1 of all others). Errors as of read().
    [[nodiscard]] Result<std::vector<std::byte>> read_physical(Address address, std::size_t size) const;

    /// The text of the note VMCOREINFO, which /proc/kcore has since Linux commit 23c85094fe18 ("proc/kcore: add
    /// vmcoreinfo note to /proc/kcore") (in v4.19); "" where there is none.
    [[nodiscard]] std::string vmcoreinfo() const;

private:
    struct Segment {
        Address address;
        Address physical;
        std::uint64_t size;
        std::uint64_t offset;
    };
    [[nodiscard]] Result<std::vector<std::byte>> read_from(Address Segment::*start, Address address,
                                                           std::size_t size) const;
    explicit Core(Fd fd) : fd_(std::move(fd)) {}

    Fd fd_;
    std::vector<Segment> segments_;
    std::vector<Segment> notes_;
};

/// A piece of memory and where it is.
struct MemoryPiece {
    Address address = 0;  ///< virtual
    std::vector<std::byte> bytes;
    Address physical = ~Address{0};  ///< ~0: not said, as fs/proc/kcore.c says it of all but RAM and the kernel
};
/// A core file that holds these pieces and nothing else.
std::vector<std::byte> minimal_core(std::span<const MemoryPiece>);

}  // namespace handoff
