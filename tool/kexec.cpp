// SPDX-License-Identifier: GPL-2.0-or-later
// Loads a crash kernel with the handoff, or exactly as the caller asked; and in the same way what a reboot by kexec
// starts (next_kexec.cpp).
//
// It changes the machine by running kexec, and for that time what the kernel logs of a load. All that can go
// wrong, planning above all, is done in a process of its own: whether it fails, crashes, hangs
// or is killed, what remains is this process, and it becomes the kexec that the caller asked for.
#include <sys/prctl.h>
#include <sys/wait.h>

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

#include "base/wording.hpp"
#include "lib/load/crash_load.hpp"
#include "lib/load/kexec_arguments.hpp"
#include "lib/load/next_load.hpp"
#include "lib/load/record.hpp"
#include "lib/sources/file_sum.hpp"
#include "lib/sources/host.hpp"
#include "lib/sources/kexec_program.hpp"
#include "lib/sources/loaded_kernel.hpp"
#include "lib/sources/user_file.hpp"
#include "tool/commands.hpp"
#include "tool/logged_kexec.hpp"
#include "tool/machine_file.hpp"
#include "tool/next_kexec.hpp"
#include "tool/print.hpp"
#include "tool/run_directory.hpp"
#include "tool/run_kexec.hpp"
#include "tool/watched_child.hpp"

namespace tool {
namespace {

using base::Argv;
using handoff::KexecArguments;
using handoff::KexecRun;

class Live final : public handoff::LoadEffects {
public:
    /// `locked`: the lock is had. Without it the record is another load's.
    Live(const Options& options, const handoff::Host& host, std::string program, const RunDirectory& directory,
         bool locked, const StageReport& report)
        : options_(options),
          host_(host),
          kexec_(host, std::move(program), report),
          directory_(directory),
          locked_(locked),
          passed_before_(directory.passed()) {}

    handoff::Result<handoff::PlannedLoad> plan(const KexecArguments& arguments) override {
        auto planned = handoff::plan_load(host_, arguments, wishes_from(options_));
        if (planned) needs_messages_ = handoff::needs_load_messages(arguments, planned->machine.release);
        return planned;
    }
    std::optional<handoff::FileSum> sum_of(const std::string& file) override { return handoff::sum_if_read(file); }
    std::optional<handoff::Fallback> fallback(const handoff::PlannedLoad& planned) override {
        return handoff::fallback_of(host_, planned);
    }
    KexecRun run(const std::vector<std::string>& arguments,
                 const std::optional<base::AddressRange>& left_out) override {
        return kexec_.run(arguments, left_out, needs_messages_);
    }
    std::string kernel_log() override { return kexec_.kernel_log(); }
    handoff::Result<handoff::ElfCore> loaded_headers(const base::AddressRange& elfcorehdr) override {
        return handoff::loaded_headers(host_, elfcorehdr);
    }
    void record(const handoff::Record& record) override {
        if (!locked_) return;
        handoff::Record stamped = record;
        stamped.tool = HANDOFF_VERSION;
        stamped.time = utc_now();
        directory_.write(e820::to_text(handoff::record_document(stamped)) + '\n');
    }
    bool alone() override { return passed_before_ && directory_.passed() == passed_before_; }

private:
    const Options& options_;
    const handoff::Host& host_;
    LoggedKexec kexec_;
    const RunDirectory& directory_;
    bool locked_;
    std::optional<std::uint64_t> passed_before_;
    bool needs_messages_ = false;
};

// The child's life. Nothing that comes after the record, such as an output that nobody reads, may fail the load.
// `no_lock`: why the lock is not had; "" where it is.
void load(const Options& options, const handoff::Host& host, const std::string& program, const RunDirectory& directory,
          const KexecArguments& arguments, const std::string& no_lock, const StageReport& report) {
    begin_thinking();
    try {
        Live effects(options, host, program, directory, no_lock.empty(), report);
        const handoff::LoadResult result = no_lock.empty() ? handoff::load_with_handoff(effects, arguments)
                                                           : handoff::load_without_handoff(effects, arguments, no_lock);
        const bool loaded = result.rung != handoff::Rung::plain;
        report.say(loaded ? Stage::loaded : Stage::plain);
        end_thinking();
        if (host.live())
            note_apart(loaded ? result.why : result.why + ". The crash kernel is loaded without the handoff.", &report);
        if (!loaded) return;
        write_all(STDOUT_FILENO, result.output);
        write_all(STDERR_FILENO, result.errors);
    } catch (...) {  // no memory, above all
    }
}

// True where the crash kernel was loaded, with the handoff or with a pool of its own that is smaller. Everything else
// is for the caller's own command, and no record of this load or an older one is left but one that says so.
bool load_in_child(const Options& options, const handoff::Host& host, const std::string& program,
                   const RunDirectory& directory, const KexecArguments& arguments, const std::string& no_lock) {
    const ChildEnd end = watch_child(
        [&](const StageReport& report) { load(options, host, program, directory, arguments, no_lock, report); });
    if (end.stage == Stage::loaded) return true;
    if (end.stage == Stage::plain) return false;
    directory.forget();
    if (host.live())
        note_apart(
            fmt::format("The process that loads with the handoff ended too early ({}). The crash kernel is loaded "
                        "without the handoff.",
                        end.how));
    return false;
}

// Unloads as the caller asks, and forgets the record only if that worked. nullopt where there can be no child.
std::optional<Status> unload_in_child(Argv& plain, const RunDirectory& directory) {
    const ChildrenCanBeWaitedFor waited_for;
    const pid_t self = ::getpid();
    const pid_t child = ::fork();
    if (child < 0) return std::nullopt;
    if (child == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (::getppid() == self) plain.exec();
        ::_exit(errno == ENOENT ? 127 : 126);
    }
    const int status = base::wait_for(child);
    if (status < 0) return std::nullopt;
    if (status == 0) directory.forget();
    return static_cast<Status>(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

// As one word of a shell.
std::string shell_word(const std::string& word) {
    constexpr std::string_view plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-";
    if (!word.empty() && word.find_first_not_of(plain) == word.npos) return word;
    return base::shell_quoted(word);
}

// What --dry-run says of a load that would not be made with a handoff.
void say_refusal(const KexecArguments& arguments, const std::string& refusal, std::string_view kernel) {
    complain(fmt::format("{}. This command loads the {} kernel without the handoff.",
                         arguments.not_modelled.empty() ? refusal : handoff::not_modelled_text(arguments), kernel));
}

std::vector<std::string> words_of_crash_load(const Options& options, const handoff::Host& host,
                                             const KexecArguments& arguments) {
    const auto planned = handoff::plan_load(host, arguments, wishes_from(options));
    if (arguments.not_modelled.empty() && planned && planned->plan.verdict == handoff::Verdict::ready)
        return handoff::with_words(arguments, planned->plan.append, planned->machine.release);
    say_refusal(arguments, planned ? headline(planned->plan) : planned.error().message(), "crash");
    const auto fallback = planned ? handoff::fallback_of(host, *planned) : std::nullopt;
    if (fallback && fallback->rung == handoff::Rung::own_pool)
        return handoff::given_with_words(arguments, fallback->append);
    return options.operands;
}

std::vector<std::string> words_of_next_load(const Options& options, const handoff::Host& host,
                                            const KexecArguments& arguments) {
    const auto planned = handoff::plan_next(host, arguments, wishes_from(options));
    if (arguments.not_modelled.empty() && planned && planned->next.plan.verdict == handoff::Verdict::ready)
        return handoff::next_arguments(arguments, *planned);
    say_refusal(arguments, planned ? headline(planned->next.plan) : planned.error().message(), "next");
    return options.operands;
}

Status print_command(const Options& options, const handoff::Host& host, const std::string& program) {
    std::vector<std::string> words = options.operands;
    const auto arguments = handoff::read_kexec_arguments(options.operands);
    if (arguments && arguments->panic_load) words = words_of_crash_load(options, host, *arguments);
    if (arguments && arguments->next_load) words = words_of_next_load(options, host, *arguments);
    std::string line = shell_word(program);
    for (const std::string& word : words) line += ' ' + shell_word(word);
    print_line(line);
    return Status::ready;
}

// Why this program must not be run, or "". A plan for another machine must never reach a real kexec.
std::string objection_to(const Options& options, const handoff::Host& host, const std::string& program) {
    if (handoff::is_this_program(program)) return "--kexec names swiotlb-handoff itself.";
    if (host.live() || options.dry_run) return {};
    if (!options.kexec) return "With --root, give a stand-in for kexec with --kexec, or use --dry-run.";
    const auto content = handoff::read_user_file(program, 64 * base::MiB);
    if (content && handoff::kexec_tools_version(*content))
        return "With --root the plan is for another machine, but --kexec names a real kexec. Name a stand-in for it.";
    return {};
}

// The installed kexec. Where it can be run but not looked into, still: anything there but a script, which
// may be what called us.
base::Result<std::string> find_program(const handoff::Host& host) {
    const auto found = handoff::find_kexec(host);
    if (found) return found->path;
    if (!host.live()) return found.error();
    for (const std::string_view path : handoff::kexec_paths()) {
        std::string program = "/" + std::string(path);
        if (::access(program.c_str(), X_OK) != 0 || handoff::is_this_program(program)) continue;
        const auto head = handoff::read_user_file_head(program, 2);
        if (!head || head->bytes != "#!") return program;
    }
    return found.error();
}

// Everything that comes before the caller's own command; a status where that is not to be run any more. No record that
// is left says of it that it has the handoff.
std::optional<Status> before_plain(const Options& options, const handoff::Host& host, Argv& plain,
                                   RunDirectory& directory, const std::optional<KexecArguments>& arguments) {
    if (arguments && arguments->panic_unload) return unload_in_child(plain, directory);
    const bool loads = arguments && arguments->panic_load;
    const std::string no_lock = loads ? directory.lock() : std::string();
    const bool locked = loads && no_lock.empty();
    if (!locked) directory.pass_lock();
    if (loads && load_in_child(options, host, plain.program(), directory, *arguments, no_lock)) return Status::ready;
    if (locked) directory.keep_lock();
    return std::nullopt;
}

}  // namespace

Status kexec(const Options& options) {
    if (const auto error = no_machine_to_act_on(options)) return fail(*error);
    const handoff::Host host(options.root);
    const auto program = options.kexec ? base::Result<std::string>(*options.kexec) : find_program(host);
    if (!program && !(options.dry_run && !host.live())) {
        complain(program.error().message());
        return static_cast<Status>(127);
    }
    const std::string real = program ? *program : "/sbin/kexec";
    if (const std::string objection = objection_to(options, host, real); !objection.empty())
        return misused(options, objection);
    if (options.dry_run) return print_command(options, host, real);

    Argv plain(real, options.operands);
    flush();
    std::optional<RunDirectory> directory;  // the lock is held until this process ends, or has become kexec
    try {
        const auto arguments = handoff::read_kexec_arguments(options.operands);
        if (!arguments || arguments->may_change_load) {
            directory.emplace(host);
            if (const auto done = before_plain(options, host, plain, *directory, arguments)) return *done;
        } else if (arguments->next_load && load_next_in_child(options, host, real, *arguments)) {
            return Status::ready;
        }
    } catch (...) {  // no memory: there is still the caller's command
        if (directory) directory->forget();
    }
    plain.exec();
    const int error = errno;
    complain(fmt::format("{}: {}", real, std::strerror(error)));
    return static_cast<Status>(error == ENOENT ? 127 : 126);
}

}  // namespace tool
