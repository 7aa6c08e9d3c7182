// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/bzimage.hpp"

#include <gtest/gtest.h>

#include <cstring>

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
    [[nodiscard]] e820::Result<SetupHeader> parse(std::uint64_t file_size = 8 << 20) const {
        return parse_bzimage(bytes_, file_size);
    }
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

}  // namespace
}  // namespace handoff
