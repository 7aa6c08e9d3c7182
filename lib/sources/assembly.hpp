// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "lib/sources/archive.hpp"
#include "lib/sources/kept_files.hpp"
#include "lib/sources/layout.hpp"
#include "swiotlb-handoff/result.hpp"

namespace handoff {

/// Which files of a report anybody could ask for, in any layout.
class Wanted {
public:
    /// `also`: patterns of further files on the machine.
    explicit Wanted(const std::vector<std::string>& also);

    /// The rows that a file of this path could be for: of layouts()[layout] the row, or no_row for the machine's own
    /// path.
    struct Use {
        std::size_t layout = 0, row = 0;
    };
    static constexpr std::size_t no_row = ~std::size_t{0};
    [[nodiscard]] std::vector<Use> uses(const std::string& path) const;
    /// A machine's report has its top, below `depth` directories, where the rest of a path is this: it is such a file,
    /// or one of those by which its kind is known.
    [[nodiscard]] bool shows_top(const std::string& path, std::size_t depth) const;
    /// Patterns of the machine's own paths. Those of a temporary come by value, so that nothing refers into it.
    [[nodiscard]] const std::vector<std::string>& own() const& { return own_; }
    [[nodiscard]] std::vector<std::string> own() && { return std::move(own_); }

private:
    struct Pattern {
        std::string_view text, before_wildcard;
        Use use;
    };
    void add(std::string_view pattern, Use);

    std::vector<std::string> own_;
    std::unordered_multimap<std::string, Pattern> by_name_;  // of those whose last component has no wildcard
    std::vector<Pattern> others_;
};

/// What is kept of one machine's report while it is read, in any order and before its kind is known.
class Assembly {
public:
    explicit Assembly(const Wanted& wanted) : wanted_(&wanted), seen_(layouts().size()) {}

    /// A file of the report, by its path below the top; `read` is called where its content is needed.
    template <class Read>
    void file(const std::string& path, Read read) {
        saw(path);
        if (needs(path)) keep(path, read());
    }
    void directory(const std::string& path);
    /// `target`: below the report's top.
    void link(const std::string& path, std::string target);

    /// The machine's files, by the rows of the first layout that it has a sign of. Errors: it is none; the same name
    /// twice; more than 192 MiB; a file that is needed could not be read.
    base::Result<KeptFiles> finish() &&;

private:
    void saw(const std::string& path);
    [[nodiscard]] bool needs(const std::string& path) const;
    void keep(const std::string& path, base::Result<std::string> content);
    void resolve_links();
    void take_rows(const ReportLayout&, KeptFiles&);
    /// Of the files that match, the one that counts so far: a log that shows the boot counts more than one that does
    /// not.
    struct Choice {
        std::string place, content;
        bool shows_boot = false;
    };
    void consider(const ReportRow&, const std::string& path, std::optional<Choice>&);

    const Wanted* wanted_;
    std::vector<bool> seen_;  // signs, by the layout
    std::map<std::string, std::string> files_;
    std::map<std::string, base::Error> unread_;
    std::map<std::string, std::string> links_;
    std::set<std::string> directories_;
    std::map<std::size_t, std::size_t> log_with_boot_;  // of a layout, the row of the best one that was kept
    std::size_t bytes_ = 0;
    std::optional<base::Error> broken_;
};

/// The error of a directory or an archive that is of no kind.
base::Error no_report();

}  // namespace handoff
