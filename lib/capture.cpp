// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/capture.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <span>

#include <fmt/format.h>

#include "e820/log.hpp"
#include "e820/log_line.hpp"
#include "lib/command_line.hpp"
#include "lib/iomem.hpp"
#include "lib/kernel_log.hpp"
#include "lib/kernel_memory.hpp"

namespace handoff {
namespace {

using std::string_view;
using Failure = std::optional<Error>;

// --- the directory --------------------------------------------------------------------------------------------

Error system_error(const std::string& file) { return Error{Errc::io, file, 0, std::strerror(errno)}; }

/// A new directory, or an empty one of the caller's own.
Result<Fd> make_directory(const std::filesystem::path& directory) {
    const std::string name = directory.string();
    const bool made = ::mkdir(directory.c_str(), 0700) == 0;
    if (!made && errno != EEXIST) return system_error(name);
    Fd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!fd) return system_error(name);
    if (made) return fd;

    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) return system_error(name);
    if (status.st_uid != ::geteuid()) return Error{Errc::io, name, 0, "expected a directory of one's own"};
    // A directory that is refused stays as it is. Closed to others, what is empty
    // stays so; what came before that is looked for once more.
    const auto empty = [&fd] {
        std::error_code error;
        return std::filesystem::is_empty(fmt::format("/proc/self/fd/{}", fd.get()), error) && !error;
    };
    if (empty()) {
        if (::fchmod(fd.get(), 0700) != 0) return system_error(name);
        if (empty()) return fd;
        if (::fchmod(fd.get(), status.st_mode & 07777) != 0) return system_error(name);
    }
    return Error{Errc::io, name, 0, "expected a new or empty directory"};
}

Failure write_all(int fd, string_view content, const std::string& file) {
    while (!content.empty()) {
        const ssize_t written = ::write(fd, content.data(), content.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return system_error(file);
        content.remove_prefix(static_cast<std::size_t>(written));
    }
    return std::nullopt;
}

/// Writes a new file below `root`, making the directories on the way; follows no link.
Failure write_below(int root, const std::string& file, string_view content) {
    Fd directory;
    string_view rest = file;
    for (auto slash = rest.find('/'); slash != rest.npos; slash = rest.find('/')) {
        const std::string component(rest.substr(0, slash));
        const int at = directory ? directory.get() : root;
        if (::mkdirat(at, component.c_str(), 0755) != 0 && errno != EEXIST) return system_error(file);
        directory = Fd(::openat(at, component.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        if (!directory) return system_error(file);
        rest.remove_prefix(slash + 1);
    }
    const Fd fd(::openat(directory ? directory.get() : root, std::string(rest).c_str(),
                         O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!fd) return system_error(file);
    if (auto failure = write_all(fd.get(), content, file)) return failure;
    return ::fchmod(fd.get(), 0644) == 0 ? std::nullopt : Failure(system_error(file));
}

// --- what may be taken ----------------------------------------------------------------------------------------

/// Keys of the kernel command line that say nothing of whose machine it is, and whose values
/// decide about memory, or are the same on many machines.
constexpr string_view plain_keys[] = {"swiotlb",
                                      "swiotlb_handoff",
                                      "swiotlb_lent",
                                      "memmap",
                                      "mem",
                                      "crashkernel",
                                      "elfcorehdr",
                                      "iommu",
                                      "intel_iommu",
                                      "amd_iommu",
                                      "iommu.passthrough",
                                      "iommu.strict",
                                      "mem_encrypt",
                                      "sev",
                                      "kaslr",
                                      "nokaslr",
                                      "numa",
                                      "numa_balancing",
                                      "nr_cpus",
                                      "maxcpus",
                                      "possible_cpus",
                                      "nosmp",
                                      "noapic",
                                      "hugepages",
                                      "hugepagesz",
                                      "default_hugepagesz",
                                      "hugetlb_cma",
                                      "cma",
                                      "kernelcore",
                                      "movablecore",
                                      "movable_node",
                                      "memhp_default_state",
                                      "memory_hotplug.memmap_on_memory",
                                      "reserve_mem",
                                      "reservelow",
                                      "kho",
                                      "kho_scratch",
                                      "vmalloc",
                                      "memtest",
                                      "memblock",
                                      "mtrr_gran_size",
                                      "mtrr_chunk_size",
                                      "disable_mtrr_cleanup",
                                      "enable_mtrr_cleanup",
                                      "no5lvl",
                                      "la57",
                                      "nopat",
                                      "pti",
                                      "mitigations",
                                      "efi",
                                      "add_efi_memmap",
                                      "efi_fake_mem",
                                      "acpi",
                                      "acpi_rsdp",
                                      "pci",
                                      "lockdown",
                                      "xen",
                                      "dom0_mem",
                                      "reset_devices",
                                      "irqpoll",
                                      "panic",
                                      "oops",
                                      "debug",
                                      "quiet",
                                      "splash",
                                      "ro",
                                      "rw",
                                      "console",
                                      "earlyprintk",
                                      "earlycon",
                                      "loglevel",
                                      "ignore_loglevel",
                                      "printk.devkmsg",
                                      "systemd.unit",
                                      "single",
                                      "nomodeset",
                                      "rhgb"};

bool is_plain(string_view key) {
    return std::find(std::begin(plain_keys), std::end(plain_keys), key) != std::end(plain_keys);
}

/// As many bytes that say only that something was here.
std::string removed(std::size_t size) {
    constexpr string_view word = "removed";
    std::string text;
    while (text.size() < size) text += word.substr(0, size - text.size());
    return text;
}

std::string redacted_word(const Word& word) {
    if (is_plain(word.key) || word.text == "--") return word.text;
    // A word without a value can be anything, a key cannot.
    if (!word.value) return removed(word.text.size());
    return word.key + "=" + removed(word.text.size() - word.key.size() - 1);
}

/// A line of the log as it may be shown; nullopt for those that nobody reads.
std::optional<std::string> redacted_line(string_view line) {
    constexpr string_view label = "Command line: ";
    if (line.starts_with(label)) {
        const auto words = redacted_command_line(line.substr(label.size()));
        return words ? std::optional(std::string(label) + *words) : std::nullopt;
    }
    // Behind the release stand the builder's name and the compiler's.
    constexpr string_view banner = "Linux version ";
    if (line.starts_with(banner)) return std::string(line.substr(0, line.find(' ', banner.size())));
    if (const auto maker = line.find(" by "); line.starts_with("efi: EFI v") || line.starts_with("EFI v")) {
        return std::string(line.substr(0, maker));
    }
    if (is_known_log_line(line) || line.ends_with("physical RAM map:")) return std::string(line);
    const auto map = e820::parse_log_table(line);
    if (!map || !map->empty()) return std::string(line);
    return std::nullopt;
}

/// The vendor and flags of the first processor.
std::string first_cpu(string_view cpuinfo) {
    std::string text;
    while (!cpuinfo.empty()) {
        const string_view line = cpuinfo.substr(0, cpuinfo.find('\n'));
        cpuinfo.remove_prefix(std::min(cpuinfo.size(), line.size() + 1));
        if (line.empty()) break;
        for (const string_view wanted : {"processor", "vendor_id", "flags"}) {
            if (line.starts_with(wanted)) text += fmt::format("{}\n", line);
        }
    }
    return text;
}

/// The firmware's table without the names of its makers and versions (struct acpi_table_header).
std::string anonymous_table(std::string table) {
    constexpr std::size_t checksum = 9, header_end = 36;
    for (std::size_t i = checksum; i < std::min(header_end, table.size()); ++i) table[i] = '\0';
    return table;
}

// --- the sources ----------------------------------------------------------------------------------------------

struct Capture {
    const Host& host;
    Fd directory;
    CaptureReport report{};

    Failure write(const std::string& file, string_view content) {
        if (auto failure = write_below(directory.get(), file, content)) return failure;
        report.written.push_back(file);
        return std::nullopt;
    }
    /// Where the source is there and cannot be taken; a missing one is none.
    void skip(Error error, Source source) {
        if (error.code != Errc::not_found) report.not_read.push_back(std::move(error).at(host.path(source)));
    }
    /// Writes what `filter`, a Result<std::string>(std::string), makes of a file.
    template <class Filter>
    Failure copy(Source source, Filter filter) {
        auto text = host.read(source);
        if (!text) {
            skip(std::move(text).error(), source);
            return std::nullopt;
        }
        Result<std::string> content = filter(*std::move(text));
        if (!content) {
            skip(std::move(content).error(), source);
            return std::nullopt;
        }
        return write(std::string(host.path(source)), *content);
    }
};

Failure copy_files(Capture& c) {
    const auto as_is = [](std::string text) { return Result<std::string>(std::move(text)); };
    const auto iomem = [](std::string text) -> Result<std::string> {
        // A zeroed one says nothing, and would say so again when it is read.
        if (auto entries = parse_iomem(text); !entries) return std::move(entries).error();
        return text;
    };
    if (auto failure = c.copy(Source::iomem, iomem)) return failure;
    const auto one_line = [](std::string text) -> Result<std::string> {
        while (text.ends_with('\n')) text.pop_back();
        auto words = redacted_command_line(text);
        if (!words) return words;
        return *words + "\n";
    };
    if (auto failure = c.copy(Source::command_line, one_line)) return failure;
    const auto cpuinfo = [](const std::string& text) { return Result<std::string>(first_cpu(text)); };
    if (auto failure = c.copy(Source::cpuinfo, cpuinfo)) return failure;
    const auto version = [](const std::string& text) {
        const std::string line = text.substr(0, text.find('\n'));
        return Result<std::string>(redacted_line(line).value_or("") + "\n");
    };
    if (auto failure = c.copy(Source::version, version)) return failure;
    const auto table = [](std::string text) { return Result<std::string>(anonymous_table(std::move(text))); };
    if (auto failure = c.copy(Source::srat, table)) return failure;
    for (const Source source : {Source::release, Source::slabs, Source::slabs_used, Source::slabs_hiwater,
                                Source::crash_size, Source::crash_loaded, Source::possible_cpus, Source::memory_nodes,
                                Source::lockdown, Source::hypervisor, Source::efi, Source::efi_runtime_map, Source::cma_ranges,
                                Source::cma_ranges_flat, Source::kho_scratch_addresses, Source::kho_scratch_sizes,
                                Source::memory_crash_hotplug, Source::cpu_crash_hotplug}) {
        if (auto failure = c.copy(source, as_is)) return failure;
    }
    if (!c.host.exists(Source::snp_platform)) return std::nullopt;
    return c.write(std::string(c.host.path(Source::snp_platform)), "");
}

Failure copy_log(Capture& c) {
    auto text = c.host.kernel_log();
    if (!text) {
        c.skip(std::move(text).error(), Source::kernel_log);
        return std::nullopt;
    }
    return c.write("dmesg", redacted_log(*text));
}

Failure copy_firmware_map(Capture& c) {
    auto entries = c.host.firmware_map();
    if (!entries) {
        c.skip(std::move(entries).error(), Source::firmware_map);
        return std::nullopt;
    }
    for (const FirmwareMapFiles& entry : *entries) {
        const std::string directory = fmt::format("{}/{}/", c.host.path(Source::firmware_map), entry.name);
        for (const auto& [name, text] :
             {std::pair{"start", &entry.start}, {"end", &entry.end}, {"type", &entry.type}}) {
            if (auto failure = c.write(directory + name, *text)) return failure;
        }
    }
    return std::nullopt;
}

/// Of each device that has a driver: its driver, class and masks; and which devices are outside of the machine.
Failure copy_devices(Capture& c) {
    auto devices = c.host.pci_devices();
    if (!devices) {
        c.skip(std::move(devices).error(), Source::pci_devices);
        return std::nullopt;
    }
    for (const PciDeviceFiles& device : *devices) {
        const std::string directory = fmt::format("{}/{}/", c.host.path(Source::pci_devices), device.name);
        if (!device.removable.empty())
            if (auto failure = c.write(directory + "removable", device.removable)) return failure;
        const auto parsed = parse_dma_device(device);
        if (!parsed || !*parsed) continue;
        if (auto failure = c.write(directory + "uevent", reduced_uevent(device.uevent))) return failure;
        if (auto failure = c.write(directory + "dma_mask_bits", device.streaming_bits)) return failure;
        if (auto failure = c.write(directory + "consistent_dma_mask_bits", device.coherent_bits)) return failure;
    }
    return std::nullopt;
}

/// Of each device of the platform bus that has a driver: which.
Failure copy_platform_devices(Capture& c) {
    auto devices = c.host.platform_devices();
    if (!devices) {
        c.skip(std::move(devices).error(), Source::platform_devices);
        return std::nullopt;
    }
    for (const auto& [name, uevent] : *devices)
        if (parse_platform_device(name, uevent))
            if (auto failure = c.write(fmt::format("{}/{}/uevent", c.host.path(Source::platform_devices), name), reduced_uevent(uevent))) return failure;
    return std::nullopt;
}

Failure copy_kexec_version(Capture& c) {
    const auto version = c.host.kexec_tools();
    if (!version) return std::nullopt;
    return c.write("usr/sbin/kexec", fmt::format("kexec-tools {}\n", *version));
}

/// The pool in the kernel's memory: reads it as gather() does and keeps what was read.
Failure copy_memory(Capture& c) {
    auto file = c.host.open(Source::kcore);
    if (!file) {
        c.skip(std::move(file).error(), Source::kcore);
        return std::nullopt;
    }
    auto core = Core::open(*std::move(file));
    if (!core) {
        c.skip(std::move(core).error(), Source::kcore);
        return std::nullopt;
    }
    auto symbols = c.host.symbols(wanted_symbols());
    if (!symbols) {
        c.skip(std::move(symbols).error(), Source::kallsyms);
        return std::nullopt;
    }

    std::vector<MemoryPiece> pieces;
    const MemoryReader read = [&](Address address, std::size_t size) {
        auto bytes = core->read(address, size);
        if (bytes) pieces.push_back({address, *bytes});
        return bytes;
    };
    std::optional<std::vector<std::byte>> btf;
    const auto layout = [&]() -> Result<PoolLayout> {
        auto whole = c.host.read(Source::btf);
        if (!whole) return std::move(whole).error();
        auto minimal = minimal_btf(std::as_bytes(std::span(*whole)));
        if (!minimal) return std::move(minimal).error().at(c.host.path(Source::btf));
        btf = *std::move(minimal);
        return pool_layout(*btf);
    };
    if (auto pool = read_pool(*symbols, layout, read); !pool) {
        c.report.not_read.push_back(std::move(pool).error().at(c.host.path(Source::kcore)));
    }
    if (auto amd = read_amd_encryption(*symbols, read); !amd) c.skip(std::move(amd).error(), Source::kcore);

    const auto text_of = [](const std::vector<std::byte>& bytes) {
        return string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    };
    std::string lines;
    for (const auto& [name, address] : *symbols) lines += fmt::format("{:016x} b {}\n", address, name);
    if (auto failure = c.write(std::string(c.host.path(Source::kallsyms)), lines)) return failure;
    if (auto failure = c.write(std::string(c.host.path(Source::kcore)), text_of(minimal_core(pieces)))) return failure;
    return btf ? c.write(std::string(c.host.path(Source::btf)), text_of(*btf)) : std::nullopt;
}

}  // namespace

Result<std::string> redacted_command_line(string_view text) {
    const auto line = CommandLine::parse(text);
    if (!line) return line.error();
    std::string shown;
    for (const Word& word : line->words()) shown += (shown.empty() ? "" : " ") + redacted_word(word);
    return shown;
}

std::string redacted_log(string_view text) {
    std::string shown;
    e820::LogLines lines(text);
    while (const auto line = lines.next()) {
        const auto kept = redacted_line(line->text);
        if (!kept) continue;
        if (const auto us = line->time_us) shown += fmt::format("[{:5}.{:06}] ", *us / 1000000, *us % 1000000);
        shown += *kept + "\n";
    }
    return shown;
}

Result<CaptureReport> capture(const Host& host, const std::filesystem::path& directory) {
    if (auto root = host.open_root(); !root) return std::move(root).error();
    auto made = make_directory(directory);
    if (!made) return std::move(made).error();
    Capture c{host, *std::move(made)};
    for (const auto step : {copy_files, copy_log, copy_firmware_map, copy_devices, copy_platform_devices, copy_kexec_version, copy_memory}) {
        if (auto failure = step(c)) return std::move(*failure);
    }
    return std::move(c.report);
}

}  // namespace handoff
