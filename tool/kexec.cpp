// SPDX-License-Identifier: GPL-2.0-or-later
// Loads a crash kernel with the handoff, or exactly as the caller asked.
//
// The only code that changes the machine, and it does so by running kexec. Every
// path that is not a proven handoff ends in exec() of the caller's own command.
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include <fmt/format.h>

#include "lib/host.hpp"
#include "lib/image.hpp"
#include "lib/kexec_arguments.hpp"
#include "lib/load_report.hpp"
#include "lib/plan.hpp"
#include "tool/commands.hpp"
#include "tool/print.hpp"

namespace tool {
namespace {

using handoff::KexecArguments;

std::vector<char*> argv_of(std::string& program, std::vector<std::string>& arguments) {
    std::vector<char*> argv{program.data()};
    for (std::string& a : arguments) argv.push_back(a.data());
    argv.push_back(nullptr);
    return argv;
}

Status exec(std::string program, std::vector<std::string> arguments) {
    flush();
    ::execv(program.c_str(), argv_of(program, arguments).data());
    complain(fmt::format("{}: {}", program, std::strerror(errno)));
    return Status::input;
}

struct Finished {
    int status = -1;      ///< exit status; -1: a signal, or it did not run
    std::string output;   ///< of stdout and stderr
};

// Runs kexec and keeps what it prints: with -d that is for us, not for the caller.
Finished run(std::string program, std::vector<std::string> arguments) {
    Finished finished;
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return finished;
    const pid_t child = ::fork();
    if (child == 0) {
        ::dup2(ends[1], STDOUT_FILENO);
        ::dup2(ends[1], STDERR_FILENO);
        ::execv(program.c_str(), argv_of(program, arguments).data());
        ::_exit(127);
    }
    ::close(ends[1]);
    if (child > 0) {
        char buffer[65536];
        for (ssize_t n; (n = ::read(ends[0], buffer, sizeof buffer)) > 0 || (n < 0 && errno == EINTR);)
            if (n > 0) finished.output.append(buffer, static_cast<std::size_t>(n));
        int status = 0;
        while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {}
        if (WIFEXITED(status)) finished.status = WEXITSTATUS(status);
    }
    ::close(ends[0]);
    return finished;
}

// Up to 6.7 the kernel says where kexec_file_load put things only when dynamic
// debug is asked to; later kernels do with kexec -d.
class KernelDebug {
public:
    KernelDebug() { control("+p"); }
    ~KernelDebug() { control("-p"); }
    KernelDebug(const KernelDebug&) = delete;
    KernelDebug& operator=(const KernelDebug&) = delete;

private:
    static void control(const char* flag) {
        const int fd = ::open("/proc/dynamic_debug/control", O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0) return;
        const std::string query = fmt::format("file kernel/kexec_file.c {}", flag);
        [[maybe_unused]] const ssize_t ignored = ::write(fd, query.data(), query.size());
        ::close(fd);
    }
};

// What the log has now and had not before.
std::string_view news(std::string_view before, std::string_view now) {
    while (before.ends_with('\n')) before.remove_suffix(1);
    const auto last = before.rfind('\n');
    const std::string_view line = before.substr(last == before.npos ? 0 : last + 1);
    const auto at = line.empty() ? now.npos : now.rfind(line);
    return at == now.npos ? now : now.substr(at + line.size());
}

std::string own_words(const handoff::Machine& machine, const KexecArguments& arguments) {
    return handoff::kexec_command_line(arguments, machine.command_line);
}

// The plan for this load; an explanation where there is none that is ready.
e820::Result<handoff::Plan> plan_load(const handoff::Host& host, const KexecArguments& arguments, const Options& options) {
    if (!arguments.not_modelled.empty())
        return e820::input_error(0, fmt::format("{} changes the load in a way that is not modelled", arguments.not_modelled.front()));
    const auto machine = handoff::gather(host);
    if (!machine) return machine.error();
    handoff::PlanRequest request;
    request.loader = arguments.loader.value_or(handoff::Loader::automatic);
    request.command_line = own_words(*machine, arguments);
    request.accept = options.accept;
    const auto image = handoff::read_image(arguments.kernel);
    if (!image) return image.error();
    request.image = *image;
    request.initrd_bytes = 0;
    if (arguments.initrd) {
        const auto head = handoff::read_user_file_head(*arguments.initrd, 1);
        if (!head) return head.error();
        request.initrd_bytes = head->size;
    }
    return handoff::plan(*machine, request);
}

}  // namespace

Status kexec(const Options& options) {
    const handoff::Host host("/");
    const auto real = options.kexec ? e820::Result<std::string>(*options.kexec) : host.kexec_program();
    if (!real) {
        complain(real.error().message());
        return Status::input;
    }
    const auto arguments = handoff::read_kexec_arguments(options.operands);
    if (!arguments || !arguments->panic_load) return exec(*real, options.operands);

    const auto plan = plan_load(host, *arguments, options);
    if (!plan || plan->verdict != handoff::Verdict::ready) {
        note(plan ? headline(*plan) : plan.error().message());
        return exec(*real, options.operands);
    }

    const KernelDebug debug;
    const std::string log_before = host.kernel_log().value_or("");
    const std::string line = plan->base.empty() ? plan->append : plan->base + ' ' + plan->append;
    const Finished load = run(*real, handoff::with_command_line(options.operands, *arguments, line));
    if (load.status != 0) {
        note(fmt::format("kexec failed with the handoff (status {}); loading without", load.status));
        return exec(*real, options.operands);
    }
    const std::string log_now = host.kernel_log().value_or("");
    auto segments = handoff::parse_segments(load.output);
    if (segments && segments->empty()) segments = handoff::parse_segments(news(log_before, log_now));
    const auto wrong = !segments             ? std::optional(segments.error().message())
                       : segments->empty() ? std::nullopt
                                           : handoff::disagreement(*plan, *segments);
    if (wrong) {
        note(*wrong + "; loading without the handoff");
        if (const Finished unload = run(*real, {"-p", "-u"}); unload.status != 0) note("kexec -p -u failed; the next load replaces the image");
        return exec(*real, options.operands);
    }
    if (arguments->debug) print(load.output);
    note(fmt::format("loaded with the handoff of {}{}", e820::to_string(*plan->pool),
                       segments->empty() ? "; nobody said where the segments are" : ", segments as planned"));
    return Status::ready;
}

}  // namespace tool
