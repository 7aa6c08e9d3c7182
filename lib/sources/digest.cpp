// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/digest.hpp"

#include <cstdint>
#include <string_view>

#include <fmt/format.h>

#include "lib/sources/gather.hpp"
#include "lib/sources/host.hpp"
#include "lib/sources/kernel_config.hpp"
#include "lib/sources/kernel_memory.hpp"
#include "lib/sources/kexec_program.hpp"

namespace handoff {

namespace {

/// What of a source tells one machine, or one boot, from another; "" of those that are too large to be read again.
std::string said_by(const Host& host, const SourceInfo& source, const std::string& release) {
    std::string text;
    switch (source.kept) {
        case Kept::entries:
            if (const auto entries = host.firmware_map())
                for (const FirmwareMapFiles& each : *entries) text += each.start + each.end + each.type;
            return text;
        case Kept::pci_drivers:
            if (const auto devices = host.pci_devices())
                for (const PciDeviceFiles& each : *devices)
                    text += each.name + each.uevent + each.streaming_bits + each.coherent_bits + each.removable +
                            reduced_pci_header(each.config);
            return text;
        case Kept::reserved_regions:
            if (const auto groups = host.iommu_groups())
                for (const auto& [name, regions] : *groups) text.append(name).append(regions);
            return text;
        case Kept::platform_drivers:
            if (const auto devices = host.platform_devices())
                for (const auto& [name, uevent] : *devices) text.append(name).append(uevent);
            return text;
        case Kept::pool_in_memory:
            if (source.id != Source::kallsyms) return text;
            if (const auto symbols = host.symbols(wanted_symbols()))
                for (const auto& [name, address] : *symbols) text += fmt::format("{} {:x}\n", name, address);
            return text;
        case Kept::presence:
            return host.exists(source.id) ? "there" : "";
        case Kept::options_that_count:
            return read_config_text(host, source.id, release).value_or("");
        case Kept::lines_that_count:
            return host.kernel_log().value_or("");
        case Kept::size_alone:
            return text;
        case Kept::nothing:
            return source.id == Source::not_permitted ? host.read(source.id).value_or("") : text;
        default:
            return host.read(source.id).value_or("");
    }
}

}  // namespace

std::string digest_of(const Host& host) {
    std::uint64_t hash = 0xcbf29ce484222325;
    const auto add = [&](std::string_view bytes) {
        for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    };
    const std::string release = release_of(host);
    for (const SourceInfo& source : sources()) {
        add(said_by(host, source, release));
        add(std::string_view("\0", 1));
    }
    if (const auto kexec = find_kexec(host)) add(kexec->version);
    return fmt::format("{:016x}", hash);
}

}  // namespace handoff
