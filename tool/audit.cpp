// SPDX-License-Identifier: GPL-2.0-or-later
// Plans for many captured machines.
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include <unistd.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "lib/decide/recommend.hpp"
#include "lib/report/audit.hpp"
#include "lib/report/documents.hpp"
#include "lib/sources/host.hpp"
#include "tool/commands.hpp"
#include "tool/print.hpp"

namespace tool {
namespace {

namespace fs = std::filesystem;
using base::MiB;
using handoff::MachineAudit;

// The machines to look at, one after another, so that no list of them is kept: an operand that is a
// captured machine, else the directories in it; "-" is a path a line on standard input.
class Machines {
public:
    explicit Machines(std::vector<std::string> operands) : operands_(std::move(operands)) {}

    // Of an operand that cannot be looked at: the operand itself, for its error to be said of it.
    std::optional<std::string> next() {
        const std::lock_guard lock(mutex_);
        while (true) {
            std::error_code ignored;
            for (; children_ != fs::directory_iterator(); children_.increment(ignored)) {
                if (!children_->is_directory(ignored)) continue;
                std::string found = children_->path().string();
                children_.increment(ignored);
                return found;
            }
            std::string path;
            if (reading_) {
                if (std::getline(std::cin, path)) {
                    if (!path.empty()) return path;
                    continue;
                }
                reading_ = false;
            }
            if (at_ == operands_.size()) return std::nullopt;
            path = operands_[at_++];
            if (path == "-") {
                reading_ = true;
                continue;
            }
            if (captured(path)) return path;
            std::error_code failed;
            children_ = fs::directory_iterator(path, failed);
            if (failed || children_ == fs::directory_iterator()) return path;
        }
    }

private:
    static bool captured(const fs::path& path) {
        std::error_code ignored;
        return fs::exists(path / "proc", ignored) || fs::exists(path / "dmesg", ignored);
    }

    std::mutex mutex_;
    std::vector<std::string> operands_;
    std::size_t at_ = 0;
    fs::directory_iterator children_;
    bool reading_ = false;
};

MachineAudit audited(const std::string& path, const Options& options) {
    const auto unreadable = [&](handoff::Error error) {
        MachineAudit audited;
        audited.machine = path;
        audited.error = std::move(error);
        return audited;
    };
    try {
        const handoff::Host host(path);
        const auto machine = machine_of(host);
        if (!machine) return unreadable(machine.error());
        if (machine->iomem.empty() && machine->map.entries.empty())
            return unreadable({base::Errc::not_found, "", 0,
                               "no captured machine: neither its /proc/iomem nor its log has a memory map"});
        const auto request = request_from(options, host, *machine);
        if (!request) return unreadable(request.error());
        return handoff::audit(path, *machine, *request, options.margin);
    } catch (const std::bad_alloc&) {
        return unreadable({base::Errc::io, "", 0, "it does not fit into memory"});
    }
}

constexpr std::string_view heading = "verdict     pool MiB  crashkernel  gives back  machine\n";

std::string line_of(const MachineAudit& a) {
    if (a.error) return fmt::format("{:<43}  {}: {}", "unreadable", a.machine, a.error->message());
    const std::string gives = a.recommended ? fmt::format("{}", a.given_back / MiB) : "-";
    std::string line =
        fmt::format("{:<10}  {:>8}  {:>11}  {:>10}  {}", a.assumed.empty() ? name(a.verdict) : "ready if",
                    a.pool_bytes / MiB, a.crashkernel_bytes / MiB, gives, a.machine);
    for (const std::vector<std::string>* rules : {&a.refused_by, &a.assumed})
        if (!rules->empty()) line += fmt::format(": {}", fmt::join(*rules, ", "));
    return line;
}

// A line for each rule, the most frequent first.
std::string lines_of(std::string_view what, const std::map<std::string, std::size_t>& count_of) {
    std::vector<std::pair<std::size_t, std::string>> rules;
    rules.reserve(count_of.size());
    for (const auto& [rule, count] : count_of) rules.emplace_back(count, rule);
    std::sort(rules.begin(), rules.end(), [](const auto& a, const auto& b) {
        return a.first != b.first ? a.first > b.first : a.second < b.second;
    });
    std::string text;
    for (const auto& [count, rule] : rules) text += fmt::format("{:<12}{:>7}  {} {}\n", "", count, what, rule);
    return text;
}

std::string text_of(const handoff::AuditSummary& sum) {
    std::string text = fmt::format("\n{:<12}{:>7}\n{:<12}{:>7}\n", "machines", sum.machines(), "ready", sum.ready);
    if (sum.ready_if != 0)
        text += fmt::format("{:<12}{:>7}  of them if what their captures lack is as assumed\n", "", sum.ready_if) +
                lines_of("if", sum.assumed);
    text += fmt::format("{:<12}{:>7}\n{:<12}{:>7}\n", "not needed", sum.not_needed, "refused", sum.refused);
    text += lines_of("by", sum.refused_by);
    if (sum.unreadable != 0) text += fmt::format("{:<12}{:>7}\n", "unreadable", sum.unreadable);
    text += fmt::format("{:<12}{:>7} MiB, by {} of them, with the crashkernel= that 'recommend' names\n", "gives back",
                        sum.given_back / MiB, sum.giving);
    text += fmt::format(
        "{:<12}{:>7} MiB, to {} crash kernels that make no pool; {} more but for evidence that their captures lack\n",
        "could lend", sum.lent / MiB, sum.lendable, sum.would_lend);
    return text;
}

// Says how far it is, a few times a second.
class Progress {
public:
    void tick(const handoff::AuditSummary& sum) {
        const auto now = std::chrono::steady_clock::now();
        if (now - last_ < std::chrono::milliseconds(200)) return;
        last_ = now;
        progress(fmt::format("{} machines: {} ready, {} not needed, {} refused, {} unreadable", sum.machines(),
                             sum.ready, sum.not_needed, sum.refused, sum.unreadable));
    }
    ~Progress() { progress(""); }

private:
    std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

}  // namespace

Status audit(const Options& options) {
    const unsigned jobs = options.jobs.value_or(std::max(std::thread::hardware_concurrency(), 1U));
    std::vector<std::string> operands = options.operands;
    if (operands.empty() && ::isatty(STDIN_FILENO) != 1) operands = {"-"};
    Machines machines(std::move(operands));
    handoff::AuditSummary sum;
    {
        Progress shown;
        std::mutex one_speaks;
        const auto work = [&] {
            while (const auto path = machines.next()) {
                const MachineAudit found = audited(*path, options);
                const std::string line =
                    options.json ? e820::to_text(handoff::audit_document(found), -1) : line_of(found);
                const std::lock_guard lock(one_speaks);
                if (!options.json && sum.machines() == 0) print(heading);
                sum.add(found);
                print_line(line);
                shown.tick(sum);
            }
        };
        std::vector<std::jthread> others;
        for (unsigned i = 1; i < jobs; ++i) others.emplace_back(work);
        work();
    }
    if (sum.machines() == 0)
        return misused(options, "No captured machine was named, neither by an operand nor on standard input.");
    if (!options.json) print(text_of(sum));
    return sum.unreadable == 0 ? Status::ready : Status::input;
}

}  // namespace tool
