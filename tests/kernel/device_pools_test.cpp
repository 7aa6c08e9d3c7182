// SPDX-License-Identifier: GPL-2.0-or-later
// What a kernel with the patches in kernel/ makes of its swiotlb_dev= words (kernel/dma/swiotlb.c, swiotlb_parse_dev(),
// swiotlb_addr_refusal()).
#include <gtest/gtest.h>

#include <string>

#include "lib/kernel/device_pools.hpp"

namespace handoff {
namespace {

using base::GiB;
using base::MiB;

std::optional<DevicePool> read(const std::string& value) {
    const auto line = *CommandLine::parse("swiotlb_dev=" + value);
    return device_pool_of(line.words().front());
}

AddressRange sized(Address start, std::uint64_t size) { return *AddressRange::from_size(start, size); }

// The cases of kernel/dma/swiotlb_kunit.c, swiotlb_dev_cases[], that are accepted there.
TEST(DevicePoolWord, NamesSlabsAddressAndDevices) {
    const struct {
        const char* value;
        AddressRange range;
        const char* devices;
    } rows[] = {
        {"512,addr=256M,00:04.0", sized(256 * MiB, MiB), "00:04.0"},
        {"0x200,addr=0x10000000,0001:00:04.0", sized(256 * MiB, MiB), "0001:00:04.0"},
        {"512,addr=256M,00:1c.0/00.0", sized(256 * MiB, MiB), "00:1c.0/00.0"},
        {"8192,addr=1G,pci:1b36:0010", sized(GiB, 16 * MiB), "pci:1b36:0010"},
        {"8192,addr=1G,pci:1b36:0010:0:0;00:04.0", sized(GiB, 16 * MiB), "pci:1b36:0010:0:0;00:04.0"},
        {"512,addr=256M,x,y", sized(256 * MiB, MiB), "x,y"},
        {"512,addr=4095M,00:04.0", sized(4095 * MiB, MiB), "00:04.0"},
    };
    for (const auto& row : rows) {
        const auto pool = read(row.value);
        ASSERT_TRUE(pool) << row.value;
        EXPECT_EQ(*pool, (DevicePool{row.devices, row.range, {}})) << row.value;
        EXPECT_EQ(device_pool_of(CommandLine::parse(device_pool_word(*pool))->words().front()), pool) << row.value;
    }
}

TEST(DevicePoolWord, IsRefusedForItsForm) {
    for (const char* value :
         {"", ",addr=256M,00:04.0", "512x,addr=256M,00:04.0", "-512,addr=256M,00:04.0", "addr=256M,512,00:04.0", "512",
          "512,00:04.0", "512,force,addr=256M,00:04.0", "512,addr=,00:04.0", "512,addr=256Mx,00:04.0",
          "512,addr=-1,00:04.0", "512,addr=256M", "512,addr=256M,"}) {
        EXPECT_FALSE(read(value)) << value;
        EXPECT_FALSE(has_form_of_device_pool(CommandLine::parse("swiotlb_dev=" + std::string(value))->words().front()))
            << value;
    }
    EXPECT_TRUE(read("512,addr=256M," + std::string(63, '1')));
    EXPECT_FALSE(read("512,addr=256M," + std::string(64, '1'))) << "a name that is too long";
}

TEST(DevicePoolWord, IsRefusedForItsRange) {
    for (const char* value :
         {"256,addr=256M,a", "500,addr=256M,a", "768,addr=256M,a", "0,addr=256M,a", "512,addr=0,a",
          "512,addr=0x10000800,a", "512,addr=0xfff01000,a", "512,addr=4G,a", "0x8000000000000000,addr=256M,a"}) {
        EXPECT_FALSE(read(value)) << value;
        EXPECT_TRUE(has_form_of_device_pool(CommandLine::parse("swiotlb_dev=" + std::string(value))->words().front()))
            << value;
    }
}

TEST(DevicePools, OfALineAreAtMostEight) {
    std::string line = "quiet";
    for (int i = 1; i <= 9; ++i)
        line += " swiotlb_dev=512,addr=" + std::to_string(i) + "M,00:0" + std::to_string(i) + ".0";
    EXPECT_EQ(device_pools_on(*CommandLine::parse(line)).size(), 8u);
    EXPECT_EQ(device_pools_on(*CommandLine::parse("swiotlb_dev=500,addr=9M,a " + line)).size(), 7u)
        << "one that is refused for its range counts";
    EXPECT_EQ(device_pools_on(*CommandLine::parse("swiotlb_dev=x,addr=9M,a " + line)).size(), 8u);
    EXPECT_TRUE(device_pools_on(*CommandLine::parse("-- swiotlb_dev=512,addr=9M,a")).empty());
}

TEST(DevicePools, AreInheritedWhereTheLineAddsTheirMemory) {
    const auto inherited = [](const char* line) { return inherited_device_pools(*CommandLine::parse(line)).size(); };
    EXPECT_EQ(inherited("swiotlb_dev=512,addr=256M,a memmap=64M@1G,1M@256M"), 1u);
    EXPECT_EQ(inherited("swiotlb_dev=512,addr=256M,a"), 0u);
    EXPECT_EQ(inherited("swiotlb_dev=512,addr=256M,a memmap=2M@256M"), 0u);
    EXPECT_EQ(inherited("swiotlb_dev=512,addr=256M,a memmap=1M$256M"), 0u);
}

}  // namespace
}  // namespace handoff
