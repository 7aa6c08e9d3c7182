// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/host.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/klog.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>

#include <fmt/format.h>

#include "e820/number.hpp"

namespace handoff {

using e820::Errc;
using e820::Error;
using e820::Result;

namespace {

constexpr std::size_t file_limit = 64 * e820::MiB;
constexpr const char* live_log = "dev/kmsg";

constexpr std::string_view source_path(Source source) {
    switch (source) {
        case Source::iomem:
            return "proc/iomem";
        case Source::command_line:
            return "proc/cmdline";
        case Source::version:
            return "proc/version";
        case Source::release:
            return "proc/sys/kernel/osrelease";
        case Source::cpuinfo:
            return "proc/cpuinfo";
        case Source::kernel_log:
            return "dmesg";
        case Source::kallsyms:
            return "proc/kallsyms";
        case Source::kcore:
            return "proc/kcore";
        case Source::btf:
            return "sys/kernel/btf/vmlinux";
        case Source::firmware_map:
            return "sys/firmware/memmap";
        case Source::slabs:
            return "sys/kernel/debug/swiotlb/io_tlb_nslabs";
        case Source::slabs_used:
            return "sys/kernel/debug/swiotlb/io_tlb_used";
        case Source::slabs_hiwater:
            return "sys/kernel/debug/swiotlb/io_tlb_used_hiwater";
        case Source::crash_size:
            return "sys/kernel/kexec_crash_size";
        case Source::crash_loaded:
            return "sys/kernel/kexec_crash_loaded";
        case Source::possible_cpus:
            return "sys/devices/system/cpu/possible";
        case Source::memory_nodes:
            return "sys/devices/system/node/has_memory";
        case Source::lockdown:
            return "sys/kernel/security/lockdown";
        case Source::hypervisor:
            return "sys/hypervisor/type";
        case Source::efi:
            return "sys/firmware/efi/fw_platform_size";
        case Source::efi_runtime_map:
            return "sys/firmware/efi/runtime-map/0/type";
        case Source::snp_platform:
            return "sys/devices/platform/sev-guest";
        case Source::srat:
            return "sys/firmware/acpi/tables/SRAT";
        case Source::pci_devices:
            return "sys/bus/pci/devices";
        case Source::platform_devices:
            return "sys/bus/platform/devices";
        case Source::cma_ranges:
            return "sys/kernel/kexec/crash_cma_ranges";
        case Source::cma_ranges_flat:
            return "sys/kernel/kexec_crash_cma_ranges";
        case Source::kho_scratch_addresses:
            return "sys/kernel/debug/kho/out/scratch_phys";
        case Source::kho_scratch_sizes:
            return "sys/kernel/debug/kho/out/scratch_len";
        case Source::memory_crash_hotplug:
            return "sys/devices/system/memory/crash_hotplug";
        case Source::cpu_crash_hotplug:
            return "sys/devices/system/cpu/crash_hotplug";
        case Source::os_release:
            return "etc/os-release";
        case Source::load_record:
            return "run/swiotlb-handoff/record.json";
    }
    return "";
}

constexpr Source of(Switch which) {
    switch (which) {
        case Switch::crash_size:
            return Source::crash_size;
    }
    return Source::crash_size;
}

Error system_error(std::string_view file, int number) {
    Errc code = Errc::io;
    if (number == ENOENT || number == ENOTDIR) code = Errc::not_found;
    if (number == EACCES || number == EPERM) code = Errc::not_permitted;
    return Error{code, std::string(file), 0, std::strerror(number)};
}

Error io_error(std::string_view file, std::string what) {
    return Error{Errc::io, std::string(file), 0, std::move(what)};
}

/// Opens `path` below `root` one component at a time and follows no symbolic link: where there is no openat2().
int open_without_links(int root, std::string_view path, int flags) {
    Fd directory;
    while (true) {
        const auto slash = path.find('/');
        const bool last = slash == std::string_view::npos;
        const std::string component(path.substr(0, slash));
        const int at = directory ? directory.get() : root;
        const int fd = ::openat(at, component.c_str(), (last ? flags : O_PATH | O_DIRECTORY) | O_NOFOLLOW | O_CLOEXEC);
        if (last || fd < 0) return fd;
        directory = Fd(fd);
        path.remove_prefix(slash + 1);
    }
}

/// Opens `path` below `root`; whatever symbolic links are on the way, the result is
/// below `root`. `whole`: root is "/", which has no outside.
int open_inside(int root, std::string_view path, int flags, bool whole) {
    open_how how{};
    how.flags = static_cast<unsigned>(flags | O_CLOEXEC);
    how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
    const std::string name(path);
    long fd = -1;
    // EAGAIN: a rename somewhere in the system raced with the look-up.
    for (int attempt = 0; attempt < 16; ++attempt) {
        fd = ::syscall(SYS_openat2, root, name.c_str(), &how, sizeof how);
        if (fd >= 0 || errno != EAGAIN) break;
    }
    // Linux before 5.6; and a sandbox that cannot look into open_how, as systemd's with RestrictSUIDSGID=. Others answer EPERM
    // where they do not know the system call.
    if (fd >= 0 || (errno != ENOSYS && errno != EPERM)) return static_cast<int>(fd);
    return whole ? ::openat(root, name.c_str(), flags | O_CLOEXEC) : open_without_links(root, path, flags);
}

std::optional<Error> require_regular(int fd, std::string_view file) {
    struct stat status {};
    if (::fstat(fd, &status) != 0) return system_error(file, errno);
    if (!S_ISREG(status.st_mode)) return io_error(file, "expected a regular file");
    return std::nullopt;
}

/// Reads to the end of the file and gives every piece to `take`, which may answer with an error.
template <class Take>
std::optional<Error> read_pieces(int fd, std::string_view file, std::size_t limit, Take take) {
    std::vector<char> buffer(256 * e820::KiB);
    std::size_t total = 0;
    while (true) {
        const ssize_t got = ::read(fd, buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return system_error(file, errno);
        if (got == 0) return std::nullopt;
        const auto size = static_cast<std::size_t>(got);
        if (size > limit - total) return io_error(file, fmt::format("larger than {} MiB", limit / e820::MiB));
        total += size;
        if (auto error = take(std::string_view(buffer.data(), size))) return error;
    }
}

Result<std::string> read_all(int fd, std::string_view file, std::size_t limit) {
    std::string text;
    auto error = read_pieces(fd, file, limit, [&](std::string_view piece) -> std::optional<Error> {
        text += piece;
        return std::nullopt;
    });
    if (error) return std::move(*error);
    return text;
}

/// The name in one line of /proc/kallsyms, "ffffffffa81c1300 b io_tlb_default_mem", with "\t[module]" behind it where it is a
/// module's; "" of another line.
std::string_view symbol_name(std::string_view line) {
    const auto blank = line.find(' ');
    if (blank == std::string_view::npos || line.size() < blank + 4 || line[blank + 2] != ' ') return {};
    return line.substr(blank + 3);
}

Result<std::string> read_kmsg(int fd) {
    // Each read() gives one whole record, of at most CONSOLE_EXT_LOG_MAX (8 KiB) bytes
    // (kernel/printk/printk.c, devkmsg_read()).
    std::array<char, 16 * e820::KiB> record{};
    std::string records;
    while (records.size() < file_limit) {
        const ssize_t got = ::read(fd, record.data(), record.size());
        if (got > 0) {
            records.append(record.data(), static_cast<std::size_t>(got));
        } else if (got == 0 || errno == EAGAIN) {
            break;
        } else if (errno != EPIPE && errno != EINTR) {  // EPIPE: overwritten while we read; go on with the next
            return system_error(live_log, errno);
        }
    }
    return lines_of_kmsg(records);
}

Result<std::string> read_klog() {
    constexpr int read_all_action = 3, size_action = 10;  // SYSLOG_ACTION_*, include/linux/syslog.h
    const int size = ::klogctl(size_action, nullptr, 0);
    if (size < 0) return system_error("dmesg", errno);
    std::string text(static_cast<std::size_t>(size), '\0');
    const int got = ::klogctl(read_all_action, text.data(), size);
    if (got < 0) return system_error("dmesg", errno);
    text.resize(static_cast<std::size_t>(got));
    return text;
}

/// Where distributions install it; the first is where a capture keeps the version.
/// .distrib is where dpkg-divert(1) puts it when another program is given its place.
constexpr std::array<std::string_view, 7> kexec_programs{"usr/sbin/kexec", "sbin/kexec", "usr/bin/kexec", "bin/kexec",
                                                         "usr/sbin/kexec.distrib", "sbin/kexec.distrib", "usr/local/sbin/kexec"};

}  // namespace

Host::Host(std::filesystem::path root) : root_(std::move(root)), live_(root_ == "/") {}

std::string_view Host::path(Source source) const {
    return source == Source::kernel_log && live_ ? live_log : source_path(source);
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

Result<std::pair<std::string, std::string>> Host::find_kexec() const {
    // A script in the place of kexec has no version; the program it runs has.
    for (const std::string_view path : kexec_programs)
        if (const auto program = read(path); program && !(live_ && is_this_program(root_ / path)))
            if (auto version = kexec_tools_version(*program)) return std::pair((root_ / path).string(), *std::move(version));
    return Error{Errc::not_found, std::string(kexec_programs[0]), 0, "expected the kexec program, found none"};
}

Result<std::string> Host::kexec_program() const {
    auto found = find_kexec();
    if (!found) return std::move(found).error();
    return std::move(found->first);
}

Result<std::string> Host::kexec_tools() const {
    auto found = find_kexec();
    if (!found) return std::move(found).error();
    return std::move(found->second);
}

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

Result<std::map<std::string, e820::Address>> Host::symbols(std::span<const std::string_view> names) const {
    const std::string_view file = path(Source::kallsyms);
    auto fd = open(Source::kallsyms);
    if (!fd) return std::move(fd).error();

    std::map<std::string, e820::Address> found;
    std::optional<std::string> twice;
    const auto take_line = [&](std::string_view line) {
        const std::string_view name = symbol_name(line);
        if (std::find(names.begin(), names.end(), name) == names.end()) return;
        const auto address = e820::parse_number(line.substr(0, line.find(' ')), 16);
        if (!address) return;
        const auto [known, inserted] = found.emplace(name, *address);
        if (!inserted && known->second != *address) twice = known->first;
    };
    std::string rest;
    auto error = read_pieces(fd->get(), file, file_limit, [&](std::string_view piece) -> std::optional<Error> {
        while (true) {
            const auto newline = piece.find('\n');
            if (newline == std::string_view::npos) break;
            if (rest.empty()) {
                take_line(piece.substr(0, newline));
            } else {
                rest += piece.substr(0, newline);
                take_line(rest);
                rest.clear();
            }
            piece.remove_prefix(newline + 1);
        }
        rest += piece;
        return std::nullopt;
    });
    if (error) return std::move(*error);
    take_line(rest);

    if (twice)
        return Error{Errc::input, std::string(file), 0, fmt::format("expected one symbol {}, found two", *twice)};
    const auto hidden = [](const auto& symbol) { return symbol.second == 0; };
    if (std::any_of(found.begin(), found.end(), hidden)) {
        return Error{Errc::not_permitted, std::string(file), 0, "the kernel hides addresses (kernel.kptr_restrict)"};
    }
    return found;
}

std::optional<Error> Host::write(Switch which, std::string_view text) const {
    const std::string_view file = path(of(which));
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
        if (const auto number = e820::parse_number(name, 10)) numbers.push_back(*number);
    std::sort(numbers.begin(), numbers.end());

    std::vector<FirmwareMapFiles> entries;
    for (const auto number : numbers) {
        FirmwareMapFiles entry{std::to_string(number), {}, {}, {}};
        for (const auto& [name, text] :
             {std::pair{"start", &entry.start}, {"end", &entry.end}, {"type", &entry.type}}) {
            auto content = read(fmt::format("{}/{}/{}", directory, entry.name, name));
            // An entry without one of its files is no entry less, but a broken map.
            if (!content && content.error().code == Errc::not_found)
                return io_error(content.error().source, "expected start, end and type of each entry, found no such file");
            if (!content) return std::move(content).error();
            *text = *std::move(content);
        }
        entries.push_back(std::move(entry));
    }
    return entries;
}

std::string lines_of_kmsg(std::string_view records) {
    // Documentation/ABI/testing/dev-kmsg: "prefix,sequence,microseconds,flags[,…];text\n", then lines of the
    // dictionary, each with a leading blank. The prefix is (facility << 3) | level; /dev/kmsg does not let
    // programs write with facility 0.
    std::string text;
    while (!records.empty()) {
        const std::string_view line = records.substr(0, records.find('\n'));
        records.remove_prefix(std::min(records.size(), line.size() + 1));
        if (line.starts_with(' ')) continue;
        const auto semicolon = line.find(';');
        if (semicolon == std::string_view::npos) break;
        std::array<std::string_view, 3> fields;
        std::string_view header = line.substr(0, semicolon);
        for (auto& field : fields) {
            field = header.substr(0, header.find(','));
            header.remove_prefix(std::min(header.size(), field.size() + 1));
        }
        const auto prefix = e820::parse_number(fields[0], 10);
        const auto microseconds = e820::parse_number(fields[2], 10);
        if (!prefix || !microseconds || *prefix >> 3 != 0) continue;
        text += fmt::format("[{:5}.{:06}] {}\n", *microseconds / 1000000, *microseconds % 1000000,
                            line.substr(semicolon + 1));
    }
    return text;
}

bool set_load_messages(bool on) {
    constexpr const char* control = "/proc/dynamic_debug/control";
    constexpr std::array<std::string_view, 2> files{"kernel/kexec_file.c", "arch/x86/kernel/crash.c"};
    const Fd fd(::open(control, O_RDWR | O_CLOEXEC | O_NOFOLLOW));
    if (!fd) return false;
    if (on) {  // "kernel/kexec_file.c:1234 [kexec_file]kexec_calculate_store_digests =_ "format""
        const auto text = read_all(fd.get(), control, file_limit);
        if (!text) return false;
        for (std::string_view rest = *text; !rest.empty();) {
            const std::string_view line = rest.substr(0, rest.find('\n'));
            rest.remove_prefix(std::min(rest.size(), line.size() + 1));
            const bool ours = std::any_of(files.begin(), files.end(), [&](std::string_view f) { return line.starts_with(f); });
            if (ours && line.find(" =_ ") == line.npos) return false;
        }
    }
    bool done = false;
    for (const std::string_view file : files) {
        const std::string query = fmt::format("file {} {}p\n", file, on ? '+' : '-');
        done = ::write(fd.get(), query.data(), query.size()) == static_cast<ssize_t>(query.size()) || done;
    }
    return done;
}

bool is_this_program(const std::filesystem::path& path) {
    struct stat one {}, other {};
    return ::stat(path.c_str(), &one) == 0 && ::stat("/proc/self/exe", &other) == 0 && one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

std::optional<std::string> kexec_tools_version(std::string_view program) {
    constexpr std::string_view mark = "kexec-tools ";
    for (auto at = program.find(mark); at != std::string_view::npos; at = program.find(mark, at + 1)) {
        const std::string_view rest = program.substr(at + mark.size(), 16);
        const std::string_view version = rest.substr(0, rest.find_first_not_of("0123456789."));
        if (version.find('.') != std::string_view::npos) return std::string(version);
    }
    return std::nullopt;
}

Result<std::string> read_user_file(const std::filesystem::path& path, std::size_t limit) {
    const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
    if (!fd) return system_error(path.string(), errno);
    return read_all(fd.get(), path.string(), limit);
}

Result<FileHead> read_user_file_head(const std::filesystem::path& path, std::size_t wanted) {
    const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
    if (!fd) return system_error(path.string(), errno);
    if (auto error = require_regular(fd.get(), path.string())) return std::move(*error);
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) return system_error(path.string(), errno);

    FileHead head{std::string(wanted, '\0'), static_cast<std::uint64_t>(status.st_size)};
    std::size_t filled = 0;
    while (filled < wanted) {
        const ssize_t got = ::read(fd.get(), head.bytes.data() + filled, wanted - filled);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return system_error(path.string(), errno);
        if (got == 0) break;
        filled += static_cast<std::size_t>(got);
    }
    head.bytes.resize(filled);
    return head;
}

}  // namespace handoff
