// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "lib/sources/gather.hpp"

#include "base/excerpt.hpp"
#include "base/number.hpp"
#include "base/scan.hpp"
#include "lib/sources/gathering.hpp"
#include "lib/sources/kexec_program.hpp"
#include "lib/sources/layout.hpp"
#include "lib/sources/neighbours.hpp"
#include "lib/sources/report.hpp"
#include "lib/sources/srat.hpp"

namespace handoff {

using base::trimmed;
namespace {

using std::string_view;

// --- the release ----------------------------------------------------------------------------------------------

/// Distributions put the architecture behind the version: "6.1.0-50-arm64", "5.14.0-570.el9.aarch64".
bool names_another_architecture_in(string_view release) {
    constexpr std::array others{"arm64",   "aarch64",     "armmp", "armhf",   "armv7l",      "ppc64",
                                "ppc64le", "powerpc64le", "s390x", "riscv64", "loongarch64", "mips64el",
                                "i386",    "i586",        "i686",  "pae"};
    while (!release.empty()) {
        const string_view word = release.substr(0, release.find_first_of("-.+_"));
        release.remove_prefix(std::min(release.size(), word.size() + 1));
        if (std::find(others.begin(), others.end(), word) != others.end() || (word == "686" && release.empty()))
            return true;
    }
    return false;
}

void read_release(Gathering& g) {
    g.machine.release = release_of(g.host);
    if (g.machine.release.empty() && g.log.release) g.machine.release = g.log.release->value;
    g.machine.other_architecture = g.machine.other_architecture || names_another_architecture_in(g.machine.release);
}

// --- single values --------------------------------------------------------------------------------------------

std::optional<std::uint64_t> read_count(Gathering& g, Source source) {
    const auto text = g.text(source);
    if (!text) return std::nullopt;
    const auto value = base::parse_number(trimmed(*text), 10);
    if (!value) {
        g.note(base::input_error(1, fmt::format("expected a decimal number, found {}", base::excerpt(trimmed(*text)))),
               source);
    }
    return value;
}

std::optional<unsigned> read_list(Gathering& g, Source source) {
    const auto text = g.text(source);
    if (!text) return std::nullopt;
    const auto count = count_of_list(trimmed(*text));
    if (!count) {
        g.note(
            base::input_error(1, fmt::format("expected a list such as 0-3,5, found {}", base::excerpt(trimmed(*text)))),
            source);
    }
    return count;
}

void read_srat(Gathering& g) {
    if (g.machine.srat_memory_end) return;
    const auto table = g.text(Source::srat);
    if (!table) return;
    g.machine.srat_memory_end = srat_memory_end(*table);
    if (!g.machine.srat_memory_end) g.note(base::input_error(0, "expected an ACPI SRAT table"), Source::srat);
}

void read_kexec_tools(Gathering& g) {
    if (auto kexec = find_kexec(g.host)) g.machine.kexec_tools = std::move(kexec->version);
    g.machine.random_ready = g.host.random_ready();
    g.machine.efi_runtime_map = g.machine.efi && (!g.host.live() || g.host.exists(Source::efi_runtime_map));
}

void read_neighbours(Gathering& g) {
    Neighbours& n = g.machine.neighbours;
    if (g.log.crash_cma) n.cma_bytes = g.log.crash_cma->value;
    for (const Source source : {Source::cma_ranges, Source::cma_ranges_flat}) {
        const auto text = n.cma ? std::nullopt : g.text(source);
        if (text) n.cma = g.optional(parse_cma_ranges(*text), source);
    }
    const auto addresses = g.text(Source::kho_scratch_addresses), sizes = g.text(Source::kho_scratch_sizes);
    if (addresses && sizes)
        n.kho_scratch = g.optional(parse_kho_scratch(*addresses, *sizes), Source::kho_scratch_addresses);
    if (const auto value = read_count(g, Source::memory_crash_hotplug)) n.memory_crash_hotplug = *value != 0;
    if (const auto value = read_count(g, Source::cpu_crash_hotplug)) n.cpu_crash_hotplug = *value != 0;
    n.crash_elf_headers = read_count(g, Source::crash_elf_headers);
    n.dm_crypt_keys = read_count(g, Source::dm_crypt_keys);
    if (const auto list = may_pass_ima_list(g.symbols, g.host.live()) ? g.text(Source::ima_measurements) : std::nullopt)
        n.ima_list_bytes = list->size();
}

// -1 is no limit.
std::optional<std::uint64_t> read_limit(Gathering& g, Source source) {
    const auto limit = g.text(source);
    return limit && !limit->starts_with('-') ? read_count(g, source) : std::nullopt;
}

void read_values(Gathering& g) {
    Machine& machine = g.machine;
    machine.slabs = read_count(g, Source::slabs);
    machine.slabs_used = read_count(g, Source::slabs_used);
    machine.slabs_hiwater = read_count(g, Source::slabs_hiwater);
    machine.crash_size = read_count(g, Source::crash_size);
    machine.possible_cpus = read_list(g, Source::possible_cpus);
    machine.memory_nodes = read_list(g, Source::memory_nodes);
    machine.possible_nodes = read_list(g, Source::possible_nodes);
    machine.efi = g.host.exists(Source::efi);
    machine.loads_left = read_limit(g, Source::load_limit);
    machine.next_loads_left = read_limit(g, Source::next_load_limit);
    // "[none] integrity confidentiality": the mode in force is in brackets.
    if (const auto lockdown = g.text(Source::lockdown))
        machine.lockdown = lockdown->find("[none]") == std::string::npos;
    // "PV", "PVH" or "HVM": guest_type_show() in drivers/xen/sys-hypervisor.c. An HVM guest has memory of its own.
    if (const auto hypervisor = g.text(Source::hypervisor)) {
        const auto guest = g.text(Source::xen_guest);
        machine.xen = trimmed(*hypervisor) == "xen" && !(guest && trimmed(*guest) == "HVM");
    }
}

/// A captured machine that lacks what nobody was permitted to read is not one that does not have it.
Failure read_denied(Gathering& g) {
    const auto paths = g.host.live() ? std::nullopt : g.text(Source::not_permitted);
    if (!paths) return std::nullopt;
    if (const string_view path = denied_need(*paths); !path.empty())
        return Error{Errc::not_permitted, std::string(path), 0,
                     "the capture is not complete, since whoever made it was not permitted to read this. Capture the "
                     "machine again as root"};
    for (string_view rest = *paths; !rest.empty();)
        g.machine.unread.push_back(Error{Errc::not_permitted, std::string(base::take_line(rest)), 0,
                                         "it was not permitted to read this when the machine was captured"});
    return std::nullopt;
}

}  // namespace

std::optional<unsigned> count_of_list(string_view list) {
    constexpr std::uint64_t most = 1 << 20;
    std::uint64_t count = 0;
    while (!list.empty()) {
        const string_view part = list.substr(0, list.find(','));
        list.remove_prefix(std::min(list.size(), part.size() + 1));
        const auto dash = part.find('-');
        const auto first = base::parse_number(part.substr(0, dash), 10);
        const auto last = dash == part.npos ? first : base::parse_number(part.substr(dash + 1), 10);
        if (!first || !last || *last < *first || *last - *first >= most - count) return std::nullopt;
        count += *last - *first + 1;
    }
    return count == 0 ? std::nullopt : std::optional(static_cast<unsigned>(count));
}

string_view denied_need(string_view paths) {
    while (!paths.empty()) {
        const string_view path = base::take_line(paths);
        for (const Source needed : {Source::iomem, Source::kernel_log})
            if (path == info(needed).path) return info(needed).path;
    }
    return {};
}

std::string release_of(const Host& host) {
    // uname -r is one word: whatever follows it in a damaged file belongs to no release.
    const auto first_word = [](string_view text) {
        text = trimmed(text);
        return std::string(text.substr(0, text.find_first_of(" \t\r\n\v\f")));
    };
    if (const auto release = host.read(Source::release)) return first_word(*release);
    constexpr string_view banner = "Linux version ";
    const auto version = host.read(Source::version);
    if (version && version->starts_with(banner)) return first_word(string_view(*version).substr(banner.size()));
    // "Linux HOST RELEASE #1 SMP …"
    const auto uname = host.live() ? Result<std::string>(std::string()) : host.read(uname_output);
    base::Scan words(uname ? string_view(*uname) : string_view());
    if (!words.take("Linux ")) return {};
    const auto host_end = words.rest().find(' ');
    return host_end == string_view::npos ? std::string() : first_word(words.rest().substr(host_end + 1));
}

Result<Machine> gather(const Host& host) {
    if (auto error = host.unusable()) return std::move(*error);
    Gathering g{host};
    g.machine.live = host.live();
    if (auto failure = read_denied(g)) return std::move(*failure);
    // In order of trust, since each adds what it saw of the pool behind the others.
    if (auto failure = read_iomem(g)) return std::move(*failure);
    open_memory(g);
    read_pool_in_memory(g);
    if (auto failure = read_any_log(g)) return std::move(*failure);
    read_values(g);
    take_log_facts(g);
    take_last_crash(g);
    read_srat(g);
    read_kexec_tools(g);
    read_devices(g);
    read_neighbours(g);
    read_release(g);
    read_configuration(g);
    if (auto failure = read_command_line(g)) return std::move(*failure);
    read_hiwater(g);
    read_recorded_traces(g);
    if (auto failure = read_map(g)) return std::move(*failure);
    read_encryption(g);
    return std::move(g.machine);
}

Result<Machine> gather(const std::filesystem::path& root) {
    const auto host = Reports().only(root.string());
    return host ? gather(*host) : host.error();
}

}  // namespace handoff
