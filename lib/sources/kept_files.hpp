// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>

#include "lib/sources/host.hpp"

namespace handoff {

/// The files of a machine that are in memory: what was kept of an archive, or of a report that has its files elsewhere
/// than the machine. A file has its path on the machine without the leading slash, and the place where the report has
/// it, which is for people.
class KeptFiles final : public Files {
public:
    void add(std::string path, std::string place, std::string content);
    /// A directory without files, which tells something by being there.
    void add_directory(std::string path) { directories_.insert(std::move(path)); }

    [[nodiscard]] const std::string* find(std::string_view path) const override;
    [[nodiscard]] base::Result<Fd> open(std::string_view path) const override;
    [[nodiscard]] bool is_directory(std::string_view path) const override;
    [[nodiscard]] std::vector<std::string> names_in(std::string_view directory) const override;
    [[nodiscard]] std::string_view place_of(std::string_view path) const override;

private:
    struct File {
        std::string place;
        std::string content;
    };
    std::map<std::string, File, std::less<>> files_;
    std::set<std::string, std::less<>> directories_;
};

}  // namespace handoff
