// SPDX-License-Identifier: GPL-2.0-or-later
// Loads a crash kernel with the handoff, or exactly as the caller asked.
//
// The only code that changes the machine, and it does so by running kexec. All that can go
// wrong, planning above all, is done in a process of its own: whether it fails, crashes, hangs
// or is killed, what remains is this process, and it becomes the kexec that the caller asked for.
#include <sched.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "lib/crash_load.hpp"
#include "lib/fd.hpp"
#include "lib/host.hpp"
#include "lib/kernel_memory.hpp"
#include "lib/kexec_arguments.hpp"
#include "lib/lend.hpp"
#include "lib/record.hpp"
#include "tool/commands.hpp"
#include "tool/print.hpp"

namespace tool {
namespace {

using handoff::Fd;
using handoff::Finished;
using handoff::KexecArguments;

constexpr int lock_seconds = 10;
constexpr unsigned thinking_seconds = 60;  // at most, before kexec runs and again after it
constexpr int loaded_status = 90;          // of the child; 0 could come from anywhere
constexpr std::size_t longest_output = 4 * e820::MiB;

void sleep_ms(long ms) {
    const timespec time{ms / 1000, ms % 1000 * 1000000};
    ::nanosleep(&time, nullptr);
}

// To the system log, by a process that nobody waits for: a logger that hangs must not keep a crash
// kernel from being loaded.
void note_apart(const std::string& text) {
    if (::fork() != 0) return;
    ::signal(SIGALRM, SIG_DFL);
    ::alarm(5);
    note(text);
    ::_exit(0);
}

std::string describe(int wait_status) {
    if (WIFSIGNALED(wait_status)) return fmt::format("signal {}", WTERMSIG(wait_status));
    return fmt::format("exit status {}", WEXITSTATUS(wait_status));
}

// argv for exec(), made while there is still memory.
class Argv {
public:
    Argv(std::string program, std::vector<std::string> arguments) : words_(std::move(arguments)) {
        words_.insert(words_.begin(), std::move(program));
        for (std::string& w : words_) argv_.push_back(w.data());
        argv_.push_back(nullptr);
    }
    Argv(const Argv&) = delete;
    Argv& operator=(const Argv&) = delete;
    void exec() { ::execv(argv_[0], argv_.data()); }
    [[nodiscard]] const std::string& program() const { return words_.front(); }

private:
    std::vector<std::string> words_;
    std::vector<char*> argv_;
};

// /run/swiotlb-handoff: the record and the lock, of root alone.
class RunDirectory {
public:
    explicit RunDirectory(const std::string& root) {
        const Fd top(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
        if (!top) {
            fail(root);
            return;
        }
        const std::string path(handoff::record_directory);
        const bool made = ::mkdirat(top.get(), path.c_str(), 0755) == 0;
        Fd fd(::openat(top.get(), path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        struct stat status {};
        if (!fd || ::fstat(fd.get(), &status) != 0) {
            fail(path);
            return;
        }
        if (status.st_uid != ::geteuid() || (!made && (status.st_mode & 022) != 0)) {
            problem_ = path + ": belongs to somebody else, or others can write to it";
            return;
        }
        if (made) [[maybe_unused]] const int ignored = ::fchmod(fd.get(), 0755);  // whatever the umask says
        directory_ = std::move(fd);
    }

    // One load at a time. "" or why not.
    std::string lock() {
        if (!directory_) return problem_;
        lock_ = Fd(::openat(directory_.get(), "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
        if (!lock_) return fmt::format("the lock: {}", std::strerror(errno));
        for (int tries = 0; ::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0; ++tries) {
            if (errno != EWOULDBLOCK && errno != EINTR) return fmt::format("the lock: {}", std::strerror(errno));
            if (tries >= lock_seconds * 10) return fmt::format("another load is not done after {} s", lock_seconds);
            sleep_ms(100);
        }
        return {};
    }
    // The program that this process becomes holds the lock until it ends.
    void keep_lock() const {
        if (lock_) ::fcntl(lock_.get(), F_SETFD, 0);
    }

    // Never half a record, and rather none than an old one.
    void write(const std::string& text) const {
        if (!directory_) return;
        const std::string name(handoff::record_file), fresh = name + ".new";
        ::unlinkat(directory_.get(), fresh.c_str(), 0);
        const Fd file(::openat(directory_.get(), fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
        bool whole = file && ::fchmod(file.get(), 0644) == 0;
        for (std::size_t done = 0; whole && done < text.size();) {
            const ssize_t n = ::write(file.get(), text.data() + done, text.size() - done);
            if (n < 0 && errno == EINTR) continue;
            whole = n > 0;
            if (whole) done += static_cast<std::size_t>(n);
        }
        whole = whole && ::renameat(directory_.get(), fresh.c_str(), directory_.get(), name.c_str()) == 0;
        if (whole) return;
        ::unlinkat(directory_.get(), fresh.c_str(), 0);
        forget();
    }
    void forget() const {
        if (directory_) ::unlinkat(directory_.get(), std::string(handoff::record_file).c_str(), 0);
    }

private:
    void fail(const std::string& what) { problem_ = fmt::format("{}: {}", what, std::strerror(errno)); }

    Fd directory_, lock_;
    std::string problem_;
};

bool same_file(int one, int other) {
    struct stat a {}, b {};
    return ::fstat(one, &a) == 0 && ::fstat(other, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

// Takes what is there without waiting; false at the end.
bool drain(const Fd& fd, std::string& to) {
    std::array<char, 16384> buffer;
    while (true) {
        const ssize_t n = ::read(fd.get(), buffer.data(), buffer.size());
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return n < 0 && errno == EAGAIN;
        to.append(buffer.data(), std::min(static_cast<std::size_t>(n), longest_output - std::min(longest_output, to.size())));
    }
}

void write_all(int fd, std::string_view text) {
    while (!text.empty()) {
        const ssize_t n = ::write(fd, text.data(), text.size());
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return;  // kexec would not notice either
        text.remove_prefix(static_cast<std::size_t>(n));
    }
}

// In the child: from here on /proc/iomem is `text` for this process and what it becomes, and for nobody else. Nothing of it outlives
// the process: the file is on a tmpfs of its own mount namespace.
bool show_own_iomem(const std::string& text) {
    constexpr const char* place = "/run";
    constexpr const char* file = "/run/iomem";
    if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return false;
    if (::mount("tmpfs", place, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") != 0) return false;
    const Fd fd(::open(file, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0400));
    if (!fd) return false;
    write_all(fd.get(), text);
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0 || static_cast<std::size_t>(status.st_size) != text.size()) return false;
    return ::mount(file, "/proc/iomem", nullptr, MS_BIND, nullptr) == 0;
}

// Runs kexec and keeps what it prints: with -d that is for us, not for the caller. Standard output
// and error share one pipe where the caller's are one file, so that their order is kept. `iomem`: what it
// sees as /proc/iomem.
Finished run_kexec(Argv& command, const std::optional<std::string>& iomem) {
    Finished finished;
    const bool joined = same_file(STDOUT_FILENO, STDERR_FILENO);
    int out[2], err[2];
    if (::pipe2(out, O_CLOEXEC) != 0) return finished.how = std::strerror(errno), finished;
    const Fd read_out(out[0]);
    Fd write_out(out[1]);
    if (::pipe2(err, O_CLOEXEC) != 0) return finished.how = std::strerror(errno), finished;
    const Fd read_err(err[0]);
    Fd write_err(err[1]);
    ::fcntl(read_out.get(), F_SETFL, O_NONBLOCK);
    ::fcntl(read_err.get(), F_SETFL, O_NONBLOCK);

    const pid_t self = ::getpid();
    const pid_t child = ::fork();
    if (child < 0) return finished.how = std::strerror(errno), finished;
    if (child == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // a load that nobody watches is not wanted
        if (::getppid() != self || ::dup2(write_out.get(), STDOUT_FILENO) < 0 ||
            ::dup2(joined ? write_out.get() : write_err.get(), STDERR_FILENO) < 0)
            ::_exit(127);
        if (iomem && !show_own_iomem(*iomem)) ::_exit(126);
        command.exec();
        ::_exit(127);
    }
    write_out = Fd();
    write_err = Fd();
    int status = 0;
    std::array<pollfd, 2> ends{{{read_out.get(), POLLIN, 0}, {read_err.get(), POLLIN, 0}}};
    for (pid_t ended = 0; ended == 0;) {
        if (ends[0].fd >= 0 || ends[1].fd >= 0) ::poll(ends.data(), ends.size(), 100);
        // In this order, so that nothing of what an ended kexec wrote is missed; a process that it
        // left behind may hold the pipes open for ever.
        const bool done = ends[0].fd < 0 && ends[1].fd < 0;
        ended = ::waitpid(child, &status, done ? 0 : WNOHANG);
        if (ended < 0 && errno == EINTR) ended = 0;
        if (ends[0].fd >= 0 && !drain(read_out, finished.output)) ends[0].fd = -1;
        if (ends[1].fd >= 0 && !drain(read_err, finished.errors)) ends[1].fd = -1;
        if (ended < 0) return finished.how = std::strerror(errno), finished;
    }
    finished.how = describe(status);
    if (WIFEXITED(status)) finished.status = WEXITSTATUS(status);
    return finished;
}

std::string utc_now() {
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    std::array<char, 32> text{};
    if (::gmtime_r(&now, &parts) == nullptr || std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts) == 0) return {};
    return text.data();
}

class Live final : public handoff::LoadEffects {
public:
    Live(const Options& options, const handoff::Host& host, std::string program, const RunDirectory& directory)
        : options_(options), host_(host), program_(std::move(program)), directory_(directory) {}

    handoff::Result<handoff::Planned> plan(const KexecArguments& arguments) override {
        return handoff::plan_load(host_, arguments, {options_.accept, options_.lend});
    }
    Finished run(const std::vector<std::string>& arguments, const std::optional<e820::AddressRange>& left_out) override {
        std::optional<std::string> iomem;
        if (left_out && host_.live()) {
            const auto text = host_.read(handoff::Source::iomem);
            auto without = text ? handoff::iomem_without(*text, *left_out) : text.error();
            if (!without) return {-1, without.error().message(), {}, {}};
            iomem = *std::move(without);
        }
        log_before_ = host_.kernel_log().value_or("");
        Argv command(program_, arguments);
        const bool messages = host_.live() && handoff::set_load_messages(true);
        ::alarm(0);  // kexec may take as long as it would without us
        Finished finished = run_kexec(command, iomem);
        ::alarm(thinking_seconds);
        if (messages) handoff::set_load_messages(false);
        return finished;
    }
    std::string kernel_log() override {
        const std::string now = host_.kernel_log().value_or("");
        return std::string(handoff::news(log_before_, now));
    }
    handoff::Result<handoff::ElfCore> loaded_headers(const e820::AddressRange& elfcorehdr) override {
        auto file = host_.open(handoff::Source::kcore);
        if (!file) return std::move(file).error();
        const auto memory = handoff::Core::open(*std::move(file));
        if (!memory) return memory.error();
        const auto bytes = memory->read_physical(elfcorehdr.start(), std::min<std::uint64_t>(elfcorehdr.size(), 4 * e820::MiB));
        if (!bytes) return bytes.error();
        return handoff::parse_elf_core(*bytes);
    }
    void record(const handoff::Record& record) override {
        handoff::Record stamped = record;
        stamped.tool = HANDOFF_VERSION;
        stamped.time = utc_now();
        directory_.write(handoff::record_document(stamped).dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + '\n');
    }

private:
    const Options& options_;
    const handoff::Host& host_;
    std::string program_;
    const RunDirectory& directory_;
    std::string log_before_;
};

// The child's life. Never returns.
[[noreturn]] void load_and_exit(const Options& options, const handoff::Host& host, const std::string& program,
                                const RunDirectory& directory, const KexecArguments& arguments) {
    int status = 1;
    try {
        Live effects(options, host, program, directory);
        const handoff::LoadResult result = handoff::load_with_handoff(effects, arguments);
        if (host.live()) note_apart(result.loaded ? result.why : result.why + "; loading without the handoff");
        if (result.loaded) {
            write_all(STDOUT_FILENO, result.output);
            write_all(STDERR_FILENO, result.errors);
            status = loaded_status;
        }
    } catch (...) {  // no memory, above all
    }
    ::_exit(status);
}

// True where the handoff was loaded. Everything else is for the caller's own command.
bool load_in_child(const Options& options, const handoff::Host& host, const std::string& program, const RunDirectory& directory,
                   const KexecArguments& arguments) {
    struct sigaction inherited {}, standard {};
    standard.sa_handler = SIG_DFL;
    ::sigaction(SIGCHLD, &standard, &inherited);  // if it is ignored there is no status to wait for
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    const pid_t self = ::getpid();
    const pid_t child = ::fork();
    if (child == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (::getppid() != self) ::_exit(1);
        ::signal(SIGALRM, SIG_DFL);
        sigset_t alarms;
        ::sigemptyset(&alarms);
        ::sigaddset(&alarms, SIGALRM);
        ::sigprocmask(SIG_UNBLOCK, &alarms, nullptr);
        ::alarm(thinking_seconds);
        load_and_exit(options, host, program, directory, arguments);
    }
    int status = 0;
    pid_t ended = -1;
    if (child > 0)
        while ((ended = ::waitpid(child, &status, 0)) < 0 && errno == EINTR) {}
    const bool loaded = ended == child && WIFEXITED(status) && WEXITSTATUS(status) == loaded_status;
    if (!loaded) {
        if (child > 0 && ended != child) ::kill(child, SIGKILL);
        // A kexec of the child dies with it. It must be gone before the next one.
        for (int tries = 0; tries < 100 && ::waitpid(-1, nullptr, WNOHANG) == 0; ++tries) sleep_ms(20);
        if (ended == child && WIFSIGNALED(status) && host.live()) note_apart(fmt::format("ended by {}; loading without the handoff", describe(status)));
    }
    ::prctl(PR_SET_CHILD_SUBREAPER, 0);
    ::sigaction(SIGCHLD, &inherited, nullptr);
    return loaded;
}

// A shell word.
std::string quoted(const std::string& word) {
    constexpr std::string_view plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-";
    if (!word.empty() && word.find_first_not_of(plain) == word.npos) return word;
    std::string text = "'";
    for (const char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return text + "'";
}

Status print_command(const Options& options, const handoff::Host& host, const std::string& program) {
    std::vector<std::string> words = options.operands;
    const auto arguments = handoff::read_kexec_arguments(options.operands);
    if (arguments && arguments->panic_load) {
        const auto planned = arguments->not_modelled.empty()
                                 ? handoff::plan_load(host, *arguments, {options.accept, options.lend})
                                 : e820::input_error(0, arguments->not_modelled.front() + " changes the load in a way that is not modelled");
        if (planned && planned->plan.verdict == handoff::Verdict::ready) {
            words = handoff::with_words(*arguments, planned->plan.append, planned->release);
        } else {
            complain((planned ? headline(planned->plan) : planned.error().message()) + "; loading without the handoff");
        }
    }
    std::string line = quoted(program);
    for (const std::string& word : words) line += ' ' + quoted(word);
    print_line(line);
    return Status::ready;
}

// Why this program must not be run, or "". A plan for another machine must never reach a real kexec.
std::string objection_to(const Options& options, const handoff::Host& host, const std::string& program) {
    if (handoff::is_this_program(program)) return "--kexec is swiotlb-handoff itself";
    if (host.live() || options.dry_run) return {};
    if (!options.kexec) return "--root: name a stand-in with --kexec, or only look with --dry-run";
    const auto content = handoff::read_user_file(program, 64 * e820::MiB);
    if (content && handoff::kexec_tools_version(*content)) return "--root: --kexec is a real kexec, and the plan is for another machine";
    return {};
}

// The installed kexec. Where it can be run but not looked into, still: anything there but a script, which
// may be what called us.
e820::Result<std::string> find_program(const handoff::Host& host) {
    auto found = host.kexec_program();
    if (found || !host.live()) return found;
    for (const char* path : {"/usr/sbin/kexec", "/sbin/kexec", "/usr/bin/kexec", "/bin/kexec", "/usr/sbin/kexec.distrib", "/sbin/kexec.distrib"}) {
        if (::access(path, X_OK) != 0 || handoff::is_this_program(path)) continue;
        const auto head = handoff::read_user_file_head(path, 2);
        if (!head || head->bytes != "#!") return std::string(path);
    }
    return found;
}

}  // namespace

Status kexec(const Options& options) {
    const handoff::Host host(options.root);
    const auto program = options.kexec ? e820::Result<std::string>(*options.kexec) : find_program(host);
    if (!program && !(options.dry_run && !host.live())) {
        complain(program.error().message());
        return static_cast<Status>(127);
    }
    const std::string real = program ? *program : "/sbin/kexec";
    if (const std::string objection = objection_to(options, host, real); !objection.empty()) {
        complain(objection);
        return Status::usage;
    }
    if (options.dry_run) return print_command(options, host, real);

    Argv plain(real, options.operands);
    flush();
    try {
        const auto arguments = handoff::read_kexec_arguments(options.operands);
        if (arguments && arguments->panic_unload) RunDirectory(options.root).forget();
        if (arguments && arguments->panic_load) {
            RunDirectory directory(options.root);
            if (const std::string problem = directory.lock(); !problem.empty()) {
                if (host.live()) note_apart(problem + "; loading without the handoff");
            } else if (load_in_child(options, host, real, directory, *arguments)) {
                return Status::ready;
            }
            directory.keep_lock();
            plain.exec();
        }
    } catch (...) {  // no memory: there is still the caller's command
    }
    plain.exec();
    const int error = errno;
    complain(fmt::format("{}: {}", real, std::strerror(error)));
    return static_cast<Status>(error == ENOENT ? 127 : 126);
}

}  // namespace tool
