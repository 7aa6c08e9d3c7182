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

/// The two ways into the kernel, and kexec's -a, which tries one, then the other.
enum class Loader { automatic, kexec_load, kexec_file_load };
/// "auto", "kexec_load", "kexec_file_load".
const char* name(Loader);
std::optional<Loader> loader_from(std::string_view);

/// How the crash kernel is told where the pool is.
enum class Method {
    automatic,  ///< addr where the image announces it, ram otherwise
    ram,        ///< memmap= adds the region as RAM, placement does the rest; any kernel, both loaders
    addr,       ///< the same and swiotlb=…,addr=, for kernels with the patches in kernel/
    e820,       ///< the table in boot_params has the region; works only with kexec_load, and demands nokaslr
};
/// "auto", "ram", "addr", "e820".
const char* name(Method);
std::optional<Method> method_from(std::string_view);

/// The crash kernel's image, as far as its loading is concerned. Bytes.
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
};

/// Of a bzImage: its setup header, and the size that its payload announces for itself. The payload is not unpacked.
/// Errors: the file cannot be read, is larger than 128 MiB, or is no bzImage that kexec can load as a crash kernel.
Result<Image> read_image(const std::filesystem::path&);

/// A kernel module in an initrd.
struct ModuleFile {
    std::string name;         ///< as the kernel names it: "virtio_blk"
    std::uint64_t bytes = 0;  ///< of the file
    bool compressed = false;  ///< ".ko.xz" and the like
};

/// What an initrd becomes when the kernel unpacks it into its root file system.
struct InitrdContents {
    std::uint64_t file_bytes = 0;      ///< of regular files, each in whole pages; of hard links only one counts
    std::uint64_t inodes = 0;          ///< of everything: files, directories, links, devices
    std::uint64_t symbolic_links = 0;  ///< of them
    /// Part of file_bytes: a file system that stays packed and is mounted from where it lies (dracut's
    /// squash-root.img).
    std::uint64_t packed_root_bytes = 0;
    std::vector<ModuleFile> modules;   ///< outside of such a file system
    std::vector<std::string> formats;  ///< of the compressed streams, in their order: "zstd"
    /// Bytes that the running kernel has in those modules that it has loaded, by /proc/modules; with packed_root_bytes
    /// in all that it has loaded. nullopt where it does not tell.
    std::optional<std::uint64_t> loaded_module_bytes;
};

/// How the program that saves the dump reads /proc/vmcore. Where the pool is ordinary RAM of the crash kernel only
/// mmap() of its pages works.
enum class Collector { unknown, maps, reads };
/// "unknown", "mmap", "read".
const char* name(Collector);
std::optional<Collector> collector_from(std::string_view);

/// What the program that saves the dump is told about its memory: makedumpfile's options, by the configuration of the
/// kdump service.
struct CollectorOptions {
    unsigned threads = 0;            ///< --num-threads; 0: without it
    bool threads_are_cpus = false;   ///< as many threads as CPUs are running, up to `threads`
    std::uint64_t buffer_bytes = 0;  ///< --cyclic-buffer; 0: as large as makedumpfile chooses
    friend bool operator==(const CollectorOptions&, const CollectorOptions&) = default;
};

/// What a crash of this machine showed of the memory that its crash kernel takes, by a record beside its dump: of the
/// same image, initrd, CPUs and system call as what is to be loaded.
struct MeasuredNeed {
    std::string file;         ///< the record, on the machine
    std::string time;         ///< UTC: "2026-11-20T03:05:00Z"
    std::uint64_t bytes = 0;  ///< that were not available, besides the pool, when least was
    std::uint64_t lowest_available_bytes = 0, total_bytes = 0;  ///< MemAvailable then, and MemTotal
};

/// A record of a crash kernel's memory that lies beside a dump.
struct CrashRecord {
    std::string file;     ///< on the machine
    std::string time;     ///< UTC; "" where it cannot be read
    std::string release;  ///< of the crash kernel; "" where it cannot be read
    std::string why_not;  ///< why it is not used, one clause; "" where it is
};

/// What is to be loaded, how, and what the user wants.
struct PlanRequest {
    Loader loader = Loader::automatic;
    Method method = Method::automatic;
    std::optional<Image> image;  ///< none: the running kernel's size is assumed, and said
    std::string image_from;      ///< the file; "" where none is known
    /// What the image was configured for; none: as the running kernel, if it is of the same release.
    std::optional<KernelConfig> config;
    std::string config_from;                    ///< the file that has it
    std::optional<Error> config_problem;        ///< why one that is there cannot be used
    std::optional<std::uint64_t> initrd_bytes;  ///< none: assumed, and said
    bool initrd_bootconfig = false;             ///< it ends in a bootconfig
    /// What ACPI tables that the initrd brings take below 4 GiB before the pool is made, whole pages.
    std::uint64_t initrd_acpi_bytes = 0;
    std::string initrd_from;                        ///< the file; "" where none is known, or none is loaded
    std::optional<InitrdContents> initrd_contents;  ///< none: nobody looked, or initrd_contents_problem
    std::optional<Error> initrd_contents_problem;   ///< why it could not be looked into
    /// Without the handoff's words; none: the running kernel's, as the kdump scripts derive it,
    /// with reset_devices and nr_cpus=1, which then are among the words to append.
    std::optional<std::string> command_line;
    /// Words to put behind either of them, which nobody has given yet: what the tool itself advises, tried.
    std::string added_words;
    /// The same as the installed kdump service will have it, by its configuration. What the crash kernel needs goes by
    /// it where command_line is none.
    std::optional<std::string> service_command_line;
    std::optional<AddressRange> pool;  ///< by hand (--pool)
    std::vector<std::string> accept;   ///< rules whose risk the user takes, where they allow it
    /// Where the crash kernel makes no pool, lend it the old one as ordinary RAM, if nothing speaks against it:
    /// swiotlb-handoff-lending(7).
    bool lend = false;
    Collector collector = Collector::unknown;
    std::optional<CollectorOptions> collector_options;  ///< none: no configuration tells
    std::optional<MeasuredNeed> measured;               ///< none: no such record was found, or nobody looked
    std::vector<CrashRecord> crash_records;             ///< that were found, the newest first
    /// Whoever loads by kexec_load keeps the pool out of the ELF headers: 'swiotlb-handoff kexec' does.
    bool leaves_pool_out = false;
};

}  // namespace handoff
#pragma GCC visibility pop
