// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/bzimage.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

namespace handoff {
namespace {

/// The head of an image as Debian's 6.1 has it, with single fields changed.
class Head {
public:
    Head() : bytes_(bzimage_head) {
        put<std::uint8_t>(0x1f1, 39);
        put<std::uint16_t>(0x1fe, 0xaa55);
        put<std::uint32_t>(0x202, 0x53726448);
        put<std::uint16_t>(0x206, 0x020f);
        put<std::uint16_t>(0x20e, 0x4000);
        put<std::uint8_t>(0x211, 0x01);
        put<std::uint32_t>(0x22c, 0x7fffffff);
        put<std::uint32_t>(0x230, 0x200000);
        put<std::uint8_t>(0x234, 1);
        put<std::uint16_t>(0x236, 0x7f);
        put<std::uint32_t>(0x238, 2047);
        put<std::uint32_t>(0x248, 0x2cd);
        put<std::uint32_t>(0x24c, 0x700000);
        put<std::uint64_t>(0x258, 0x1000000);
        put<std::uint32_t>(0x260, 0x3f97000);
        std::memcpy(&bytes_[0x4200], "6.1.0-50-amd64 (x@y) #1", 24);
    }
    template <class Integer>
    Head& put(std::size_t offset, Integer value) {
        std::memcpy(&bytes_[offset], &value, sizeof value);
        return *this;
    }
    [[nodiscard]] base::Result<SetupHeader> parse(std::uint64_t file_size = 8 << 20) const {
        return parse_bzimage(bytes_, file_size);
    }
    [[nodiscard]] const std::vector<std::byte>& bytes() const { return bytes_; }
    [[nodiscard]] std::string error(std::uint64_t file_size = 8 << 20) const {
        const auto header = parse(file_size);
        return header ? "no error" : header.error().message();
    }

private:
    std::vector<std::byte> bytes_;
};

TEST(BzImage, ReadsTheSetupHeader) {
    const auto header = Head().parse();
    ASSERT_TRUE(header);
    EXPECT_EQ(header->protocol, 0x020f);
    EXPECT_EQ(header->setup_size, 20480u);
    EXPECT_EQ(header->kernel_size(), (8u << 20) - 20480u);
    EXPECT_EQ(header->initrd_addr_max, 0x7fffffffu);
    EXPECT_EQ(header->kernel_alignment, 0x200000u);
    EXPECT_TRUE(header->relocatable);
    EXPECT_TRUE(header->has_64bit_entry());
    EXPECT_TRUE(header->loads_above_4g());
    EXPECT_EQ(header->cmdline_size, 2047u);
    EXPECT_EQ(header->payload_offset, 0x2cdu);
    EXPECT_EQ(header->payload_length, 0x700000u);
    EXPECT_EQ(header->pref_address, 0x1000000u);
    EXPECT_EQ(header->init_size, 0x3f97000u);
    EXPECT_EQ(header->version, "6.1.0-50-amd64 (x@y) #1");
}

TEST(BzImage, NoSetupSectorsMeanFour) { EXPECT_EQ(Head().put<std::uint8_t>(0x1f1, 0).parse()->setup_size, 2560u); }

TEST(BzImage, AVersionOutsideOfTheHeadIsNone) {
    EXPECT_EQ(Head().put<std::uint16_t>(0x20e, 0xffff).parse()->version, "");
    EXPECT_EQ(Head().put<std::uint16_t>(0x20e, 0).parse()->version, "");
}

TEST(BzImage, ErrorsNameTheOffset) {
    EXPECT_EQ(Head().put<std::uint16_t>(0x1fe, 0).error(), "not a bzImage: expected 0xaa55 at 0x1fe, found 0x0000");
    EXPECT_EQ(Head().put<std::uint32_t>(0x202, 0x20202020).error(),
              "not a bzImage: expected 'HdrS' at 0x202, found '    '");
    EXPECT_EQ(Head().put<std::uint16_t>(0, 0x5a4d).put<std::uint32_t>(0x202, 0).error(),
              "not a bzImage, but another EFI program: a unified kernel image (UKI) has the kernel inside, and is not "
              "looked into. Have kdump load the bzImage itself");
    EXPECT_TRUE(Head().put<std::uint16_t>(0, 0x5a4d).parse()) << "a bzImage with an EFI stub";
    EXPECT_EQ(Head().put<std::uint16_t>(0x206, 0x0204).error(),
              "expected boot protocol 2.12 or later at 0x206, found 2.04");
    EXPECT_EQ(Head().put<std::uint8_t>(0x211, 0).error(), "not a bzImage: expected LOADED_HIGH at 0x211, found 0x00");
    EXPECT_EQ(Head().put<std::uint32_t>(0x230, 0x300000).error(),
              "expected a power of two as kernel_alignment at 0x230, found 0x300000");
    EXPECT_EQ(Head().put<std::uint32_t>(0x230, 0).error(),
              "expected a power of two as kernel_alignment at 0x230, found 0x0");
    EXPECT_EQ(Head().put<std::uint32_t>(0x260, 0).error(), "expected an init_size at 0x260, found 0");
}

TEST(BzImage, ATruncatedFileIsAnError) {
    EXPECT_EQ(Head().error(20480), "truncated: expected more than 20480 bytes of setup, found 20480 in all");
    EXPECT_EQ(Head().error(1 << 20), "truncated: expected a payload up to 0x7052cd, found 0x100000 bytes");
    EXPECT_EQ(Head().put<std::uint32_t>(0x24c, 0xffffffff).error(),
              "truncated: expected a payload up to 0x1000052cc, found 0x800000 bytes");
    EXPECT_EQ(parse_bzimage({}, 0).error().message(),
              "not a bzImage: expected a setup header up to 0x264, found 0x0 bytes");
}

/// An image whose kernel_info holds the chunks given, at 0x300 of the protected-mode part.
std::vector<std::byte> image_with_info(const std::vector<std::uint32_t>& chunks, std::uint16_t protocol = 0x020f) {
    constexpr std::size_t setup = 20480, offset = 0x300;
    Head head;
    head.put<std::uint16_t>(0x206, protocol).put<std::uint32_t>(0x24c, 0x1000).put<std::uint32_t>(0x268, offset);
    std::vector<std::byte> image = head.bytes();
    std::vector<std::uint32_t> info = {0x506f544c, 16, static_cast<std::uint32_t>(16 + 4 * chunks.size()), 9};
    info.insert(info.end(), chunks.begin(), chunks.end());
    std::memcpy(&image[setup + offset], info.data(), 4 * info.size());
    return image;
}

bool announces(const std::vector<std::byte>& image) {
    const auto header = parse_bzimage(image, image.size());
    EXPECT_TRUE(header);
    return header && announces(read_at(image), *header, swiotlb_addr_chunk);
}

TEST(KernelInfo, AnnouncesAddrByAChunkOfVersionOne) {
    constexpr std::uint32_t tlba = 0x41424c54, other = 0x33323130;
    EXPECT_TRUE(announces(image_with_info({tlba, 12, 1})));
    EXPECT_TRUE(announces(image_with_info({other, 16, 0, 0, tlba, 12, 1})));
    EXPECT_FALSE(announces(image_with_info({})));
    EXPECT_FALSE(announces(image_with_info({tlba, 12, 2}))) << "another meaning";
    EXPECT_FALSE(announces(image_with_info({other, 12, tlba}))) << "another chunk's data";
    EXPECT_FALSE(announces(image_with_info({tlba, 12, 1}, 0x020e))) << "before there was kernel_info";
}

TEST(KernelInfo, AnnouncesPoolsOfDevicesByAChunkOfItsOwn) {
    constexpr std::uint32_t tlba = 0x41424c54, tlbd = 0x44424c54;
    const auto announces_dev = [](const std::vector<std::byte>& image) {
        return announces(read_at(image), *parse_bzimage(image, image.size()), swiotlb_dev_chunk);
    };
    EXPECT_TRUE(announces_dev(image_with_info({tlba, 12, 1, tlbd, 12, 1})));
    EXPECT_FALSE(announces_dev(image_with_info({tlba, 12, 1})));
    EXPECT_FALSE(announces(image_with_info({tlbd, 12, 1})));
    EXPECT_FALSE(announces_dev(image_with_info({tlba, 12, 1, tlbd, 12, 2}))) << "another meaning";
}

TEST(KernelInfo, MalformedAnnouncesNothing) {
    constexpr std::uint32_t tlba = 0x41424c54, other = 0x33323130;
    EXPECT_FALSE(announces(image_with_info({tlba, 8}))) << "no version";
    EXPECT_FALSE(announces(image_with_info({tlba, 16, 1}))) << "longer than kernel_info";
    EXPECT_FALSE(announces(image_with_info({other, 0, tlba, 12, 1}))) << "a chunk without a size";
    auto image = image_with_info({tlba, 12, 1});
    std::memset(&image[20480 + 0x300], 0, 4);
    EXPECT_FALSE(announces(image)) << "no LToP";
    image = image_with_info({tlba, 12, 1});
    image.resize(20480 + 0x300 + 20);
    SetupHeader header;
    header.setup_size = 20480;
    header.kernel_info_offset = 0x300;
    EXPECT_FALSE(announces(read_at(image), header, swiotlb_addr_chunk)) << "a file that ends in it";
    header.kernel_info_offset = 0xffffffff;
    EXPECT_FALSE(announces(read_at(image), header, swiotlb_addr_chunk)) << "behind the end of the file";
}

}  // namespace
}  // namespace handoff
