// SPDX-License-Identifier: GPL-2.0-or-later
// Sets the crashkernel= of the next boot. Decides nothing: lib/load/reserve.cpp does.
#include "lib/load/reserve.hpp"

#include <ctime>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "lib/load/in_use.hpp"
#include "lib/report/documents.hpp"
#include "lib/service/service.hpp"
#include "lib/sources/pool_traces.hpp"
#include "tool/commands.hpp"
#include "tool/difference.hpp"
#include "tool/machine_file.hpp"
#include "tool/print.hpp"
#include "tool/run_program.hpp"

namespace tool {
namespace {

using base::Errc;
using base::Error;
using handoff::BootConfig;
using handoff::Host;
using handoff::KdumpService;
using handoff::ReservationChange;

// What a change of the boot loader's configuration replaces, to be put back.
class Before {
public:
    static base::Result<Before> read(const Host& host, const BootConfig& boot) {
        Before before(host);
        for (const std::string& path :
             {std::string(boot.file), std::string(boot.written), state_path(handoff::reservation_asked_file)}) {
            auto text = read_file(host, path);
            if (!text) return text.error();
            before.files_.emplace_back(path, *std::move(text));
        }
        return before;
    }
    [[nodiscard]] const std::optional<std::string>& ours() const { return files_.front().second; }
    /// What is not as it was, is again. "" or what could not be put back.
    [[nodiscard]] std::string restore() const {
        std::string problem;
        for (const auto& [path, text] : files_) {
            const auto now = read_file(*host_, path);
            if (now && *now == text) continue;
            if (const auto failed = restore_file(*host_, path, text)) problem += "; " + failed->message();
        }
        return problem;
    }

private:
    explicit Before(const Host& host) : host_(&host) {}
    const Host* host_;
    std::vector<std::pair<std::string, std::optional<std::string>>> files_;
};

std::string full_path(const Host& host, std::string_view path) {
    return (std::filesystem::path(host.root()) / path).string();
}

// Runs what makes the boot loader's configuration, and looks at what it made. "" or why that will not do.
std::string make_boot_config(const Host& host, const BootConfig& boot, std::string_view words, const sigset_t& signals,
                             ReservationChange& change) {
    if (const auto failed = run_program({std::string(boot.program)}, signals)) return failed->message();
    change.ran = std::string(boot.program);
    if (words.empty()) return {};
    const auto made = host.read(boot.written);
    if (!made) return machine_error(host, made.error()).message();
    change.entries = handoff::boot_entries(*made, words);
    if (change.entries->as_asked == 0)
        return fmt::format("{} has no entry with {}", full_path(host, boot.written), words);
    return {};
}

// nullptr if the boot loader does not read a file of ours.
const BootConfig* boot_config_of(const Host& host, const KdumpService& service) {
    if (!service.boot || !host.exists(service.boot->directory)) return nullptr;
    return host.exists(service.boot->program.substr(1)) ? &*service.boot : nullptr;
}

std::optional<Error> not_ours(const Host& host, const BootConfig& boot, const std::optional<std::string>& text) {
    if (!text || handoff::is_our_grub_file(*text)) return std::nullopt;
    return machine_error(host,
                         Error{Errc::input, std::string(boot.file), 1,
                               "this file was not written by 'reserve', so it is not replaced: move it away first"});
}

// Of the crash kernel that is loaded on the running machine: "" where it has the loan.
std::string why_not_lent(const Host& host, const handoff::Machine& machine) {
    if (!host.live()) return {};
    handoff::HandoffEvidence loaded = handoff::read_handoff_evidence(host);
    if (!machine.pool.empty()) loaded.pool = machine.pool.front().range;
    return handoff::objection_to_counting_on_loan(loaded);
}

// What this boot has, and what the next one has instead.
void print_words(const ReservationChange& change) {
    field("now", change.now.empty() ? "no crashkernel=" : change.now);
    if (!change.words.empty()) field("boot with", change.words);
    if (change.on_loan != 0) sentence("note", handoff::counts_on_loan_text);
}

void print_change(const ReservationChange& change, const Host& host) {
    if (!change.problem.empty()) {
        sentence("refused", change.problem);
        return;
    }
    print_words(change);
    for (const std::string& command : change.by_hand) field(&command == &change.by_hand.front() ? "do" : "", command);
    if (!change.file.empty()) field(change.undo ? "removed" : "written", change.file);
    if (!change.ran.empty()) field("ran", change.ran);
    if (change.entries) sentence("boot menu", to_text(*change.entries));
    if (!change.undone_by.empty()) sentence("note", change.undone_by);
    if (!change.file.empty() && change.ran.empty())
        sentence("note",
                 fmt::format("{} is not the running machine, so the boot loader's configuration was not made anew.",
                             host.root()));
    if (change.file.empty() && change.undo)
        next("Nothing has to be done. 'reserve' has written nothing on this machine.");
    else if (change.undo)
        next("Reboot. The reservation is then as the boot loader's other files say.");
    else if (change.file.empty())
        next("Run these commands, and reboot. 'swiotlb-handoff status' then says what is reserved.");
    else
        next("Reboot. 'swiotlb-handoff status' then says whether this is reserved.");
}

Status say(const Options& options, const Host& host, const ReservationChange& change) {
    if (options.json)
        print_json(handoff::reserve_document(change));
    else
        print_change(change, host);
    return change.problem.empty() ? Status::ready : Status::refused;
}

Status put_back(const Before& before, const std::string& why) {
    return fail(Error{Errc::io, "", 0, fmt::format("{}. Nothing is changed{}", why, before.restore())});
}

// Writes the file, or removes it where there are no words, and has the boot loader's configuration made anew.
Status change_boot(const Options& options, const Host& host, const BootConfig& boot, ReservationChange change) {
    const auto before = Before::read(host, boot);
    if (!before) return fail(before.error());
    if (const auto problem = not_ours(host, boot, before->ours())) return fail(*problem);
    const std::string text = change.words.empty() ? "" : handoff::grub_file_with(change.words);
    if (options.dry_run) {
        const std::string difference =
            unified_difference(full_path(host, boot.file), before->ours().value_or(""), text);
        print_words(change);
        print(difference);
        next(difference.empty() ? "Nothing has to be done. This file is as it should be."
                                : fmt::format("Run 'swiotlb-handoff reserve{}' without --dry-run, and reboot.",
                                              change.undo ? " --undo" : ""));
        return Status::ready;
    }
    if (change.undo && !before->ours()) return say(options, host, change);
    change.file = full_path(host, boot.file);
    change.changed = before->ours() != (change.undo ? std::nullopt : std::optional(text));

    const NoInterruption quiet;
    const std::string record = state_path(handoff::reservation_asked_file);
    std::optional<Error> failed;
    if (change.undo) {
        failed = remove_file(host, record);
        if (!failed) failed = remove_file(host, boot.file);
    } else {
        const handoff::ReservationAsked asked{change.words, boot_id_of(host), utc_now(), HANDOFF_VERSION};
        failed = make_state_directory(host);
        if (!failed) failed = written(write_file(host, record, handoff::Link::stay, text_of(asked)));
        if (!failed) failed = written(write_file(host, boot.file, handoff::Link::stay, text));
    }
    if (failed) return put_back(*before, failed->message());
    if (host.live())
        if (const std::string why = make_boot_config(host, boot, change.words, quiet.before(), change); !why.empty())
            return put_back(*before, why);
    return say(options, host, change);
}

}  // namespace

Status reserve(const Options& options) {
    if (const auto error = no_machine_to_act_on(options)) return fail(*error);
    const Host host(options.root);
    const auto service = handoff::find_kdump_service(host);
    if (!service) return fail(service.error());
    const BootConfig* boot = boot_config_of(host, *service);
    ReservationChange change;
    change.service = service->name;
    change.undo = options.undo;
    if (const auto line = host.read(handoff::Source::command_line))
        change.now = handoff::crashkernel_words(*line).value_or("");
    if (options.undo) {
        if (boot) return change_boot(options, host, *boot, change);
        return fail(Error{Errc::not_found, "", 0,
                          "'reserve' writes nothing on this machine, and so there is nothing to undo. Set crashkernel= "
                          "as it was in the same way in which it was changed"});
    }

    auto of = asked_with_sizes(options);
    if (!of) return fail(of.error());
    if (options.count_on_loan) handoff::look_into_pool(of->host, of->machine);
    const handoff::Recommendation recommended = recommendation_for(options, *of);
    const handoff::ReservePlan wanted = handoff::plan_reserve(recommended, handoff::load_settings(host));
    change.problem = wanted.problem;
    if (wanted.possible() && options.count_on_loan) change.problem = why_not_lent(host, of->machine);
    if (!change.problem.empty()) return say(options, host, change);
    change.words = wanted.words;
    change.on_loan = recommended.on_loan();
    change.undone_by = handoff::undoes_crashkernel(host, *service);
    if (boot) return change_boot(options, host, *boot, std::move(change));
    change.by_hand = service->reserve_by_hand(wanted.words, !change.undone_by.empty());
    return say(options, host, change);
}

}  // namespace tool
