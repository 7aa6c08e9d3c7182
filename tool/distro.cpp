// SPDX-License-Identifier: GPL-2.0-or-later
// enable and disable: the handoff in the configuration of a distribution's kdump.
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

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
#include "tool/status.hpp"
#include "tool/terminal.hpp"
#include "tool/text.hpp"

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

// What the handoff comes to on this machine as it is now, for somebody who enables it; "" where it is ready, or where
// nothing is known.
std::string effect_now(const handoff::Host& host) {
    const auto plan = status_facts(host).plan;
    if (!plan || plan->verdict == handoff::Verdict::ready) return {};
    if (plan->verdict == handoff::Verdict::refused)
        return fmt::format("At present kdump loads without the handoff: {}. 'swiotlb-handoff plan' says what to do.",
                           handoff::headline(*plan));
    return "At present the handoff has no effect: the crash kernel makes no pool, and kdump loads it as before. This "
           "changes if a later boot has its reservation above 4 GiB or swiotlb=force. A pool that nobody uses can be "
           "lent to the crash kernel instead, with SWIOTLB_HANDOFF_LEND=yes in kdump's configuration: "
           "swiotlb-handoff-lending(7).";
}

// What an administrator should know besides.
std::vector<std::string> notes_for(const handoff::Host& host, const KdumpService& service) {
    std::vector<std::string> notes{effect_now(host), std::string(handoff::undoes_crashkernel(host, service))};
    std::erase(notes, "");
    return notes;
}

// The last lines: what to do, one after the other.
std::string steps_text(const std::vector<std::string>& steps) {
    std::string text;
    for (const std::string& step : steps)
        text += fmt::format("{}{}\n", text.empty() ? "\nNext: " : "      ", wrapped(step, 6, text_width()));
    return text;
}

// The text for the user after enable or disable.
std::string said_of(const Options& options, const KdumpService& service, bool enabled, bool changed,
                    const std::vector<std::string>& notes = {}) {
    const std::string config = config_path(options, service).string();
    if (options.json)
        return e820::to_text(handoff::enable_document(enabled ? "enable" : "disable", service.name, config, changed)) +
               '\n';
    std::string text =
        field_text(enabled ? "enabled" : "disabled", config + (changed ? "" : "  (nothing had to be changed)"));
    if (!enabled)
        return changed ? text + steps_text({fmt::format("Run '{}'.", service.reload),
                                            "Then 'swiotlb-handoff plan' says whether the reservation is large enough "
                                            "without the handoff."})
                       : text;
    text += field_text("backup", backup_of(config));
    for (const std::string& note : notes) text += sentence_text("note", note);
    return text +
           steps_text({fmt::format("Run '{}', so that the crash kernel reports where its pool is.", service.rebuild),
                       fmt::format("Run '{}', so that the crash kernel takes over the pool if that is proven.",
                                   service.reload),
                       "Then run 'swiotlb-handoff status'."});
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
    const std::vector<std::string> notes = notes_for(host, *service);
    if (options.dry_run) {
        for (const std::string& note : notes) complain(note);
        return say_difference(options, *service, *old, *text);
    }
    const bool changed = *text != *old;
    const std::string said = said_of(options, *service, true, changed, notes);
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
