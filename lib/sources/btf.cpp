// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/btf.hpp"

#include <linux/btf.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <functional>
#include <span>
#include <utility>

#include "base/text.hpp"

namespace handoff {

using base::Error;
using base::input_error;
using base::Result;

namespace {

constexpr std::size_t window_size = 16384;
constexpr std::uint32_t types_per_mark = 256;
constexpr std::size_t longest_name = 128;  // KSYM_NAME_LEN was this for long; what is longer is cut

Error cut_off() { return input_error(0, "expected BTF, found one that is cut off or whose types make no sense"); }

/// As it lies there: x86 is little-endian, and so is what its kernels say of themselves.
std::uint32_t value_at(const std::byte* bytes, std::size_t offset) {
    std::uint32_t value = 0;
    std::memcpy(&value, bytes + offset, sizeof value);
    return value;
}

// BTF_INFO_KIND() and BTF_INFO_VLEN() of newer headers: older kernels leave the bits that came to them at zero.
std::uint32_t kind_in(std::uint32_t info) { return info >> 24 & 0x7f; }
std::uint32_t count_in(std::uint32_t info) { return info & 0xff'ffff; }

/// Where the next one begins; nullopt where nobody can say, since the kind is not known here.
std::optional<std::uint64_t> end_of(const BtfType& type) {
    const std::uint64_t fixed = type.offset + sizeof(btf_type), count = type.count;
    switch (type.kind) {
        case BTF_KIND_PTR:
        case BTF_KIND_FWD:
        case BTF_KIND_TYPEDEF:
        case BTF_KIND_VOLATILE:
        case BTF_KIND_CONST:
        case BTF_KIND_RESTRICT:
        case BTF_KIND_FUNC:
        case BTF_KIND_FLOAT:
        case BTF_KIND_TYPE_TAG:
            return fixed;
        case BTF_KIND_INT:
            return fixed + sizeof(std::uint32_t);
        case BTF_KIND_ARRAY:
            return fixed + sizeof(btf_array);
        case BTF_KIND_STRUCT:
        case BTF_KIND_UNION:
            return fixed + count * sizeof(btf_member);
        case BTF_KIND_ENUM:
            return fixed + count * sizeof(btf_enum);
        case BTF_KIND_FUNC_PROTO:
            return fixed + count * sizeof(btf_param);
        case BTF_KIND_VAR:
            return fixed + sizeof(btf_var);
        case BTF_KIND_DATASEC:
            return fixed + count * sizeof(btf_var_secinfo);
        case BTF_KIND_DECL_TAG:
            return fixed + sizeof(btf_decl_tag);
        case BTF_KIND_ENUM64:
            return fixed + count * sizeof(btf_enum64);
        default:
            return std::nullopt;
    }
}

}  // namespace

Result<Btf> Btf::open(ReadAt read) {
    Btf types(std::move(read));
    const std::byte* head = types.look(0, least_btf_header);
    if (!head) return input_error(0, "expected BTF, found less than its header");
    // Its magic number tells the order of bytes, too.
    const std::uint32_t magic = value_at(head, 0) & 0xffff, version = value_at(head, 0) >> 16 & 0xff;
    if (magic != BTF_MAGIC || version != BTF_VERSION) return input_error(0, "expected BTF of version 1");
    const std::uint64_t header = value_at(head, offsetof(btf_header, hdr_len));
    types.types_ = types.at_ = header + value_at(head, offsetof(btf_header, type_off));
    types.types_end_ = types.types_ + value_at(head, offsetof(btf_header, type_len));
    types.strings_ = header + value_at(head, offsetof(btf_header, str_off));
    types.strings_end_ = types.strings_ + value_at(head, offsetof(btf_header, str_len));
    std::byte last{};
    if (header < least_btf_header ||
        !types.read_(std::max(types.types_end_, types.strings_end_) - 1, std::span(&last, 1)))
        return cut_off();
    return types;
}

/// Bytes that are valid until the next call; nullptr where they are not there.
const std::byte* Btf::look(std::uint64_t offset, std::size_t size) {
    if (offset >= window_at_ && offset - window_at_ <= window_.size() && size <= window_.size() - (offset - window_at_))
        return window_.data() + (offset - window_at_);
    const std::uint64_t end = std::max({types_end_, strings_end_, std::uint64_t{least_btf_header}});
    if (offset > end || size > end - offset) return nullptr;
    window_.resize(std::min<std::uint64_t>(std::max(window_size, size), end - offset));
    window_at_ = offset;
    if (read_(offset, window_)) return window_.data();
    window_.clear();
    return nullptr;
}

// --- strings --------------------------------------------------------------------------------------------------

std::string Btf::name_at(std::uint32_t offset) const {
    constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    const std::uint64_t at = strings_ + offset;
    if (at >= strings_end_) return "?";
    std::string name(std::min<std::uint64_t>(longest_name, strings_end_ - at), '\0');
    if (!read_(at, std::as_writable_bytes(std::span(name)))) return "?";
    name.resize(std::min(name.find('\0'), name.size()));
    return name.find_first_not_of(letters) == name.npos ? name : "?";
}

// Of each string there is one, whoever refers to it: btf__dedup() of libbpf.
std::optional<std::uint32_t> Btf::find_name(std::string_view name) {
    const std::string wanted = std::string(1, '\0').append(name) + '\0';
    const std::boyer_moore_horspool_searcher search(wanted.begin(), wanted.end());
    for (std::uint64_t at = strings_; at + wanted.size() <= strings_end_;) {
        const std::size_t size = std::min<std::uint64_t>(window_size, strings_end_ - at);
        const std::byte* bytes = look(at, size);
        if (!bytes) return std::nullopt;
        const std::string_view piece(reinterpret_cast<const char*>(bytes), size);
        const auto found = std::search(piece.begin(), piece.end(), search);
        if (found != piece.end())
            return static_cast<std::uint32_t>(at - strings_ + static_cast<std::size_t>(found - piece.begin()) + 1);
        at += size - wanted.size() + 1;
    }
    return std::nullopt;
}

// --- types ----------------------------------------------------------------------------------------------------

std::optional<BtfType> Btf::type_at(std::uint64_t offset) {
    if (offset >= types_end_ || types_end_ - offset < sizeof(btf_type)) return std::nullopt;
    const std::byte* bytes = look(offset, sizeof(btf_type));
    if (!bytes) return std::nullopt;
    const std::uint32_t info = value_at(bytes, offsetof(btf_type, info));
    return BtfType{kind_in(info),
                   count_in(info),
                   BTF_INFO_KFLAG(info) != 0,
                   value_at(bytes, offsetof(btf_type, name_off)),
                   value_at(bytes, offsetof(btf_type, size)),
                   offset};
}

/// The first that was not counted yet; nullopt where there is none, or it makes no sense.
std::optional<BtfType> Btf::next_type() {
    const auto found = type_at(at_);
    const auto end = found ? end_of(*found) : std::nullopt;
    if (!end || *end > types_end_) return std::nullopt;
    if (number_ % types_per_mark == 1) marks_.push_back(at_);
    ++number_;
    at_ = *end;
    return found;
}

std::optional<BtfType> Btf::type(std::uint32_t number) {
    if (number == 0) return std::nullopt;
    while (number_ <= number)
        if (!next_type()) return std::nullopt;
    const std::uint32_t mark = (number - 1) / types_per_mark;
    auto found = type_at(marks_[mark]);
    for (std::uint32_t i = mark * types_per_mark + 1; found && i < number; ++i) found = type_at(*end_of(*found));
    return found;
}

std::optional<BtfType> Btf::plain_type(std::uint32_t number) {
    constexpr int deepest = 32;  // of typedefs; those that go round in a circle have no end
    for (int depth = 0; depth < deepest; ++depth) {
        const auto found = type(number);
        if (!found) return std::nullopt;
        switch (found->kind) {
            case BTF_KIND_TYPEDEF:
            case BTF_KIND_VOLATILE:
            case BTF_KIND_CONST:
            case BTF_KIND_RESTRICT:
            case BTF_KIND_TYPE_TAG:
                number = found->size_or_type;
                break;
            default:
                return found;
        }
    }
    return std::nullopt;
}

std::optional<BtfArray> Btf::array(const BtfType& type) {
    const std::byte* bytes =
        type.kind == BTF_KIND_ARRAY ? look(type.offset + sizeof(btf_type), sizeof(btf_array)) : nullptr;
    if (!bytes) return std::nullopt;
    return BtfArray{value_at(bytes, offsetof(btf_array, type)), value_at(bytes, offsetof(btf_array, nelems))};
}

// --- structures -----------------------------------------------------------------------------------------------

std::optional<BtfStruct> Btf::structure(const BtfType& type) {
    if (type.kind != BTF_KIND_STRUCT) return std::nullopt;
    BtfStruct found{type, name_at(type.name), type.size_or_type, {}};
    for (std::uint32_t i = 0; i < type.count; ++i) {
        const std::byte* bytes = look(type.offset + sizeof(btf_type) + i * sizeof(btf_member), sizeof(btf_member));
        if (!bytes) return std::nullopt;
        const std::uint32_t place = value_at(bytes, offsetof(btf_member, offset));
        const std::uint32_t bits = type.flag ? BTF_MEMBER_BIT_OFFSET(place) : place;
        const bool field = type.flag && BTF_MEMBER_BITFIELD_SIZE(place) != 0;
        found.members.push_back({name_at(value_at(bytes, offsetof(btf_member, name_off))),
                                 value_at(bytes, offsetof(btf_member, type)), bits / 8, field || bits % 8 != 0});
    }
    return found;
}

Result<BtfStruct> Btf::find_struct(std::string_view name) {
    const auto wanted = find_name(name);
    for (std::uint64_t at = types_; wanted && at < types_end_;) {
        const auto one = at < at_ ? type_at(at) : next_type();
        if (!one) return cut_off();
        if (one->kind == BTF_KIND_STRUCT && one->name == *wanted) {
            auto found = structure(*one);
            if (!found) return cut_off();
            return *std::move(found);
        }
        at = *end_of(*one);
    }
    return input_error(0, base::text("expected struct ", name, " in BTF, found none"));
}

const BtfMember* find_member(const BtfStruct& structure, std::string_view name) {
    const auto found = std::find_if(structure.members.begin(), structure.members.end(),
                                    [&](const BtfMember& member) { return member.name == name; });
    return found == structure.members.end() || found->in_bits ? nullptr : &*found;
}

Result<std::size_t> find_word(Btf& types, const BtfStruct& structure, std::string_view name) {
    constexpr std::uint32_t bytes_of_word = 8;
    const BtfMember* member = find_member(structure, name);
    const auto type = member ? types.plain_type(member->type) : std::nullopt;
    if (!type || type->kind != BTF_KIND_INT || type->size_or_type != bytes_of_word)
        return not_in_struct(structure, base::text("a 64-bit '", name, "'"));
    return member->offset;
}

Error not_in_struct(const BtfStruct& structure, std::string_view expected) {
    constexpr std::size_t most = 12;
    std::string names;
    for (std::size_t i = 0; i < std::min(most, structure.members.size()); ++i)
        names += base::text(i == 0 ? "" : ", ", structure.members[i].name);
    return input_error(0, base::text("expected ", expected, " in struct ", structure.name, ", found: ", names));
}

}  // namespace handoff
