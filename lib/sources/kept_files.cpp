// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/kept_files.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "lib/sources/files.hpp"

namespace handoff {
namespace {

/// Of a name below `directory`: the first component of what follows. "" where it is not below it.
std::string_view child(std::string_view directory, std::string_view name) {
    if (name.size() <= directory.size() || !name.starts_with(directory) || name[directory.size()] != '/') return {};
    name.remove_prefix(directory.size() + 1);
    return name.substr(0, name.find('/'));
}

}  // namespace

void KeptFiles::add(std::string path, std::string place, std::string content) {
    files_[std::move(path)] = File{std::move(place), std::move(content)};
}

const std::string* KeptFiles::find(std::string_view path) const {
    const auto file = files_.find(path);
    return file == files_.end() ? nullptr : &file->second.content;
}

base::Result<Fd> KeptFiles::open(std::string_view path) const {
    const std::string* content = find(path);
    if (content == nullptr) return system_error(path, ENOENT);
    Fd memory(::memfd_create("kept", MFD_CLOEXEC));
    if (!memory) return system_error(path, errno);
    for (std::string_view rest = *content; !rest.empty();) {
        const ssize_t written = ::write(memory.get(), rest.data(), rest.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return system_error(path, errno);
        rest.remove_prefix(static_cast<std::size_t>(written));
    }
    if (::lseek(memory.get(), 0, SEEK_SET) != 0) return system_error(path, errno);
    return memory;
}

bool KeptFiles::is_directory(std::string_view path) const {
    if (directories_.find(path) != directories_.end()) return true;
    const std::string below = std::string(path) + '/';
    const auto first = files_.lower_bound(below);
    return first != files_.end() && first->first.starts_with(below);
}

std::vector<std::string> KeptFiles::names_in(std::string_view directory) const {
    std::set<std::string, std::less<>> names;
    for (const auto& [path, file] : files_)
        if (const auto name = child(directory, path); !name.empty()) names.emplace(name);
    for (const std::string& path : directories_)
        if (const auto name = child(directory, path); !name.empty()) names.emplace(name);
    return {names.begin(), names.end()};
}

std::string_view KeptFiles::place_of(std::string_view path) const {
    const auto file = files_.find(path);
    return file == files_.end() ? path : std::string_view(file->second.place);
}

}  // namespace handoff
