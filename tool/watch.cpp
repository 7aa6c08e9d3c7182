// SPDX-License-Identifier: GPL-2.0-or-later
// Part of verify, so without a C library: freestanding.cpp.
#include "tool/watch.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <ctime>
#include <optional>
#include <string_view>

#include "base/fd.hpp"
#include "base/number.hpp"
#include "base/scan.hpp"
#include "base/text.hpp"
#include "lib/machine/watched_memory.hpp"
#include "swiotlb-handoff/range.hpp"

namespace tool {
namespace {

using base::Fd;
using base::KiB;
using base::MiB;
using std::string_view;

constexpr std::size_t most_lines = 24;    // on the console
constexpr unsigned looks_per_search = 3;  // a search for who saves the dump takes longer than a look at the memory
constexpr std::size_t longest_file = 64 * KiB, longest_record = MiB;

// The number behind "NAME:" or "NAME " at the beginning of a line.
std::optional<std::uint64_t> number_of(string_view text, string_view name) {
    while (!text.empty()) {
        string_view line = base::take_line(text);
        if (!line.starts_with(name)) continue;
        line.remove_prefix(std::min(line.size(), line.find_first_not_of(": \t", name.size())));
        return base::Scan(line).decimal();
    }
    return std::nullopt;
}

// What is System RAM in /proc/iomem, at no depth; nullopt where the kernel hides addresses.
std::optional<std::uint64_t> ram_of(string_view iomem) {
    std::uint64_t bytes = 0;
    while (!iomem.empty()) {
        const string_view line = base::take_line(iomem);
        base::Scan scan(line);
        const auto first = scan.hex_digits();
        const auto last = first && scan.take('-') ? scan.hex_digits() : std::nullopt;
        if (last && scan.rest() == " : System RAM" && *last > *first) bytes += *last - *first + 1;
    }
    return bytes == 0 ? std::nullopt : std::optional(bytes);
}

// As one line of words.
std::string words_of(std::string text) {
    constexpr std::size_t longest = 500;
    text.resize(std::min(text.size(), longest));
    std::replace(text.begin(), text.end(), '\0', ' ');
    while (text.ends_with(' ')) text.pop_back();
    return text;
}

std::uint64_t milliseconds(clockid_t clock) {
    timespec t{};
    ::clock_gettime(clock, &t);
    return static_cast<std::uint64_t>(t.tv_sec) * 1000 + static_cast<std::uint64_t>(t.tv_nsec) / 1000000;
}

// The names in a directory that are numbers.
template <class Take>
void for_each_number(int directory, Take take) {
    std::array<char, 2048> entries{};
    while (true) {
        const long got = ::syscall(SYS_getdents64, directory, entries.data(), entries.size());
        if (got <= 0) return;
        for (long at = 0; at < got;) {
            const char* const entry = entries.data() + at;  // struct linux_dirent64, getdents(2)
            std::uint16_t length = 0;
            std::memcpy(&length, entry + 16, sizeof length);
            if (entry[19] >= '0' && entry[19] <= '9') take(std::string(entry + 19));
            at += length;
        }
    }
}

// A process that has /proc/vmcore open.
struct Collector {
    std::string process, descriptor;  // their numbers
    std::string words;
    std::string directory;  // of the file that it writes; "" where there is none, as where it writes into a pipe
    std::uint64_t began_ms = 0, bytes = 0;
    bool running = false;
};

class Watch {
public:
    explicit Watch(const WatchPlaces& places)
        : places_(places), proc_(::open(places.proc.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {}

    // False where another one watches.
    bool begin();
    void look();

private:
    [[nodiscard]] std::string read(const std::string& path, std::size_t most = longest_file) const;
    [[nodiscard]] std::string link(const std::string& path) const;
    [[nodiscard]] std::string system(string_view path) const { return base::text(places_.system, path); }
    void write(const std::string& path, int flags, string_view text) const;
    void say(const std::string& text);
    void say_low();
    void look_at_pool();
    void search();
    [[nodiscard]] std::optional<Collector> collector_of(const std::string& process) const;
    void look_at_files(Collector& collector) const;
    void follow();
    void keep();
    void leave_beside_dump() const;

    const WatchPlaces& places_;
    Fd proc_, file_;
    handoff::WatchedMemory seen_;
    Collector collector_;
    std::size_t kept_size_ = 0, lines_ = 0;
    std::uint64_t said_ = 0;  // available when something was last said, bytes
};

std::string Watch::read(const std::string& path, std::size_t most) const {
    std::string text;
    const Fd file(::openat(proc_.get(), path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    std::array<char, 4096> piece{};
    while (file && text.size() < most) {
        const ssize_t got = ::read(file.get(), piece.data(), piece.size());
        if (got <= 0) break;
        text.append(piece.data(), static_cast<std::size_t>(got));
    }
    return text;
}

std::string Watch::link(const std::string& path) const {
    std::array<char, 1024> target{};
    const ssize_t length = ::readlinkat(proc_.get(), path.c_str(), target.data(), target.size());
    return length <= 0 ? std::string() : std::string(target.data(), static_cast<std::size_t>(length));
}

void Watch::write(const std::string& path, int flags, string_view text) const {
    const Fd file(::openat(proc_.get(), path.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | flags, 0600));
    if (!file) return;
    [[maybe_unused]] const ssize_t ignored = ::write(file.get(), text.data(), text.size());
    if ((flags & O_CREAT) != 0) ::fsync(file.get());
}

bool Watch::begin() {
    if (!proc_) return false;
    if (const auto slash = places_.file.rfind('/'); slash != std::string::npos && slash > 0)
        ::mkdir(places_.file.substr(0, slash).c_str(), 0755);
    file_ = Fd(::open(places_.file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (file_ && ::flock(file_.get(), LOCK_EX | LOCK_NB) != 0) return false;
    seen_.release = std::string(base::trimmed(read("sys/kernel/osrelease")));
    seen_.command_line = std::string(base::trimmed(read("cmdline")));
    seen_.possible_cpus = base::trimmed(read(system("/sys/devices/system/cpu/possible")));
    seen_.ram_bytes = ram_of(read("iomem"));
    if (!file_) return true;

    std::array<char, 8192> before{};
    const ssize_t size = ::pread(file_.get(), before.data(), before.size(), 0);
    if (size <= 0) return true;
    kept_size_ = static_cast<std::size_t>(size);
    const string_view document(before.data(), kept_size_);
    const auto number = [&](string_view member) { return handoff::number_in(document, member).value_or(0); };
    if (number("looks") == 0) return true;
    seen_.looks = number("looks");
    seen_.first_free_bytes = number("first_free_bytes");
    seen_.first_available_bytes = number("first_available_bytes");
    seen_.lowest_free_bytes = number("lowest_free_bytes");
    seen_.lowest_available_bytes = said_ = number("lowest_available_bytes");
    seen_.slabs_used = handoff::number_in(document, "slabs_used");
    return true;
}

void Watch::say(const std::string& text) {
    const std::string line = "swiotlb-handoff: " + text + "\n";
    write(places_.kmsg, O_APPEND, "<5>" + line);
    // The kernel shows its own log there only up to a level, which is the first of these numbers (proc(5)).
    constexpr std::uint64_t notice = 5;
    if (base::Scan(read("sys/kernel/printk")).decimal().value_or(0) <= notice) write(places_.console, O_APPEND, line);
}

void Watch::say_low() {
    const std::uint64_t available = seen_.lowest_available_bytes;
    const bool first = said_ == 0 && lines_ == 0;
    if (lines_ >= most_lines || (!first && available > said_ / 5 * 4)) return;
    ++lines_;
    said_ = available;
    say(base::text("memory: ", available / MiB, " of ", seen_.total_bytes / MiB, " MiB are available",
                   first ? "" : ", the least so far", ", and ", seen_.lowest_free_bytes / MiB, " MiB are free."));
}

void Watch::look_at_pool() {
    const auto number = [&](string_view file) {
        return base::Scan(read(system(base::text("/sys/kernel/debug/swiotlb/", file)))).decimal();
    };
    if (!seen_.slabs) seen_.slabs = number("io_tlb_nslabs");
    if (!seen_.slabs) return;
    for (const string_view file : {"io_tlb_used", "io_tlb_used_hiwater"})
        if (const auto used = number(file)) seen_.slabs_used = std::max(seen_.slabs_used.value_or(0), *used);
}

void Watch::look_at_files(Collector& collector) const {
    const Fd directory(::openat(proc_.get(), (collector.process + "/fd").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory) return;
    std::uint64_t largest = 0;
    for_each_number(directory.get(), [&](const std::string& number) {
        const std::string target = link(collector.process + "/fd/" + number);
        if (target == "/proc/vmcore") collector.descriptor = number;
        if (!target.starts_with('/') || target.ends_with(" (deleted)")) return;
        for (const string_view no_dump : {"/proc/", "/dev/", "/sys/", "/run/"})
            if (target.starts_with(no_dump)) return;
        struct stat status {};
        if (::fstatat(proc_.get(), system(target).c_str(), &status, 0) != 0 || !S_ISREG(status.st_mode)) return;
        const auto size = static_cast<std::uint64_t>(status.st_size);
        if (!collector.directory.empty() && size < largest) return;
        largest = size;
        collector.directory = target.substr(0, target.rfind('/'));
    });
    collector.bytes =
        std::max({collector.bytes, largest, number_of(read(collector.process + "/io"), "wchar").value_or(0)});
}

std::optional<Collector> Watch::collector_of(const std::string& process) const {
    Collector collector;
    collector.process = process;
    look_at_files(collector);
    if (collector.descriptor.empty()) return std::nullopt;
    collector.words = words_of(read(process + "/cmdline"));
    // makedumpfile --dump-dmesg and vmcore-dmesg save only the log. After them the dump is still to come, and may fail.
    if (string_view(collector.words).find("dmesg") != string_view::npos) return std::nullopt;
    // The 22nd member is when it began, in units of 10 ms since the kernel began; the second is its name, in brackets.
    std::string status = read(process + "/stat");
    string_view rest = status;
    rest.remove_prefix(std::min(rest.size(), rest.rfind(')') + 1));
    for (int member = 3; member <= 22 && !rest.empty(); ++member) {
        rest.remove_prefix(std::min(rest.size(), rest.find_first_not_of(' ')));
        if (member < 22) rest.remove_prefix(std::min(rest.size(), rest.find(' ')));
    }
    collector.began_ms = base::Scan(rest).decimal().value_or(0) * 10;
    collector.running = true;
    return collector;
}

// Programs read /proc/vmcore for several things; the one that writes most saves the dump.
void Watch::search() {
    const Fd directory(::openat(proc_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory) return;
    for_each_number(directory.get(), [&](const std::string& process) {
        if (collector_.running && process == collector_.process) return look_at_files(collector_);
        auto other = collector_of(process);
        if (!other || (!collector_.process.empty() && other->bytes <= collector_.bytes)) return;
        collector_ = *std::move(other);
        seen_.dump_done = false;
    });
    struct stat status {};
    if (::fstatat(proc_.get(), "vmcore", &status, 0) == 0 && status.st_size > 0)
        seen_.vmcore_bytes = static_cast<std::uint64_t>(status.st_size);
    seen_.oom_kills = number_of(read("vmstat"), "oom_kill ");
    seen_.running_cpus = base::trimmed(read(system("/sys/devices/system/cpu/online")));
}

void Watch::follow() {
    if (!collector_.running) return;
    seen_.collector = collector_.words;
    if (link(base::text(collector_.process, "/fd/", collector_.descriptor)) == "/proc/vmcore") {
        collector_.bytes = std::max(collector_.bytes, number_of(read(collector_.process + "/io"), "wchar").value_or(0));
        seen_.dump_bytes = collector_.bytes;
        const std::uint64_t now = milliseconds(CLOCK_BOOTTIME);
        seen_.dump_seconds = (now - std::min(now, collector_.began_ms) + 500) / 1000;
        return;
    }
    collector_.running = false;
    seen_.dump_done = true;
    search();  // what else there is to know, and whether another one writes more
    if (collector_.running) return;
    keep();
    leave_beside_dump();
    say(base::text("memory: The dump is done: ", seen_.dump_bytes / MiB, " MiB were written in ", seen_.dump_seconds,
                   " s. At the lowest point ", seen_.lowest_available_bytes / MiB, " of ", seen_.total_bytes / MiB,
                   " MiB were available."));
}

// The file is written in place, because a new one each time would take memory for two. If the text gets shorter, the
// rest is filled with empty lines.
void Watch::keep() {
    if (!file_) return;
    std::string text = to_text(seen_);
    if (text.size() < kept_size_) text.append(kept_size_ - text.size(), '\n');
    kept_size_ = text.size();
    [[maybe_unused]] const ssize_t ignored = ::pwrite(file_.get(), text.data(), text.size(), 0);
}

void Watch::leave_beside_dump() const {
    if (collector_.directory.empty()) return;
    const std::string directory = system(collector_.directory);
    write(directory + "/swiotlb-handoff-memory.json", O_CREAT | O_TRUNC | O_NOFOLLOW, to_text(seen_));
    // The disk of the dump may be mounted somewhere: each directory above the dump may be the system's own root.
    std::string above = collector_.directory;
    while (!above.empty()) {
        above.resize(above.rfind('/'));
        const std::string record = read(system(above + HANDOFF_STATE "/record.json"), longest_record);
        if (record.empty()) continue;
        write(directory + "/swiotlb-handoff.json", O_CREAT | O_TRUNC | O_NOFOLLOW, record);
        return;
    }
}

void Watch::look() {
    const std::string text = read("meminfo");
    const auto bytes = [&](string_view name) { return number_of(text, name).value_or(0) * KiB; };
    const std::uint64_t total = bytes("MemTotal:"), free = bytes("MemFree:"), available = bytes("MemAvailable:");
    if (total == 0) return;
    if (seen_.looks == 0) {
        seen_.first_free_bytes = seen_.lowest_free_bytes = free;
        seen_.first_available_bytes = seen_.lowest_available_bytes = available;
    }
    seen_.total_bytes = total;
    seen_.lowest_free_bytes = std::min(seen_.lowest_free_bytes, free);
    seen_.lowest_available_bytes = std::min(seen_.lowest_available_bytes, available);
    seen_.time = handoff::utc_text(milliseconds(CLOCK_REALTIME) / 1000);
    look_at_pool();
    if (seen_.looks++ % looks_per_search == 0) search();
    say_low();
    follow();
    keep();
}

}  // namespace

void watch(const WatchPlaces& places) {
    Watch watch(places);
    if (!watch.begin()) return;
    for (std::uint64_t i = 0; places.looks == 0 || i < places.looks; ++i) {
        watch.look();
        ::poll(nullptr, 0, static_cast<int>(places.interval_ms));
    }
}

}  // namespace tool
