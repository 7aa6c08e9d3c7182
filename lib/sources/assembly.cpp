// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/assembly.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "lib/sources/files.hpp"
#include "lib/sources/source.hpp"

namespace handoff {

using base::Error;
using base::input_error;
using base::Result;
using std::string_view;

namespace {

constexpr std::size_t assembly_limit = 192 * base::MiB;

string_view last_component(string_view path) { return path.substr(path.rfind('/') + 1); }

bool is_log(const ReportRow& row) { return row.path == info(Source::kernel_log).path; }

bool shows_boot(string_view log) { return log.find("Linux version ") != log.npos; }

}  // namespace

Wanted::Wanted(const std::vector<std::string>& also) : own_(own_paths()) {
    own_.insert(own_.end(), also.begin(), also.end());
    for (std::size_t i = 0; i < layouts().size(); ++i) {
        const ReportLayout& layout = layouts()[i];
        for (std::size_t row = 0; row < layout.rows.size(); ++row) add(layout.rows[row].place, {i, row});
        if (!layout.own_paths) continue;
        for (const std::string& pattern : own_) add(pattern, {i, no_row});
    }
}

void Wanted::add(string_view pattern, Use use) {
    const Pattern made{pattern, pattern.substr(0, first_wildcard(pattern)), use};
    const string_view name = last_component(pattern);
    if (first_wildcard(name) != string_view::npos)
        others_.push_back(made);
    else
        by_name_.emplace(name, made);
}

std::vector<Wanted::Use> Wanted::uses(const std::string& path) const {
    std::vector<Use> found;
    const auto look = [&](const Pattern& pattern) {
        const bool literal = pattern.before_wildcard.size() == pattern.text.size();
        if (literal ? path == pattern.text : path.starts_with(pattern.before_wildcard) && matches(pattern.text, path))
            found.push_back(pattern.use);
    };
    const auto [first, last] = by_name_.equal_range(std::string(last_component(path)));
    std::for_each(first, last, [&](const auto& each) { look(each.second); });
    for (const Pattern& pattern : others_) look(pattern);
    return found;
}

bool Wanted::shows_top(const std::string& path, std::size_t depth) const {
    const auto telling = telling_directories();
    if (std::find(telling.begin(), telling.end(), path) != telling.end()) return true;
    const auto all = uses(path);
    const auto may_be_here = [&](const ReportLayout& layout) { return depth <= layout.deepest; };
    if (std::any_of(all.begin(), all.end(), [&](const Use& use) { return may_be_here(layouts()[use.layout]); }))
        return true;
    const string_view first = string_view(path).substr(0, path.find('/'));
    const auto is_known_by = [&](const ReportLayout& layout) {
        return may_be_here(layout) && !layout.rows.empty() &&
               std::find(layout.signs.begin(), layout.signs.end(), first) != layout.signs.end();
    };
    return std::any_of(layouts().begin(), layouts().end(), is_known_by);
}

void Assembly::saw(const std::string& path) {
    for (std::size_t i = 0; i < layouts().size(); ++i) {
        if (seen_[i]) return;  // the first one counts
        const auto& signs = layouts()[i].signs;
        seen_[i] = std::any_of(signs.begin(), signs.end(), [&](string_view sign) { return is_sign(sign, path); });
    }
}

bool Assembly::needs(const std::string& path) const {
    // A log of a later row is of no use once there is an earlier one with the boot in it.
    const auto uses = wanted_->uses(path);
    return std::any_of(uses.begin(), uses.end(), [&](const Wanted::Use& use) {
        const auto better = log_with_boot_.find(use.layout);
        return use.row == Wanted::no_row || better == log_with_boot_.end() || better->second >= use.row ||
               !is_log(layouts()[use.layout].rows[use.row]);
    });
}

void Assembly::keep(const std::string& path, Result<std::string> content) {
    if (!content) {
        unread_.emplace(path, std::move(content).error().at(path));
        return;
    }
    if (const auto known = files_.find(path); known != files_.end()) {
        if (known->second != *content)
            broken_ = input_error(0, "it is in the archive twice, and not the same").at(path);
        return;
    }
    const auto uses = wanted_->uses(path);
    const auto as_log = [](const Wanted::Use& use) {
        return use.row != Wanted::no_row && is_log(layouts()[use.layout].rows[use.row]);
    };
    // A log that somebody compressed is looked into here, to see whether it shows the boot.
    if (is_packed(*content) && std::any_of(uses.begin(), uses.end(), as_log)) {
        content = unpacked(*content, file_limit);
        if (!content) {
            unread_.emplace(path, std::move(content).error().at(path));
            return;
        }
    }
    bytes_ += content->size();
    if (bytes_ > assembly_limit) {
        broken_ = input_error(
            0, fmt::format("what is needed of the report is larger than {} MiB", assembly_limit / base::MiB));
        return;
    }
    for (const Wanted::Use& use : uses) {
        if (!as_log(use)) continue;
        if (layouts()[use.layout].rows[use.row].section.empty() && shows_boot(*content)) {
            const auto [best, first] = log_with_boot_.emplace(use.layout, use.row);
            if (!first) best->second = std::min(best->second, use.row);
        }
    }
    files_.emplace(path, *std::move(content));
}

void Assembly::directory(const std::string& path) {
    saw(path);
    const auto telling = telling_directories();
    if (std::find(telling.begin(), telling.end(), path) != telling.end()) directories_.insert(path);
}

void Assembly::link(const std::string& path, std::string target) {
    saw(path);
    if (!wanted_->uses(path).empty()) links_.emplace(path, std::move(target));
}

void Assembly::resolve_links() {
    for (const auto& [path, target] : links_) {
        const auto file = files_.find(target);
        if (file != files_.end() && bytes_ + file->second.size() <= assembly_limit && files_.count(path) == 0) {
            bytes_ += file->second.size();
            files_.emplace(path, file->second);
        }
    }
}

void Assembly::consider(const ReportRow& row, const std::string& path, std::optional<Choice>& choice) {
    const std::string& content = files_[path];
    const auto offer = [&](std::string place, std::string text) {
        const bool boot = is_log(row) && shows_boot(text);
        if (choice && (choice->shows_boot || !boot)) return;
        choice = Choice{std::move(place), std::move(text), boot};
    };
    if (row.section.empty()) return offer(path, content);
    for (const Section& section : sections_of(content)) {
        if (!matches_name(row.section, section.name)) continue;
        // Numbers of lines are those of the whole file.
        std::string text = is_log(row) ? std::string(section.lines_before, '\n') : std::string();
        offer(path, text.append(section.text));
    }
}

void Assembly::take_rows(const ReportLayout& layout, KeptFiles& kept) {
    std::map<string_view, std::optional<Choice>> choices;
    for (const ReportRow& row : layout.rows) {
        auto& choice = choices[row.path];
        if (first_wildcard(row.place) == string_view::npos) {
            if (files_.count(std::string(row.place)) != 0) consider(row, std::string(row.place), choice);
            continue;
        }
        // The names of crashes begin with their dates: the last one counts.
        for (auto file = files_.rbegin(); file != files_.rend(); ++file)
            if (matches(row.place, file->first)) consider(row, file->first, choice);
    }
    for (auto& [path, choice] : choices) {
        if (choice) {
            kept.add(std::string(path), std::move(choice->place), std::move(choice->content));
            continue;
        }
        for (const ReportRow& row : layout.rows)
            for (const auto& [place, error] : unread_)
                if (row.path == path && matches(row.place, place)) broken_ = error;
    }
}

Result<KeptFiles> Assembly::finish() && {
    if (broken_) return std::move(*broken_);
    const auto seen = std::find(seen_.begin(), seen_.end(), true);
    if (seen == seen_.end()) return no_report();
    const ReportLayout& layout = layouts()[static_cast<std::size_t>(seen - seen_.begin())];
    resolve_links();
    KeptFiles kept;
    const auto is_own = [&](const std::string& path) {
        return std::any_of(wanted_->own().begin(), wanted_->own().end(),
                           [&](const std::string& pattern) { return matches(pattern, path); });
    };
    // A sosreport has some files of some devices, and a machine without the others is another machine.
    const bool all = layout.rows.empty();
    const auto of_devices = [](const std::string& path) { return path.starts_with("sys/bus/"); };
    if (layout.own_paths) {
        for (const auto& [path, content] : files_)
            if (is_own(path) && (all || !of_devices(path))) kept.add(path, path, content);
        for (const auto& [path, error] : unread_)
            if (is_own(path)) return error;
        for (const std::string& path : directories_)
            if (all || !of_devices(path)) kept.add_directory(path);
    }
    take_rows(layout, kept);
    if (broken_) return std::move(*broken_);
    return kept;
}

Error no_report() {
    std::string kinds;
    for (const ReportLayout& layout : layouts())
        kinds += fmt::format("{}{} ({})", kinds.empty() ? "" : ", ", layout.name, layout.mark);
    return {
        base::Errc::not_found, "", 0,
        "expected one of these and found none: " + kinds + "; a tar archive of such, or a file that is a kernel log"};
}

}  // namespace handoff
