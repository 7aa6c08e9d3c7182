// SPDX-License-Identifier: GPL-2.0-or-later
#include <utility>

#include "base/scan.hpp"
#include "lib/sources/devices.hpp"
#include "lib/sources/gathering.hpp"

namespace handoff {

using base::trimmed;
namespace {

void read_pci_devices(Gathering& g) {
    const auto files = g.optional(g.host.pci_devices(), Source::pci_devices);
    if (!files) return;
    std::vector<DmaDevice> devices;
    std::vector<std::string> external;
    for (const PciDeviceFiles& one : *files) {
        if (trimmed(one.removable) == "removable") external.push_back(one.name);
        auto device = parse_dma_device(one);
        if (!device) {
            // One that cannot be read might be the one that matters.
            g.machine.unread.push_back(std::move(device).error().at(g.path(Source::pci_devices) + "/" + one.name));
            return;
        }
        if (*device) devices.push_back(*std::move(*device));
    }
    g.machine.devices = std::move(devices);
    g.machine.external_devices = std::move(external);
}

void read_platform_devices(Gathering& g) {
    const auto files = g.optional(g.host.platform_devices(), Source::platform_devices);
    if (!files) return;
    g.machine.platform_devices.emplace();
    for (const auto& [name, uevent] : *files)
        if (auto device = parse_platform_device(name, uevent))
            g.machine.platform_devices->push_back(*std::move(device));
}

}  // namespace

void read_devices(Gathering& g) {
    read_pci_devices(g);
    read_platform_devices(g);
}

}  // namespace handoff
