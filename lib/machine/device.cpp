// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/machine/device.hpp"

#include <algorithm>
#include <iterator>
#include <string_view>

namespace handoff {

using std::string_view;

bool drives_without_dma(const PlatformDevice& device) {
    // Clocks, consoles, sensors, firmware interfaces: no dma_*() call in any of them (Linux 7.2). Drivers of ACPI
    // devices are on the platform bus from 6.x and 7.x on, with names of their own. fw_cfg has QEMU write to memory of
    // its own by its physical address, and waits for it (drivers/firmware/qemu_fw_cfg.c, fw_cfg_dma_transfer()).
    static constexpr string_view drivers[] = {"GHES",
                                              "ac",
                                              "acpi-battery",
                                              "acpi-button",
                                              "acpi-cpufreq",
                                              "acpi-ec",
                                              "acpi-fan",
                                              "acpi-ged",
                                              "acpi-hardware-error-device",
                                              "acpi-tad",
                                              "acpi-thermal",
                                              "acpi-tiny-power-button",
                                              "acpi_pad",
                                              "acpi_power_meter",
                                              "alarmtimer",
                                              "button",
                                              "coretemp",
                                              "efi-framebuffer",
                                              "efivars",
                                              "fan",
                                              "fw_cfg",
                                              "gpio-keys",
                                              "i8042",
                                              "iTCO_wdt",
                                              "intel_rapl_msr",
                                              "intel_pmc_core",
                                              "ipmi_si",
                                              "pcspkr",
                                              "power",
                                              "processor_aggregator",
                                              "reg-dummy",
                                              "rtc-efi",
                                              "rtc_cmos",
                                              "serial8250",
                                              "simple-framebuffer",
                                              "thermal",
                                              "tpm_tis",
                                              "vesa-framebuffer",
                                              "vmgenid"};
    return std::find(std::begin(drivers), std::end(drivers), device.driver) != std::end(drivers);
}

bool drives_without_dma(const DmaDevice& device) {
    // include/linux/pci_ids.h. These have the PCI core's default mask and use none. Some devices of such a class do
    // DMA all the same, as a QDMA engine that calls itself memory does, and then bus mastering is on. In host bridges
    // and ISA bridges that bit is wired to 1, and UEFI sets it in SMBus controllers, which have nothing to do DMA with.
    const std::uint32_t base = device.pci_class >> 16, sub = device.pci_class >> 8;
    constexpr std::uint32_t memory = 0x05, bridge = 0x06, processor = 0x0b, smbus = 0x0c05, counters = 0x1101,
                            host_bridge = 0x0600, isa_bridge = 0x0601;
    if (sub == host_bridge || sub == isa_bridge || sub == smbus) return true;
    const bool passive = base == memory || base == bridge || base == processor || sub == counters;
    if (passive && !device.masters_bus.value_or(false)) return true;
    // The processor's own counters and error reporting are "system peripherals" on servers.
    if (device.driver.ends_with("_uncore") || device.driver.ends_with("_edac")) return true;
    // Of servers and of QEMU: their memory is written to by the processor (drivers/gpu/drm/ast, mgag200, tiny/bochs.c,
    // tiny/cirrus.c).
    static constexpr string_view graphics[] = {"ast", "mgag200", "bochs-drm", "cirrus", "cirrus-qemu"};
    return std::find(std::begin(graphics), std::end(graphics), device.driver) != std::end(graphics);
}

bool needs_low_memory(const DmaDevice& device) { return device.coherent_bits <= 32 && !drives_without_dma(device); }

}  // namespace handoff
