// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/report.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <functional>
#include <iterator>
#include <optional>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>

#include "lib/sources/apport.hpp"
#include "lib/sources/archive.hpp"
#include "lib/sources/assembly.hpp"
#include "lib/sources/files.hpp"
#include "lib/sources/layout.hpp"
#include "lib/sources/log_file.hpp"

namespace handoff {

using base::Error;
using base::input_error;
using base::Result;
using std::string_view;

namespace {

// --- a directory ----------------------------------------------------------------------------------------------

/// The paths below `host` that match a pattern, in order.
std::vector<std::string> expand(const Host& host, string_view pattern, const std::string& above = "") {
    const string_view component = pattern.substr(0, pattern.find('/'));
    const bool last = component.size() == pattern.size();
    std::vector<std::string> names;
    if (first_wildcard(component) == component.npos)
        names.emplace_back(component);
    else if (auto all = host.names_in(above.empty() ? "." : above))
        std::copy_if(all->begin(), all->end(), std::back_inserter(names),
                     [&](const std::string& name) { return matches(component, name); });
    std::vector<std::string> paths;
    for (const std::string& name : names) {
        std::string path = above.empty() ? name : fmt::format("{}/{}", above, name);
        if (last) {
            if (host.exists(path)) paths.push_back(std::move(path));
            continue;
        }
        for (std::string& below : expand(host, pattern.substr(component.size() + 1), path))
            paths.push_back(std::move(below));
    }
    return paths;
}

const ReportLayout* layout_of(const Host& host) {
    const auto all = layouts();
    const auto found = std::find_if(all.begin(), all.end(), [&](const ReportLayout& layout) {
        return std::any_of(layout.signs.begin(), layout.signs.end(),
                           [&](string_view sign) { return !expand(host, sign).empty(); });
    });
    return found == all.end() ? nullptr : &*found;
}

Result<Host> in_directory(const std::string& path, const Wanted& wanted) {
    Host host(path);
    if (auto error = host.unusable()) return std::move(*error);
    const ReportLayout* layout = layout_of(host);
    if (layout == nullptr) return no_report().at(path);
    if (layout->rows.empty()) return host;

    Assembly assembly(wanted);
    const auto telling = telling_directories();
    const auto take = [&](string_view pattern) {
        for (const std::string& file : expand(host, pattern))
            if (std::find(telling.begin(), telling.end(), file) == telling.end())
                assembly.file(file, [&] { return host.read(file); });
    };
    for (const string_view sign : layout->signs)
        for (const std::string& found : expand(host, sign)) assembly.directory(found);
    for (const ReportRow& row : layout->rows) take(row.place);
    if (layout->own_paths)
        for (const std::string& pattern : wanted.own()) take(pattern);
    for (const string_view directory : telling)
        if (layout->own_paths && host.exists(directory)) assembly.directory(std::string(directory));
    auto files = std::move(assembly).finish();
    if (!files) return std::move(files).error();
    return Host(path, std::make_shared<KeptFiles>(*std::move(files)));
}

// --- an archive -----------------------------------------------------------------------------------------------

bool is_apport_key(string_view key) {
    for (const ReportLayout& layout : layouts())
        for (const ReportRow& row : layout.rows)
            if (row.section.empty() && row.place == key) return true;
    return false;
}

Result<Host> in_apport_report(const std::string& name, ApportFields&& report, const Wanted& wanted) {
    auto fields = std::move(report).finish();
    if (!fields) return std::move(fields).error();
    Assembly assembly(wanted);
    for (auto& field : *fields)
        assembly.file(field.first, [&field] { return Result<std::string>(std::move(field.second)); });
    auto files = std::move(assembly).finish();
    if (!files) return std::move(files).error();
    return Host(name, std::make_shared<KeptFiles>(*std::move(files)));
}

/// The machine of a kernel log alone.
Result<Host> in_log(const std::string& name, std::string text) {
    const auto lines = log_lines(text);
    if (!lines) return lines.error();
    if (!is_kernel_log(*lines))
        return input_error(0,
                           fmt::format("expected a tar archive or a kernel log, found neither: {} lines, and none of "
                                       "them is recognised as one of a kernel's boot",
                                       std::count(lines->begin(), lines->end(), '\n')));
    const std::filesystem::path path = name;
    KeptFiles files;
    files.add(std::string(info(Source::kernel_log).path), path.filename().string(), std::move(text));
    return Host(path.parent_path().string(), std::make_shared<KeptFiles>(std::move(files)));
}

/// The machine of the member of an archive that is one file: a report of apport, or a kernel log.
Result<Host> in_one_file(const std::string& name, Archive& archive, const Wanted& wanted) {
    std::optional<ApportFields> apport;
    std::string text;
    std::optional<Error> wrong;
    auto unread = archive.read_pieces([&](string_view piece) {
        if (text.empty() && !apport && is_apport_report(piece)) apport.emplace(is_apport_key);
        if (apport)
            wrong = apport->take(piece);
        else if (text.size() + piece.size() > file_limit)
            wrong = too_large({}, file_limit);
        else
            text += piece;
        return !wrong;
    });
    auto host = unread   ? Result<Host>(*std::move(unread))
                : wrong  ? Result<Host>(*std::move(wrong))
                : apport ? in_apport_report(name, *std::move(apport), wanted)
                         : in_log(name, std::move(text));
    if (!host) return std::move(host).error().at(name);
    return host;
}

/// Reads an archive and gives away its machines, one after another.
class Unpacking {
public:
    Unpacking(std::string name, const Wanted& wanted, const Reports::Take& take, bool inner = false)
        : name_(std::move(name)), wanted_(wanted), take_(take), inner_(inner) {}

    void run(Archive& archive) {
        while (true) {
            auto entry = archive.next();
            if (!entry) return give_up(std::move(entry).error());
            if (!*entry) break;
            if ((*entry)->kind == ArchiveEntry::Kind::content)
                give(name_, in_one_file(name_, archive, wanted_));
            else if (!(*entry)->path.empty())
                member(archive, **entry);
        }
        finish();
        if (given_ == 0) give(name_, no_report().at(name_));
    }

private:
    void member(Archive& archive, const ArchiveEntry& entry) {
        const bool is_file = entry.kind == ArchiveEntry::Kind::file;
        if (!below_top(entry.path)) {
            if (is_file && !inner_ && is_archive_name(entry.path) &&
                (depth(entry.path) <= 2 || is_report_name(entry.path)))
                return inner(archive, entry.path);
            const auto top = top_of(entry.path);
            if (!top) return;
            begin(*top);
        }
        if (!assembly_) return;
        const std::string path = entry.path.substr(top_.empty() ? 0 : top_.size() + 1);
        switch (entry.kind) {
            case ArchiveEntry::Kind::file:
                return assembly_->file(path, [&] { return archive.read(file_limit); });
            case ArchiveEntry::Kind::directory:
                return assembly_->directory(path);
            case ArchiveEntry::Kind::symbolic_link:
            case ArchiveEntry::Kind::hard_link:
                if (auto target = target_of(entry, path)) assembly_->link(path, *std::move(target));
                return;
            case ArchiveEntry::Kind::content:
            case ArchiveEntry::Kind::other:
                return;
        }
    }

    /// By what collectors call their archives, which must-gather and the like have some directories deep.
    static bool is_report_name(string_view path) {
        constexpr std::array<string_view, 5> begins{"sosreport-", "sos-", "scc_", "nts_", "insights-"};
        const string_view name = path.substr(path.rfind('/') + 1);
        return std::any_of(begins.begin(), begins.end(), [&](string_view begin) { return name.starts_with(begin); });
    }

    static std::size_t depth(string_view path) {
        return 1 + static_cast<std::size_t>(std::count(path.begin(), path.end(), '/'));
    }

    [[nodiscard]] bool below_top(string_view path) const {
        return assembly_ && (top_.empty() || (path.starts_with(top_) && path.substr(top_.size()).starts_with('/')));
    }

    /// The top of the machine whose file this is: at most two directories deep, and for what must-gather has of a
    /// node, "nodes/NAME", any number.
    [[nodiscard]] std::optional<std::string> top_of(const std::string& path) const {
        std::size_t from = 0;
        for (std::size_t depth = 0; depth <= 8; ++depth) {
            const string_view above = string_view(path).substr(0, from == 0 ? 0 : from - 1);
            const string_view parent = above.substr(0, std::min(above.rfind('/'), above.size()));
            const bool node = parent == "nodes" || parent.ends_with("/nodes");
            if (wanted_.shows_top(path.substr(from), node ? 0 : depth)) return std::string(above);
            const auto slash = path.find('/', from);
            if (slash == path.npos) break;
            from = slash + 1;
        }
        return std::nullopt;
    }

    /// Below the top; nullopt where it leads out of it.
    [[nodiscard]] std::optional<std::string> target_of(const ArchiveEntry& entry, const std::string& path) const {
        namespace fs = std::filesystem;
        fs::path target = entry.target;
        if (entry.kind == ArchiveEntry::Kind::hard_link) {
            target = target.lexically_normal();
            if (!top_.empty()) target = target.lexically_relative(top_);
        } else if (target.is_absolute()) {
            target = target.relative_path();  // as the machine has it
        } else {
            target = (fs::path(path).parent_path() / target).lexically_normal();
        }
        const std::string text = target.string();
        if (text.empty() || text.starts_with("..")) return std::nullopt;
        return text;
    }

    void begin(const std::string& top) {
        finish();
        if (!tops_.insert(std::hash<std::string>()(top)).second) {
            if (top != scattered_) give(called(top), input_error(0, "its files are not together in the archive"));
            scattered_ = top;
            return;
        }
        top_ = top;
        assembly_.emplace(wanted_);
    }

    void finish() {
        if (!assembly_) return;
        auto files = std::move(*assembly_).finish();
        assembly_.reset();
        std::string name = called(top_);
        if (files) {
            give(name, Host(name, std::make_shared<KeptFiles>(*std::move(files))));
        } else {
            Error error = std::move(files).error();
            error.source = error.source.empty() ? name : fmt::format("{}/{}", name, error.source);
            give(name, std::move(error));
        }
    }

    /// The archive cannot be read any further: what has begun is not complete.
    void give_up(Error error) {
        const std::string name = assembly_ ? called(top_) : name_;
        assembly_.reset();
        give(name, std::move(error).at(name));
    }

    void inner(Archive& archive, const std::string& member) {
        finish();
        const std::string name = fmt::format("{}/{}", name_, member);
        if (member.ends_with(".crash")) return give(name, in_one_file(name, archive, wanted_));
        auto found = Archive::open_inside(archive);
        if (!found) return give(name, std::move(found).error().at(name));
        Unpacking(name, wanted_, take_, true).run(*found);
        ++given_;
    }

    /// "x.tar.xz/top"; the archive's own name where that says it.
    [[nodiscard]] std::string called(const std::string& top) const {
        const string_view file = string_view(name_).substr(name_.rfind('/') + 1);
        if (top.empty() || (file.starts_with(top) && file.substr(top.size()).starts_with('.'))) return name_;
        return fmt::format("{}/{}", name_, top);
    }

    void give(const std::string& name, Result<Host> host) {
        ++given_;
        take_(name, std::move(host));
    }

    std::string name_;
    const Wanted& wanted_;
    const Reports::Take& take_;
    bool inner_;
    std::optional<Assembly> assembly_;
    std::string top_, scattered_;
    std::unordered_set<std::size_t> tops_;
    std::size_t given_ = 0;
};

}  // namespace

Reports::Reports(const std::vector<std::string>& also) : wanted_(std::make_unique<const Wanted>(also)) {}
Reports::~Reports() = default;

void Reports::each(const std::string& path, const Take& take) const {
    std::error_code ignored;
    if (path == "/") return take(path, Host(path));
    if (path != "-" && std::filesystem::is_directory(path, ignored)) return take(path, in_directory(path, *wanted_));
    auto archive = Archive::open(path);
    if (!archive) return take(path, std::move(archive).error().at(path));
    Unpacking(path, *wanted_, take).run(*archive);
}

Result<Host> Reports::only(const std::string& path) const {
    std::optional<Result<Host>> found;
    std::size_t count = 0;
    each(path, [&](const std::string&, Result<Host> host) {
        if (count++ == 0) found.emplace(std::move(host));
    });
    if (count > 1)
        return Error{base::Errc::input, path, 0,
                     fmt::format("expected one machine, found {}: the command audit takes such an archive", count)};
    return *std::move(found);
}

bool is_report(const std::string& directory) { return layout_of(Host(directory)) != nullptr; }

bool is_archive_name(string_view name) {
    constexpr std::array<string_view, 13> ends{".tar", ".tar.gz", ".tar.xz", ".tar.bz2", ".tar.zst", ".tar.lz4", ".tgz",
                                               ".txz", ".tbz",    ".tbz2",   ".tzst",    ".tlz4",    ".crash"};
    return std::any_of(ends.begin(), ends.end(), [&](string_view end) { return name.ends_with(end); });
}

}  // namespace handoff
