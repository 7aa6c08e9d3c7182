// SPDX-License-Identifier: GPL-2.0-or-later
// Plans for many captured machines.
#include <algorithm>
#include <chrono>
#include <fstream>
#include <iostream>
#include <new>
#include <thread>
#include <vector>

#include <unistd.h>

#include <fmt/format.h>

#include "lib/report/audit.hpp"
#include "lib/report/audit_lines.hpp"
#include "lib/report/documents.hpp"
#include "lib/sources/digest.hpp"
#include "lib/sources/report.hpp"
#include "tool/audit_text.hpp"
#include "tool/commands.hpp"
#include "tool/in_order.hpp"
#include "tool/machines.hpp"
#include "tool/print.hpp"

namespace tool {
namespace {

using handoff::MachineAudit;

MachineAudit audited(std::string name, const base::Result<handoff::Host>& host, const Options& options) {
    const auto unreadable = [&](handoff::Error error) {
        MachineAudit found;
        found.machine = name;
        found.error = std::move(error);
        return found;
    };
    try {
        if (!host) return unreadable(host.error());
        const auto machine = machine_of(*host);
        if (!machine) return unreadable(machine.error());
        if (machine->iomem.empty() && machine->map.entries.empty())
            return unreadable(
                {base::Errc::not_found, "", 0,
                 "this is not a captured machine: neither /proc/iomem nor the kernel log shows a memory map"});
        const auto request = request_from(options, *host, *machine);
        if (!request) return unreadable(request.error());
        MachineAudit found = handoff::audit(name, *machine, *request, options.margin);
        found.digest = handoff::digest_of(*host);
        return found;
    } catch (const std::bad_alloc&) {
        return unreadable({base::Errc::io, "", 0, "it does not fit into memory"});
    }
}

/// Prints machines one after another, and adds them up.
class Lines {
public:
    explicit Lines(const Options& options) : options_(options) {}
    ~Lines() { progress(""); }

    void add(const MachineAudit& found) {
        if (!sum_.add(found)) return;
        if (options_.csv) {
            if (sum_.machines() == 1) print_line(handoff::audit_csv_heading());
            print_line(handoff::audit_csv_line(found));
        } else if (options_.json) {
            print_line(e820::to_text(handoff::audit_document(found), -1));
        } else {
            if (sum_.machines() == 1) print_audit_heading();
            print_audited(found, options_.verbose);
        }
        // Each line is written at once, because several audits may write to one file. Errors are reported at the end.
        [[maybe_unused]] const auto said_later = flush();
        say_how_far();
    }
    Status end() const {
        if (!options_.json && !options_.csv) print_audit_sums(sum_);
        return sum_.unreadable == 0 ? Status::ready : Status::input;
    }
    [[nodiscard]] bool empty() const { return sum_.machines() == 0; }

private:
    // A few times a second.
    void say_how_far() {
        const auto now = std::chrono::steady_clock::now();
        if (now - last_ < std::chrono::milliseconds(200)) return;
        last_ = now;
        progress(fmt::format("{} machines: {} ready, {} not needed, {} refused, {} unreadable", sum_.machines(),
                             sum_.ready, sum_.not_needed, sum_.refused, sum_.unreadable));
    }

    const Options& options_;
    handoff::AuditSummary sum_;
    std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

/// Every machine of every file that other audits wrote; false where some line is none of theirs.
bool merge(const std::vector<std::string>& files, Lines& lines) {
    bool good = true;
    for (const std::string& file : files) {
        std::ifstream opened;
        if (file != "-") opened.open(file);
        std::istream& in = file == "-" ? std::cin : opened;
        if (!in) {
            complain(fmt::format("{}: It cannot be read.", file));
            good = false;
            continue;
        }
        std::string line;
        for (std::size_t number = 1; std::getline(in, line); ++number) {
            if (line.empty()) continue;
            auto found = handoff::parse_audit_line(line);
            if (!found) {
                base::Error error = std::move(found).error().at(file);
                error.line = number;
                complain(error.message());
                good = false;
                continue;
            }
            // Every host names itself "/".
            if (found->machine == "/") found->machine = file;
            lines.add(*found);
        }
    }
    return good;
}

void look_at_all(const Options& options, std::vector<std::string> operands, Lines& lines) {
    const unsigned jobs = options.jobs.value_or(std::max(std::thread::hardware_concurrency(), 1U));
    Machines machines(std::move(operands));
    const handoff::Reports known = reports();
    InOrder<MachineAudit> in_order(std::size_t{jobs} * 64, [&](const MachineAudit& found) { lines.add(found); });
    const auto work = [&] {
        while (const auto next = machines.next()) {
            in_order.begin(next->number);
            known.each(next->path, [&](std::string name, const base::Result<handoff::Host>& host) {
                in_order.give(next->number, audited(std::move(name), host, options));
            });
            in_order.end(next->number);
        }
    };
    std::vector<std::jthread> others;
    for (unsigned i = 1; i < jobs; ++i) others.emplace_back(work);
    work();
}

}  // namespace

Status audit(const Options& options) {
    std::vector<std::string> operands = options.operands;
    if (operands.empty() && ::isatty(STDIN_FILENO) != 1) operands = {"-"};
    Lines lines(options);
    bool good = true;
    if (options.merge)
        good = merge(operands, lines);
    else
        look_at_all(options, std::move(operands), lines);
    if (lines.empty() && good)
        return misused(options, "No captured machine was named. Give paths as operands or on standard input.");
    const Status status = lines.end();
    return good ? status : Status::input;
}

}  // namespace tool
