// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/host.hpp"

#include "lib/sources/devices.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>

#include <fmt/format.h>

#include "base/number.hpp"
#include "lib/sources/files.hpp"
#include "lib/sources/kallsyms.hpp"
#include "lib/sources/kmsg.hpp"

namespace handoff {

using base::Fd;

using base::Errc;
using base::Error;
using base::Result;

namespace {

constexpr const char* live_log = "dev/kmsg";

Error io_error(std::string_view file, std::string what) {
    return Error{Errc::io, std::string(file), 0, std::move(what)};
}

}  // namespace

Host::Host(std::filesystem::path root) : root_(std::move(root)), live_(root_ == "/") {}

std::string_view Host::path(Source source) const {
    return source == Source::kernel_log && live_ ? live_log : info(source).path;
}

Result<Fd> Host::open_root() const {
    Fd root(::open(root_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!root) return Error{Errc::io, root_.string(), 0, std::strerror(errno)};
    return root;
}

Result<Fd> Host::open_path(std::string_view path, int flags) const {
    auto root = open_root();
    if (!root) return root;
    Fd fd(open_inside(root->get(), path, flags, live_));
    if (!fd) return system_error(path, errno);
    return fd;
}

Result<Fd> Host::open_regular(std::string_view path) const {
    // Opening a device may have effects, so look first: O_PATH has none.
    auto look = open_path(path, O_PATH);
    if (!look) return look;
    if (auto error = require_regular(look->get(), path)) return std::move(*error);
    auto fd = open_path(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (!fd) return fd;
    if (auto error = require_regular(fd->get(), path)) return std::move(*error);
    return fd;
}

Result<Fd> Host::open(Source source) const { return open_regular(path(source)); }

bool Host::exists(std::string_view path) const { return open_path(path, O_PATH).has_value(); }

bool Host::exists(Source source) const { return exists(path(source)); }

Result<std::string> Host::read(std::string_view path) const {
    auto fd = open_regular(path);
    if (!fd) return std::move(fd).error();
    return read_all(fd->get(), path, file_limit);
}

Result<std::string> Host::read(Source source) const { return read(path(source)); }

std::optional<bool> Host::random_ready() const {
    if (!live_) return std::nullopt;
    char byte = 0;
    return ::getrandom(&byte, sizeof byte, GRND_NONBLOCK) == sizeof byte;
}

std::optional<std::filesystem::path> Host::file(std::string_view path) const {
    const auto file = open_regular(path);
    if (!file) return std::nullopt;
    if (live_) return root_ / path;
    // Whoever opens it by name must not follow the links of a captured directory
    // to somewhere else: where the file really is, if that is inside.
    std::error_code error;
    const auto real = std::filesystem::read_symlink(fmt::format("/proc/self/fd/{}", file->get()), error);
    const auto top = std::filesystem::canonical(root_, error);
    if (!error && std::mismatch(top.begin(), top.end(), real.begin(), real.end()).first == top.end()) return real;
    return std::nullopt;
}

Result<std::string> Host::kernel_log() const {
    if (!live_) return read(Source::kernel_log);
    if (auto kmsg = open_path(live_log, O_RDONLY | O_NONBLOCK | O_NOCTTY)) {
        if (auto text = read_kmsg(kmsg->get()); text || text.error().code != Errc::not_found) return text;
    }
    return read_klog();
}

Result<std::map<std::string, base::Address>> Host::symbols(std::span<const std::string_view> names) const {
    const std::string_view file = path(Source::kallsyms);
    auto fd = open(Source::kallsyms);
    if (!fd) return std::move(fd).error();
    SymbolSearch search(names);
    const auto error =
        read_pieces(fd->get(), file, file_limit, [&](std::string_view piece) { return search.take(piece); });
    if (error) return *error;
    auto found = std::move(search).finish();
    if (!found) return std::move(found).error().at(file);
    return found;
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

Result<std::vector<std::string>> Host::entries_of(Source source) const {
    const std::string directory(path(source));
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
    auto names = entries_of(Source::pci_devices);
    if (!names) return std::move(names).error();
    std::vector<PciDeviceFiles> devices;
    for (const std::string& name : *names) {
        PciDeviceFiles device{name, {}, {}, {}, {}};
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
        devices.push_back(std::move(device));
    }
    return devices;
}

Result<std::vector<std::pair<std::string, std::string>>> Host::platform_devices() const {
    auto names = entries_of(Source::platform_devices);
    if (!names) return std::move(names).error();
    std::vector<std::pair<std::string, std::string>> devices;
    for (std::string& name : *names) {
        auto uevent = read(fmt::format("{}/{}/uevent", path(Source::platform_devices), name));
        if (!uevent && uevent.error().code != Errc::not_found) return std::move(uevent).error();
        if (uevent) devices.emplace_back(std::move(name), *std::move(uevent));
    }
    return devices;
}

Result<std::vector<FirmwareMapFiles>> Host::firmware_map() const {
    auto names = entries_of(Source::firmware_map);
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
