// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/bzimage.hpp"

#include <algorithm>
#include <bit>
#include <vector>

#include <fmt/format.h>

#include "base/byte_cursor.hpp"
#include "base/excerpt.hpp"
#include "swiotlb-handoff/range.hpp"

namespace handoff {

using base::input_error;
using base::Result;

namespace {

// Offsets in the file, arch/x86/include/uapi/asm/bootparam.h, struct setup_header at 0x1f1.
constexpr std::uint16_t efi_magic = 0x5a4d;  // "MZ"
constexpr std::size_t setup_sects_at = 0x1f1, boot_flag_at = 0x1fe, magic_at = 0x202, protocol_at = 0x206,
                      kernel_version_at = 0x20e, loadflags_at = 0x211, initrd_addr_max_at = 0x22c,
                      kernel_alignment_at = 0x230, relocatable_at = 0x234, xloadflags_at = 0x236,
                      cmdline_size_at = 0x238, payload_offset_at = 0x248, payload_length_at = 0x24c,
                      pref_address_at = 0x258, init_size_at = 0x260, header_end = 0x264, kernel_info_offset_at = 0x268;
constexpr std::uint32_t magic = 0x53726448;  // "HdrS"
constexpr std::uint16_t oldest_protocol = 0x020c, kernel_info_protocol = 0x020f;
constexpr std::uint8_t loaded_high = 0x01;

/// An integer of the header; the caller has checked that the header is there.
template <std::unsigned_integral Integer>
Integer at(std::span<const std::byte> head, std::size_t offset) {
    return base::ByteCursor(head.subspan(offset)).take<Integer>().value_or(0);
}

/// The NUL-terminated string at `offset`; "" where it does not end in `head`.
std::string string_at(std::span<const std::byte> head, std::size_t offset) {
    if (offset >= head.size()) return {};
    const auto rest = head.subspan(offset);
    const auto end = std::find(rest.begin(), rest.end(), std::byte{0});
    if (end == rest.end()) return {};
    return {reinterpret_cast<const char*>(rest.data()), static_cast<std::size_t>(end - rest.begin())};
}

}  // namespace

Result<SetupHeader> parse_bzimage(std::span<const std::byte> head, std::uint64_t file_size) {
    if (head.size() < header_end) {
        return input_error(0, fmt::format("not a bzImage: expected a setup header up to {:#x}, found {:#x} bytes",
                                          header_end, head.size()));
    }
    const auto flag = at<std::uint16_t>(head, boot_flag_at);
    // A bzImage may be an EFI program as well, and has its own magic then.
    if (at<std::uint16_t>(head, 0) == efi_magic && (flag != 0xaa55 || at<std::uint32_t>(head, magic_at) != magic))
        return input_error(
            0,
            "not a bzImage, but another EFI program: a unified kernel image (UKI) has the kernel inside, "
            "and is not looked into. Have kdump load the bzImage itself");
    if (flag != 0xaa55) {
        return input_error(0,
                           fmt::format("not a bzImage: expected 0xaa55 at {:#x}, found {:#06x}", boot_flag_at, flag));
    }
    if (at<std::uint32_t>(head, magic_at) != magic) {
        const std::string_view found(reinterpret_cast<const char*>(head.data()) + magic_at, 4);
        return input_error(
            0, fmt::format("not a bzImage: expected 'HdrS' at {:#x}, found {}", magic_at, base::excerpt(found)));
    }

    SetupHeader header;
    header.file_size = file_size;
    header.protocol = at<std::uint16_t>(head, protocol_at);
    if (header.protocol < oldest_protocol) {
        return input_error(0, fmt::format("expected boot protocol 2.12 or later at {:#x}, found {}.{:02}", protocol_at,
                                          header.protocol >> 8, header.protocol & 0xff));
    }
    // 0 means 4, for very old loaders' sake.
    const auto setup_sects = at<std::uint8_t>(head, setup_sects_at);
    header.setup_size = ((setup_sects == 0 ? 4u : setup_sects) + 1) * 512;
    header.loadflags = at<std::uint8_t>(head, loadflags_at);
    header.initrd_addr_max = at<std::uint32_t>(head, initrd_addr_max_at);
    header.kernel_alignment = at<std::uint32_t>(head, kernel_alignment_at);
    header.relocatable = at<std::uint8_t>(head, relocatable_at) != 0;
    header.xloadflags = at<std::uint16_t>(head, xloadflags_at);
    header.cmdline_size = at<std::uint32_t>(head, cmdline_size_at);
    header.payload_offset = at<std::uint32_t>(head, payload_offset_at);
    header.payload_length = at<std::uint32_t>(head, payload_length_at);
    header.pref_address = at<std::uint64_t>(head, pref_address_at);
    header.init_size = at<std::uint32_t>(head, init_size_at);

    if ((header.loadflags & loaded_high) == 0) {
        return input_error(0, fmt::format("not a bzImage: expected LOADED_HIGH at {:#x}, found {:#04x}", loadflags_at,
                                          header.loadflags));
    }
    if (!std::has_single_bit(header.kernel_alignment)) {
        return input_error(0, fmt::format("expected a power of two as kernel_alignment at {:#x}, found {:#x}",
                                          kernel_alignment_at, header.kernel_alignment));
    }
    if (header.setup_size >= file_size) {
        return input_error(0, fmt::format("truncated: expected more than {} bytes of setup, found {} in all",
                                          header.setup_size, file_size));
    }
    const std::uint64_t payload_end = std::uint64_t{header.setup_size} + header.payload_offset + header.payload_length;
    if (payload_end > file_size) {
        return input_error(
            0, fmt::format("truncated: expected a payload up to {:#x}, found {:#x} bytes", payload_end, file_size));
    }
    if (header.init_size == 0) {
        return input_error(0, fmt::format("expected an init_size at {:#x}, found 0", init_size_at));
    }
    if (header.protocol >= kernel_info_protocol && head.size() >= kernel_info_offset_at + 4)
        header.kernel_info_offset = at<std::uint32_t>(head, kernel_info_offset_at);
    // 0x200 less than the offset in the file; 0: none.
    if (const auto offset = at<std::uint16_t>(head, kernel_version_at); offset != 0) {
        header.version = string_at(head, std::size_t{0x200} + offset);
    }
    return header;
}

bool announces(const ReadAt& image, const SetupHeader& header, std::string_view wanted) {
    // "LToP", size of the fixed part, size in all; then chunks of magic, size, data.
    constexpr std::uint32_t info_magic = 0x506f544c;
    constexpr std::uint64_t fixed_least = 12, chunk_head = 8, chunk_size = 12, most = 64 * base::KiB;
    constexpr std::uint32_t known_version = 1;
    if (header.kernel_info_offset == 0) return false;
    const std::uint64_t start = std::uint64_t{header.setup_size} + header.kernel_info_offset;
    std::vector<std::byte> info(fixed_least);
    if (!image(start, info)) return false;
    const std::uint64_t fixed = at<std::uint32_t>(info, 4), total = at<std::uint32_t>(info, 8);
    if (at<std::uint32_t>(info, 0) != info_magic || fixed < fixed_least || total < fixed || total > most) return false;
    info.resize(total);
    if (!image(start, info)) return false;
    for (std::uint64_t chunk = fixed; chunk + chunk_head <= total;) {
        const std::uint64_t size = at<std::uint32_t>(info, chunk + 4);
        if (size < chunk_head || size > total - chunk) return false;
        const std::string_view label(reinterpret_cast<const char*>(&info[chunk]), 4);
        if (label == wanted) return size >= chunk_size && at<std::uint32_t>(info, chunk + chunk_head) == known_version;
        chunk += size;
    }
    return false;
}

}  // namespace handoff
