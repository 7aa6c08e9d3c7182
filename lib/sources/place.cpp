// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/place.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <utility>

#include "lib/sources/files.hpp"

namespace handoff {

using base::Error;
using base::Fd;
using base::Result;

Result<Place> place_inside(int root, std::string_view given, Link link, bool whole) {
    std::filesystem::path path(given);
    for (int links = 0; links < 40; ++links) {  // as many as the kernel follows
        const std::string parent = path.has_parent_path() ? path.parent_path().string() : ".";
        Place place{Fd(open_inside(root, parent, O_RDONLY | O_DIRECTORY, whole)), path.filename()};
        if (!place.directory) return system_error(given, errno);
        if (place.name.empty() || place.name == "." || place.name == "..")
            return Error{base::Errc::io, std::string(given), 0, "expected the name of a file"};
        std::array<char, 4096> target{};
        const ssize_t size = ::readlinkat(place.directory.get(), place.name.c_str(), target.data(), target.size());
        if (size < 0 && errno != EINVAL && errno != ENOENT) return system_error(given, errno);
        if (size < 0 || link == Link::stay) return place;
        const std::filesystem::path to(std::string_view(target.data(), static_cast<std::size_t>(size)));
        path = to.is_absolute() ? to.relative_path() : parent / to;
    }
    return system_error(given, ELOOP);
}

}  // namespace handoff
