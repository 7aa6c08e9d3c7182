// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/sources/read_at.hpp"
#include "swiotlb-handoff/result.hpp"

namespace handoff {

/// Bytes of a header up to str_len. That of newer kernels goes on behind it, and so does btf_header of newer headers.
inline constexpr std::size_t least_btf_header = 24;

/// A type of a kernel, without what follows it there.
struct BtfType {
    std::uint32_t kind = 0;          ///< BTF_KIND_* of <linux/btf.h>
    std::uint32_t count = 0;         ///< of its members, values or parameters
    bool flag = false;               ///< of a structure: some members may be bit fields
    std::uint32_t name = 0;          ///< where its name begins among the strings
    std::uint32_t size_or_type = 0;  ///< bytes, or the number of the type that it refers to, as the kind says
    std::uint64_t offset = 0;        ///< where it begins, bytes: no two types begin at one place
};

struct BtfMember {
    std::string name;
    std::uint32_t type = 0;  ///< its number
    std::size_t offset = 0;  ///< in the structure, bytes
    bool in_bits = false;    ///< a bit field, or one that begins within a byte
};

struct BtfStruct {
    BtfType type;
    std::string name;
    std::size_t size = 0;  ///< bytes
    std::vector<BtfMember> members;
};

struct BtfArray {
    std::uint32_t element = 0;  ///< the number of its type
    std::uint32_t count = 0;    ///< 0: a flexible one
};

/// The types of a kernel (/sys/kernel/btf/vmlinux; Documentation/bpf/btf.rst): there are 5 MB of them and more. They
/// are read in small pieces, only as far as the answer is known, and not kept. A name that is none in C is "?", so that
/// it may be said in a message.
class Btf {
public:
    /// Input errors: no BTF of version 1, or it ends early.
    static base::Result<Btf> open(ReadAt);

    /// The first structure of this name. Input errors: there is none; what is there makes no sense.
    base::Result<BtfStruct> find_struct(std::string_view name);
    /// A type by its number, without the typedefs and qualifiers around it; nullopt where it is void, or not there.
    std::optional<BtfType> plain_type(std::uint32_t number);
    /// nullopt where it is none, or not all there.
    std::optional<BtfStruct> structure(const BtfType&);
    std::optional<BtfArray> array(const BtfType&);

private:
    explicit Btf(ReadAt read) : read_(std::move(read)) {}

    const std::byte* look(std::uint64_t offset, std::size_t size);
    std::optional<BtfType> type_at(std::uint64_t offset);
    std::optional<BtfType> next_type();
    std::optional<BtfType> type(std::uint32_t number);
    std::optional<std::uint32_t> find_name(std::string_view name);
    [[nodiscard]] std::string name_at(std::uint32_t offset) const;

    ReadAt read_;
    std::uint64_t types_ = 0, types_end_ = 0;      ///< bytes from the beginning
    std::uint64_t strings_ = 0, strings_end_ = 0;  ///< the same
    std::vector<std::byte> window_{};              ///< what was read last
    std::uint64_t window_at_ = 0;
    /// How far the types were counted: the number of a type is its place, and they differ in length.
    std::uint32_t number_ = 1;
    std::uint64_t at_ = 0;
    std::vector<std::uint64_t> marks_{};  ///< where every 256th type begins
};

/// nullptr where there is none of this name, or it is in bits.
const BtfMember* find_member(const BtfStruct&, std::string_view name);

/// Where an integer of 64 bits is in a structure, bytes. An input error as of not_in_struct() where there is none of
/// this name in it.
base::Result<std::size_t> find_word(Btf&, const BtfStruct&, std::string_view name);

/// "expected a 64-bit 'start' in struct io_tlb_mem, found: base, limit".
base::Error not_in_struct(const BtfStruct&, std::string_view expected);

}  // namespace handoff
