// SPDX-License-Identifier: GPL-2.0-or-later
// What of a machine is read beside files of text: directories, places by name, and the one thing that is written.
#include "lib/sources/host.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/number.hpp"
#include "lib/sources/files.hpp"
#include "lib/sources/kmsg.hpp"

namespace handoff {

using base::Errc;
using base::Error;
using base::Result;

std::optional<bool> Host::random_ready() const {
    if (!live_) return std::nullopt;
    char byte = 0;
    return ::getrandom(&byte, sizeof byte, GRND_NONBLOCK) == sizeof byte;
}

Result<Fd> Host::log_end() const {
    const std::string_view log = path(Source::kernel_log);
    auto fd = live_ ? open_path(log, O_RDONLY | O_NONBLOCK | O_NOCTTY) : open_regular(log);
    // Of /dev/kmsg too: behind the last record (Documentation/ABI/testing/dev-kmsg).
    if (fd && ::lseek(fd->get(), 0, SEEK_END) < 0) return system_error(log, errno);
    return fd;
}

Result<std::string> Host::log_since(const Fd& end) const {
    return live_ ? read_kmsg(end.get()) : read_all(end.get(), path(Source::kernel_log), file_limit);
}

std::optional<std::filesystem::path> Host::file(std::string_view path) const {
    if (files_) return std::nullopt;
    const auto file = open_regular(path);
    if (!file) return std::nullopt;
    if (live_) return std::filesystem::path(root_) / path;
    // Whoever opens it by name must not follow the links of a captured directory
    // to somewhere else: where the file really is, if that is inside.
    std::error_code error;
    const auto real = std::filesystem::read_symlink(fmt::format("/proc/self/fd/{}", file->get()), error);
    const auto top = std::filesystem::canonical(root_, error);
    if (!error && std::mismatch(top.begin(), top.end(), real.begin(), real.end()).first == top.end()) return real;
    return std::nullopt;
}

Result<std::string> Host::read_of_root(std::string_view path, std::size_t limit) const {
    auto fd = open_regular(path);
    if (!fd) return std::move(fd).error();
    if (live_) {
        const std::string_view above = path.substr(0, std::min(path.rfind('/'), path.size()));
        auto directory = open_path(above == path ? "." : above, O_PATH | O_DIRECTORY);
        if (!directory) return std::move(directory).error();
        for (const int one : {fd->get(), directory->get()}) {
            struct stat status {};
            if (::fstat(one, &status) != 0) return system_error(path, errno);
            if (status.st_uid != 0 || (status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
                return Error{Errc::not_permitted, std::string(path), 0, "others than root can have written it"};
        }
    }
    return read_all(fd->get(), path, limit);
}

Error Host::with_full_path(Error error) const {
    if (!error.source.empty()) error.source = (std::filesystem::path(root_) / error.source).string();
    return error;
}

Result<Place> Host::place(std::string_view path, Link link) const {
    const auto directory = top();
    if (!directory) return directory.error();
    return place_inside(*directory, path, link, live_);
}

std::optional<Error> Host::resize_reservation(std::uint64_t bytes) const {
    const std::string_view file = path(Source::crash_size);
    const std::string text = std::to_string(bytes);
    auto look = open_path(file, O_PATH);
    if (!look) return std::move(look).error();
    if (auto error = require_regular(look->get(), file)) return error;
    auto fd = open_path(file, O_WRONLY | O_NOCTTY);
    if (!fd) return std::move(fd).error();
    // One write() is one store to an attribute of sysfs.
    const ssize_t written = ::write(fd->get(), text.data(), text.size());
    if (written < 0) return system_error(file, errno);
    if (static_cast<std::size_t>(written) != text.size()) return io_error(file, "written in part");
    return std::nullopt;
}

Result<std::vector<std::string>> Host::names_in(std::string_view directory) const {
    if (files_) {
        if (!files_->is_directory(directory)) return system_error(directory, ENOENT);
        return files_->names_in(directory);
    }
    auto fd = open_path(directory, O_RDONLY | O_DIRECTORY);
    if (!fd) return std::move(fd).error();
    const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(::dup(fd->get())), ::closedir);
    if (!stream) return system_error(directory, errno);
    std::vector<std::string> names;
    while (const dirent* entry = ::readdir(stream.get()))
        if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
    std::sort(names.begin(), names.end());
    return names;
}

Result<std::vector<PciDeviceFiles>> Host::pci_devices() const {
    auto names = names_in(path(Source::pci_devices));
    if (!names) return std::move(names).error();
    std::vector<PciDeviceFiles> devices;
    for (const std::string& name : *names) {
        PciDeviceFiles device{name, {}, {}, {}, {}, {}};
        for (const auto& [file, text] : {std::pair{"uevent", &device.uevent},
                                         {"dma_mask_bits", &device.streaming_bits},
                                         {"consistent_dma_mask_bits", &device.coherent_bits},
                                         {"removable", &device.removable}}) {
            // A device may go away while we look.
            if (auto content = read(fmt::format("{}/{}/{}", path(Source::pci_devices), name, file)))
                *text = *std::move(content);
            else if (content.error().code != Errc::not_found)
                return std::move(content).error();
        }
        // What root can read behind it does harm in some devices (lspci(8), -xxx). One that is asleep cannot say.
        device.config =
            beginning(fmt::format("{}/{}/config", path(Source::pci_devices), name), pci_header_bytes).value_or("");
        devices.push_back(std::move(device));
    }
    return devices;
}

Result<std::string> Host::beginning(std::string_view path, std::size_t bytes) const {
    auto fd = open_regular(path);
    if (!fd) return std::move(fd).error();
    std::string text(bytes, '\0');
    const ssize_t got = ::pread(fd->get(), text.data(), text.size(), 0);
    if (got < 0) return system_error(path, errno);
    text.resize(static_cast<std::size_t>(got));
    return text;
}

Result<std::vector<std::pair<std::string, std::string>>> Host::each(Source source, std::string_view file) const {
    auto names = names_in(path(source));
    if (!names) return std::move(names).error();
    std::vector<std::pair<std::string, std::string>> found;
    for (std::string& name : *names) {
        auto text = read(fmt::format("{}/{}/{}", path(source), name, file));
        if (!text && text.error().code != Errc::not_found) return std::move(text).error();
        if (text) found.emplace_back(std::move(name), *std::move(text));
    }
    return found;
}

Result<std::vector<std::pair<std::string, std::string>>> Host::platform_devices() const {
    return each(Source::platform_devices, "uevent");
}

Result<std::vector<std::pair<std::string, std::string>>> Host::iommu_groups() const {
    return each(Source::iommu_groups, "reserved_regions");
}

Result<std::vector<FirmwareMapFiles>> Host::firmware_map() const {
    auto names = names_in(path(Source::firmware_map));
    if (!names) return std::move(names).error();
    const std::string directory(path(Source::firmware_map));
    std::vector<std::uint64_t> numbers;
    for (const std::string& name : *names)
        if (const auto number = base::parse_number(name, 10)) numbers.push_back(*number);
    std::sort(numbers.begin(), numbers.end());

    std::vector<FirmwareMapFiles> entries;
    for (const auto number : numbers) {
        FirmwareMapFiles entry{std::to_string(number), {}, {}, {}};
        for (const auto& [name, text] :
             {std::pair{"start", &entry.start}, {"end", &entry.end}, {"type", &entry.type}}) {
            auto content = read(fmt::format("{}/{}/{}", directory, entry.name, name));
            // An entry without one of its files is no entry less, but a broken map.
            if (!content && content.error().code == Errc::not_found)
                return io_error(content.error().source,
                                "expected start, end and type of each entry, found no such file");
            if (!content) return std::move(content).error();
            *text = *std::move(content);
        }
        entries.push_back(std::move(entry));
    }
    return entries;
}

}  // namespace handoff
