// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/devices.hpp"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "e820/excerpt.hpp"
#include "e820/number.hpp"
#include "lib/scan.hpp"

namespace handoff {
namespace {

using std::string_view;

string_view trimmed(string_view text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
    return text;
}

/// The value of "KEY=value"; "" without one.
string_view uevent_value(string_view uevent, string_view key) {
    while (!uevent.empty()) {
        const string_view line = take_line(uevent);
        if (line.starts_with(key) && line.substr(key.size()).starts_with('=')) return line.substr(key.size() + 1);
    }
    return {};
}

e820::Result<unsigned> bits_of(const std::string& text, const char* file) {
    const auto bits = e820::parse_number(trimmed(text), 10);
    if (!bits || *bits > 64)
        return e820::input_error(1, fmt::format("expected 0 to 64 bits in {}, found {}", file, e820::excerpt(trimmed(text))));
    return static_cast<unsigned>(*bits);
}

}  // namespace

e820::Result<std::optional<DmaDevice>> parse_dma_device(const PciDeviceFiles& files) {
    DmaDevice device;
    device.name = files.name;
    device.driver = uevent_value(files.uevent, "DRIVER");
    if (device.driver.empty()) return std::optional<DmaDevice>();
    // "PCI_CLASS=%04X" of all 24 bits: pci_uevent() in drivers/pci/pci-driver.c.
    const auto number = e820::parse_number(uevent_value(files.uevent, "PCI_CLASS"), 16);
    if (!number || *number > 0xffffff) return e820::input_error(0, fmt::format("expected PCI_CLASS= in uevent of {}", files.name));
    device.pci_class = static_cast<std::uint32_t>(*number);
    const auto streaming = bits_of(files.streaming_bits, "dma_mask_bits");
    if (!streaming) return streaming.error();
    const auto coherent = bits_of(files.coherent_bits, "consistent_dma_mask_bits");
    if (!coherent) return coherent.error();
    device.streaming_bits = *streaming;
    device.coherent_bits = *coherent;
    return std::optional(device);
}

std::optional<PlatformDevice> parse_platform_device(const std::string& name, string_view uevent) {
    PlatformDevice device{name, std::string(uevent_value(uevent, "DRIVER"))};
    if (device.driver.empty()) return std::nullopt;
    return device;
}

bool drives_without_dma(const PlatformDevice& device) {
    // Clocks, consoles, sensors, firmware interfaces: no dma_*() call in any of them (Linux 7.2).
    static constexpr string_view drivers[] = {
        "GHES", "acpi-cpufreq", "acpi-ged", "acpi_pad", "acpi_power_meter", "alarmtimer", "button", "coretemp", "efi-framebuffer", "efivars",
        "fan", "gpio-keys", "i8042", "iTCO_wdt", "intel_rapl_msr", "intel_pmc_core", "ipmi_si", "pcspkr", "power", "qemu_fw_cfg",
        "reg-dummy", "rtc-efi", "rtc_cmos", "serial8250", "simple-framebuffer", "thermal", "tpm_tis", "vesa-framebuffer", "vmgenid"};
    return std::find(std::begin(drivers), std::end(drivers), device.driver) != std::end(drivers);
}

bool drives_without_dma(const DmaDevice& device) {
    // include/linux/pci_ids.h. These have the PCI core's default mask and use none.
    const std::uint32_t base = device.pci_class >> 16, sub = device.pci_class >> 8;
    constexpr std::uint32_t memory = 0x05, bridge = 0x06, processor = 0x0b, smbus = 0x0c05, counters = 0x1101;
    if (base == memory || base == bridge || base == processor || sub == smbus || sub == counters) return true;
    // The processor's own counters and error reporting are "system peripherals" on servers.
    if (device.driver.ends_with("_uncore") || device.driver.ends_with("_edac")) return true;
    // Of servers and of QEMU: their memory is written to by the processor (drivers/gpu/drm/ast, mgag200, tiny/bochs.c, tiny/cirrus.c).
    static constexpr string_view graphics[] = {"ast", "mgag200", "bochs-drm", "cirrus", "cirrus-qemu"};
    return std::find(std::begin(graphics), std::end(graphics), device.driver) != std::end(graphics);
}

bool needs_low_memory(const DmaDevice& device) { return device.coherent_bits <= 32 && !drives_without_dma(device); }

std::string reduced_uevent(string_view uevent) {
    std::string kept;
    while (!uevent.empty()) {
        const string_view line = take_line(uevent);
        if (line.starts_with("DRIVER=") || line.starts_with("PCI_CLASS=")) kept += std::string(line) + "\n";
    }
    return kept;
}

}  // namespace handoff
