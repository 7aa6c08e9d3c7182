// SPDX-License-Identifier: GPL-2.0-or-later
// `swiotlb-handoff verify` alone, small and without libraries, for the initramfs of a crash kernel. Same exit statuses:
// swiotlb-handoff(8).
//
//   verify [ROOT]
//   verify --report FILE   tell everybody, and always exit 0: nothing may stop a dump
//   verify --watch FILE    watch the memory while the dump is saved (watch.hpp), and always exit 0
//
// An initramfs may have no timeout(1), grep(1) or sed(1), so all of it is here. A crash kernel has hardly any memory to
// spare: what this program may take is bounded, and where memory runs out it is the first to go.
#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <exception>
#include <string>
#include <string_view>

#include "base/number.hpp"
#include "base/standard_descriptors.hpp"
#include "base/text.hpp"
#include "lib/decide/verify.hpp"
#include "lib/kernel/command_line.hpp"
#include "lib/sources/gather.hpp"
#include "lib/sources/host.hpp"
#include "tool/text.hpp"
#include "tool/watch.hpp"

namespace {

void write_to(int fd, std::string_view text) {
    [[maybe_unused]] const ssize_t ignored = ::write(fd, text.data(), text.size());
}

int fail(const base::Error& error) {
    write_to(STDERR_FILENO, base::text("swiotlb-handoff: ", tool::printable(error.message(), false), "\n"));
    return error.code == base::Errc::not_permitted ? 5 : 1;
}

std::string field(std::string_view label, const base::AddressRange& range, std::string_view remark) {
    constexpr std::size_t digits = 12;
    return base::text(label, base::Hex{range.start(), digits}, "-", base::Hex{range.end(), digits}, "  ",
                      range.size() / base::KiB, " KiB", remark, "\n");
}

int verify(const char* root) {
    const auto machine = handoff::gather_pool(handoff::Host(root));
    if (!machine) return fail(machine.error());
    const auto verification = handoff::verify(*machine);
    if (!verification) return fail(verification.error());
    std::string said = base::text("landing     ", handoff::name(verification->landing), "\n");
    if (verification->promised) said += field("promised    ", *verification->promised, "");
    if (verification->found)
        said += field(
            "found       ", verification->found->range,
            base::text("  ", handoff::name(verification->found->source), " (", verification->found->where.text(), ")"));
    for (const auto& [landing, promised, found] : verification->devices)
        said +=
            field("device pool ", promised.range,
                  base::text("  ", tool::printable(promised.devices, false), ": ", handoff::name(landing),
                             found && landing != handoff::Landing::exact ? ", found at " + base::to_string(found->range)
                                                                         : ""));
    if (::write(STDOUT_FILENO, said.data(), said.size()) != static_cast<ssize_t>(said.size())) return 1;
    switch (handoff::promises_of(*verification)) {
        case handoff::Promises::kept:
            return 0;
        case handoff::Promises::none:
            return 4;
        case handoff::Promises::broken:
            break;
    }
    return 3;
}

[[noreturn]] void give_up() {
    write_to(STDERR_FILENO, "swiotlb-handoff: There is not enough memory to look for the pool.\n");
    ::_exit(1);
}
// The dump goes on without a report.
[[noreturn]] void give_up_quietly() { ::_exit(0); }

// Where a report goes; tests put files in the places of the devices.
struct Places {
    std::string file, root = "/", kmsg = "/dev/kmsg", console = "/dev/console";
    std::string program;  ///< instead of verify() itself
    std::string status;   ///< what proc(5) says of the process that verified, as it ends: how much memory it had
    unsigned seconds = 20;
};

void write_to(const std::string& path, int flags, std::string_view text) {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | flags, 0600);
    if (fd < 0) return;
    write_to(fd, text);
    ::close(fd);
}

// The first 4 KiB.
void copy_to(const std::string& path, const char* from) {
    const int fd = ::open(from, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    std::array<char, 4096> text{};
    const ssize_t size = ::read(fd, text.data(), text.size());
    ::close(fd);
    if (size > 0) write_to(path, O_CREAT | O_TRUNC, std::string_view(text.data(), static_cast<std::size_t>(size)));
}

std::int64_t now_ms() {
    timespec t{};
    ::clock_gettime(CLOCK_MONOTONIC, &t);
    return std::int64_t{t.tv_sec} * 1000 + t.tv_nsec / 1000000;
}

// However long it takes, SIGALRM ends this process. However much it needs, a request for more memory fails. And where
// the machine has none left, the kernel ends it before any other: oom_score_adj, proc(5).
void bound(unsigned seconds) {
    ::alarm(seconds);
    write_to("/proc/self/oom_score_adj", 0, "1000");
#ifndef HANDOFF_SANITIZED  // which takes all the addresses that there are
    rlimit memory{};
    if (::getrlimit(RLIMIT_AS, &memory) != 0) return;
    memory.rlim_cur = std::min<rlim_t>(memory.rlim_max, 4 * base::MiB);
    ::setrlimit(RLIMIT_AS, &memory);
#endif
}

struct Outcome {
    int status = -1;  ///< exit status; -1: a signal; -2: it did not end
    std::string output;
};

// In a process of its own: what it does wrong, or does not finish, stays there.
Outcome run(const Places& places) {
    Outcome outcome;
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), 0) != 0) return outcome;
    const pid_t child = ::fork();
    if (child < 0) return outcome;
    if (child == 0) {
        ::setpgid(0, 0);
        ::dup2(ends[1], STDOUT_FILENO);
        ::dup2(ends[1], STDERR_FILENO);
        ::close(ends[0]);
        ::close(ends[1]);
        std::set_terminate(give_up);
        if (places.program.empty()) {
            const int status = verify(places.root.c_str());
            if (!places.status.empty()) copy_to(places.status, "/proc/self/status");
            ::_exit(status);
        }
        std::string program = places.program;
        rlimit memory{};
        if (::getrlimit(RLIMIT_AS, &memory) == 0) {
            memory.rlim_cur = memory.rlim_max;
            ::setrlimit(RLIMIT_AS, &memory);
        }
        const std::array<char*, 2> words{program.data(), nullptr};
        ::execve(program.c_str(), words.data(), words.data() + 1);
        ::_exit(127);
    }
    ::close(ends[1]);
    const std::int64_t deadline = now_ms() + std::int64_t{places.seconds} * 1000;
    bool open = true;
    int status = 0;
    pid_t ended = 0;
    while (ended == 0 && now_ms() < deadline) {
        pollfd watched{ends[0], POLLIN, 0};
        if (open && ::poll(&watched, 1, 100) > 0) {
            std::array<char, 4096> buffer{};
            const ssize_t n = ::read(ends[0], buffer.data(), buffer.size());
            if (n > 0 && outcome.output.size() < 65536)
                outcome.output.append(buffer.data(), static_cast<std::size_t>(n));
            open = n > 0 || (n < 0 && errno == EINTR);
            continue;
        }
        ended = ::waitpid(child, &status, WNOHANG);
        if (ended == 0 && !open) ::poll(nullptr, 0, 20);
    }
    if (ended == 0) {
        ::kill(-child, SIGKILL);
        outcome.status = -2;  // and it is not waited for: it may hang in the kernel
    } else if (WIFEXITED(status)) {
        outcome.status = WEXITSTATUS(status);
    }
    return outcome;
}

void report(const Places& places) {
    const auto text = handoff::Host(places.root).read(handoff::Source::command_line);
    if (!text) return;
    const bool lent = text->find(handoff::lent_key) != std::string::npos;
    if (!lent && text->find(handoff::marker_key) == std::string::npos) return;
    const Outcome outcome = run(places);
    std::string verdict;
    bool alarming = true;
    switch (outcome.status) {
        case 0:
            verdict = lent ? "the old pool is ordinary RAM of this kernel (lent)"
                           : "the pool is where the handoff promised it (exact)";
            alarming = false;
            break;
        case 3:
            if (outcome.output.starts_with("landing     exact"))
                verdict =
                    "WARNING: a pool of single devices is NOT where the handoff promised it; DMA of the old kernel "
                    "may hit memory of this one";
            else
                verdict =
                    lent ? "WARNING: the old pool was lent, and is NOT ordinary RAM here, or this kernel made a pool"
                         : "WARNING: the pool is NOT where the handoff promised it; DMA of the old kernel may hit "
                           "memory of this one";
            break;
        case -1:
            verdict = "WARNING: It is not known where the pool is. A signal ended verify.";
            break;
        case -2:
            verdict = "WARNING: It is not known where the pool is. verify did not end in time.";
            break;
        default:
            verdict = base::text("WARNING: It is not known where the pool is. verify ended with status ",
                                 static_cast<unsigned>(outcome.status), ".");
    }
    const std::string line = "swiotlb-handoff: " + verdict + "\n";
    // Each line is a record of the kernel's log. Only a warning has a level that reaches the console.
    write_to(places.kmsg, 0, (alarming ? "<2>" : "<5>") + line);
    for (std::size_t at = 0; at < outcome.output.size();) {
        const auto end = std::min(outcome.output.find('\n', at), outcome.output.size());
        write_to(places.kmsg, O_APPEND,
                 "<5>swiotlb-handoff:   " + outcome.output.substr(at, std::min<std::size_t>(end - at, 500)) + "\n");
        at = end + 1;
    }
    write_to(places.console, 0, line);
    if (const auto slash = places.file.rfind('/'); slash != std::string::npos && slash > 0)
        ::mkdir(places.file.substr(0, slash).c_str(), 0755);
    write_to(places.file, O_CREAT | O_TRUNC, line + outcome.output);
}

Places places_from(int argc, char** argv) {
    Places places;
    places.file = argv[2];
    for (int i = 3; i + 1 < argc; i += 2) {
        const std::string option = argv[i];
        if (option == "--root") places.root = argv[i + 1];
        if (option == "--kmsg") places.kmsg = argv[i + 1];
        if (option == "--console") places.console = argv[i + 1];
        if (option == "--run") places.program = argv[i + 1];
        if (option == "--status") places.status = argv[i + 1];
        if (option == "--seconds")
            places.seconds = static_cast<unsigned>(
                std::min<std::uint64_t>(base::parse_number(argv[i + 1], 10).value_or(places.seconds), 3600));
    }
    return places;
}

tool::WatchPlaces watch_places_from(int argc, char** argv) {
    tool::WatchPlaces places;
    places.file = argv[2];
    for (int i = 3; i + 1 < argc; i += 2) {
        const std::string option = argv[i], value = argv[i + 1];
        if (option == "--proc") places.proc = value;
        if (option == "--kmsg") places.kmsg = value;
        if (option == "--console") places.console = value;
        if (option == "--looks") places.looks = base::parse_number(value, 10).value_or(0);
        if (option == "--interval")
            places.interval_ms = static_cast<unsigned>(
                std::min<std::uint64_t>(base::parse_number(value, 10).value_or(places.interval_ms), 60000));
    }
    return places;
}

}  // namespace

int main(int argc, char** argv) {
    base::open_standard_descriptors();
    if (argc >= 3 && std::string_view(argv[1]) == "--watch") {
        constexpr unsigned week = 7 * 24 * 3600;  // no dump takes longer
        std::set_terminate(give_up_quietly);
        bound(week);
        tool::watch(watch_places_from(argc, argv));
        return 0;
    }
    if (argc >= 3 && std::string_view(argv[1]) == "--report") {
        std::set_terminate(give_up_quietly);
        const Places places = places_from(argc, argv);
        bound(places.seconds + 5);
        report(places);
        return 0;
    }
    std::set_terminate(give_up);
    if (argc <= 2 && (argc == 1 || argv[1][0] != '-')) return verify(argc == 2 ? argv[1] : "/");
    write_to(STDERR_FILENO, base::text("usage: ", argv[0], " [ROOT]\n       ", argv[0], " --report FILE\n       ",
                                       argv[0], " --watch FILE\n"));
    return 2;
}
