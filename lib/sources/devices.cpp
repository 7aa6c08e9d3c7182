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

constexpr std::size_t vendor_at = 0, command_at = 4, class_at = 9, header_type_at = 14, header_end = 16;
constexpr std::uint16_t via = 0x1106;
constexpr std::uint32_t host_bridge = 0x0600, isa_bridge = 0x0601, pci_bridge = 0x0604, smbus = 0x0c05;

}  // namespace

std::optional<PciHeader> parse_pci_header(string_view config) {
    if (config.size() < header_end) return std::nullopt;
    const auto byte = [&](std::size_t at) { return std::uint32_t{static_cast<unsigned char>(config[at])}; };
    constexpr std::uint32_t bus_master = 4, type_mask = 0x7f;  // its upper bit: there are more functions
    PciHeader header;
    header.vendor = static_cast<std::uint16_t>(byte(vendor_at) | byte(vendor_at + 1) << 8);
    header.pci_class = byte(class_at) | byte(class_at + 1) << 8 | byte(class_at + 2) << 16;
    header.masters_bus = (byte(command_at) & bus_master) != 0 && (byte(header_type_at) & type_mask) == 0;
    return header;
}

std::string reduced_pci_header(string_view config) {
    const auto header = parse_pci_header(config);
    if (!header) return {};
    std::string kept(header_end, '\0');
    const auto keep = [&](std::size_t at, std::size_t bytes) {
        std::copy_n(config.begin() + static_cast<std::ptrdiff_t>(at), bytes,
                    kept.begin() + static_cast<std::ptrdiff_t>(at));
    };
    if (header->vendor == via) keep(vendor_at, 2);
    keep(command_at, 1);
    keep(class_at, 3);
    keep(header_type_at, 1);
    return kept;
}

bool is_narrow_bridge(const PciHeader& header) { return header.vendor == via && header.pci_class >> 8 == pci_bridge; }

bool masters_without_driver(const PciHeader& header) {
    const std::uint32_t kind = header.pci_class >> 8;
    return header.masters_bus && kind != host_bridge && kind != isa_bridge && kind != smbus;
}

base::Result<std::vector<base::AddressRange>> parse_firmware_dma(string_view reserved_regions) {
    std::vector<base::AddressRange> found;
    for (std::size_t number = 1; !reserved_regions.empty(); ++number) {
        const string_view text = take_line(reserved_regions);
        base::Scan line(text);
        const auto start = line.hex();
        const bool apart = line.take(' ');
        const auto last = line.hex();
        const auto range = start && last ? base::AddressRange::from_inclusive(*start, *last) : std::nullopt;
        if (!apart || !line.take(' ') || (start && last && *last < *start))
            return base::input_error(number,
                                     fmt::format("expected two addresses and a kind, found {}", base::excerpt(text)));
        if (trimmed(line.rest()) != "direct" && trimmed(line.rest()) != "direct-relaxable") continue;
        if (!range)
            return base::input_error(number, fmt::format("expected a range of memory, found {}", base::excerpt(text)));
        found.push_back(*range);
    }
    return found;
}

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
    if (const auto header = parse_pci_header(files.config)) device.masters_bus = header->masters_bus;
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
