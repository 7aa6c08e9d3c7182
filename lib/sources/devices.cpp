// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/devices.hpp"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "base/excerpt.hpp"
#include "base/number.hpp"
#include "base/scan.hpp"

namespace handoff {

using base::take_line;
using base::trimmed;
namespace {

using std::string_view;

/// The value of "KEY=value"; "" without one.
string_view uevent_value(string_view uevent, string_view key) {
    while (!uevent.empty()) {
        const string_view line = take_line(uevent);
        if (line.starts_with(key) && line.substr(key.size()).starts_with('=')) return line.substr(key.size() + 1);
    }
    return {};
}

base::Result<unsigned> bits_of(const std::string& text, const char* file) {
    const auto bits = base::parse_number(trimmed(text), 10);
    if (!bits || *bits > 64)
        return base::input_error(
            1, fmt::format("expected 0 to 64 bits in {}, found {}", file, base::excerpt(trimmed(text))));
    return static_cast<unsigned>(*bits);
}

}  // namespace

base::Result<std::optional<DmaDevice>> parse_dma_device(const PciDeviceFiles& files) {
    DmaDevice device;
    device.name = files.name;
    device.driver = uevent_value(files.uevent, "DRIVER");
    if (device.driver.empty()) return std::optional<DmaDevice>();
    // "PCI_CLASS=%04X" of all 24 bits: pci_uevent() in drivers/pci/pci-driver.c.
    const auto number = base::parse_number(uevent_value(files.uevent, "PCI_CLASS"), 16);
    if (!number || *number > 0xffffff)
        return base::input_error(0, fmt::format("expected PCI_CLASS= in uevent of {}", files.name));
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

std::string reduced_uevent(string_view uevent) {
    std::string kept;
    while (!uevent.empty()) {
        const string_view line = take_line(uevent);
        if (line.starts_with("DRIVER=") || line.starts_with("PCI_CLASS=")) kept += std::string(line) + "\n";
    }
    return kept;
}

}  // namespace handoff
