// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "lib/sources/read_at.hpp"
#include "swiotlb-handoff/result.hpp"

namespace handoff {

/// How much of a kernel image parse_bzimage() wants to see, bytes.
inline constexpr std::size_t bzimage_head = 64 * 1024;

/// What a loader reads of an x86 kernel image; the names are those of
/// Documentation/arch/x86/boot.rst. Sizes in bytes.
struct SetupHeader {
    std::uint64_t file_size = 0;
    std::uint16_t protocol = 0;    ///< 0x020f: 2.15
    std::uint32_t setup_size = 0;  ///< real-mode part: (setup_sects + 1) * 512
    std::uint8_t loadflags = 0;
    std::uint32_t initrd_addr_max = 0;  ///< the last byte an initrd may take, where it must be low
    std::uint32_t kernel_alignment = 0;
    bool relocatable = false;
    std::uint16_t xloadflags = 0;
    std::uint32_t cmdline_size = 0;    ///< of the longest command line, without its NUL
    std::uint32_t payload_offset = 0;  ///< of the compressed kernel, from the end of the setup
    std::uint32_t payload_length = 0;
    std::uint64_t pref_address = 0;
    std::uint32_t init_size = 0;  ///< memory the kernel needs from where it runs until it has a memory map
    /// From the start of the protected-mode part; 0 before protocol 2.15.
    std::uint32_t kernel_info_offset = 0;
    std::string version;  ///< "6.1.0-18-amd64 (…) #1 SMP …"; "" where the image has none

    /// XLF_KERNEL_64: has the 64-bit entry that both loaders use.
    [[nodiscard]] bool has_64bit_entry() const { return (xloadflags & 0x1) != 0; }
    /// XLF_CAN_BE_LOADED_ABOVE_4G: so can the initrd and the command line.
    [[nodiscard]] bool loads_above_4g() const { return (xloadflags & 0x2) != 0; }
    /// The protected-mode part, which is what is loaded and decompresses itself.
    [[nodiscard]] std::uint64_t kernel_size() const { return file_size - setup_size; }

    friend bool operator==(const SetupHeader&, const SetupHeader&) = default;
};

/// The setup header of a kernel image, from its first bytes (bzimage_head of
/// them, or all) and the size of the whole file. Errors name the offset: no bzImage,
/// a boot protocol before 2.12 (Linux 3.8, the first with the 64-bit entry), a
/// file that ends before what its header promises.
base::Result<SetupHeader> parse_bzimage(std::span<const std::byte> head, std::uint64_t file_size);

/// What an image with the patches in kernel/ announces: that its kernel understands swiotlb=<slabs>,addr=<phys>, and
/// swiotlb_dev=<slabs>,addr=<phys>,<device>.
inline constexpr std::string_view swiotlb_addr_chunk = "TLBA", swiotlb_dev_chunk = "TLBD";

/// The image announces this: it has such a chunk, of four letters, with version 1 in kernel_info
/// (Documentation/arch/x86/boot.rst, "The kernel_info"), which is outside the compressed payload.
/// Of the file only kernel_info is read. False where that is missing, malformed, or has another version.
bool announces(const ReadAt& image, const SetupHeader&, std::string_view chunk);

}  // namespace handoff
