// SPDX-License-Identifier: GPL-2.0-or-later
// Stands in for kexec in tests: logs how it was called, and behaves as FAKE_HANDOFF tells it to when the
// handoff's words are among its arguments. Nothing of the machine is touched: what is loaded lies in the memory of a
// machine that is a directory.
//
//   FAKE_ROOT      the machine, a directory
//   FAKE_LOG       one line of JSON per call is appended: {"argv": [...], "did": "loaded" ...}
//   FAKE_REPORT    a file: what kexec -d prints of a load, to standard error
//   FAKE_SEGMENTS  a file: the same of what is loaded
//   FAKE_HANDOFF   ok, fail, kill, half (killed before it loads), mute, move, noisy, stay (leaves a process behind),
//                  kill-parent (then loads), kill-parent-first (loads nothing), stop-parent (then loads), slow
//   FAKE_SECONDS   how long slow is; 3 where it is not said
//   FAKE_PLAIN     the exit status of every other call but the unloading of what a reboot by kexec starts
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "lib/load/load_report.hpp"
#include "tests/kexec/fake_kernel.hpp"

namespace {

std::string json_string(const std::string& text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    return out + '"';
}

void log_call(int argc, char** argv, const std::string& did) {
    std::string line = "{\"argv\": [";
    for (int i = 1; i < argc; ++i) line += (i > 1 ? ", " : "") + json_string(argv[i]);
    line += "], \"did\": " + json_string(did) + "}\n";
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

std::string content_of(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

// The load as the kernel has it: these segments, and the command line with what the system call adds.
void load(const std::string& report, const std::string& append, bool by_kernel, bool next) {
    const char* root = std::getenv("FAKE_ROOT");
    const auto segments = handoff::parse_segments(report);
    if (!root || !segments) return;
    if (next) return fake_kernel::load_next(root, *segments);
    fake_kernel::load(root, *segments, by_kernel ? "elfcorehdr=0x70000000 " + append : append + " elfcorehdr=1835008K");
}

}  // namespace

int main(int argc, char** argv) {
    bool debug = false, words = false, unload = false, by_kernel = false, panic = false;
    std::string append;
    for (int i = 1; i < argc; ++i) {
        const std::string word = argv[i];
        debug = debug || word == "-d";
        unload = unload || word == "-u";
        by_kernel = by_kernel || word == "-s";
        panic = panic || word == "-p";
        words = words || word.find("swiotlb_handoff=") != word.npos || word.find(",addr=") != word.npos;
        if (word.rfind("--append=", 0) == 0) append = word.substr(9);
    }
    std::string segments = content_of(environment("FAKE_SEGMENTS", "/dev/null"));
    std::string report;
    if (debug) report = content_of(environment("FAKE_REPORT", "/dev/null"));
    if (!words) {
        say(STDOUT_FILENO, "plain output\n");
        say(STDERR_FILENO, report + "plain error\n");
        const int status = unload && !panic ? 0 : std::atoi(environment("FAKE_PLAIN", "0").c_str());
        log_call(argc, argv, status != 0 ? "failed" : unload ? "unloaded" : "loaded");
        if (status == 0 && !unload) load(segments, append, by_kernel, !panic);
        if (const char* root = std::getenv("FAKE_ROOT"); root && status == 0 && unload)
            panic ? fake_kernel::unload(root) : fake_kernel::load_next(root, {});
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
    if (how == "slow") ::sleep(static_cast<unsigned>(std::atoi(environment("FAKE_SECONDS", "3").c_str())));
    if (how == "stop-parent") ::kill(::getppid(), SIGSTOP);
    if (how == "move")
        for (std::string* text : {&report, &segments})
            for (auto at = text->find(".mem "); at != text->npos; at = text->find(".mem ", at + 1))
                (*text)[text->find("0x", at) + 3] ^= 1;
    load(segments, append, by_kernel, !panic);
    if (how == "noisy") report = std::string(16 << 20, '\n') + report;
    if (how != "mute") say(STDERR_FILENO, report);
    log_call(argc, argv, "loaded");
    if (how == "kill") ::raise(SIGKILL);
    if (how == "stay" && ::fork() == 0) ::sleep(20);
    return 0;
}
