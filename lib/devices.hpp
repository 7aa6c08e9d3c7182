// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "e820/result.hpp"

namespace handoff {

/// The files of one directory in /sys/bus/pci/devices, as they are; "" where one is missing.
struct PciDeviceFiles {
    std::string name;  ///< of the directory: "0000:00:1f.2"
    std::string uevent;
    std::string streaming_bits;  ///< dma_mask_bits
    std::string coherent_bits;   ///< consistent_dma_mask_bits
    std::string removable;       ///< where the kernel can tell: behind an external-facing port, "removable"
};

/// A PCI device that a driver drives, and how far it says that it can address memory.
struct DmaDevice {
    std::string name;    ///< "0000:00:1f.2"
    std::string driver;  ///< "ahci"
    std::uint32_t pci_class = 0;  ///< 24 bits: base class, subclass, programming interface
    unsigned streaming_bits = 0;  ///< bounced through the pool where it is too short
    unsigned coherent_bits = 0;   ///< nothing bounces coherent memory
    friend bool operator==(const DmaDevice&, const DmaDevice&) = default;
};

/// nullopt for a device without a driver: its masks are the PCI core's 32 bits, whatever it
/// could do (drivers/pci/probe.c, pci_device_add()). Input error: a number that is none.
e820::Result<std::optional<DmaDevice>> parse_dma_device(const PciDeviceFiles&);

/// Its coherent buffers have to lie below 4 GiB, as far as one can tell from outside:
/// a mask of 32 bits or less, and a kind of device that does DMA at all. A driver that never
/// asked for more than the default counts as one that needs it.
bool needs_low_memory(const DmaDevice&);

/// A device of the platform bus that a driver drives: sysfs does not say how far such a one can address memory.
struct PlatformDevice {
    std::string name;    ///< of the directory: "PNP0103:00"
    std::string driver;  ///< "rtc_cmos"
    friend bool operator==(const PlatformDevice&, const PlatformDevice&) = default;
};
/// nullopt for a device without a driver.
std::optional<PlatformDevice> parse_platform_device(const std::string& name, std::string_view uevent);

/// The driver is one that does no DMA: those that machines with a platform bus usually have. What is not known counts as
/// one that does.
bool drives_without_dma(const PlatformDevice&);

/// The driver never asks the device for DMA, whatever its mask says: bridges and the like, and graphics that are only written to.
bool drives_without_dma(const DmaDevice&);

/// The lines of a uevent file that parse_dma_device() reads: no identity of the device.
std::string reduced_uevent(std::string_view uevent);

}  // namespace handoff
