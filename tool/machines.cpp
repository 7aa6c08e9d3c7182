// SPDX-License-Identifier: GPL-2.0-or-later
#include "tool/machines.hpp"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <iostream>

#include "lib/sources/report.hpp"

namespace tool {
namespace {

namespace fs = std::filesystem;

/// What an audit looks at in a directory, the last one first.
std::vector<std::string> children_of(const std::string& directory) {
    std::vector<std::string> paths;
    std::error_code failed, ignored;
    for (fs::directory_iterator each(directory, failed), end; !failed && each != end; each.increment(failed)) {
        const bool looked_at = each->is_directory(ignored) ||
                               (each->is_regular_file(ignored) && handoff::is_archive_name(each->path().string()));
        if (looked_at) paths.push_back(each->path().string());
    }
    std::sort(paths.begin(), paths.end(), std::greater<>());
    return paths;
}

}  // namespace

std::optional<Machines::Next> Machines::next() {
    const std::lock_guard lock(mutex_);
    auto path = next_path();
    if (!path) return std::nullopt;
    return Next{number_++, *std::move(path)};
}

std::optional<std::string> Machines::next_path() {
    while (true) {
        if (!children_.empty()) {
            std::string path = std::move(children_.back());
            children_.pop_back();
            return path;
        }
        std::string path;
        if (reading_) {
            if (std::getline(std::cin, path)) {
                if (!path.empty()) return path;
                continue;
            }
            reading_ = false;
        }
        if (at_ == operands_.size()) return std::nullopt;
        path = operands_[at_++];
        if (path == "-") {
            reading_ = true;
            continue;
        }
        std::error_code ignored;
        if (!fs::is_directory(path, ignored) || handoff::is_report(path)) return path;
        children_ = children_of(path);
        if (children_.empty()) return path;
    }
}

}  // namespace tool
