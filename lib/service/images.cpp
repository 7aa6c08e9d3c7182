// SPDX-License-Identifier: GPL-2.0-or-later
// Where a kdump service has the crash kernel's image and initrd.
#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "lib/service/service.hpp"
#include "lib/service/shell_config.hpp"
#include "lib/sources/host.hpp"
#include "lib/sources/layout.hpp"
#include "lib/sources/listing.hpp"

namespace handoff {
namespace {

using std::string_view;

/// Where the kernel itself is installed, whoever loads it again.
constexpr std::array<string_view, 2> installed_kernels{"boot/vmlinuz-{0}", "usr/lib/modules/{0}/vmlinuz"};

// An image of the machine's, and the directory in which its own path has it.
struct FoundImage {
    std::filesystem::path file;
    std::string directory;
};

// The paths that a path with "*" for one component can be.
std::vector<std::string> expanded(const Host& host, std::string path) {
    const auto star = path.find("/*/");
    if (star == path.npos) return {std::move(path)};
    std::vector<std::string> paths;
    if (const auto names = host.names_in(path.substr(0, star)))
        for (const std::string& name : *names)
            paths.push_back(fmt::format("{}/{}/{}", path.substr(0, star), name, path.substr(star + 3)));
    return paths;
}

// Of those that are there, the first in this directory, else the first.
std::optional<FoundImage> image_of(const Host& host, std::span<const string_view> places, string_view release,
                                   string_view beside = {}) {
    std::string machine_id = host.read("etc/machine-id").value_or("");
    machine_id.resize(std::min(machine_id.size(), machine_id.find_first_of(" \n")));
    std::optional<FoundImage> first;
    for (const string_view place : places) {
        if (machine_id.empty() && place.find("{1}") != place.npos) continue;
        for (const std::string& path : expanded(host, fmt::format(fmt::runtime(place), release, machine_id))) {
            const std::string directory = path.substr(0, path.rfind('/'));
            if (first && directory != beside) continue;
            const auto file = host.file(path);
            if (!file) continue;
            if (beside.empty() || directory == beside) return FoundImage{*file, directory};
            first = FoundImage{*file, directory};
        }
    }
    return first;
}

}  // namespace

CrashImage crash_image(const Host& host, string_view release) {
    const auto service = find_kdump_service(host);
    const auto file_of = [](const std::optional<FoundImage>& found) {
        return found ? std::optional(found->file) : std::nullopt;
    };
    if (!service) return {file_of(image_of(host, installed_kernels, release)), std::nullopt};
    std::string named;
    if (!service->release_variable.empty())
        named = assigned_or(host.read(service->config).value_or(""), service->release_variable, "");
    const string_view loaded = named.empty() ? release : named;
    const auto kernel = image_of(host, service->kernels, loaded);
    return {file_of(kernel), file_of(image_of(host, service->initrds, loaded, kernel ? kernel->directory : ""))};
}

std::optional<std::uint64_t> listed_initrd_bytes(const Host& host, string_view release) {
    const auto listing = host.read(boot_listing);
    const auto service = listing ? find_kdump_service(host) : Result<KdumpService>(listing.error());
    if (!service) return std::nullopt;
    const auto files = listed_files(*listing);
    for (const string_view place : service->initrds)
        for (const auto& [path, bytes] : files)
            if (matches(fmt::format(fmt::runtime(place), release, "*"), path)) return bytes;
    return std::nullopt;
}

}  // namespace handoff
