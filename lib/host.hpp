// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "e820/range.hpp"
#include "e820/result.hpp"
#include "lib/devices.hpp"
#include "lib/fd.hpp"

namespace handoff {

/// Everything of a machine that is ever read.
enum class Source {
    iomem,
    command_line,
    version,
    release,
    cpuinfo,
    kernel_log,
    kallsyms,
    kcore,
    btf,
    firmware_map,  ///< a directory
    slabs,
    slabs_used,
    slabs_hiwater,
    crash_size,
    crash_loaded,
    possible_cpus,
    memory_nodes,
    lockdown,
    hypervisor,
    efi,               ///< a file that is there on EFI machines only
    efi_runtime_map,   ///< its first entry; not there with efi=noruntime
    snp_platform,      ///< a directory that is there in SEV-SNP guests only
    srat,              ///< ACPI's table, as the firmware made it
    pci_devices,       ///< a directory
    platform_devices,  ///< a directory
    cma_ranges,
    cma_ranges_flat,  ///< the same, as the patches before 7.0 had it
    kho_scratch_addresses,
    kho_scratch_sizes,
    memory_crash_hotplug,
    cpu_crash_hotplug,
    load_record,  ///< what the last load of a crash kernel was: swiotlb-handoff-record(5)
    os_release,   ///< which distribution it is: os-release(5); never captured
};

/// What is ever written of a machine's kernel.
enum class Switch { crash_size };

/// One directory of /sys/firmware/memmap, its three files as they are.
struct FirmwareMapFiles {
    std::string name;  ///< of the directory: "3"
    std::string start;
    std::string end;  ///< inclusive
    std::string type;
};

/// The one place that reads a machine: the running one, or a directory that
/// holds another's files at their own paths (`proc/iomem`, …) and its kernel
/// log as `dmesg`. In a captured directory a symbolic link is resolved inside it,
/// and whatever is not a regular file is refused without being waited for.
///
/// Errors of every function: not_found where the file is not there,
/// not_permitted where it may not be read, io otherwise; Error::source is the
/// machine's own path. A file may have 64 MiB, kcore any size.
class Host {
public:
    explicit Host(std::filesystem::path root = "/");

    /// Reads "/": the running machine.
    [[nodiscard]] bool live() const { return live_; }
    /// Below which everything is read.
    [[nodiscard]] const std::filesystem::path& root() const { return root_; }
    /// The machine's own path without the leading slash: "proc/iomem".
    [[nodiscard]] std::string_view path(Source) const;
    /// An error where the root itself cannot be opened.
    [[nodiscard]] e820::Result<Fd> open_root() const;

    [[nodiscard]] e820::Result<std::string> read(Source) const;
    /// A regular file to read at will.
    [[nodiscard]] e820::Result<Fd> open(Source) const;
    [[nodiscard]] bool exists(Source) const;

    /// The same of a file that is none of the sources: a distribution's, by its own path without the leading slash.
    [[nodiscard]] e820::Result<std::string> read(std::string_view path) const;
    [[nodiscard]] bool exists(std::string_view path) const;
    /// Where it can be opened by name, as read_user_file() does: of a captured directory the place without symbolic
    /// links. nullopt where it is not there, is no regular file, or lies outside of the root.
    [[nodiscard]] std::optional<std::filesystem::path> file(std::string_view path) const;

    /// The kernel's own messages, a line each: of the running kernel from /dev/kmsg
    /// (what programs wrote there is left out), else the file `dmesg`.
    [[nodiscard]] e820::Result<std::string> kernel_log() const;

    /// The addresses of those of `names` that the kernel itself has (no
    /// modules). not_permitted where the kernel hides addresses.
    [[nodiscard]] e820::Result<std::map<std::string, e820::Address>> symbols(
        std::span<const std::string_view> names) const;

    /// The kexec program, which is no script: its path.
    [[nodiscard]] e820::Result<std::string> kexec_program() const;
    /// The version of kexec-tools that is installed, from the program's own text: "2.0.25".
    [[nodiscard]] e820::Result<std::string> kexec_tools() const;

    /// Whether the kernel's random number generator has what it needs, which it then has for good: getrandom() with
    /// GRND_NONBLOCK. nullopt where this is not the running machine.
    [[nodiscard]] std::optional<bool> random_ready() const;

    /// Writes to a file of the kernel that is there. nullopt: written as a whole.
    [[nodiscard]] std::optional<e820::Error> write(Switch, std::string_view text) const;

    /// The entries of /sys/firmware/memmap in numeric order.
    [[nodiscard]] e820::Result<std::vector<FirmwareMapFiles>> firmware_map() const;

    /// The directories of /sys/bus/pci/devices by name.
    [[nodiscard]] e820::Result<std::vector<PciDeviceFiles>> pci_devices() const;
    /// The directories of /sys/bus/platform/devices by name, with the text of their uevent.
    [[nodiscard]] e820::Result<std::vector<std::pair<std::string, std::string>>> platform_devices() const;

private:
    /// Path and version.
    [[nodiscard]] e820::Result<std::pair<std::string, std::string>> find_kexec() const;
    [[nodiscard]] e820::Result<std::vector<std::string>> entries_of(Source directory) const;
    [[nodiscard]] e820::Result<Fd> open_regular(std::string_view path) const;
    [[nodiscard]] e820::Result<Fd> open_path(std::string_view path, int flags) const;

    std::filesystem::path root_;
    bool live_;
};

/// The records that read() gives on /dev/kmsg, one after another, as lines of
/// dmesg: "[    0.000000] text". Records of programs (a facility other than 0) are
/// left out; a record without ';' ends the text.
std::string lines_of_kmsg(std::string_view records);

/// Switches on or off what the kernel says about the segments of kexec_file_load: up to
/// Linux 6.7 pr_debug() in kernel/kexec_file.c and arch/x86/kernel/crash.c, by dynamic
/// debug; later kernels go by kexec -d. The only write to a running machine in here. False
/// where it cannot be done, or somebody had it on already: then it is left alone.
bool set_load_messages(bool on);

/// `path` is the program that is running now, by whatever name.
bool is_this_program(const std::filesystem::path& path);

/// "2.0.25" out of the kexec program: `kexec --version` prints "kexec-tools 2.0.25",
/// which is one of its strings. nullopt where it is not there.
std::optional<std::string> kexec_tools_version(std::string_view program);

/// A file that the user named, outside of any root: a regular file or a pipe of
/// at most `limit` bytes. Error::source is `path` as given.
e820::Result<std::string> read_user_file(const std::filesystem::path& path, std::size_t limit);

struct FileHead {
    std::string bytes;       ///< the first ones, at most as many as wanted
    std::uint64_t size = 0;  ///< of the whole file, bytes
};
/// The beginning of a regular file that the user named.
e820::Result<FileHead> read_user_file_head(const std::filesystem::path& path, std::size_t wanted);

}  // namespace handoff
