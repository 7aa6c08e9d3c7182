// SPDX-License-Identifier: GPL-2.0-or-later
// What a machine shows of a test: what is loaded before it, and what dumps there are after it.
#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/scan.hpp"
#include "lib/load/crash_records.hpp"
#include "lib/load/crash_test.hpp"
#include "lib/sources/gather.hpp"
#include "lib/sources/host.hpp"

namespace handoff {
namespace {

constexpr std::size_t most_directories = 64;

// The kernel's log as kdump takes it out of a dump: Debian, Fedora, SUSE.
bool is_log(std::string_view name) {
    return name.starts_with("dmesg.") || name == "vmcore-dmesg.txt" || name == "dmesg.txt";
}

// Size and time of a file that may be a dump; nullopt where it is none.
void look_at_file(const Host& host, const std::string& path, const std::string& name, DumpSeen& dump) {
    const auto file = host.file(path);
    struct stat status {};
    if (!file || ::stat(file->c_str(), &status) != 0 || status.st_size <= 0) return;
    if (host.live() && status.st_uid != 0) return;  // anybody may write to /var/crash of some distributions
    dump.file = name;
    dump.bytes = static_cast<std::uint64_t>(status.st_size);
    dump.modified = static_cast<std::uint64_t>(std::max<std::int64_t>(status.st_mtim.tv_sec, 0));
}

DumpSeen look_at_dump(const Host& host, const std::string& path, const std::string& canary) {
    DumpSeen dump;
    const auto names = host.names_in(path);
    if (!names) return dump;
    for (const std::string& name : *names) {
        const std::string file = fmt::format("{}/{}", path, name);
        if (is_dump(name)) look_at_file(host, file, name, dump);
        if (is_log(name))
            if (const auto log = host.read(file))
                dump.canary = dump.canary.value_or(false) || log->find(canary) != log->npos;
    }
    // Debian's kdump copies the report; Fedora's saves the crash kernel's log, which has it as well.
    for (const char* name : {"swiotlb-handoff.txt", "kexec-dmesg.log"})
        if (const auto text = host.read(path + "/" + name); text && !dump.landing) dump.landing = landing_in(*text);
    if (auto memory = memory_beside_dump(host, path)) dump.memory = *std::move(memory);
    return dump;
}

}  // namespace

Tested tested_now(const Host& host, const HandoffState& state, const std::optional<Record>& record,
                  std::optional<std::string> crashkernel, std::optional<std::uint64_t> reserved) {
    Tested tested;
    tested.release = release_of(host);
    tested.crashkernel = std::move(crashkernel);
    tested.reserved = reserved;
    tested.rung = state.rung;
    // Where one of these two is loaded the record is of that load.
    const bool recorded = record && (state.rung == Rung::handoff || state.rung == Rung::own_pool);
    if (recorded) {
        tested.kernel = record->kernel_sum;
        tested.initrd = record->initrd_sum;
        tested.lent = record->loan;
        return tested;
    }
    const CrashImage image = crash_image(host, tested.release);
    if (image.kernel) tested.kernel = sum_if_read(*image.kernel);
    if (image.initrd) tested.initrd = sum_if_read(*image.initrd);
    return tested;
}

std::optional<Landing> landing_in(std::string_view text) {
    constexpr std::string_view label = "landing     ";
    while (!text.empty()) {
        const std::string_view line = base::take_line(text);
        const auto at = line.find(label);
        // By itself in the report; in a kernel's log behind our name.
        if (at == line.npos || (at != 0 && line.find("swiotlb-handoff:") > at)) continue;
        if (const auto landing = landing_from(base::trimmed(line.substr(at + label.size())))) return landing;
    }
    return std::nullopt;
}

std::optional<std::vector<DumpSeen>> look_for_dumps(const Host& host, const CrashTest& test) {
    if (test.target.path.empty()) return std::nullopt;
    auto names = host.names_in(test.target.path);
    if (!names) return std::nullopt;
    std::erase_if(*names, [&](const std::string& name) {
        return std::find(test.dumps.begin(), test.dumps.end(), name) != test.dumps.end();
    });
    if (names->size() > most_directories)
        names->erase(names->begin(), names->end() - static_cast<std::ptrdiff_t>(most_directories));
    std::vector<DumpSeen> dumps;
    for (const std::string& name : *names) {
        dumps.push_back(look_at_dump(host, test.target.path + "/" + name, canary_of(test)));
        dumps.back().directory = name;
    }
    return dumps;
}

}  // namespace handoff
