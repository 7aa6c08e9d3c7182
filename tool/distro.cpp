// SPDX-License-Identifier: GPL-2.0-or-later
// enable and disable: the handoff in the configuration of a distribution's kdump.
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "lib/load/record.hpp"
#include "lib/report/documents.hpp"
#include "lib/service/service.hpp"
#include "lib/sources/host.hpp"
#include "tool/atomic_file.hpp"
#include "tool/commands.hpp"
#include "tool/difference.hpp"
#include "tool/machine_file.hpp"
#include "tool/print.hpp"

namespace tool {
namespace {

using base::Errc;
using base::Error;
using handoff::KdumpService;

constexpr std::string_view helpers = HANDOFF_HELPERS;
constexpr std::string_view program = HANDOFF_PROGRAM;

std::filesystem::path config_path(const Options& options, const KdumpService& service) {
    return std::filesystem::path(options.root) / service.config;
}

std::string backup_of(std::string_view config) { return fmt::format("{}.before-swiotlb-handoff", config); }

// The text for the user after enable or disable; `note` is one more sentence for enable.
std::string said_of(const Options& options, const KdumpService& service, bool enabled, bool changed,
                    std::string_view note = {}) {
    const std::string config = config_path(options, service).string();
    if (options.json)
        return e820::to_text(handoff::enable_document(enabled ? "enable" : "disable", service.name, config, changed)) +
               '\n';
    std::string text =
        field_text(enabled ? "enabled" : "disabled", config + (changed ? "" : "  (nothing had to be changed)"));
    if (!enabled)
        return changed ? fmt::format(
                             "{}\nNext: Run '{}'.\n      Then 'swiotlb-handoff plan' says whether the reservation "
                             "is large enough without the handoff.\n",
                             text, service.reload)
                       : text;
    return fmt::format(
        "{}{}\nNext: Run '{}', so that the crash kernel reports where its pool is.\n      Run '{}', so that the crash "
        "kernel takes over the pool if that is proven.\n      Then run 'swiotlb-handoff status'.\n{}{}{}",
        text, field_text("backup", backup_of(config)), service.rebuild, service.reload,
        note.empty() ? "" : "Note: ", note, note.empty() ? "" : "\n");
}

Status say_difference(const Options& options, const KdumpService& service, std::string_view old,
                      std::string_view text) {
    print(unified_difference(config_path(options, service).string(), old, text));
    return Status::ready;
}

// An error if a file is missing that kdump needs to load with the handoff.
std::optional<Error> incomplete(const handoff::Host& host, const KdumpService& service) {
    const auto missing = handoff::not_installed(host, service, program, helpers);
    if (missing.empty()) return std::nullopt;
    return Error{Errc::not_found, "", 0,
                 fmt::format("swiotlb-handoff is not installed for {}: {} {} not exist. Install swiotlb-handoff "
                             "first, with the prefix /usr.",
                             service.name, fmt::join(missing, ", "), missing.size() == 1 ? "does" : "do")};
}

}  // namespace

// The file itself is written last, when all else is done and what will be said is ready.
Status enable(const Options& options) {
    if (const auto error = no_machine_to_act_on(options)) return fail(*error);
    const handoff::Host host(options.root);
    const auto service = handoff::find_kdump_service(host);
    if (!service) return fail(service.error());
    const auto old = host.read(service->config);
    if (!old) return fail(machine_error(host, old.error()));
    auto text = handoff::with_handoff(*old, *service, helpers);
    if (!text) return fail(machine_error(host, std::move(text).error().at(service->config)));
    if (const auto ignored = handoff::ignores_block(host, *service)) return fail(machine_error(host, *ignored));
    if (const auto problem = incomplete(host, *service)) return fail(*problem);
    if (options.dry_run) return say_difference(options, *service, *old, *text);
    const bool changed = *text != *old;
    const std::string said = said_of(options, *service, true, changed, handoff::undoes_crashkernel(host, *service));
    if (changed) {
        // The backup is written first: if there is no room for it, nothing else is changed.
        if (const auto done = write_file(host, backup_of(service->config), handoff::Link::stay, *old, 0600); !done)
            return fail(done.error());
        if (const auto done = write_file(host, service->config, handoff::Link::follow, *text); !done) {
            [[maybe_unused]] const auto ignored = remove_file(host, backup_of(service->config));
            return fail(done.error());
        }
    }
    print(said);
    return Status::ready;
}

Status disable(const Options& options) {
    if (const auto error = no_machine_to_act_on(options)) return fail(*error);
    const handoff::Host host(options.root);
    const auto service = handoff::find_kdump_service(host);
    if (!service) return fail(service.error());
    const auto old = host.read(service->config);
    if (!old) return fail(machine_error(host, old.error()));
    auto text = handoff::without_handoff(*old, *service, helpers);
    if (!text) return fail(machine_error(host, std::move(text).error().at(service->config)));
    if (options.dry_run) return say_difference(options, *service, *old, *text);
    const bool changed = *text != *old;
    const std::string said = said_of(options, *service, false, changed);
    if (const auto problem = remove_file(host, backup_of(service->config))) return fail(*problem);
    if (changed) {
        if (const auto done = write_file(host, service->config, handoff::Link::follow, *text); !done)
            return fail(done.error());
        // The next load does not run this program, so the record of the last one would stay and be wrong.
        for (const std::string& path : {fmt::format("{}/{}", handoff::record_directory, handoff::record_file),
                                        state_path(handoff::record_file)}) {
            [[maybe_unused]] const auto ignored = remove_file(host, path);
        }
    }
    print(said);
    return Status::ready;
}

}  // namespace tool
