// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "swiotlb-handoff/machine.hpp"
#include "swiotlb-handoff/result.hpp"

namespace handoff {

/// The files of one directory in /sys/bus/pci/devices, as they are; "" where one is missing.
struct PciDeviceFiles {
    std::string name;  ///< of the directory: "0000:00:1f.2"
    std::string uevent;
    std::string streaming_bits;  ///< dma_mask_bits
    std::string coherent_bits;   ///< consistent_dma_mask_bits
    std::string removable;       ///< where the kernel can tell: behind an external-facing port, "removable"
    std::string config;          ///< the beginning of its configuration space, as bytes
};

/// Of the configuration space of PCI the header that any reader is given (PCI Local Bus Specification 3.0, 6.1).
inline constexpr std::size_t pci_header_bytes = 64;

/// What is read of such a header.
struct PciHeader {
    std::uint16_t vendor = 0;
    std::uint32_t pci_class = 0;  ///< 24 bits
    bool masters_bus = false;     ///< no bridge to another bus (header type 0), and bus mastering is on
};
/// nullopt where there are not as many bytes.
std::optional<PciHeader> parse_pci_header(std::string_view config);
/// The same with nothing but what is read of it; of the vendor only whether it is VIA. "" of one that is cut off.
std::string reduced_pci_header(std::string_view config);
/// Devices behind this bridge are told to address 32 bits: Machine::narrow_bridges.
bool is_narrow_bridge(const PciHeader&);
/// It may write to memory although no driver asks it to. Not host and ISA bridges (classes 0600 and 0601), in which the
/// bit is wired to 1, and SMBus controllers (0c05), which have nothing to do DMA with; firmware sets it in them, too.
bool masters_without_driver(const PciHeader&);

/// The ranges of one reserved_regions of an IOMMU group that are to be mapped at their own address
/// (drivers/iommu/iommu.c, iommu_group_show_resv_regions(): "0x… 0x… direct", the end inclusive). Input errors name the
/// line.
base::Result<std::vector<base::AddressRange>> parse_firmware_dma(std::string_view reserved_regions);

/// nullopt for a device without a driver: its masks are the PCI core's 32 bits, whatever it
/// could do (drivers/pci/probe.c, pci_device_add()). Input error: a number that is none.
base::Result<std::optional<DmaDevice>> parse_dma_device(const PciDeviceFiles&);

/// nullopt for a device without a driver.
std::optional<PlatformDevice> parse_platform_device(const std::string& name, std::string_view uevent);

/// The lines of a uevent file that parse_dma_device() reads: no identity of the device.
std::string reduced_uevent(std::string_view uevent);

}  // namespace handoff
