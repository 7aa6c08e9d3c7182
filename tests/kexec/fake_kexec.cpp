// SPDX-License-Identifier: GPL-2.0-or-later
// Stands in for kexec in tests: logs how it was called, and behaves as FAKE_HANDOFF tells it to when the
// handoff's words are among its arguments. Nothing of the machine is touched.
//
//   FAKE_LOG       one line of JSON per call is appended: {"argv": [...], "did": "loaded" ...}
//   FAKE_REPORT    a file: what kexec -d prints of a load, to standard error
//   FAKE_HANDOFF   ok, fail, kill, half (killed before it loads), mute, move, noisy, stay (leaves a process behind),
//                  kill-parent (then loads), kill-parent-first (loads nothing), slow
//   FAKE_PLAIN     the exit status of every other call
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

namespace {

std::string quoted(const std::string& text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    return out + '"';
}

void log_call(int argc, char** argv, const std::string& did) {
    std::string line = "{\"argv\": [";
    for (int i = 1; i < argc; ++i) line += (i > 1 ? ", " : "") + quoted(argv[i]);
    line += "], \"did\": " + quoted(did) + "}\n";
    const char* path = std::getenv("FAKE_LOG");
    const int fd = path ? ::open(path, O_WRONLY | O_APPEND | O_CREAT, 0600) : -1;
    if (fd < 0 || ::write(fd, line.data(), line.size()) < 0) ::_exit(99);
    ::close(fd);
}

void say(int fd, const std::string& text) {
    for (std::size_t done = 0; done < text.size();) {
        const ssize_t n = ::write(fd, text.data() + done, text.size() - done);
        if (n <= 0) return;
        done += static_cast<std::size_t>(n);
    }
}

std::string environment(const char* name, const char* otherwise) {
    const char* value = std::getenv(name);
    return value ? value : otherwise;
}

}  // namespace

int main(int argc, char** argv) {
    bool debug = false, words = false;
    for (int i = 1; i < argc; ++i) {
        const std::string word = argv[i];
        debug = debug || word == "-d";
        words = words || word.find("swiotlb_handoff=") != word.npos;
    }
    std::string report;
    if (debug) {
        std::ifstream file(environment("FAKE_REPORT", "/dev/null"));
        report.assign(std::istreambuf_iterator<char>(file), {});
    }
    if (!words) {
        say(STDOUT_FILENO, "plain output\n");
        say(STDERR_FILENO, report + "plain error\n");
        const int status = std::atoi(environment("FAKE_PLAIN", "0").c_str());
        log_call(argc, argv, status == 0 ? "loaded" : "failed");
        return status;
    }
    const std::string how = environment("FAKE_HANDOFF", "ok");
    say(STDOUT_FILENO, "handoff output\n");
    say(STDERR_FILENO, "handoff warning\n");
    if (how == "kill-parent-first" || how == "kill-parent") ::kill(::getppid(), SIGKILL);
    if (how == "kill-parent-first") {
        ::usleep(200000);  // it should not get this far: it dies with its parent
        return log_call(argc, argv, "survived"), 0;
    }
    if (how == "fail") return log_call(argc, argv, "failed"), 7;
    if (how == "half") {
        say(STDERR_FILENO, report.substr(0, report.size() / 2));
        log_call(argc, argv, "killed");
        ::raise(SIGKILL);
    }
    if (how == "slow") ::sleep(3);
    if (how == "move")
        for (auto at = report.find(".mem "); at != report.npos; at = report.find(".mem ", at + 1))
            report[report.find("0x", at) + 3] ^= 1;
    if (how == "noisy") report = std::string(16 << 20, '\n') + report;
    if (how != "mute") say(STDERR_FILENO, report);
    log_call(argc, argv, "loaded");
    if (how == "kill") ::raise(SIGKILL);
    if (how == "stay" && ::fork() == 0) ::sleep(20);
    return 0;
}
