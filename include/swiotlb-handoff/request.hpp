// SPDX-License-Identifier: GPL-2.0-or-later
//
// What is to be loaded as the crash kernel, how, and what the user wants: the question that a plan answers. Sizes are
// in bytes. What is not given is taken from the machine, or assumed, and the plan then says what it assumed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "swiotlb-handoff/machine.hpp"
#include "swiotlb-handoff/range.hpp"

#pragma GCC visibility push(default)
namespace handoff {

/// The two system calls that load a kernel; `automatic` is -a of kexec, which tries one and then the other.
enum class Loader { automatic, kexec_load, kexec_file_load };
/// "auto", "kexec_load", "kexec_file_load".
const char* name(Loader);
std::optional<Loader> loader_from(std::string_view);

/// How the crash kernel is told where the pool is.
enum class Method {
    automatic,  ///< addr where the image announces it, ram otherwise
    ram,        ///< memmap= adds the region as RAM, and the kernel places its pool there; any kernel, both loaders
    addr,       ///< in addition swiotlb=…,addr=, for kernels with the patches in kernel/
    e820,       ///< the table in boot_params has the region; works only with kexec_load, and needs nokaslr
};
/// "auto", "ram", "addr", "e820".
const char* name(Method);
std::optional<Method> method_from(std::string_view);

/// What loading the crash kernel's image depends on. Sizes are in bytes.
struct Image {
    std::uint64_t init_size = 0;
    std::uint64_t kernel_alignment = 2 * base::MiB;
    std::uint64_t pref_address = 16 * base::MiB;
    std::uint64_t setup_bytes = 20 * 1024;
    std::uint64_t cmdline_size = 2047;     ///< longest command line, without its NUL
    std::uint64_t payload_bytes = 0;       ///< the compressed kernel; 0 where unknown
    std::uint64_t uncompressed_bytes = 0;  ///< of the payload; 0 where unknown
    std::string release;                   ///< uname -r of the image; "" where unknown
    bool swiotlb_addr =
        false;  ///< announces that it understands swiotlb=…,addr=, as those with the patches in kernel/ do
    bool swiotlb_dev = false;  ///< the same of swiotlb_dev=
};

/// Reads a bzImage: its setup header, and the unpacked size that its payload names. The payload is not unpacked.
/// Errors: the file cannot be read, is larger than 128 MiB, or is not a bzImage that kexec can load as a crash kernel.
Result<Image> read_image(const std::filesystem::path&);

/// A kernel module in an initrd.
struct ModuleFile {
    std::string name;         ///< as the kernel names it: "virtio_blk"
    std::uint64_t bytes = 0;  ///< of the file
    bool compressed = false;  ///< ".ko.xz" and the like
};

/// What an initrd becomes when the kernel unpacks it into its root file system.
struct InitrdContents {
    std::uint64_t file_bytes = 0;      ///< of regular files, each in whole pages; hard links count once
    std::uint64_t inodes = 0;          ///< of all kinds: files, directories, links, devices
    std::uint64_t symbolic_links = 0;  ///< how many of the inodes are symbolic links
    /// Part of file_bytes: a file system that stays packed and is mounted from where it lies (dracut's
    /// squash-root.img).
    std::uint64_t packed_root_bytes = 0;
    std::vector<ModuleFile> modules;   ///< outside of such a file system
    std::vector<std::string> formats;  ///< of the compressed streams, in their order: "zstd"
    /// Bytes that those of these modules take that the running kernel has loaded, by /proc/modules. If
    /// packed_root_bytes is not 0, all modules that it has loaded count. nullopt: /proc/modules does not tell.
    std::optional<std::uint64_t> loaded_module_bytes;
};

/// How the program that saves the dump reads /proc/vmcore. If the pool is ordinary RAM of the crash kernel, its pages
/// can be read only by mmap().
enum class Collector { unknown, maps, reads };
/// "unknown", "mmap", "read".
const char* name(Collector);
std::optional<Collector> collector_from(std::string_view);

/// The options of makedumpfile that decide how much memory it takes, as the configuration of the kdump service
/// has them.
struct CollectorOptions {
    unsigned threads = 0;            ///< --num-threads; 0: the option is not given
    bool threads_are_cpus = false;   ///< as many threads as CPUs are running, up to `threads`
    std::uint64_t buffer_bytes = 0;  ///< --cyclic-buffer; 0: makedumpfile chooses the size
    friend bool operator==(const CollectorOptions&, const CollectorOptions&) = default;
};

/// How much memory the crash kernel took in an earlier crash of this machine, by a record beside the dump. Image,
/// initrd, CPUs and system call were the same as those of what is to be loaded now.
struct MeasuredNeed {
    std::string file;         ///< the record, on the machine
    std::string time;         ///< UTC: "2026-11-20T03:05:00Z"
    std::uint64_t bytes = 0;  ///< not available when the least memory was, without the pool
    std::uint64_t lowest_available_bytes = 0, total_bytes = 0;  ///< MemAvailable then, and MemTotal
};

/// A record of a crash kernel's memory that lies beside a dump.
struct CrashRecord {
    std::string file;     ///< on the machine
    std::string time;     ///< UTC; "" if it cannot be read
    std::string release;  ///< of the crash kernel; "" if it cannot be read
    std::string why_not;  ///< why the record is not used, as a clause; "" if it is used
};

/// What is to be loaded, how, and what the user wants.
struct PlanRequest {
    Loader loader = Loader::automatic;
    Method method = Method::automatic;
    std::optional<Image> image;  ///< none: the size of the running kernel is assumed, and the plan says so
    std::string image_from;      ///< the file; "" where none is known
    /// The configuration of the image; none: that of the running kernel, if that is of the same release.
    std::optional<KernelConfig> config;
    std::string config_from;                    ///< the file that has it
    std::optional<Error> config_problem;        ///< why a configuration that exists cannot be used
    std::optional<std::uint64_t> initrd_bytes;  ///< none: a size is assumed, and the plan says so
    bool initrd_bootconfig = false;             ///< there is a bootconfig at its end
    /// Bytes below 4 GiB, in whole pages, that the ACPI tables in the initrd take before the pool is made.
    std::uint64_t initrd_acpi_bytes = 0;
    std::string initrd_from;                        ///< the file; "" where none is known, or none is loaded
    std::optional<InitrdContents> initrd_contents;  ///< none: it was not read; initrd_contents_problem may say why
    std::optional<Error> initrd_contents_problem;   ///< why the contents could not be read
    /// The crash kernel's command line without the words of the handoff. none: that of the running kernel, as the kdump
    /// scripts derive it, with reset_devices and nr_cpus=1; these are then among the words to append.
    std::optional<std::string> command_line;
    /// Words to append to that line which nobody has given yet: the advice of a plan, so that it can be tried.
    std::string added_words;
    /// The line that the installed kdump service will use, by its configuration. It decides how much memory the crash
    /// kernel needs if command_line is none.
    std::optional<std::string> service_command_line;
    std::optional<AddressRange> pool;  ///< the pool as the user gives it (--pool)
    std::vector<std::string> accept;   ///< ids of acceptable rules whose risk the user takes
    /// If the crash kernel makes no pool, and no rule speaks against it, lend it the old pool as ordinary RAM:
    /// swiotlb-handoff-lending(7).
    bool lend = false;
    Collector collector = Collector::unknown;
    std::optional<CollectorOptions> collector_options;  ///< none: no configuration was read
    std::optional<MeasuredNeed> measured;               ///< none: no such record was found or looked for
    std::vector<CrashRecord> crash_records;             ///< the records that were found, the newest first
    /// The program that loads by kexec_load keeps the pool out of the ELF headers, as 'swiotlb-handoff kexec' does.
    bool leaves_pool_out = false;
};

}  // namespace handoff
#pragma GCC visibility pop
