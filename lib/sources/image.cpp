// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/image.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include <fmt/format.h>

#include "lib/sources/bzimage.hpp"
#include "lib/sources/host.hpp"
#include "lib/sources/user_file.hpp"

namespace handoff {
namespace {

// Every compressor of the kernel build ends the payload with the uncompressed
// size, 32 bits little-endian (scripts/Makefile.lib, size_append; gzip has it anyway).
std::uint32_t announced_size(const ReadAt& image, const SetupHeader& header) {
    const std::uint64_t end = std::uint64_t{header.setup_size} + header.payload_offset + header.payload_length;
    std::array<std::byte, 4> bytes{};
    if (header.payload_length < bytes.size() || !image(end - bytes.size(), bytes)) return 0;
    std::uint32_t size = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i) size |= std::to_integer<std::uint32_t>(bytes[i]) << (8 * i);
    return size;
}

}  // namespace

Result<Image> image_of(const ReadAt& file, std::uint64_t size) {
    std::vector<std::byte> head(std::min<std::uint64_t>(size, bzimage_head));
    if (!file(0, head)) return base::input_error(0, "truncated while it was read");
    const auto header = parse_bzimage(head, size);
    if (!header) return header.error();
    if (!header->relocatable || !header->has_64bit_entry() || !header->loads_above_4g())
        return base::input_error(
            0, "expected a relocatable 64-bit bzImage, found one that kexec cannot load as a crash kernel");
    if (header->kernel_alignment == 0 || (header->kernel_alignment & (header->kernel_alignment - 1)) != 0)
        return base::input_error(
            0, fmt::format("expected kernel_alignment to be a power of two, found {:#x}", header->kernel_alignment));
    Image image;
    image.init_size = header->init_size;
    image.kernel_alignment = header->kernel_alignment;
    image.pref_address = header->pref_address;
    image.setup_bytes = header->setup_size;
    image.cmdline_size = header->cmdline_size;
    image.payload_bytes = header->payload_length;
    image.swiotlb_addr = announces(file, *header, swiotlb_addr_chunk);
    image.swiotlb_dev = announces(file, *header, swiotlb_dev_chunk);
    image.release = header->version.substr(0, header->version.find(' '));
    // More than four times init_size is no size of this image: a payload that
    // somebody appended a signature to.
    if (const auto unpacked = announced_size(file, *header); unpacked < 4 * image.init_size)
        image.uncompressed_bytes = unpacked;
    return image;
}

Result<Image> read_image(const std::filesystem::path& path) {
    const auto file = open_user_file(path, largest_image);
    if (!file) return file.error();
    auto image = image_of(read_at(file->fd), file->size);
    if (!image) return std::move(image).error().at(path.string());
    return image;
}

}  // namespace handoff
