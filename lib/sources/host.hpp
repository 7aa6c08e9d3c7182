// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/fd.hpp"
#include "lib/sources/devices.hpp"
#include "lib/sources/kallsyms.hpp"
#include "lib/sources/place.hpp"
#include "lib/sources/source.hpp"
#include "swiotlb-handoff/range.hpp"
#include "swiotlb-handoff/result.hpp"

namespace handoff {

using base::Fd;

/// Of a message without what the kernel puts in front of it.
using KeepMessage = bool(std::string_view message);

/// One directory of /sys/firmware/memmap, its three files as they are.
struct FirmwareMapFiles {
    std::string name;  ///< of the directory: "3"
    std::string start;
    std::string end;  ///< inclusive
    std::string type;
};

/// A machine's files that are in no directory, by their paths on the machine without the leading slash: KeptFiles,
/// which the crash kernel's verify has no use for.
class Files {
public:
    virtual ~Files() = default;
    /// The whole file; nullptr where it is not there.
    [[nodiscard]] virtual const std::string* find(std::string_view path) const = 0;
    /// The same to read at will.
    [[nodiscard]] virtual base::Result<Fd> open(std::string_view path) const = 0;
    [[nodiscard]] virtual bool is_directory(std::string_view path) const = 0;
    /// In order.
    [[nodiscard]] virtual std::vector<std::string> names_in(std::string_view directory) const = 0;
    /// Where the file really came from, for people: the path itself unless a report has it elsewhere.
    [[nodiscard]] virtual std::string_view place_of(std::string_view path) const = 0;
};

/// The one place that reads a machine: the running one, or a directory that
/// holds another's files at their own paths (`proc/iomem`, …) and its kernel
/// log as `dmesg`, or what was kept of a report (open_machine()). In a captured directory a symbolic link is resolved
/// inside it, and whatever is not a regular file is refused without being waited for.
///
/// Errors of every function: not_found where the file is not there,
/// not_permitted where it may not be read, io otherwise; Error::source is the
/// machine's own path. A file may have 64 MiB, kcore any size.
class Host {
public:
    /// `files`: they are in memory, and `root` is what the user calls them.
    explicit Host(std::string root = "/", std::shared_ptr<const Files> files = nullptr);

    /// Reads "/": the running machine.
    [[nodiscard]] bool live() const { return live_; }
    /// Below which everything is read.
    [[nodiscard]] const std::string& root() const { return root_; }
    /// The machine's own path without the leading slash: "proc/iomem"; of a report, where that has it.
    [[nodiscard]] std::string_view path(Source) const;
    /// The error of one of the machine's own files, which then has its full path.
    [[nodiscard]] base::Error with_full_path(base::Error) const;
    /// An error where the root itself cannot be opened.
    [[nodiscard]] std::optional<base::Error> unusable() const;

    [[nodiscard]] base::Result<std::string> read(Source) const;
    /// A regular file to read at will.
    [[nodiscard]] base::Result<Fd> open(Source) const;
    [[nodiscard]] bool exists(Source) const;

    /// The same of a file that is none of the sources: a distribution's, by its own path without the leading slash.
    [[nodiscard]] base::Result<std::string> read(std::string_view path) const;
    [[nodiscard]] bool exists(std::string_view path) const;
    /// The same of a file of at most `limit` bytes. Of the running machine not_permitted where it, or the directory in
    /// which it is, is not root's alone: anybody could have written it.
    [[nodiscard]] base::Result<std::string> read_of_root(std::string_view path, std::size_t limit) const;
    /// What is in a directory, in order, without what begins with a dot.
    [[nodiscard]] base::Result<std::vector<std::string>> names_in(std::string_view directory) const;
    /// Where it can be opened by name, as read_user_file() does: of a captured directory the place without symbolic
    /// links. nullopt where it is not there, is no regular file, or lies outside of the root.
    [[nodiscard]] std::optional<std::filesystem::path> file(std::string_view path) const;

    /// Where a file is to be written or removed, by its own path without the leading slash: below the root, whatever
    /// symbolic links are on the way. Errors as of place_inside().
    [[nodiscard]] base::Result<Place> place(std::string_view path, Link) const;

    /// The kernel's own messages, a line each: of the running kernel from /dev/kmsg
    /// (what programs wrote there is left out), else the file `dmesg`.
    ///
    /// `keep`, where it is given, says of a message whether it is of use; others are empty lines, so that the numbers
    /// of lines stay: a log may be larger than the memory that there is for it.
    [[nodiscard]] base::Result<std::string> kernel_log(KeepMessage* keep = nullptr) const;

    /// The end of that log, and what the kernel's own messages say from there on: without reading what came before.
    [[nodiscard]] base::Result<Fd> log_end() const;
    [[nodiscard]] base::Result<std::string> log_since(const Fd& end) const;

    /// The addresses of those of `names` that the kernel itself has (no
    /// modules). not_permitted where the kernel hides addresses.
    [[nodiscard]] base::Result<Symbols> symbols(std::span<const std::string_view> names) const;

    /// Whether the kernel's random number generator has what it needs, which it then has for good: getrandom() with
    /// GRND_NONBLOCK. nullopt where this is not the running machine.
    [[nodiscard]] std::optional<bool> random_ready() const;

    /// Writes a size to /sys/kernel/kexec_crash_size: the only thing here that changes a machine. nullopt: it was
    /// taken.
    [[nodiscard]] std::optional<base::Error> resize_reservation(std::uint64_t bytes) const;

    /// The entries of /sys/firmware/memmap in numeric order.
    [[nodiscard]] base::Result<std::vector<FirmwareMapFiles>> firmware_map() const;

    /// The directories of /sys/bus/pci/devices by name.
    [[nodiscard]] base::Result<std::vector<PciDeviceFiles>> pci_devices() const;
    /// The directories of /sys/bus/platform/devices by name, with the text of their uevent.
    [[nodiscard]] base::Result<std::vector<std::pair<std::string, std::string>>> platform_devices() const;
    /// The directories of /sys/kernel/iommu_groups by name, with the text of their reserved_regions.
    [[nodiscard]] base::Result<std::vector<std::pair<std::string, std::string>>> iommu_groups() const;

private:
    /// Of each directory in the directory of a source, by name, the text of one file; those without it are left out.
    [[nodiscard]] base::Result<std::vector<std::pair<std::string, std::string>>> each(Source,
                                                                                      std::string_view file) const;
    /// At most so many bytes of a file.
    [[nodiscard]] base::Result<std::string> beginning(std::string_view path, std::size_t bytes) const;
    /// The directory `root_`, which is open for as long as this lives.
    [[nodiscard]] base::Result<int> top() const;
    [[nodiscard]] base::Result<Fd> open_regular(std::string_view path) const;
    [[nodiscard]] base::Result<Fd> open_path(std::string_view path, int flags) const;

    std::string root_;
    Fd top_;
    int top_error_;  ///< why it is not open
    bool live_;
    std::shared_ptr<const Files> files_;  ///< nullptr: the directory `root_` has them
};

}  // namespace handoff
