// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

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
};

/// nullopt for a device without a driver: its masks are the PCI core's 32 bits, whatever it
/// could do (drivers/pci/probe.c, pci_device_add()). Input error: a number that is none.
base::Result<std::optional<DmaDevice>> parse_dma_device(const PciDeviceFiles&);

/// nullopt for a device without a driver.
std::optional<PlatformDevice> parse_platform_device(const std::string& name, std::string_view uevent);

/// The lines of a uevent file that parse_dma_device() reads: no identity of the device.
std::string reduced_uevent(std::string_view uevent);

}  // namespace handoff
