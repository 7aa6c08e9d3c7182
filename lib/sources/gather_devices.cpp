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
    std::vector<std::string> external, masters, narrow;
    bool all_headers = true;
    for (const PciDeviceFiles& one : *files) {
        const auto header = parse_pci_header(one.config);
        all_headers = all_headers && header;
        if (header && is_narrow_bridge(*header)) narrow.push_back(one.name);
        if (trimmed(one.removable) == "removable") external.push_back(one.name);
        auto device = parse_dma_device(one);
        if (!device) {
            // One that cannot be read might be the one that matters.
            g.machine.unread.push_back(std::move(device).error().at(g.path(Source::pci_devices) + "/" + one.name));
            return;
        }
        if (*device)
            devices.push_back(*std::move(*device));
        else if (header && masters_without_driver(*header))
            masters.push_back(one.name);
    }
    if (all_headers) {
        g.machine.ownerless_masters = std::move(masters);
        g.machine.narrow_bridges = std::move(narrow);
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

void read_iommu_groups(Gathering& g) {
    const auto groups = g.host.iommu_groups();
    if (!groups) {
        // A kernel that knows of no IOMMU at all has no such directory (CONFIG_IOMMU_API).
        if (groups.error().code != Errc::not_found)
            g.note(groups.error(), Source::iommu_groups);
        else if (g.host.live())
            g.machine.iommu_groups = 0;
        return;
    }
    for (const auto& [name, regions] : *groups) {
        auto ranges = parse_firmware_dma(regions);
        if (!ranges) {
            g.machine.unread.push_back(std::move(ranges).error().at(g.path(Source::iommu_groups) + "/" + name));
            return;
        }
        g.machine.firmware_dma.insert(g.machine.firmware_dma.end(), ranges->begin(), ranges->end());
    }
    g.machine.iommu_groups = static_cast<unsigned>(groups->size());
}

}  // namespace

void read_devices(Gathering& g) {
    read_pci_devices(g);
    read_platform_devices(g);
    read_iommu_groups(g);
}

}  // namespace handoff
