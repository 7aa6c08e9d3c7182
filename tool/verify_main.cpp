// SPDX-License-Identifier: GPL-2.0-or-later
// `swiotlb-handoff verify` alone, small and without shared libraries, for the initramfs of a
// crash kernel. Same exit statuses: swiotlb-handoff(8).
//
//   verify [ROOT]
//   verify --report FILE   tell everybody, and always exit 0: nothing may stop a dump
//
// An initramfs may have no timeout(1), grep(1) or sed(1), so all of it is here.
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <exception>
#include <string>

#include "base/number.hpp"
#include "lib/decide/verify.hpp"
#include "lib/kernel/command_line.hpp"
#include "lib/sources/gather.hpp"
#include "lib/sources/host.hpp"
#include "tool/text.hpp"

namespace {

int fail(const base::Error& error) {
    std::fprintf(stderr, "swiotlb-handoff: %s\n", tool::printable(error.message(), false).c_str());
    return error.code == base::Errc::not_permitted ? 5 : 1;
}

void field(const char* label, const base::AddressRange& r, const std::string& remark) {
    std::printf("%-12s%#014llx-%#014llx  %llu KiB%s\n", label, static_cast<unsigned long long>(r.start()),
                static_cast<unsigned long long>(r.end()), static_cast<unsigned long long>(r.size() / base::KiB),
                remark.c_str());
}

int verify(const char* root) {
    const auto machine = handoff::gather(handoff::Host(root));
    if (!machine) return fail(machine.error());
    const auto verification = handoff::verify(*machine);
    if (!verification) return fail(verification.error());
    std::printf("%-12s%s\n", "landing", handoff::name(verification->landing));
    if (verification->promised) field("promised", *verification->promised, "");
    if (verification->found)
        field("found", verification->found->range,
              std::string("  ") + handoff::name(verification->found->source) + " (" +
                  verification->found->where.text() + ")");
    if (std::fflush(stdout) != 0) return 1;
    switch (verification->landing) {
        case handoff::Landing::exact:
        case handoff::Landing::lent:
            return 0;
        case handoff::Landing::no_handoff:
            return 4;
        case handoff::Landing::not_lent:
        case handoff::Landing::elsewhere:
        case handoff::Landing::no_pool:
            return 3;
    }
    return 3;
}

int verify_or_fail(const char* root) {
    try {
        return verify(root);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "swiotlb-handoff: %s\n", error.what());
        return 1;
    }
}

// Where a report goes; tests put files in the places of the devices.
struct Places {
    std::string file, root = "/", kmsg = "/dev/kmsg", console = "/dev/console";
    std::string program;  ///< instead of verify() itself
    unsigned seconds = 20;
};

void write_to(const std::string& path, int flags, const std::string& text) {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | flags, 0600);
    if (fd < 0) return;
    [[maybe_unused]] const ssize_t ignored = ::write(fd, text.data(), text.size());
    ::close(fd);
}

double now() {
    timespec t{};
    ::clock_gettime(CLOCK_MONOTONIC, &t);
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

struct Outcome {
    int status = -1;  ///< exit status; -1: a signal; -2: it did not end
    std::string output;
};

// In a process of its own: what it does wrong, or does not finish, stays there.
Outcome run(const Places& places) {
    Outcome outcome;
    std::array<int, 2> ends{};
    if (::pipe(ends.data()) != 0) return outcome;
    const pid_t child = ::fork();
    if (child < 0) return outcome;
    if (child == 0) {
        ::setpgid(0, 0);
        ::dup2(ends[1], STDOUT_FILENO);
        ::dup2(ends[1], STDERR_FILENO);
        ::close(ends[0]);
        ::close(ends[1]);
        if (places.program.empty()) {
            const int status = verify_or_fail(places.root.c_str());
            std::fflush(stdout);
            ::_exit(status);
        }
        ::execl(places.program.c_str(), places.program.c_str(), static_cast<char*>(nullptr));
        ::_exit(127);
    }
    ::close(ends[1]);
    const double deadline = now() + places.seconds;
    bool open = true;
    int status = 0;
    pid_t ended = 0;
    while (ended == 0 && now() < deadline) {
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
        if (ended == 0 && !open) ::usleep(20000);
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
            verdict = lent ? "WARNING: the old pool was lent, and is NOT ordinary RAM here, or this kernel made a pool"
                           : "WARNING: the pool is NOT where the handoff promised it; DMA of the old kernel may hit "
                             "memory of this one";
            break;
        case -1:
            verdict = "WARNING: cannot tell where the pool is: verify died";
            break;
        case -2:
            verdict = "WARNING: cannot tell where the pool is: verify did not end in time";
            break;
        default:
            verdict =
                "WARNING: cannot tell where the pool is: verify ended with status " + std::to_string(outcome.status);
    }
    const std::string line = "swiotlb-handoff: " + verdict + "\n";
    // A record of the log for each line; a level that reaches the console only where it matters.
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
        if (option == "--seconds")
            places.seconds = static_cast<unsigned>(
                std::min<std::uint64_t>(base::parse_number(argv[i + 1], 10).value_or(places.seconds), 3600));
    }
    return places;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc >= 3 && std::strcmp(argv[1], "--report") == 0) {
        try {
            report(places_from(argc, argv));
        } catch (...) {  // no memory: the dump goes on without a report
        }
        return 0;
    }
    if (argc <= 2 && (argc == 1 || argv[1][0] != '-')) return verify_or_fail(argc == 2 ? argv[1] : "/");
    std::fprintf(stderr, "usage: %s [ROOT]\n       %s --report FILE\n", argv[0], argv[0]);
    return 2;
}
